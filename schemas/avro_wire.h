/*
 * Avro bytes from outside: whether they are one value of a schema, before anything is made of them;
 * and the two heads that say which schema that is.
 *
 *   Confluent        00 | schema id, 4 bytes, the highest first | value
 *   single object    C3 01 | CRC-64-AVRO of the schema, 8 bytes, the lowest first | value
 *
 * The check walks the bytes with a stack of SCHEMA_AVRO_WIRE_DEPTH_MAX types and takes no memory
 * for what the bytes claim: lengths end within the bytes, indexes of unions and enums within their
 * lists, ints within 32 bits, booleans are 0 or 1, strings are UTF-8, and nothing is left over.
 * What costs no bytes (items of type null, say) is counted: SCHEMA_AVRO_WIRE_VALUE_COUNT_MAX values
 * in all. A block's size in bytes, where it is given, must be that of its items.
 */
#ifndef SCHEMAS_AVRO_WIRE_H
#define SCHEMAS_AVRO_WIRE_H

#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/slice.h"
#include "schemas/avro_schema.h"

#define SCHEMA_AVRO_WIRE_DEPTH_MAX ((size_t)BASE_VALUE_DEPTH_MAX)
#define SCHEMA_AVRO_WIRE_VALUE_COUNT_MAX ((size_t)1048576)

/* Errors: CORRUPT with the offset of what is wrong in the text; TOO_LARGE past a bound above. */
base_status schema_avro_wire_check(const schema_avro *schema, base_slice bytes,
                                   base_error *error) BASE_MUST_USE;

#define SCHEMA_AVRO_CONFLUENT_HEAD_SIZE ((size_t)5)
#define SCHEMA_AVRO_SINGLE_HEAD_SIZE ((size_t)10)

/* Both read a head and give what follows it; false: the bytes do not start with one. */
bool schema_avro_confluent_read(base_slice bytes, uint32_t *id_out, base_slice *value_out);
bool schema_avro_single_read(base_slice bytes, uint64_t *crc64_out, base_slice *value_out);
void schema_avro_confluent_write(uint32_t id, char head_out[SCHEMA_AVRO_CONFLUENT_HEAD_SIZE]);
void schema_avro_single_write(uint64_t crc64, char head_out[SCHEMA_AVRO_SINGLE_HEAD_SIZE]);

#endif

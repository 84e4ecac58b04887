/* SHA-256 (FIPS 180-4) for names by content: plans, effect ids; and two small mixers for tables and
 * partitions. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stdint.h>

#include "base/slice.h"

typedef struct base_sha256 {
    uint32_t state[8];
    uint64_t size;
    uint8_t block[64];
} base_sha256;

void base_sha256_init(base_sha256 *hash);
void base_sha256_update(base_sha256 *hash, const void *data, size_t size);
/* Adds the size as 8 little-endian bytes, then the bytes: so that fields cannot run into each
 * other. */
void base_sha256_field(base_sha256 *hash, base_slice field);
void base_sha256_final(base_sha256 *hash, uint8_t digest_out[32]);

/* Lower-case hex of bytes; text_out has room for 2 * size + 1 characters and is terminated. */
void base_hex(const uint8_t *bytes, size_t size, char *text_out);

/* XXH64 (xxHash specification 0.1.1) of the bytes: for tables and for dedupe rings; the same on
 * every machine. */
uint64_t base_hash64(base_slice bytes, uint64_t seed);

/* Kafka's murmur2 (org.apache.kafka.common.utils.Utils.murmur2) and its partition: (murmur2 &
 * 0x7fffffff) % count. */
uint32_t base_murmur2(base_slice bytes);
int32_t base_partition_of(base_slice key, int32_t partition_count);

#endif

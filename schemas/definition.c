#include "schemas/definition.h"

#include <string.h>

#include "base/hash.h"
#include "schemas/wire.h"

#define HASH_SIZE 64

base_status schema_definition_write(const schema_definition *definition, base_arena *arena,
                                    base_slice *bytes_out, base_error *error)
{
    base_writer writer;
    base_writer_begin(&writer, arena);
    schema_head_write(&writer, SCHEMA_FINGERPRINT_DEFINITION);
    base_write_bytes(&writer, definition->saga);
    base_write_long(&writer, definition->version);
    if (definition->hash[0] == '\0' || !schema_hex_write(&writer, definition->hash, HASH_SIZE)) {
        return base_error_set(error, BASE_BAD_INPUT, "the hash of a definition is no hex");
    }
    const bool is_plan = definition->kind == SCHEMA_DEFINITION_PLAN;
    base_write_long(&writer, is_plan ? 1 : 0);
    if (is_plan) {
        base_write_bytes(&writer, definition->canonical);
        base_write_bytes(&writer, definition->path);
        base_write_long(&writer, definition->deployed_at_ms);
    }
    const base_status status = base_writer_end(&writer, bytes_out);
    return base_failed(status) ? base_error_set(error, status.code, "cannot write a definition: %s",
                                                base_status_text(status))
                               : status;
}

static base_status hash_check(const schema_definition *definition, base_error *error)
{
    base_sha256 hash;
    uint8_t digest[32];
    char hex[HASH_SIZE + 1];
    base_sha256_init(&hash);
    base_sha256_update(&hash, definition->canonical.data, definition->canonical.size);
    base_sha256_final(&hash, digest);
    base_hex(digest, sizeof(digest), hex);
    return strcmp(hex, definition->hash) == 0
               ? base_ok()
               : base_error_set(error, BASE_CORRUPT,
                                "the definition %.12s... is not what its hash says",
                                definition->hash);
}

base_status schema_definition_read(base_slice bytes, schema_definition *definition_out,
                                   base_error *error)
{
    base_reader reader;
    BASE_TRY(schema_head_read(bytes, SCHEMA_FINGERPRINT_DEFINITION, &reader, error));
    schema_definition definition = {.kind = SCHEMA_DEFINITION_POINTER};
    definition.saga = base_read_string(&reader);
    definition.version = base_read_long_in(&reader, 1, INT64_MAX);
    schema_hex_read(&reader, definition.hash, HASH_SIZE);
    if (base_read_long_in(&reader, 0, 1) == 1) {
        definition.kind = SCHEMA_DEFINITION_PLAN;
        definition.canonical = base_read_string(&reader);
        definition.path = base_read_string(&reader);
        definition.deployed_at_ms = base_read_long(&reader);
    }
    if (definition.hash[0] == '\0') {
        base_reader_fail(&reader);
    }
    BASE_TRY(schema_tail_check(&reader, "the definition", error));
    if (definition.kind == SCHEMA_DEFINITION_PLAN) {
        BASE_TRY(hash_check(&definition, error));
    }
    *definition_out = definition;
    return base_ok();
}

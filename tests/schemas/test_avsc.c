/*
 * The schemas in schemas/troupe.*.avsc against the code: fingerprints, symbols, and that every
 * field is documented. The parsing canonical form and CRC-64-AVRO are computed here again, by the
 * Avro specification.
 */
#include <sys/wait.h>
#include <unistd.h>

#include "saga/entry.h"
#include "samples.h"
#include "schemas/definition.h"
#include "schemas/journal.h"
#include "schemas/json.h"
#include "schemas/snapshot.h"
#include "schemas/wire.h"

#define SCHEMAS TEST_ROOT_DIR "/schemas/"

typedef struct fixture {
    base_arena arena;
    base_value schema;
    char canonical[65536];
    size_t canonical_size;
} fixture;

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof(*f));
    base_arena_init(&f->arena, BASE_ARENA_SIZE_DEFAULT_MAX);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    base_arena_deinit(&f->arena);
    free(f);
    return 0;
}

static void load(fixture *f, const char *path)
{
    char *text = file_text(path);
    const base_slice kept = base_arena_copy(&f->arena, base_slice_of(text));
    base_error error;
    base_error_clear(&error);
    free(text);
    if (base_failed(schema_json_read(kept, NULL, &f->arena, &f->schema, &error))) {
        fail_msg("%s: %s", path, error.text);
    }
    f->canonical_size = 0;
}

/* ---- parsing canonical form (Avro 1.11.1, "Transforming into Parsing Canonical Form") ---- */

static void emit(fixture *f, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void emit(fixture *f, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    f->canonical_size +=
        (size_t)vsnprintf(f->canonical + f->canonical_size,
                          sizeof(f->canonical) - f->canonical_size, format, arguments);
    va_end(arguments);
    assert_true(f->canonical_size < sizeof(f->canonical));
}

static bool is_primitive(base_slice name)
{
    static const char *const names[] = {"null",  "boolean", "int",   "long",
                                        "float", "double",  "bytes", "string"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (base_slice_is(name, names[i])) {
            return true;
        }
    }
    return false;
}

/* All our names are in the namespace troupe. */
static void emit_name(fixture *f, base_slice name)
{
    const bool full = is_primitive(name) || memchr(name.data, '.', name.size) != NULL;
    emit(f, "\"%s%.*s\"", full ? "" : "troupe.", BASE_SLICE_ARG(name));
}

static void emit_type(fixture *f, const base_value *type);

/* NOLINTNEXTLINE(misc-no-recursion) */
static void emit_fields(fixture *f, const base_value *fields)
{
    emit(f, ",\"fields\":[");
    for (size_t i = 0; i < fields->size; i++) {
        const base_value *field = &fields->items[i];
        emit(f, "%s{\"name\":\"%.*s\",\"type\":", i > 0 ? "," : "",
             BASE_SLICE_ARG(base_value_slice(base_map_get_text(field, "name"))));
        emit_type(f, base_map_get_text(field, "type"));
        emit(f, "}");
    }
    emit(f, "]");
}

/* NOLINTNEXTLINE(misc-no-recursion) */
static void emit_union(fixture *f, const base_value *branches)
{
    emit(f, "[");
    for (size_t i = 0; i < branches->size; i++) {
        emit(f, "%s", i > 0 ? "," : "");
        emit_type(f, &branches->items[i]);
    }
    emit(f, "]");
}

/* NOLINTNEXTLINE(misc-no-recursion) */
static void emit_named(fixture *f, const base_value *type, base_slice kind)
{
    const base_value *symbols = base_map_get_text(type, "symbols");
    const base_value *size = base_map_get_text(type, "size");
    emit(f, "{\"name\":");
    emit_name(f, base_value_slice(base_map_get_text(type, "name")));
    emit(f, ",\"type\":\"%.*s\"", BASE_SLICE_ARG(kind));
    if (base_slice_is(kind, "record")) {
        emit_fields(f, base_map_get_text(type, "fields"));
    }
    for (size_t i = 0; symbols != NULL && i < symbols->size; i++) {
        emit(f, "%s\"%.*s\"", i == 0 ? ",\"symbols\":[" : ",",
             BASE_SLICE_ARG(base_value_slice(&symbols->items[i])));
    }
    emit(f, "%s", symbols != NULL ? "]" : "");
    if (size != NULL) {
        emit(f, ",\"size\":%lld", (long long)size->integer);
    }
    emit(f, "}");
}

/* NOLINTNEXTLINE(misc-no-recursion) */
static void emit_type(fixture *f, const base_value *type)
{
    if (type->kind == BASE_STRING) {
        emit_name(f, base_value_slice(type));
    } else if (type->kind == BASE_LIST) {
        emit_union(f, type);
    } else {
        const base_slice kind = base_value_slice(base_map_get_text(type, "type"));
        if (base_slice_is(kind, "array")) {
            emit(f, "{\"type\":\"array\",\"items\":");
            emit_type(f, base_map_get_text(type, "items"));
            emit(f, "}");
        } else if (is_primitive(kind)) {
            emit_name(f, kind); /* a logical type is no part of it */
        } else {
            emit_named(f, type, kind);
        }
    }
}

static uint64_t crc64_avro(const char *bytes, size_t size)
{
    const uint64_t empty = UINT64_C(0xC15D213AA4D7A795);
    uint64_t crc = empty;
    for (size_t i = 0; i < size; i++) {
        uint64_t entry = (crc ^ (unsigned char)bytes[i]) & 0xFF;
        for (int bit = 0; bit < 8; bit++) {
            entry = (entry >> 1) ^ (empty & -(entry & 1));
        }
        crc = (crc >> 8) ^ entry;
    }
    return crc;
}

static void assert_fingerprint(fixture *f, const char *path, uint64_t expected)
{
    load(f, path);
    emit_type(f, &f->schema);
    const uint64_t computed = crc64_avro(f->canonical, f->canonical_size);
    if (computed != expected) {
        fail_msg("%s: the fingerprint is 0x%016llx", path, (unsigned long long)computed);
    }
}

static void test_avsc__fingerprints_are_those_of_the_schemas(void **state)
{
    assert_int_equal(crc64_avro("\"null\"", 6),
                     UINT64_C(0x63DD24E7CC258F8A)); /* of the specification's test data */
    assert_fingerprint(*state, SCHEMAS "troupe.journal.avsc", SCHEMA_FINGERPRINT_JOURNAL);
    assert_fingerprint(*state, SCHEMAS "troupe.snapshot.avsc", SCHEMA_FINGERPRINT_SNAPSHOT);
    assert_fingerprint(*state, SCHEMAS "troupe.definition.avsc", SCHEMA_FINGERPRINT_DEFINITION);
    assert_fingerprint(*state, SCHEMAS "troupe.aside.avsc", SCHEMA_FINGERPRINT_ASIDE);
    assert_fingerprint(*state, SCHEMAS "troupe.parked.avsc", SCHEMA_FINGERPRINT_PARKED);
}

static void test_avsc__values_are_the_same_record_everywhere(void **state)
{
    static const char *const paths[] = {SCHEMAS "troupe.journal.avsc",
                                        SCHEMAS "troupe.snapshot.avsc"};
    fixture *f = *state;
    load(f, SCHEMAS "troupe.value.avsc");
    emit_type(f, &f->schema);
    char *value = strdup(f->canonical);
    for (size_t i = 0; i < 2; i++) {
        load(f, paths[i]);
        emit_type(f, &f->schema);
        assert_non_null(strstr(f->canonical, value));
    }
    free(value);
}

/* ---- symbols ---- */

/* The enum of that name somewhere in the schema. */
/* NOLINTNEXTLINE(misc-no-recursion) */
static const base_value *find_enum(const base_value *type, const char *name)
{
    const base_value *own = type->kind == BASE_MAP ? base_map_get_text(type, "name") : NULL;
    if (own != NULL && base_slice_is(base_value_slice(own), name) &&
        base_map_get_text(type, "symbols") != NULL) {
        return base_map_get_text(type, "symbols");
    }
    for (size_t i = 0; (type->kind == BASE_MAP || type->kind == BASE_LIST) && i < type->size; i++) {
        const base_value *found =
            find_enum(type->kind == BASE_MAP ? &type->members[i].value : &type->items[i], name);
        if (found != NULL) {
            return found;
        }
    }
    return NULL;
}

#define ASSERT_SYMBOLS(f, name, type, function, count)                                             \
    do {                                                                                           \
        const base_value *symbols = find_enum(&(f)->schema, name);                                 \
        assert_non_null(symbols);                                                                  \
        assert_int_equal(symbols->size, count);                                                    \
        for (int i = 0; i < (int)(count); i++) {                                                   \
            assert_slice_equal(base_value_slice(&symbols->items[i]),                               \
                               base_slice_of(function((type)i)));                                  \
        }                                                                                          \
    } while (0)

static void test_avsc__symbols_are_the_names_that_people_see(void **state)
{
    fixture *f = *state;
    load(f, SCHEMAS "troupe.journal.avsc");
    ASSERT_SYMBOLS(f, "ChangeKind", saga_change_kind, saga_change_kind_name, SAGA_CHANGE_COUNT);
    ASSERT_SYMBOLS(f, "EffectKind", saga_effect_kind, saga_effect_kind_name, SAGA_EFFECT_COUNT);
    ASSERT_SYMBOLS(f, "CommandKind", saga_command_kind, saga_command_kind_name, SAGA_COMMAND_COUNT);
    ASSERT_SYMBOLS(f, "Act", saga_act, saga_act_name, SAGA_ACT_COUNT);
    ASSERT_SYMBOLS(f, "TimerKind", saga_timer_kind, saga_timer_kind_name, SAGA_TIMER_COUNT);
    load(f, SCHEMAS "troupe.snapshot.avsc");
    ASSERT_SYMBOLS(f, "Forward", saga_f, saga_f_name, SAGA_F_COUNT);
    ASSERT_SYMBOLS(f, "Undo", saga_u, saga_u_name, SAGA_U_COUNT);
    ASSERT_SYMBOLS(f, "Phase", saga_phase, saga_phase_name, SAGA_PHASE_COUNT);
    ASSERT_SYMBOLS(f, "TimerKind", saga_timer_kind, saga_timer_kind_name, SAGA_TIMER_COUNT);
}

/* Every record, enum and field says what it means. */
/* NOLINTNEXTLINE(misc-no-recursion) */
static void assert_documented(const base_value *type)
{
    if (type->kind == BASE_MAP && base_map_get_text(type, "name") != NULL &&
        base_map_get_text(type, "doc") == NULL) {
        fail_msg("\"%.*s\" has no doc",
                 BASE_SLICE_ARG(base_value_slice(base_map_get_text(type, "name"))));
    }
    for (size_t i = 0; (type->kind == BASE_MAP || type->kind == BASE_LIST) && i < type->size; i++) {
        assert_documented(type->kind == BASE_MAP ? &type->members[i].value : &type->items[i]);
    }
}

static void test_avsc__every_field_is_documented(void **state)
{
    static const char *const paths[] = {
        SCHEMAS "troupe.journal.avsc", SCHEMAS "troupe.snapshot.avsc",
        SCHEMAS "troupe.definition.avsc", SCHEMAS "troupe.value.avsc"};
    fixture *f = *state;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        load(f, paths[i]);
        assert_documented(&f->schema);
    }
}

/* ---- definitions, and fastavro as a reader and writer ---- */

static base_slice definition_bytes(base_arena *arena, schema_definition_kind kind)
{
    /* echo -n '{}' | sha256sum */
    schema_definition definition = {
        .kind = kind,
        .saga = base_slice_of("transfer"),
        .version = 3,
        .hash = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
        .canonical = base_slice_of("{}"),
        .path = base_slice_of("transfer.saga.yaml"),
        .deployed_at_ms = INT64_C(1700000000000)};
    base_slice bytes = {0};
    assert_int_equal(schema_definition_write(&definition, arena, &bytes, NULL).code, BASE_OK);
    return bytes;
}

static void test_avsc__definitions_come_back_and_damage_is_seen(void **state)
{
    fixture *f = *state;
    for (int kind = SCHEMA_DEFINITION_PLAN; kind <= SCHEMA_DEFINITION_POINTER; kind++) {
        const base_slice bytes = definition_bytes(&f->arena, (schema_definition_kind)kind);
        schema_definition read;
        assert_int_equal(schema_definition_read(bytes, &read, NULL).code, BASE_OK);
        assert_int_equal(read.kind, kind);
        assert_slice_equal(read.saga, base_slice_of("transfer"));
        assert_int_equal(read.version, 3);
        assert_int_equal(strlen(read.hash), 64);
        if (kind == SCHEMA_DEFINITION_PLAN) {
            assert_slice_equal(read.canonical, base_slice_of("{}"));
            assert_slice_equal(read.path, base_slice_of("transfer.saga.yaml"));
            assert_int_equal(read.deployed_at_ms, INT64_C(1700000000000));
        }
        free(avro_json(SCHEMAS "troupe.definition.avsc", bytes));
        for (size_t size = 0; size < bytes.size; size++) {
            assert_int_equal(
                schema_definition_read(base_slice_make(bytes.data, size), &read, NULL).code,
                BASE_CORRUPT);
        }
    }
    const base_slice plan = definition_bytes(&f->arena, SCHEMA_DEFINITION_PLAN);
    char changed[256];
    memcpy(changed, plan.data, plan.size);
    *(char *)memchr(changed, '}', plan.size) = ' ';
    schema_definition read;
    assert_int_equal(schema_definition_read(base_slice_make(changed, plan.size), &read, NULL).code,
                     BASE_CORRUPT);
}

static void append(FILE *file, base_slice bytes)
{
    const unsigned char size[4] = {(unsigned char)(bytes.size >> 24),
                                   (unsigned char)(bytes.size >> 16),
                                   (unsigned char)(bytes.size >> 8), (unsigned char)bytes.size};
    assert_int_equal(fwrite(size, 1, 4, file), 4);
    assert_int_equal(fwrite(bytes.data, 1, bytes.size, file), bytes.size);
}

static const char *python(void)
{
    const char *given = getenv("TROUPE_TEST_PYTHON");
    return given != NULL ? given : "python3";
}

static void assert_fastavro_agrees(const char *schema, const char *path)
{
    char command[1024];
    (void)snprintf(command, sizeof(command), "%s %s/read_avro.py %s%s %s", python(),
                   TEST_SOURCE_DIR, SCHEMAS, schema, path);
    const int status = system(command); /* NOLINT: names are ours */
    (void)unlink(path);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static FILE *temporary(char *name)
{
    const int descriptor = mkstemp(name);
    assert_true(descriptor >= 0);
    FILE *file = fdopen(descriptor, "wb");
    assert_non_null(file);
    return file;
}

static bool has_fastavro(void)
{
    char command[256];
    (void)snprintf(command, sizeof(command), "%s -c 'import fastavro' 2>/dev/null", python());
    return system(command) == 0; /* NOLINT: names are ours */
}

/* An entry with every kind of value, by reference and in full. */
static base_slice journal_bytes(sampler *s, base_arena *arena)
{
    const base_value data = sample_value(s, 3);
    const saga_event event = {.id = base_slice_of("e1"), .time_ms = sample_time(s), .data = data};
    const saga_change changes[3] = {
        {.kind = SAGA_CHANGE_CREATED, .step = SAGA_NONE, .number = sample_long(s), .value = &data},
        {.kind = SAGA_CHANGE_OUT, .step = 2, .text = sample_text(s), .value = sample_pointer(s, 3)},
        {.kind = SAGA_CHANGE_F, .step = 2}};
    const saga_effect effects[1] = {{.kind = SAGA_EFFECT_ASK,
                                     .id = "00112233445566778899aabbccddeeff",
                                     .expiry_ms = sample_time(s),
                                     .data = changes[1].value}};
    const schema_journal journal = {.kind = SCHEMA_JOURNAL_ENTRY,
                                    .epoch = 5,
                                    .entry = {.saga = base_slice_of("s"),
                                              .seq = 9,
                                              .at_ms = sample_time(s),
                                              .input = {.kind = SAGA_INPUT_EVENT, .event = &event},
                                              .changes = changes,
                                              .change_count = 3,
                                              .effects = effects,
                                              .effect_count = 1}};
    base_slice bytes = {0};
    assert_int_equal(schema_journal_write(&journal, arena, &bytes, NULL).code, BASE_OK);
    return bytes;
}

static void test_avsc__fastavro_reads_and_writes_the_same_bytes(void **state)
{
    fixture *f = *state;
    if (!has_fastavro()) {
        print_message("no fastavro for %s: set TROUPE_TEST_PYTHON\n", python());
        skip();
    }
    sampler s = {sample_seed(), &f->arena};
    char path[3][32] = {"/tmp/troupe-avro-XXXXXX", "/tmp/troupe-avro-XXXXXX",
                        "/tmp/troupe-avro-XXXXXX"};
    FILE *journal = temporary(path[0]);
    FILE *snapshot = temporary(path[1]);
    FILE *definition = temporary(path[2]);
    for (size_t i = 0; i < 200; i++) {
        append(journal, journal_bytes(&s, &f->arena));
        saga_state sampled;
        saga_state_init(&sampled);
        saga_step_state steps[3] = {
            {0}, {.f = SAGA_F_DONE, .tries = 1, .out = sample_pointer(&s, 2)}, {0}};
        uint64_t seen[2] = {sample(&s), sample(&s)};
        sampled.steps = steps;
        sampled.step_count = 3;
        sampled.data = sample_pointer(&s, 3);
        sampled.seen = seen;
        sampled.seen_count = sampled.seen_capacity = 2;
        base_slice bytes = {0};
        assert_int_equal(schema_snapshot_write(&sampled, &f->arena, &bytes, NULL).code, BASE_OK);
        append(snapshot, bytes);
    }
    append(definition, definition_bytes(&f->arena, SCHEMA_DEFINITION_PLAN));
    append(definition, definition_bytes(&f->arena, SCHEMA_DEFINITION_POINTER));
    assert_int_equal(fclose(journal) | fclose(snapshot) | fclose(definition), 0);
    assert_fastavro_agrees("troupe.journal.avsc", path[0]);
    assert_fastavro_agrees("troupe.snapshot.avsc", path[1]);
    assert_fastavro_agrees("troupe.definition.avsc", path[2]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_avsc__fingerprints_are_those_of_the_schemas, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_avsc__values_are_the_same_record_everywhere, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_avsc__symbols_are_the_names_that_people_see, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_avsc__every_field_is_documented, setup, teardown),
        cmocka_unit_test_setup_teardown(test_avsc__definitions_come_back_and_damage_is_seen, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_avsc__fastavro_reads_and_writes_the_same_bytes, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

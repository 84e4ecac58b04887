#include "base/time.h"
#include "samples.h"
#include "schemas/envelope.h"

#define FEATURE TEST_SOURCE_DIR "/data/kafka-protocol-binding.feature"
#define HEADER(key, text) ((schema_header){base_slice_of(key), base_slice_of(text)})
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

typedef struct fixture {
    base_arena arena;
    base_error error;
    saga_event event;
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

static base_code read_record(fixture *f, const schema_record *record)
{
    base_error_clear(&f->error);
    return schema_envelope_read(record, &f->arena, &f->event, &f->error).code;
}

/* The four attributes that must be there, then `more`. */
static base_code read_binary(fixture *f, const schema_header *more, size_t more_count,
                             const char *value)
{
    schema_header headers[32] = {HEADER("ce_specversion", "1.0"), HEADER("ce_id", "e1"),
                                 HEADER("ce_type", "t.x"), HEADER("ce_source", "/s")};
    for (size_t i = 0; i < more_count; i++) {
        headers[4 + i] = more[i];
    }
    const schema_record record = {.headers = headers,
                                  .header_count = 4 + more_count,
                                  .value = base_slice_of(value),
                                  .time_ms = 77};
    return read_record(f, &record);
}

static base_code read_structured(fixture *f, const char *content_type, const char *value)
{
    const schema_header header = HEADER("Content-Type", content_type);
    const schema_record record = {
        .headers = &header, .header_count = 1, .value = base_slice_of(value), .time_ms = 77};
    return read_record(f, &record);
}

static void assert_text(base_slice text, const char *expected)
{
    assert_slice_equal(text, base_slice_of(expected));
}

static void assert_json(fixture *f, const base_value *value, const char *expected)
{
    base_slice json;
    assert_int_equal(base_value_json(value, false, &f->arena, &json).code, BASE_OK);
    assert_text(json, expected);
}

/* ---- the conformance feature of cloudevents ---- */

typedef struct scenario {
    schema_header headers[16];
    size_t header_count;
    char names[16][64];
    char values[16][128];
    char payload[1024];
    char data[1024];
    base_slice expected[16][2];
    size_t expected_count;
} scenario;

static base_slice trimmed(const char *text, size_t size)
{
    while (size > 0 && *text == ' ') {
        text++;
        size--;
    }
    while (size > 0 && text[size - 1] == ' ') {
        size--;
    }
    return base_slice_make(text, size);
}

/* "| key | value |" */
static bool row_read(const char *line, size_t size, base_slice cells[2])
{
    const char *bars[4] = {NULL};
    size_t count = 0;
    for (size_t i = 0; i < size && count < 4; i++) {
        if (line[i] == '|') {
            bars[count++] = line + i;
        }
    }
    if (count < 3) {
        return false;
    }
    cells[0] = trimmed(bars[0] + 1, (size_t)(bars[1] - bars[0] - 1));
    cells[1] = trimmed(bars[1] + 1, (size_t)(bars[2] - bars[1] - 1));
    return true;
}

static void row_take(scenario *s, bool attributes, const base_slice cells[2],
                     const char *content_type)
{
    if (base_slice_is(cells[0], "key")) {
        return;
    }
    const base_slice value =
        base_slice_is(cells[1], "<contentType>") ? base_slice_of(content_type) : cells[1];
    if (attributes) {
        s->expected[s->expected_count][0] = cells[0];
        s->expected[s->expected_count++][1] = value;
    } else {
        s->headers[s->header_count++] = (schema_header){cells[0], value};
    }
}

static base_slice attribute(const fixture *f, base_slice name)
{
    const saga_event *event = &f->event;
    char text[BASE_TIME_SIZE];
    if (base_slice_is(name, "id")) {
        return event->id;
    }
    if (base_slice_is(name, "type")) {
        return event->type;
    }
    if (base_slice_is(name, "source")) {
        return event->source;
    }
    if (base_slice_is(name, "datacontenttype")) {
        return event->content_type;
    }
    if (base_slice_is(name, "specversion")) {
        return base_slice_of("1.0");
    }
    assert_true(base_slice_is(name, "time"));
    base_time_format(event->time_ms, text);
    assert_string_equal(text, "2018-04-05T03:56:24.000Z");
    return base_slice_of("2018-04-05T03:56:24Z");
}

static void scenario_check(fixture *f, const scenario *s)
{
    const schema_record record = {
        .headers = s->headers, .header_count = s->header_count, .value = base_slice_of(s->payload)};
    assert_int_equal(read_record(f, &record), BASE_OK);
    assert_true(s->expected_count >= 6);
    for (size_t i = 0; i < s->expected_count; i++) {
        assert_slice_equal(attribute(f, s->expected[i][0]), s->expected[i][1]);
    }
    assert_json(f, &f->event.data, "{\"message\":\"Hello World!\"}");
}

/* Reads the feature line by line and checks each scenario; of the outline the two examples. */
static size_t feature_run(fixture *f, const char *feature, const char *content_type)
{
    scenario s = {0};
    size_t count = 0;
    bool attributes = false;
    bool quoting = false;
    bool examples = false;
    for (const char *line = feature; *line != '\0';) {
        const char *end = strchr(line, '\n');
        const size_t size = end == NULL ? strlen(line) : (size_t)(end - line);
        const base_slice text = trimmed(line, size);
        base_slice cells[2];
        if (base_slice_starts_with(text, base_slice_of("Scenario"))) {
            s = (scenario){0};
            attributes = examples = false;
        } else if (base_slice_starts_with(text, base_slice_of("Then the attributes"))) {
            attributes = true;
        } else if (base_slice_starts_with(text, base_slice_of("Examples:"))) {
            examples = true;
        } else if (base_slice_is(text, "\"\"\"")) {
            quoting = !quoting;
            if (!quoting && attributes) {
                scenario_check(f, &s);
                count++;
            }
        } else if (quoting && !attributes) {
            (void)strncat(s.payload, line, size + 1);
        } else if (!quoting && !examples && row_read(line, size, cells)) {
            row_take(&s, attributes, cells, content_type);
        }
        line += size + (end == NULL ? 0 : 1);
    }
    return count;
}

static void test_envelope__passes_the_conformance_feature(void **state)
{
    fixture *f = *state;
    char *feature = file_text(FEATURE);
    assert_int_equal(feature_run(f, feature, "application/cloudevents+json"), 2);
    assert_int_equal(feature_run(f, feature, "application/cloudevents+json; charset=utf-8"), 2);
    free(feature);
}

/* ---- binary mode ---- */

static void test_envelope__reads_all_attributes_in_any_case(void **state)
{
    fixture *f = *state;
    const schema_header more[] = {HEADER("CE_Subject", "s1"),
                                  HEADER("ce_time", "2018-04-05T05:56:24.5+02:00"),
                                  HEADER("ce_dataschema", "http://x"),
                                  HEADER("Content-Type", "application/json; charset=utf-8"),
                                  HEADER("ce_correlationid", "saga/0/o1"),
                                  HEADER("ce_causationid", "c1"),
                                  HEADER("ce_sagastep", "authorise"),
                                  HEADER("ce_sagakey", "k1"),
                                  HEADER("ce_sagatry", "3"),
                                  HEADER("ce_sagaundoes", "k0"),
                                  HEADER("ce_expirytime", "2018-04-05T03:57:24Z"),
                                  HEADER("ce_partitionkey", "o1"),
                                  HEADER("ce_traceparent", "00-start"),
                                  HEADER("ce_tracestate", "a=1"),
                                  HEADER("CE_Sequence", "9"),
                                  HEADER("other", "ignored")};
    assert_int_equal(read_binary(f, more, COUNT(more), "{\"a\":1.10}"), BASE_OK);
    assert_text(f->event.id, "e1");
    assert_text(f->event.source, "/s");
    assert_text(f->event.type, "t.x");
    assert_text(f->event.subject, "s1");
    assert_int_equal(f->event.time_ms, INT64_C(1522900584500));
    assert_text(f->event.data_schema, "http://x");
    assert_text(f->event.content_type, "application/json; charset=utf-8");
    assert_text(f->event.correlation_id, "saga/0/o1");
    assert_text(f->event.causation_id, "c1");
    assert_text(f->event.saga_step, "authorise");
    assert_text(f->event.saga_key, "k1");
    assert_int_equal(f->event.saga_try, 3);
    assert_text(f->event.saga_undoes, "k0");
    assert_int_equal(f->event.expiry_ms, INT64_C(1522900644000));
    assert_text(f->event.partition_key, "o1");
    assert_text(f->event.trace_parent, "00-start");
    assert_text(f->event.trace_state, "a=1");
    assert_int_equal(f->event.other_count, 1);
    assert_text(f->event.others[0].name, "sequence");
    assert_text(f->event.others[0].value, "9");
    assert_json(f, &f->event.data, "{\"a\":1.1}");
}

static void test_envelope__the_hop_goes_before_the_start_of_the_trace(void **state)
{
    fixture *f = *state;
    const schema_header more[] = {HEADER("traceparent", "00-old"),
                                  HEADER("ce_traceparent", "00-start"),
                                  HEADER("ce_tracestate", "a=1"), HEADER("Traceparent", "00-hop")};
    assert_int_equal(read_binary(f, more, COUNT(more), "1"), BASE_OK);
    assert_text(f->event.trace_parent, "00-hop");
    assert_text(f->event.trace_state, "");
}

static void test_envelope__data_follows_the_content_type(void **state)
{
    static const struct {
        const char *content_type;
        const char *value;
        const char *expected;
    } cases[] = {
        {"application/json", "[1,2]", "[1,2]"},
        {"APPLICATION/JSON;charset=UTF-8", "1", "1"},
        {"application/vnd.order+json", "{}", "{}"},
        {"text/json", "\"x\"", "\"x\""},
        {"text/plain", "[1,2]", "\"[1,2]\""},
        {"text/plain; charset=latin1", "\xE9", "{\"$bytes\":\"6Q==\"}"},
        {"application/xml", "<a/>", "\"<a/>\""},
        {"application/octet-stream", "ab", "{\"$bytes\":\"YWI=\"}"},
        {"application/avro", "ab", "{\"$bytes\":\"YWI=\"}"},
        {"application/json", "", "null"},
    };
    fixture *f = *state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const schema_header header = HEADER("content-type", cases[i].content_type);
        assert_int_equal(read_binary(f, &header, 1, cases[i].value), BASE_OK);
        assert_json(f, &f->event.data, cases[i].expected);
    }
    assert_int_equal(read_binary(f, NULL, 0, "{\"no\":\"content type\"}"), BASE_OK);
    assert_json(f, &f->event.data, "{\"no\":\"content type\"}");
    assert_int_equal(f->event.time_ms, 77); /* the record's */
    const schema_header none = {base_slice_of("ce_subject"), {NULL, 0}};
    assert_int_equal(read_binary(f, &none, 1, "1"), BASE_OK); /* a null header is an absent one */
    assert_int_equal(f->event.subject.size, 0);
}

static void test_envelope__a_tombstone_has_no_data(void **state)
{
    fixture *f = *state;
    const schema_header headers[] = {HEADER("ce_specversion", "1.0"), HEADER("ce_id", "e1"),
                                     HEADER("ce_type", "t"), HEADER("ce_source", "/s")};
    const schema_record record = {.headers = headers, .header_count = 4};
    assert_int_equal(read_record(f, &record), BASE_OK);
    assert_int_equal(f->event.data.kind, BASE_NULL);
}

static void test_envelope__tells_a_plain_record_from_a_bad_event(void **state)
{
    fixture *f = *state;
    const schema_header plain = HEADER("content-type", "application/json");
    schema_record record = {
        .headers = &plain, .header_count = 1, .value = base_slice_of("{\"specversion\":\"1.0\"}")};
    assert_int_equal(read_record(f, &record), BASE_NOT_FOUND);
    record.header_count = 0;
    assert_int_equal(read_record(f, &record), BASE_NOT_FOUND);
    const schema_header some = HEADER("ce_id", "1");
    record.headers = &some;
    record.header_count = 1;
    assert_int_equal(read_record(f, &record), BASE_BAD_INPUT);
    assert_string_equal(f->error.text, "the CloudEvent lacks its \"specversion\"");
}

static void test_envelope__says_what_is_wrong_with_an_event(void **state)
{
    static const struct {
        const char *name;
        const char *value;
        base_code code;
        const char *message;
    } cases[] = {
        {"ce_id", "e2", BASE_BAD_INPUT, "attribute \"id\" stands twice, with different values"},
        {"ce_time", "yesterday", BASE_BAD_INPUT, "attribute \"time\" is no time: \"yesterday\""},
        {"ce_time", "2018-02-30T00:00:00Z", BASE_BAD_INPUT,
         "attribute \"time\" is no time: \"2018-02-30T00:00:00Z\""},
        {"ce_expirytime", "1", BASE_BAD_INPUT, "attribute \"expirytime\" is no time: \"1\""},
        {"ce_sagatry", "0", BASE_BAD_INPUT, "attribute \"sagatry\" is no try: \"0\""},
        {"ce_sagatry", "x", BASE_BAD_INPUT, "attribute \"sagatry\" is no try: \"x\""},
        {"ce_sagatry", "2147483648", BASE_BAD_INPUT,
         "attribute \"sagatry\" is no try: \"2147483648\""},
        {"ce_subject", "\xFF", BASE_BAD_INPUT, "header \"ce_subject\" is not UTF-8"},
        {"ce_", "x", BASE_BAD_INPUT,
         "an attribute's name is empty or has blanks or bytes that are no text"},
    };
    fixture *f = *state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const schema_header header = HEADER(cases[i].name, cases[i].value);
        assert_int_equal(read_binary(f, &header, 1, "1"), cases[i].code);
        assert_string_equal(f->error.text, cases[i].message);
    }
    const schema_header same = HEADER("ce_id", "e1");
    assert_int_equal(read_binary(f, &same, 1, "1"), BASE_OK);
    assert_int_equal(read_binary(f, NULL, 0, "{\"a\": }"), BASE_BAD_INPUT);
    assert_string_equal(
        f->error.text,
        "the data is not the JSON that its content type says: expected a value, found '}'");
    assert_int_equal(f->error.column, 7);
}

static void test_envelope__wants_what_every_event_has(void **state)
{
    static const char *const names[] = {"ce_specversion", "ce_id", "ce_source", "ce_type"};
    fixture *f = *state;
    for (size_t missing = 0; missing < 4; missing++) {
        for (size_t empty = 0; empty < 2; empty++) {
            schema_header headers[4];
            size_t count = 0;
            for (size_t i = 0; i < 4; i++) {
                if (i != missing || empty == 1) {
                    headers[count++] = HEADER(names[i], i == missing ? "" : "1.0");
                }
            }
            const schema_record record = {.headers = headers, .header_count = count};
            char message[96];
            (void)snprintf(message, sizeof(message), "the CloudEvent %s its \"%s\"",
                           empty == 1 ? "has nothing in" : "lacks", names[missing] + 3);
            assert_int_equal(read_record(f, &record), BASE_BAD_INPUT);
            assert_string_equal(f->error.text, message);
        }
    }
    const schema_header old[] = {HEADER("ce_specversion", "0.3"), HEADER("ce_id", "1"),
                                 HEADER("ce_source", "s"), HEADER("ce_type", "t")};
    const schema_record record = {.headers = old, .header_count = 4};
    assert_int_equal(read_record(f, &record), BASE_UNSUPPORTED);
    assert_string_equal(f->error.text, "CloudEvents version \"0.3\"; only 1.0 is read");
}

static void test_envelope__bounds_extensions_and_depth(void **state)
{
    fixture *f = *state;
    schema_header headers[SCHEMA_ATTRIBUTE_MAX + 5] = {
        HEADER("ce_specversion", "1.0"), HEADER("ce_id", "1"), HEADER("ce_source", "s"),
        HEADER("ce_type", "t")};
    for (size_t i = 4; i < COUNT(headers); i++) {
        headers[i] = (schema_header){base_arena_print(&f->arena, "ce_x%zu", i), base_slice_of("v")};
    }
    schema_record record = {.headers = headers, .header_count = COUNT(headers)};
    assert_int_equal(read_record(f, &record), BASE_TOO_LARGE);
    record.header_count--;
    assert_int_equal(read_record(f, &record), BASE_OK);
    assert_int_equal(f->event.other_count, SCHEMA_ATTRIBUTE_MAX);
    char deep[2 * SCHEMA_DATA_DEPTH_MAX + 3] = {0};
    memset(deep, '[', SCHEMA_DATA_DEPTH_MAX + 1);
    memset(deep + SCHEMA_DATA_DEPTH_MAX + 1, ']', SCHEMA_DATA_DEPTH_MAX + 1);
    assert_int_equal(read_binary(f, NULL, 0, deep), BASE_TOO_LARGE);
}

/* ---- structured mode ---- */

#define REQUIRED "\"specversion\":\"1.0\",\"id\":\"e1\",\"source\":\"/s\",\"type\":\"t\""

static void test_envelope__reads_structured_events(void **state)
{
    fixture *f = *state;
    assert_int_equal(
        read_structured(f, "APPLICATION/CloudEvents+JSON;x=y",
                        "{" REQUIRED
                        ",\"sagatry\":2,\"flag\":true,\"subject\":null,\"data\":{\"a\":[1]}}"),
        BASE_OK);
    assert_int_equal(f->event.saga_try, 2);
    assert_text(f->event.others[0].name, "flag");
    assert_text(f->event.others[0].value, "true");
    assert_json(f, &f->event.data, "{\"a\":[1]}");
    assert_int_equal(f->event.time_ms, 77);
    assert_int_equal(read_structured(f, "application/cloudevents", "{" REQUIRED "}"), BASE_OK);
    assert_int_equal(f->event.data.kind, BASE_NULL);
    assert_int_equal(
        read_structured(f, "application/cloudevents+json",
                        "{" REQUIRED
                        ",\"datacontenttype\":\"text/plain\",\"data_base64\":\"aGk=\"}"),
        BASE_OK);
    assert_json(f, &f->event.data, "\"hi\"");
    assert_int_equal(read_structured(f, "application/cloudevents+json",
                                     "{" REQUIRED ",\"data_base64\":\"eyJhIjoxfQ==\"}"),
                     BASE_OK);
    assert_json(f, &f->event.data, "{\"a\":1}");
}

static void test_envelope__says_what_is_wrong_with_a_structured_event(void **state)
{
    static const struct {
        const char *content_type;
        const char *value;
        base_code code;
        const char *message;
    } cases[] = {
        {"application/cloudevents+json", "[]", BASE_BAD_INPUT,
         "the structured CloudEvent is no JSON object but array"},
        {"application/cloudevents+json", "{\"id\"}", BASE_BAD_INPUT,
         "the structured CloudEvent is no JSON: expected ':', found '}'"},
        {"application/cloudevents+json", "{\"specversion\":\"1.0\"}", BASE_BAD_INPUT,
         "the CloudEvent lacks its \"id\""},
        {"application/cloudevents+json", "{" REQUIRED ",\"x\":{}}", BASE_BAD_INPUT,
         "attribute \"x\" must be a string, an integer or a boolean, not object"},
        {"application/cloudevents+json", "{" REQUIRED ",\"data\":1,\"data_base64\":\"aGk=\"}",
         BASE_BAD_INPUT, "the event has both \"data\" and \"data_base64\""},
        {"application/cloudevents+json", "{" REQUIRED ",\"data_base64\":\"aGk\"}", BASE_BAD_INPUT,
         "\"data_base64\" is no base64"},
        {"application/cloudevents+json", "{" REQUIRED ",\"data_base64\":\"a=k=\"}", BASE_BAD_INPUT,
         "\"data_base64\" is no base64"},
        {"application/cloudevents+json", "{" REQUIRED ",\"data_base64\":5}", BASE_BAD_INPUT,
         "\"data_base64\" must be a string"},
        {"application/cloudevents-batch+json", "[]", BASE_UNSUPPORTED,
         "a CloudEvent as application/cloudevents-batch+json is not read"},
        {"application/cloudevents+avro", "x", BASE_UNSUPPORTED,
         "a CloudEvent as application/cloudevents+avro is not read"},
    };
    fixture *f = *state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(read_structured(f, cases[i].content_type, cases[i].value), cases[i].code);
        assert_string_equal(f->error.text, cases[i].message);
    }
}

/* ---- writing ---- */

static void test_envelope__what_is_written_reads_as_the_same(void **state)
{
    fixture *f = *state;
    const saga_attribute others[] = {{base_slice_of("sagaincarnation"), base_slice_of("1")}};
    base_value data = base_value_null();
    assert_int_equal(base_number_parse(base_slice_of("12.50"), &data).code, BASE_OK);
    const saga_event event = {.id = base_slice_of("i"),
                              .source = base_slice_of("/troupe"),
                              .type = base_slice_of("com.acme.ask"),
                              .subject = base_slice_of("s"),
                              .time_ms = INT64_C(1522900584123),
                              .data_schema = base_slice_of("d"),
                              .correlation_id = base_slice_of("x/0/o1"),
                              .causation_id = base_slice_of("c"),
                              .saga_step = base_slice_of("pay"),
                              .saga_key = base_slice_of("k"),
                              .saga_try = 2,
                              .saga_undoes = base_slice_of("u"),
                              .expiry_ms = INT64_C(1522900600000),
                              .partition_key = base_slice_of("o1"),
                              .trace_parent = base_slice_of("00-ab"),
                              .trace_state = base_slice_of("v=1"),
                              .others = others,
                              .other_count = 1,
                              .data = data};
    schema_record record = {.topic = base_slice_of("pay.asks"),
                            .partition = SCHEMA_PARTITION_BY_KEY};
    assert_int_equal(schema_envelope_write(&event, &f->arena, &record, &f->error).code, BASE_OK);
    assert_text(record.key, "o1");
    assert_text(record.value, "12.5");
    assert_text(record.topic, "pay.asks");
    assert_int_equal(record.time_ms, event.time_ms);
    assert_int_equal(read_record(f, &record), BASE_OK);
    const saga_event *read = &f->event;
    assert_slice_equal(read->id, event.id);
    assert_slice_equal(read->source, event.source);
    assert_slice_equal(read->type, event.type);
    assert_slice_equal(read->subject, event.subject);
    assert_int_equal(read->time_ms, event.time_ms);
    assert_slice_equal(read->data_schema, event.data_schema);
    assert_text(read->content_type, "application/json");
    assert_slice_equal(read->correlation_id, event.correlation_id);
    assert_slice_equal(read->causation_id, event.causation_id);
    assert_slice_equal(read->saga_step, event.saga_step);
    assert_slice_equal(read->saga_key, event.saga_key);
    assert_int_equal(read->saga_try, 2);
    assert_slice_equal(read->saga_undoes, event.saga_undoes);
    assert_int_equal(read->expiry_ms, event.expiry_ms);
    assert_slice_equal(read->partition_key, event.partition_key);
    assert_slice_equal(read->trace_parent, event.trace_parent);
    assert_slice_equal(read->trace_state, event.trace_state);
    assert_int_equal(read->other_count, 1);
    assert_slice_equal(read->others[0].name, others[0].name);
    assert_value_equal(&read->data, &event.data);
    for (size_t i = 0; i < record.header_count; i++) { /* header names as the binding wants them */
        const base_slice name = record.headers[i].name;
        assert_true(base_slice_starts_with(name, base_slice_of("ce_")) ||
                    base_slice_is(name, "content-type") || base_slice_is(name, "traceparent") ||
                    base_slice_is(name, "tracestate"));
    }
}

static void test_envelope__writes_data_by_content_type(void **state)
{
    fixture *f = *state;
    const base_value list = base_value_list(NULL, 0);
    const base_value text = base_value_text("hi");
    const base_value bytes = base_value_bytes(base_slice_of("\x01"));
    const base_value none = base_value_null();
    const struct {
        const char *content_type;
        const base_value *data;
        const char *expected; /* NULL: refused */
    } cases[] = {
        {"", &none, "null"},
        {"", &text, "\"hi\""},
        {"", &bytes, "\x01"},
        {"text/plain", &text, "hi"},
        {"text/plain", &none, ""},
        {"text/plain", &list, NULL},
        {"application/xml", &bytes, "\x01"},
        {"application/json", &bytes, "{\"$bytes\":\"AQ==\"}"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const saga_event event = {.id = base_slice_of("1"),
                                  .source = base_slice_of("s"),
                                  .type = base_slice_of("t"),
                                  .content_type = base_slice_of(cases[i].content_type),
                                  .data = *cases[i].data};
        schema_record record = {0};
        const base_code code = schema_envelope_write(&event, &f->arena, &record, NULL).code;
        assert_int_equal(code, cases[i].expected == NULL ? BASE_BAD_INPUT : BASE_OK);
        if (cases[i].expected != NULL) {
            assert_text(record.value, cases[i].expected);
            assert_non_null(record.value.data); /* never a tombstone */
        }
    }
    const saga_event nameless = {.id = base_slice_of("1"), .source = base_slice_of("s")};
    schema_record record = {0};
    assert_int_equal(schema_envelope_write(&nameless, &f->arena, &record, &f->error).code,
                     BASE_BAD_INPUT);
}

/* ---- plain records ---- */

static void test_envelope__reads_plain_records(void **state)
{
    static const struct {
        const char *value;
        base_code code;
        const char *expected;
    } cases[] = {
        {" {\"a\":1}", BASE_OK, "{\"a\":1}"},
        {"12.50", BASE_OK, "12.5"},
        {"hello", BASE_OK, "\"hello\""},
        {"", BASE_OK, "\"\""},
        {"\xFF", BASE_OK, "{\"$bytes\":\"/w==\"}"},
        {"{\"a\":", BASE_BAD_INPUT, NULL},
        {"[1,", BASE_BAD_INPUT, NULL},
    };
    fixture *f = *state;
    const schema_header headers[] = {
        HEADER("h", "1"), HEADER("h", "2"), HEADER("b", "\xFF"), {base_slice_of("n"), {NULL, 0}}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        const schema_record record = {.topic = base_slice_of("t"),
                                      .partition = 3,
                                      .offset = 9,
                                      .time_ms = 5,
                                      .key = base_slice_of("k"),
                                      .value = base_slice_of(cases[i].value),
                                      .headers = headers,
                                      .header_count = COUNT(headers)};
        saga_plain_record plain;
        base_error_clear(&f->error);
        assert_int_equal(schema_plain_read(&record, &f->arena, &plain, &f->error).code,
                         cases[i].code);
        if (cases[i].code != BASE_OK) {
            assert_non_null(strstr(f->error.text, "the record's value is no JSON: expected"));
            continue;
        }
        assert_json(f, &plain.value, cases[i].expected);
        assert_json(f, &plain.headers, "{\"h\":\"2\",\"b\":{\"$bytes\":\"/w==\"},\"n\":null}");
        assert_json(f, &plain.key, "\"k\"");
        assert_int_equal(plain.partition, 3);
        assert_int_equal(plain.offset, 9);
        assert_int_equal(plain.time_ms, 5);
    }
    const schema_record tombstone = {0};
    saga_plain_record plain;
    assert_int_equal(schema_plain_read(&tombstone, &f->arena, &plain, NULL).code, BASE_OK);
    assert_int_equal(plain.value.kind, BASE_NULL);
    assert_int_equal(plain.key.kind, BASE_NULL);
}

static void test_envelope__survives_random_records(void **state)
{
    static const char *const names[] = {
        "ce_specversion", "ce_id",        "ce_type",     "ce_source",
        "ce_time",        "content-type", "ce_sagatry",  "ce_expirytime",
        "CE_x",           "ce_",          "traceparent", "ce_datacontenttype"};
    static const char *const values[] = {"1.0",
                                         "",
                                         "x",
                                         "application/cloudevents+json",
                                         "text/plain",
                                         "\xFF",
                                         "5",
                                         "2018-04-05T03:56:24Z",
                                         "application/json"};
    static const char *const bodies[] = {
        "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"s\",\"type\":\"t\",\"data\":[]}",
        "{",
        "1",
        "\xFF\x01",
        "",
        "{\"data_base64\":\"\"}"};
    fixture *f = *state;
    sampler s = {sample_seed(), &f->arena};
    size_t read = 0;
    for (size_t i = 0; i < 20000; i++) {
        schema_header headers[12];
        const size_t count = sample_below(&s, 12);
        for (size_t k = 0; k < count; k++) {
            headers[k] = HEADER(
                k < 4 && sample_below(&s, 4) > 0 ? names[k] : names[sample_below(&s, COUNT(names))],
                values[k < 4 && sample_below(&s, 8) > 0 ? 0 : sample_below(&s, COUNT(values))]);
        }
        const schema_record record = {.headers = headers,
                                      .header_count = count,
                                      .value =
                                          base_slice_of(bodies[sample_below(&s, COUNT(bodies))])};
        base_arena_reset(&f->arena);
        const base_code code = read_record(f, &record);
        read += code == BASE_OK ? 1 : 0;
        assert_int_equal(code != BASE_OK, f->error.text[0] != '\0');
        saga_plain_record plain;
        const base_code as_plain = schema_plain_read(&record, &f->arena, &plain, NULL).code;
        assert_true(as_plain == BASE_OK || as_plain == BASE_BAD_INPUT);
        const bool nested =
            base_slice_starts_with(f->event.content_type, base_slice_of("application/cloudevents"));
        if (code == BASE_OK &&
            !nested) { /* a CloudEvent as another's data can be read, and not be written */
            schema_record again = {0};
            assert_int_equal(schema_envelope_write(&f->event, &f->arena, &again, &f->error).code,
                             BASE_OK);
        }
    }
    assert_true(read > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_envelope__passes_the_conformance_feature, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_envelope__reads_all_attributes_in_any_case, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_envelope__the_hop_goes_before_the_start_of_the_trace,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_envelope__data_follows_the_content_type, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_envelope__a_tombstone_has_no_data, setup, teardown),
        cmocka_unit_test_setup_teardown(test_envelope__tells_a_plain_record_from_a_bad_event, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_envelope__says_what_is_wrong_with_an_event, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_envelope__wants_what_every_event_has, setup, teardown),
        cmocka_unit_test_setup_teardown(test_envelope__bounds_extensions_and_depth, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_envelope__reads_structured_events, setup, teardown),
        cmocka_unit_test_setup_teardown(test_envelope__says_what_is_wrong_with_a_structured_event,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_envelope__what_is_written_reads_as_the_same, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_envelope__writes_data_by_content_type, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_envelope__reads_plain_records, setup, teardown),
        cmocka_unit_test_setup_teardown(test_envelope__survives_random_records, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

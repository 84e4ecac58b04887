/* `troupe emit`: events, or plain records, onto the log. */
#include "cli/emit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "cli/out.h"

#define BATCH_MAX 500              /* records in one commit */
#define DATA_SIZE_MAX (128u << 20) /* of one event, read from a file or standard input */
#define CHUNK_SIZE 65536
#define TOPICS_TIMEOUT_MS 30000

static const cli_option table[] = {
    {"saga", "FILE|NAME", CLI_TEXT, offsetof(emit_options, saga),
     "says topic, type and key of the event: a saga file,\nor one that is deployed (default: "
     "whichever has the event)"},
    {"data", "JSON|@FILE|-", CLI_TEXT, offsetof(emit_options, data),
     "the event's data, or the record's value;\n@FILE and - (standard input) are read"},
    {"key", "KEY", CLI_TEXT, offsetof(emit_options, key),
     "record key (default: the saga's key of the event)"},
    {"key-from", "JQ", CLI_TEXT, offsetof(emit_options, key_from),
     "with --plain: the key by an expression over the value"},
    {"topic", "TOPIC", CLI_TEXT, offsetof(emit_options, topic),
     "instead of the saga's; then no saga is needed"},
    {"type", "TYPE", CLI_TEXT, offsetof(emit_options, type), "full CloudEvents type"},
    {"id", "ID", CLI_TEXT, offsetof(emit_options, id), "default: a new one"},
    {"source", "SOURCE", CLI_TEXT, offsetof(emit_options, source),
     "default: the service that the saga names"},
    {"time", "RFC3339", CLI_TEXT, offsetof(emit_options, time), "default: now"},
    {"attribute", "NAME=VALUE", CLI_LIST, offsetof(emit_options, attributes),
     "one more attribute (correlationid=...), or with --plain\na header; several are fine"},
    {"lines", NULL, CLI_FLAG, offsetof(emit_options, lines),
     "many: one JSON object a line of standard input, with event\n(or type), data, key, id, "
     "source, time, topic, attributes;\nwith --plain a line is the record's value"},
    {"plain", NULL, CLI_FLAG, offsetof(emit_options, plain),
     "no CloudEvent: --data as it is on --topic"},
    {"create", NULL, CLI_FLAG, offsetof(emit_options, create),
     "make a --topic that is not there (a saga's topics\nare made without it)"},
    {"json", NULL, CLI_FLAG, offsetof(emit_options, json),
     "a line for each: topic, partition, offset, key,\nevent, type, id"},
};

/* A record that is appended and not yet durable, as far as it is told about. */
typedef struct pending {
    base_slice topic;
    base_slice key;
    base_slice event;
    base_slice type;
    base_slice id;
} pending;

typedef struct emitter {
    emit *emit;
    log_writer *writer;
    pending items[BATCH_MAX];
    size_t count;
    base_arena kept; /* what pending points to */
    base_arena arena;
    uint64_t done;
    char counted_topic[LOG_TOPIC_SIZE_MAX + 1]; /* whose partitions are `counted` */
    int32_t counted;
} emitter;

/* ---- telling ---- */

/* The partition that the key puts the record in, or -1; the topic's count is asked for once. */
static int32_t partition_of(emitter *r, const pending *item)
{
    if (item->key.data == NULL) {
        return -1;
    }
    if (!base_slice_is(item->topic, r->counted_topic)) {
        r->counted = 0;
        (void)snprintf(r->counted_topic, sizeof(r->counted_topic), "%.*s",
                       BASE_SLICE_ARG(item->topic));
        if (base_failed(
                log_topic_partitions(r->emit->session->store, item->topic, &r->counted, NULL))) {
            r->counted = 0;
        }
    }
    return r->counted == 0 ? -1 : base_partition_of(item->key, r->counted);
}

static void tell(emitter *r, const pending *item, int64_t offset)
{
    if (r->emit->options->lines && !r->emit->options->json) {
        return; /* they are counted */
    }
    const int32_t partition = partition_of(r, item);
    if (r->emit->options->json) {
        cli_object object;
        base_arena_reset(&r->arena);
        cli_object_begin(&object, &r->arena);
        cli_member(&object, "topic", item->topic);
        if (partition >= 0) {
            cli_member_number(&object, "partition", partition);
        }
        if (offset >= 0) {
            cli_member_number(&object, "offset", offset);
        }
        cli_member(&object, "key", item->key);
        cli_member(&object, "event", item->event);
        cli_member(&object, "type", item->type);
        cli_member(&object, "id", item->id);
        (void)cli_object_write(&object);
    } else {
        cli_put(item->event.size > 0 ? item->event : base_slice_of("record"));
        (void)printf(" ");
        cli_put(item->key);
        (void)printf("%s -> ", item->key.size > 0 ? "" : "(no key)");
        cli_put(item->topic);
        if (partition >= 0) {
            (void)printf("/%d", (int)partition);
        }
        if (offset >= 0) {
            (void)printf("@%lld", (long long)offset);
        }
        (void)printf("%s%.*s\n", item->id.size > 0 ? "  " : "", BASE_SLICE_ARG(item->id));
    }
}

/* ---- writing ---- */

static base_status open_writer(emitter *r, base_error *error)
{
    const log_writer_options options = {.transaction_timeout_ms = 0};
    return log_writer_open(r->emit->session->store, &options, &r->writer, error);
}

/* Waits until all that was appended is durable. */
static base_status commit(emitter *r, base_error *error)
{
    int64_t offsets[BATCH_MAX];
    size_t refused = 0;
    if (r->count == 0) {
        return base_ok();
    }
    for (size_t i = 0; i < BATCH_MAX; i++) {
        offsets[i] = -1;
    }
    const base_status status =
        log_writer_commit(r->writer, NULL, NULL, 0, offsets, &refused, error);
    for (size_t i = 0; i < r->count && !base_failed(status); i++) {
        tell(r, &r->items[i], offsets[i]);
    }
    if (!base_failed(status)) {
        r->done += r->count;
        (void)fflush(stdout);
    }
    r->count = 0;
    base_arena_reset(&r->kept);
    return status;
}

/* Topics that a saga names may be made; others only with --create. */
static base_status make_topic(const emitter *r, const emit_message *message, base_error *error)
{
    const cli_session *session = r->emit->session;
    const bool may =
        (message->known && session->config.create_source_topics) || r->emit->options->create;
    int32_t count = 0;
    const base_status found =
        log_topic_partitions(session->store, message->record.topic, &count, error);
    if (found.code != BASE_NOT_FOUND || !may) {
        if (found.code == BASE_NOT_FOUND) {
            base_error_hint(error, "--create makes it");
        }
        return found;
    }
    base_error_clear(error);
    const log_topic_options topic = {.name = message->record.topic,
                                     .partition_count = cli_session_partitions(session),
                                     .replication = (int16_t)session->config.replication,
                                     .cleanup = LOG_CLEANUP_DELETE,
                                     .retention_ms = -1,
                                     .retention_size = -1};
    return log_topics_ensure(session->store, &topic, 1, TOPICS_TIMEOUT_MS, error);
}

static base_status append(emitter *r, const emit_message *message, base_error *error)
{
    base_status status = log_writer_append(r->writer, &message->record, error);
    if (status.code == BASE_NOT_FOUND) {
        base_error_clear(error);
        BASE_TRY(make_topic(r, message, error));
        status = log_writer_append(r->writer, &message->record, error);
    }
    BASE_TRY(status);
    const base_slice key = message->record.key;
    pending *item = &r->items[r->count];
    *item = (pending){.topic = base_arena_copy(&r->kept, message->record.topic),
                      .event = base_arena_copy(&r->kept, message->event),
                      .type = base_arena_copy(&r->kept, message->type),
                      .id = base_arena_copy(&r->kept, message->id)};
    if (key.data != NULL) {
        item->key = base_arena_copy(&r->kept, key);
    }
    r->count++;
    return r->count == BATCH_MAX ? commit(r, error) : base_ok();
}

/* ---- one event ---- */

/* All of a file, or of standard input. */
static base_status read_all(FILE *file, const char *name, base_arena *arena, base_slice *out,
                            base_error *error)
{
    size_t size = 0;
    size_t capacity = CHUNK_SIZE;
    char *bytes = (char *)base_arena_alloc(arena, capacity);
    while (bytes != NULL && size < DATA_SIZE_MAX) {
        const size_t got = fread(bytes + size, 1, capacity - size, file);
        size += got;
        if (got == 0) {
            break;
        }
        if (size == capacity) {
            bytes = (char *)base_arena_grow(arena, bytes, capacity, capacity * 2);
            capacity *= 2;
        }
    }
    if (bytes == NULL || size >= DATA_SIZE_MAX) {
        return base_error_set(error, BASE_TOO_LARGE, "%s is too large", name);
    }
    if (ferror(file) != 0) {
        return base_error_set(error, BASE_BAD_INPUT, "cannot read %s: %s", name, strerror(errno));
    }
    *out = base_slice_make(bytes, size);
    return base_ok();
}

static base_status read_data(const char *data, base_arena *arena, base_slice *out,
                             base_error *error)
{
    if (data == NULL || (data[0] != '@' && strcmp(data, "-") != 0)) {
        *out = base_slice_of(data);
        return base_ok();
    }
    if (data[0] == '-') {
        return read_all(stdin, "standard input", arena, out, error);
    }
    FILE *file = fopen(data + 1, "rbe");
    if (file == NULL) {
        return base_error_set(error, BASE_BAD_INPUT, "cannot read \"%s\": %s", data + 1,
                              strerror(errno));
    }
    const base_status status = read_all(file, data + 1, arena, out, error);
    (void)fclose(file);
    return status;
}

static base_status emit_one(emitter *r, base_error *error)
{
    emit_message message;
    base_slice data = {NULL, 0};
    BASE_TRY(read_data(r->emit->options->data, &r->emit->session->scratch, &data, error));
    BASE_TRY(emit_message_make(r->emit, data, &r->emit->session->scratch, &message, error));
    BASE_TRY(append(r, &message, error));
    return commit(r, error);
}

/* ---- lines ---- */

typedef struct line_buffer {
    char *bytes;
    size_t size;
    size_t capacity;
    uint64_t number; /* of the line that is looked at */
} line_buffer;

static base_status emit_line(emitter *r, line_buffer *buffer, base_slice line, base_error *error)
{
    emit_message message;
    base_arena *arena = &r->emit->session->scratch;
    buffer->number++;
    while (line.size > 0 && (line.data[line.size - 1] == '\r' || line.data[line.size - 1] == ' ')) {
        line.size--;
    }
    if (line.size == 0) {
        return base_ok();
    }
    base_arena_reset(arena);
    base_status status = emit_message_line(r->emit, line, arena, &message, error);
    if (!base_failed(status)) {
        status = append(r, &message, error);
    }
    if (base_failed(status) && error != NULL) {
        base_error_path(error, base_slice_of("standard input"));
        base_error_place(error, (uint32_t)buffer->number, error->column);
    }
    return status;
}

/* Emits the whole lines of the buffer and keeps the rest. */
static base_status take_lines(emitter *r, line_buffer *buffer, bool at_end, base_error *error)
{
    size_t first = 0;
    base_status status = base_ok();
    while (!base_failed(status) && first < buffer->size) {
        const char *newline = memchr(buffer->bytes + first, '\n', buffer->size - first);
        if (newline == NULL && !at_end) {
            break;
        }
        const size_t end = newline == NULL ? buffer->size : (size_t)(newline - buffer->bytes);
        status = emit_line(r, buffer, base_slice_make(buffer->bytes + first, end - first), error);
        first = newline == NULL ? end : end + 1;
    }
    memmove(buffer->bytes, buffer->bytes + first, buffer->size - first);
    buffer->size -= first;
    return status;
}

/* Commits what each read gave: a slow writer's lines are durable at once, a fast one's in batches.
 */
static base_status emit_lines(emitter *r, line_buffer *buffer, base_error *error)
{
    for (;;) {
        if (buffer->size == buffer->capacity) {
            const size_t wanted = buffer->capacity == 0 ? CHUNK_SIZE : buffer->capacity * 2;
            char *grown = wanted > DATA_SIZE_MAX ? NULL : (char *)realloc(buffer->bytes, wanted);
            if (grown == NULL) {
                return base_error_set(error, BASE_TOO_LARGE, "line %llu is too long",
                                      (unsigned long long)buffer->number + 1);
            }
            buffer->bytes = grown;
            buffer->capacity = wanted;
        }
        const ssize_t got =
            read(STDIN_FILENO, buffer->bytes + buffer->size, buffer->capacity - buffer->size);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return base_error_set(error, BASE_IO, "cannot read standard input: %s",
                                  strerror(errno));
        }
        buffer->size += (size_t)got;
        BASE_TRY(take_lines(r, buffer, got == 0, error));
        BASE_TRY(commit(r, error));
        if (got == 0 || cli_broken()) {
            return base_ok();
        }
    }
}

/* ---- the whole ---- */

static base_status perform(emitter *r, base_error *error)
{
    BASE_TRY(open_writer(r, error));
    if (!r->emit->options->lines) {
        return emit_one(r, error);
    }
    line_buffer buffer = {NULL, 0, 0, 0};
    base_status status = emit_lines(r, &buffer, error);
    if (base_failed(status) && r->count > 0) { /* what came before the bad line counts */
        base_error later;
        base_error_clear(&later);
        if (base_failed(commit(r, &later))) {
            r->count = 0;
        }
    }
    free(buffer.bytes);
    return status;
}

static cli_exit emit_all(emit *e)
{
    base_error error;
    emitter *r = (emitter *)calloc(1, sizeof(*r));
    base_error_clear(&error);
    if (r == NULL) {
        return cli_failure(base_status_of(BASE_OUT_OF_MEMORY), &error);
    }
    r->emit = e;
    base_arena_init(&r->kept, SIZE_MAX / 2);
    base_arena_init(&r->arena, BASE_ARENA_SIZE_DEFAULT_MAX);
    const base_status status = perform(r, &error);
    log_writer_close(r->writer);
    if (e->options->lines && !e->options->json) {
        (void)printf("%llu on the log\n", (unsigned long long)r->done);
    }
    cli_exit result = CLI_OK;
    if (base_failed(status)) {
        result = cli_failure(status, &error);
        result = result == CLI_NO ? CLI_BAD_DATA : result; /* a topic that is not there */
    }
    base_arena_deinit(&r->kept);
    base_arena_deinit(&r->arena);
    free(r);
    return result;
}

/* --saga: a file where there is one of that name. */
static cli_exit load_saga(emit *e)
{
    const char *name = e->options->saga;
    if (name == NULL || (access(name, F_OK) != 0 && strpbrk(name, "/.") == NULL)) {
        return CLI_OK;
    }
    return cli_load(name, false, &e->plans, &e->plan);
}

static cli_exit load_key_from(emit *e)
{
    base_error error;
    base_error_clear(&error);
    if (e->options->key_from == NULL) {
        return CLI_OK;
    }
    if (base_failed(saga_expr_compile(base_slice_of(e->options->key_from), NULL, 0, &e->plans,
                                      &e->key_from, &error))) {
        return cli_usage("emit", "--key-from: %s", error.text);
    }
    return CLI_OK;
}

static cli_exit check_options(const emit_options *o, const cli_line *line)
{
    const size_t first_data = o->type != NULL ? 0 : 1; /* --type stands for the first word */
    if (line->word_count > first_data + 1) {
        return cli_usage("emit", "more than an event and its data: \"%s\"",
                         line->words[first_data + 1]);
    }
    if (line->word_count > first_data && o->data != NULL) {
        return cli_usage("emit", "the data stands there twice");
    }
    if (o->plain && o->topic == NULL) {
        return cli_usage("emit", "--plain needs --topic");
    }
    if (o->plain && line->word_count > 0) {
        return cli_usage("emit", "a plain record has no event: \"%s\"", line->words[0]);
    }
    if (o->plain && !o->lines && o->data == NULL) {
        return cli_usage("emit", "--plain needs --data or --lines");
    }
    if (o->key_from != NULL && !o->plain) {
        return cli_usage("emit", "--key-from goes with --plain");
    }
    if (!o->plain && !o->lines && line->word_count == 0 && o->type == NULL) {
        return cli_usage("emit", "name an event");
    }
    if (o->lines && (o->data != NULL || line->word_count > first_data)) {
        return cli_usage("emit", "--lines reads the data from standard input");
    }
    return CLI_OK;
}

static cli_exit run(const cli_command *command, int argc, char **argv)
{
    emit_options o = {0};
    cli_session session = {0};
    cli_line line;
    cli_exit result = CLI_OK;
    if (!cli_parse(command, argc, argv, &o, &line, &result)) {
        return result;
    }
    result = check_options(&o, &line);
    if (result != CLI_OK) {
        return result;
    }
    if (line.word_count == 2) {
        o.data = line.words[1];
    }
    emit e = {
        .session = &session, .options = &o, .event = line.word_count > 0 ? line.words[0] : NULL};
    base_arena_init(&e.plans, BASE_ARENA_SIZE_DEFAULT_MAX);
    result = load_saga(&e);
    if (result == CLI_OK) {
        result = load_key_from(&e);
    }
    if (result == CLI_OK) {
        result = cli_session_open(&session, &line, false);
    }
    if (result == CLI_OK) {
        engine_catalog_init(&e.catalog, session.store, &session.topics, &session.logger);
        result = emit_all(&e);
        engine_catalog_deinit(&e.catalog);
    }
    cli_session_close(&session);
    base_arena_deinit(&e.plans);
    return cli_end(result);
}

const cli_command cli_emit = {
    .name = "emit",
    .summary = "put an event on the log, and wait until it is durable",
    .arguments = "[EVENT [JSON]]",
    .text = "Puts a CloudEvent on its topic. EVENT is a saga's name for it or its full type; the "
            "saga, from a file or as it is\ndeployed, says topic, type and key. With --topic no "
            "saga is needed. With --plain the data is the record.\n"
            "Exit code 0 when all of it is on the log; 4 for an event that is not known, data that "
            "is no JSON or has no key.",
    .examples =
        "  troupe emit order.placed '{\"orderId\": \"o1\", \"total\": 129.5}'\n"
        "  troupe emit order.placed --saga order.saga.yaml --data @order.json\n"
        "  troupe emit --lines --saga order.saga.yaml <events.jsonl\n"
        "  troupe emit --topic orders.events --type com.acme.order.placed --key o1 --data '{}'\n"
        "  troupe emit --plain --topic erp --key-from .case --lines <records.jsonl\n",
    .options = table,
    .option_count = sizeof(table) / sizeof(table[0]),
    .keys = CLI_KEYS_TOPICS,
    .run = run,
};

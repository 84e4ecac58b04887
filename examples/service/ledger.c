#include "examples/service/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int64_t ledger_now_ms(void)
{
    struct timespec now = {0, 0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* An example ends when there is no memory or the disk will not; its ledger says how far it was. */
static void *needed(void *block)
{
    if (block == NULL) {
        (void)fputs("out of memory\n", stderr);
        exit(EXIT_FAILURE);
    }
    return block;
}

static char *copy_of(const char *text)
{
    return needed(strdup(text != NULL ? text : ""));
}

/* ---- what a line means ---- */

static ledger_entry *entry_of(ledger *book, const char *key)
{
    for (size_t i = 0; i < book->entry_count; i++) {
        if (strcmp(book->entries[i].key, key) == 0) {
            return &book->entries[i];
        }
    }
    if (book->entry_count == book->entry_capacity) {
        book->entry_capacity = book->entry_capacity * 2 + 64;
        book->entries =
            needed(realloc(book->entries, book->entry_capacity * sizeof(*book->entries)));
    }
    ledger_entry *entry = &book->entries[book->entry_count++];
    *entry = (ledger_entry){copy_of(key), LEDGER_NEW, NULL, NULL};
    return entry;
}

static void debt_add(ledger *book, const ledger_line *line)
{
    if (book->debt_count == book->debt_capacity) {
        book->debt_capacity = book->debt_capacity * 2 + 16;
        book->debts = needed(realloc(book->debts, book->debt_capacity * sizeof(*book->debts)));
    }
    book->debts[book->debt_count++] = (ledger_debt){
        copy_of(line->key),   copy_of(line->order), copy_of(line->step), copy_of(line->answer),
        copy_of(line->token), copy_of(line->data),  line->due_ms,
    };
}

static void debt_free(ledger_debt *debt)
{
    free(debt->key);
    free(debt->order);
    free(debt->step);
    free(debt->answer);
    free(debt->token);
    free(debt->data);
}

static void debt_remove(ledger *book, const char *key)
{
    size_t i = 0;
    while (i < book->debt_count && strcmp(book->debts[i].key, key) != 0) {
        i++;
    }
    if (i == book->debt_count) {
        return;
    }
    debt_free(&book->debts[i]);
    book->debt_count--;
    memmove(&book->debts[i], &book->debts[i + 1], (book->debt_count - i) * sizeof(*book->debts));
}

static void apply(ledger *book, const ledger_line *line)
{
    const bool done = strcmp(line->act, "do") == 0;
    if (strcmp(line->act, "owe") == 0) {
        debt_add(book, line);
    } else if (strcmp(line->act, "said") == 0) {
        debt_remove(book, line->key);
    } else if (done || strcmp(line->act, "refuse") == 0) {
        ledger_entry *entry = entry_of(book, line->key);
        entry->state = done ? LEDGER_DONE : LEDGER_REFUSED;
        free(entry->answer);
        free(entry->data);
        entry->answer = copy_of(line->answer);
        entry->data = copy_of(line->data);
    } else {
        entry_of(book, line->key)->state = LEDGER_UNDONE;
    }
}

/* ---- writing ---- */

static void put_text(FILE *out, const char *name, const char *text)
{
    (void)fprintf(out, ",\"%s\":\"", name);
    for (const char *at = text != NULL ? text : ""; *at != '\0'; at++) {
        if (*at == '"' || *at == '\\') {
            (void)fprintf(out, "\\%c", *at);
        } else if ((unsigned char)*at < 0x20) {
            (void)fprintf(out, "\\u%04x", (unsigned)(unsigned char)*at);
        } else {
            (void)fputc(*at, out);
        }
    }
    (void)fputc('"', out);
}

static bool write_durably(int file, const char *text, size_t size)
{
    size_t written = 0;
    while (written < size) {
        const ssize_t count = write(file, text + written, size - written);
        if (count < 0 && errno != EINTR) {
            return false;
        }
        written += count > 0 ? (size_t)count : 0;
    }
    return fsync(file) == 0;
}

void ledger_write(ledger *book, const ledger_line *line)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = needed(open_memstream(&text, &size));
    (void)fprintf(out, "{\"at\":%lld", (long long)ledger_now_ms());
    put_text(out, "act", line->act);
    put_text(out, "key", line->key);
    put_text(out, "order", line->order);
    put_text(out, "step", line->step);
    put_text(out, "answer", line->answer);
    put_text(out, "token", line->token);
    (void)fprintf(out, ",\"due\":%lld,\"data\":%s}\n", (long long)line->due_ms,
                  line->data != NULL ? line->data : "null");
    (void)fclose(out);
    if (!write_durably(book->file, text, size)) {
        perror("ledger");
        exit(EXIT_FAILURE);
    }
    free(text);
    apply(book, line);
}

/* ---- reading: lines are in the form that ledger_write gives them ---- */

/* The text of a member, decoded in place of a copy; NULL: the line is damaged. */
static char *take_text(const char *line, const char *name)
{
    char mark[32];
    (void)snprintf(mark, sizeof(mark), ",\"%s\":\"", name);
    const char *at = strstr(line, mark);
    if (at == NULL) {
        return NULL;
    }
    at += strlen(mark);
    char *text = needed(malloc(strlen(at) + 1));
    size_t size = 0;
    while (*at != '"' && *at != '\0') {
        if (*at == '\\' && at[1] == 'u' && strlen(at) >= 6) {
            const char digits[] = {at[4], at[5], '\0'}; /* what we write so is below 0x20 */
            text[size++] = (char)strtoul(digits, NULL, 16);
            at += 6;
        } else {
            at += *at == '\\' && at[1] != '\0' ? 1 : 0;
            text[size++] = *at++;
        }
    }
    text[size] = '\0';
    return text;
}

static bool apply_text(ledger *book, char *text)
{
    static const char mark[] = ",\"data\":";
    char *data = strstr(text, mark);
    char *end = strrchr(text, '}');
    const char *due = strstr(text, ",\"due\":");
    if (data == NULL || end == NULL || due == NULL || end < data) {
        return false;
    }
    *end = '\0';
    char *parts[6] = {take_text(text, "act"),  take_text(text, "key"),    take_text(text, "order"),
                      take_text(text, "step"), take_text(text, "answer"), take_text(text, "token")};
    bool fine = true;
    for (size_t i = 0; i < 6; i++) {
        fine = fine && parts[i] != NULL;
    }
    if (fine) {
        const ledger_line line = {parts[0],
                                  parts[1],
                                  parts[2],
                                  parts[3],
                                  parts[4],
                                  parts[5],
                                  strtoll(due + 7, NULL, 10),
                                  data + sizeof(mark) - 1};
        apply(book, &line);
    }
    for (size_t i = 0; i < 6; i++) {
        free(parts[i]);
    }
    return fine;
}

bool ledger_open(ledger *book, const char *path)
{
    *book = (ledger){.file = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644)};
    const int copy = book->file < 0 ? -1 : dup(book->file);
    FILE *in = copy < 0 ? NULL : fdopen(copy, "r");
    if (in == NULL) {
        perror(path);
        return false;
    }
    char *text = NULL;
    size_t capacity = 0;
    off_t good = 0;
    bool fine = fseek(in, 0, SEEK_SET) == 0;
    ssize_t size = 0;
    while (fine && (size = getline(&text, &capacity, in)) > 0 && text[size - 1] == '\n') {
        fine = apply_text(book, text);
        good += size;
    }
    free(text);
    (void)fclose(in);
    if (!fine) {
        (void)fprintf(stderr, "%s: damaged before byte %lld\n", path, (long long)good);
        return false;
    }
    /* A line that a crash cut off was never acted on. */
    return ftruncate(book->file, good) == 0;
}

void ledger_close(ledger *book)
{
    for (size_t i = 0; i < book->entry_count; i++) {
        free(book->entries[i].key);
        free(book->entries[i].answer);
        free(book->entries[i].data);
    }
    for (size_t i = 0; i < book->debt_count; i++) {
        debt_free(&book->debts[i]);
    }
    free(book->entries);
    free(book->debts);
    if (book->file >= 0) {
        (void)close(book->file);
    }
}

const ledger_entry *ledger_find(const ledger *book, const char *key)
{
    for (size_t i = 0; i < book->entry_count; i++) {
        if (strcmp(book->entries[i].key, key) == 0) {
            return &book->entries[i];
        }
    }
    return NULL;
}

const ledger_debt *ledger_owed(const ledger *book, const char *key)
{
    for (size_t i = 0; i < book->debt_count; i++) {
        if (strcmp(book->debts[i].key, key) == 0) {
            return &book->debts[i];
        }
    }
    return NULL;
}

const ledger_debt *ledger_first_due(const ledger *book)
{
    const ledger_debt *first = NULL;
    for (size_t i = 0; i < book->debt_count; i++) {
        if (first == NULL || book->debts[i].due_ms < first->due_ms) {
            first = &book->debts[i];
        }
    }
    return first;
}

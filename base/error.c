#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

#define NEAREST_SIZE_MAX 96 /* names longer than this are never suggested */

void base_error_clear(base_error *error)
{
    if (error != NULL) {
        *error = (base_error){.code = BASE_OK};
    }
}

/* Where to cut text so that no character is torn: at most size, back to the start of a character.
 */
static size_t cut_at_character(const char *text, size_t size)
{
    while (size > 0 && ((unsigned char)text[size] & 0xC0) == 0x80) {
        size--;
    }
    return size;
}

/* vsnprintf that cuts at a character boundary. */
__attribute__((format(printf, 3, 0))) static void print_cut(char *buffer, size_t buffer_size,
                                                            const char *format, va_list arguments)
{
    const int length = vsnprintf(buffer, buffer_size, format, arguments);
    if (length < 0) {
        buffer[0] = '\0';
        return;
    }
    if ((size_t)length < buffer_size) {
        return;
    }
    /* The byte that was cut off is unknown, so a character that starts in the last three bytes is
     * checked whole. */
    size_t start = cut_at_character(buffer, buffer_size - 2);
    if (!base_utf8_valid(base_slice_make(buffer + start, buffer_size - 1 - start))) {
        buffer[start] = '\0';
    }
}

base_status base_error_set_list(base_error *error, base_code code, const char *format,
                                va_list arguments)
{
    if (error != NULL && error->code == BASE_OK) {
        base_error_clear(error);
        error->code = code;
        print_cut(error->text, sizeof(error->text), format, arguments);
    }
    return base_status_of(code);
}

base_status base_error_set(base_error *error, base_code code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const base_status status = base_error_set_list(error, code, format, arguments);
    va_end(arguments);
    return status;
}

void base_error_hint(base_error *error, const char *format, ...)
{
    if (error != NULL) {
        va_list arguments;
        va_start(arguments, format);
        print_cut(error->hint, sizeof(error->hint), format, arguments);
        va_end(arguments);
    }
}

static void copy_cut(char *buffer, size_t buffer_size, base_slice text)
{
    size_t size = text.size;
    if (size >= buffer_size) {
        size = cut_at_character(text.data, buffer_size - 1);
    }
    if (size > 0) {
        memcpy(buffer, text.data, size);
    }
    buffer[size] = '\0';
}

void base_error_check(base_error *error, const char *check)
{
    if (error != NULL) {
        copy_cut(error->check, sizeof(error->check), base_slice_of(check));
    }
}

void base_error_path(base_error *error, base_slice path)
{
    if (error != NULL) {
        copy_cut(error->path, sizeof(error->path), path);
    }
}

void base_error_place(base_error *error, uint32_t line, uint32_t column)
{
    if (error != NULL) {
        error->line = line;
        error->column = column;
    }
}

void base_error_context(base_error *error, const char *format, ...)
{
    if (error == NULL) {
        return;
    }
    char joined[BASE_ERROR_TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    print_cut(joined, sizeof(joined), format, arguments);
    va_end(arguments);
    const size_t context_size = strlen(joined);
    if (context_size + 2 < sizeof(joined)) {
        joined[context_size] = ':';
        joined[context_size + 1] = ' ';
        copy_cut(joined + context_size + 2, sizeof(joined) - context_size - 2,
                 base_slice_of(error->text));
    }
    memcpy(error->text, joined, sizeof(joined));
}

/* Adds text to a buffer that may be too small; length counts what would be there. */
typedef struct line_buffer {
    char *data;
    size_t size;
    size_t length;
} line_buffer;

static void add(line_buffer *line, const char *text)
{
    for (; *text != '\0'; text++) {
        if (line->length + 1 < line->size) {
            line->data[line->length] = *text;
        }
        line->length++;
    }
}

static void add_number(line_buffer *line, uint32_t number)
{
    char digits[16];
    (void)snprintf(digits, sizeof(digits), ":%u", (unsigned)number);
    add(line, digits);
}

size_t base_error_render(const base_error *error, char *buffer, size_t buffer_size)
{
    line_buffer line = {buffer, buffer_size, 0};
    if (error->path[0] != '\0') {
        add(&line, error->path);
    } else if (error->line != 0) {
        add(&line, "line");
    }
    if (error->line != 0) {
        add_number(&line, error->line);
        if (error->column != 0) {
            add_number(&line, error->column);
        }
    }
    if (line.length > 0) {
        add(&line, ": ");
    }
    if (error->check[0] != '\0') {
        add(&line, error->check);
        add(&line, " ");
    }
    add(&line,
        error->text[0] != '\0' ? error->text : base_status_text(base_status_of(error->code)));
    if (error->hint[0] != '\0') {
        add(&line, " (");
        add(&line, error->hint);
        add(&line, ")");
    }
    if (buffer_size > 0) {
        buffer[line.length < buffer_size ? line.length : buffer_size - 1] = '\0';
    }
    return line.length;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Optimal string alignment distance of two names of at most NEAREST_SIZE_MAX bytes. Three rows of
 * the usual table: a swap looks two rows back. */
static size_t edit_distance(base_slice a, base_slice b)
{
    uint8_t rows[3][NEAREST_SIZE_MAX + 1];
    uint8_t *before = rows[0];
    uint8_t *previous = rows[1];
    uint8_t *current = rows[2];
    for (size_t j = 0; j <= b.size; j++) {
        previous[j] = (uint8_t)j;
        before[j] = 0;
    }
    for (size_t i = 1; i <= a.size; i++) {
        current[0] = (uint8_t)i;
        for (size_t j = 1; j <= b.size; j++) {
            const size_t change = a.data[i - 1] == b.data[j - 1] ? 0 : 1;
            size_t best = smaller(previous[j - 1] + change,
                                  smaller((size_t)previous[j] + 1, (size_t)current[j - 1] + 1));
            if (i > 1 && j > 1 && a.data[i - 1] == b.data[j - 2] &&
                a.data[i - 2] == b.data[j - 1]) {
                best = smaller(best, (size_t)before[j - 2] + 1);
            }
            current[j] = (uint8_t)best;
        }
        uint8_t *oldest = before;
        before = previous;
        previous = current;
        current = oldest;
    }
    return previous[b.size];
}

base_slice base_error_nearest(base_slice word, const base_slice *candidates, size_t candidate_count)
{
    base_slice nearest = {NULL, 0};
    size_t nearest_distance = 2 + word.size / 3; /* one more than is near enough */
    if (word.size > NEAREST_SIZE_MAX) {
        return nearest;
    }
    for (size_t index = 0; index < candidate_count; index++) {
        const base_slice name = candidates[index];
        const size_t longer = word.size > name.size ? word.size : name.size;
        if (name.size > NEAREST_SIZE_MAX ||
            longer - smaller(word.size, name.size) >= nearest_distance) {
            continue;
        }
        const size_t distance = edit_distance(word, name);
        if (distance < nearest_distance && distance < longer) {
            nearest = name;
            nearest_distance = distance;
        }
    }
    return nearest;
}

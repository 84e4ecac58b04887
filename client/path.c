/*
 * Members of JSON data by path, as "customer.name", "lines[0].sku" or "\"odd.name\".x".
 *
 *   path := "" | item { "." name | "[" index "]" }      item := name | "[" index "]"
 *   name := letters, digits, '_', '-' and what is not ASCII, or any text in double quotes
 */
#include "client/client.h"

static bool name_end(char c)
{
    return c == '\0' || c == '.' || c == '[';
}

/* Takes a name off the path; false: there is none. */
static bool name_take(const char **path, base_slice *name_out)
{
    const char *start = *path;
    const char *end = start;
    if (*start == '"') {
        start++;
        end = strchr(start, '"');
        if (end == NULL || !name_end(end[1])) {
            return false;
        }
        *path = end + 1;
    } else {
        while (!name_end(*end) && *end != '"' && *end != ']') {
            end++;
        }
        if (end == start || !name_end(*end)) {
            return false;
        }
        *path = end;
    }
    *name_out = base_slice_make(start, (size_t)(end - start));
    return true;
}

static bool index_take(const char **path, size_t *index_out)
{
    const char *at = *path + 1;
    size_t index = 0;
    if (*at < '0' || *at > '9') {
        return false;
    }
    while (*at >= '0' && *at <= '9') {
        if (__builtin_mul_overflow(index, (size_t)10, &index) ||
            __builtin_add_overflow(index, (size_t)(*at - '0'), &index)) {
            return false;
        }
        at++;
    }
    if (*at != ']') {
        return false;
    }
    *path = at + 1;
    *index_out = index;
    return true;
}

const base_value *client_path_get(const base_value *value, const char *path)
{
    const char *at = path;
    while (value != NULL && *at != '\0') {
        size_t index = 0;
        base_slice name = {NULL, 0};
        if (*at == '[') {
            if (!index_take(&at, &index) || value->kind != BASE_LIST || index >= value->size) {
                return NULL;
            }
            value = &value->items[index];
            continue;
        }
        if (*at == '.') {
            if (at == path) {
                return NULL;
            }
            at++;
        } else if (at != path) {
            return NULL;
        }
        if (!name_take(&at, &name) || value->kind != BASE_MAP) {
            return NULL;
        }
        value = base_map_get(value, name);
    }
    return value;
}

/* The table of configuration keys, for config.c alone: what each is called, holds, begins with and
 * means. */
#ifndef ENGINE_CONFIG_KEYS_H
#define ENGINE_CONFIG_KEYS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"
#include "engine/config.h"

typedef enum engine_key_kind {
    ENGINE_KEY_TEXT,
    ENGINE_KEY_LIST,
    ENGINE_KEY_BOOL,
    ENGINE_KEY_INTEGER,
    ENGINE_KEY_CHOICE
} engine_key_kind;

typedef struct engine_key {
    const char *name;
    engine_key_kind kind;
    size_t offset;       /* of the field in engine_config */
    const char *initial; /* as a person would write it */
    int64_t minimum;
    int64_t maximum;
    const char *const *choices; /* CHOICE: by number, NULL-terminated */
    const char *text;
} engine_key;

/* All keys; *count_out of them. */
const engine_key *engine_keys(size_t *count_out);
/* The key of that name (dashes count as underscores), or NULL. */
const engine_key *engine_key_named(base_slice name);
/* Says that there is no such key, and which is near. */
base_status engine_key_unknown(base_slice name, base_error *error);

#endif

/*
 * The value tree: what events carry, what expressions compute, what a saga's document is.
 *
 *   null | true/false | integer (int64) | decimal (coefficient x 10^exponent, 18 digits) | number
 *   too long for either
 *   (its text, passed through) | string (UTF-8) | bytes | list | map (keys unique, in the order
 *   they were put)
 *
 * Values are immutable once built and freely shared: a value points into the arena it was built in,
 * or into memory that outlives it.
 *
 * Numbers: a number that is an integer in int64's range is an integer however it was written (1.0,
 * 1e3; -0 is 0). A decimal has at most 18 digits, is less than 10^36 and has no digit behind the
 * 36th place; it is kept normalised, so equal numbers are equal values. What fits neither is kept
 * as its text. No binary floating point anywhere.
 *
 * `place` says where in a source text the value stood (base_place), 0 otherwise; it takes no part
 * in comparison.
 */
#ifndef BASE_VALUE_H
#define BASE_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/slice.h"
#include "base/status.h"

typedef enum base_kind {
    BASE_NULL,
    BASE_BOOL,
    BASE_INTEGER,
    BASE_DECIMAL,
    BASE_NUMBER_TEXT,
    BASE_STRING,
    BASE_BYTES,
    BASE_LIST,
    BASE_MAP
} base_kind;

typedef uint32_t base_place; /* line << 10 | column (column 1023: that or more; line 4194303
                                likewise); 0: none */
base_place base_place_make(size_t line, size_t column);
uint32_t base_place_line(base_place place);
uint32_t base_place_column(base_place place);

typedef struct base_value base_value;
typedef struct base_member base_member;

struct base_value {
    uint8_t kind;    /* base_kind */
    int8_t exponent; /* BASE_DECIMAL: value = coefficient * 10^exponent; -36..35 and never 0 */
    bool truth;      /* BASE_BOOL */
    bool indexed; /* BASE_MAP: private to base/map.c, an index by key stands behind the members */
    base_place place;
    union {
        int64_t integer; /* BASE_INTEGER; BASE_DECIMAL: the coefficient, |.| < 10^18, not divisible
                            by 10 */
        size_t size;     /* string, bytes, number text: bytes; list: items; map: members */
    };
    union {
        const char *bytes;          /* string, bytes, number text */
        const base_value *items;    /* list */
        const base_member *members; /* map */
    };
};

struct base_member {
    base_slice key;
    base_place key_place;
    base_value value;
};

#define BASE_VALUE_DEPTH_MAX 128 /* nesting that readers accept and walkers may rely on */

/* ---- making scalars: no memory needed; text and bytes are borrowed ---- */
base_value base_value_null(void);
base_value base_value_bool(bool truth);
base_value base_value_integer(int64_t integer);
base_value base_value_string(base_slice text);
base_value base_value_text(const char *text);
base_value base_value_bytes(base_slice bytes);
/* items / members are borrowed. base_value_map asserts nothing about duplicates: builders below do.
 * A map of more than a few members is better made by a builder, which adds an index: without one,
 * comparing is quadratic. */
base_value base_value_list(const base_value *items, size_t count);
base_value base_value_map(const base_member *members, size_t count);

/* A number from its JSON text (RFC 8259, 6). BASE_BAD_INPUT when it is not one. A number that fits
 * neither integer nor decimal becomes BASE_NUMBER_TEXT, its text borrowed. */
base_status base_number_parse(base_slice text, base_value *out) BASE_MUST_USE;

/* ---- looking ---- */
/* The member's value, or NULL. */
const base_value *base_map_get(const base_value *map, base_slice key);
const base_value *base_map_get_text(const base_value *map, const char *key);
/* The bytes of a string, bytes or number text; empty for other kinds. */
base_slice base_value_slice(const base_value *value);
bool base_value_is_number(const base_value *value);
const char *
base_kind_name(base_kind kind); /* jq's names: null boolean number string array object; "bytes" */

/* ---- exact arithmetic. Inputs are numbers (asserted). BASE_UNSUPPORTED for number text;
 * BASE_BAD_INPUT for division by zero. Sums, differences, and products of two integers are exact,
 * or BASE_OVERFLOW where no value can hold them exactly (an integer past int64 can still be a
 * decimal: 10^20). Other products, and quotients, are exact where a value can hold them, else
 * rounded half-even to 18 digits (and to 36 places: below 10^-18 there are fewer digits, below
 * 10^-36 there is 0); BASE_OVERFLOW from 10^36 on. *out is written on success only and may be an
 * input. ---- */
base_status base_number_add(const base_value *a, const base_value *b,
                            base_value *out) BASE_MUST_USE;
base_status base_number_subtract(const base_value *a, const base_value *b,
                                 base_value *out) BASE_MUST_USE;
base_status base_number_multiply(const base_value *a, const base_value *b,
                                 base_value *out) BASE_MUST_USE;
base_status base_number_divide(const base_value *a, const base_value *b,
                               base_value *out) BASE_MUST_USE;
/* jq's %: both truncated toward zero to int64, sign of the dividend. */
base_status base_number_modulo(const base_value *a, const base_value *b,
                               base_value *out) BASE_MUST_USE;
/* Toward minus infinity / plus infinity / half away from zero, as jq's floor, ceil, round. */
base_status base_number_floor(const base_value *a, base_value *out) BASE_MUST_USE;
base_status base_number_ceil(const base_value *a, base_value *out) BASE_MUST_USE;
base_status base_number_round(const base_value *a, base_value *out) BASE_MUST_USE;
/* Exact comparison of two numbers of any kind (number text included, by value). <0, 0, >0. */
int base_number_compare(const base_value *a, const base_value *b);
/* The number's JSON text, in arena: integers plain; decimals without exponent where they have at
 * most 18 digits on each side of the point or are between 10^-6 and 1 ("0.05"), else as ECMAScript
 * writes them ("1.5e+20", "1e-19"); number text as it came. */
base_status base_number_text(const base_value *number, base_arena *arena,
                             base_slice *text_out) BASE_MUST_USE;

/* ---- comparing: jq's order null < false < true < numbers < strings < bytes < lists < maps; lists
 * item by item; maps first by their sorted keys, then value by value in key order (jq manual,
 * sort). Not recursive and without memory; lists and maps nested deeper than BASE_VALUE_DEPTH_MAX,
 * which no reader accepts, are told apart by their size only. ---- */
int base_value_compare(const base_value *a, const base_value *b);
bool base_value_equal(const base_value *a, const base_value *b);

/* ---- copying into an arena, deep; shares nothing with the source. `place` is dropped.
 * BASE_TOO_LARGE when nested deeper than BASE_VALUE_DEPTH_MAX. ---- */
base_status base_value_copy(const base_value *value, base_arena *arena,
                            base_value *out) BASE_MUST_USE;

/* ---- building lists and maps of unknown size ---- */
typedef struct base_list_builder {
    base_arena *arena;
    base_value *items;
    size_t count;
    size_t capacity;
} base_list_builder;
void base_list_begin(base_list_builder *builder, base_arena *arena);
base_status base_list_push(base_list_builder *builder, const base_value *item) BASE_MUST_USE;
base_value base_list_end(base_list_builder *builder);

typedef struct base_map_builder {
    base_arena *arena;
    base_member *members;
    size_t count;
    size_t capacity;
    uint32_t *order;     /* private: see base/map.c */
    size_t sorted_count; /* private */
} base_map_builder;
void base_map_begin(base_map_builder *builder, base_arena *arena);
/* Puts a member; one with the same key is replaced in its place (count tells). The key is borrowed.
 * Many members cost n log n, whatever their keys. BASE_TOO_LARGE past 2^31 members. */
base_status base_map_put(base_map_builder *builder, base_slice key,
                         const base_value *value) BASE_MUST_USE;
base_status base_map_put_text(base_map_builder *builder, const char *key,
                              const base_value *value) BASE_MUST_USE;
base_value base_map_end(base_map_builder *builder);

/* ---- canonical JSON: RFC 8785's form (sorted keys, no spaces), with two differences: numbers are
 * exact, as base_number_text gives them; and keys are sorted by code points (UTF-8 bytes), as jq
 * does, where RFC 8785 sorts by UTF-16 units (they differ only for keys past U+FFFF). Bytes are
 * written as {"$bytes":"<base64>"}. For hashing definitions and for printing. sorted=false keeps
 * map order. BASE_TOO_LARGE when nested deeper than BASE_VALUE_DEPTH_MAX. Not recursive. ---- */
base_status base_value_json(const base_value *value, bool sorted, base_arena *arena,
                            base_slice *json_out) BASE_MUST_USE;

#endif

/*
 * Inside of saga/expr*.c: source text, tokens, the syntax tree and what the compiler's parts say to
 * one another.
 *
 *   text --expr_lex--> tokens --expr_parse--> tree --expr_gen--> code (expr_code.h)
 *   --expr_machine--> values
 *                                  ^ expr_builtin: functions that are written in jq themselves are
 *                                  parsed in place
 *
 * There are no function frames anywhere: users cannot define functions, and a built-in that takes
 * expressions (map(f), select(f), any(g; c)) is unfolded where it is called. So every program is a
 * tree, every variable has one register, and the only loops are generators.
 */
#ifndef SAGA_EXPR_NODE_H
#define SAGA_EXPR_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/slice.h"
#include "base/status.h"
#include "base/value.h"

#define SAGA_EXPR_DEPTH_MAX                                                                        \
    200 /* nesting of brackets, operators' right sides and the like in a source text */

/* ---- tokens ---- */
typedef enum saga_token_kind {
    SAGA_TOKEN_END,
    SAGA_TOKEN_SYMBOL,  /* `symbol` says which: a character, or a saga_symbol */
    SAGA_TOKEN_FIELD,   /* .name; text is name */
    SAGA_TOKEN_BINDING, /* $name; text is name */
    SAGA_TOKEN_FORMAT,  /* @name; text is name */
    SAGA_TOKEN_NAME,    /* an identifier or a keyword */
    SAGA_TOKEN_NUMBER,
    SAGA_TOKEN_QUOTE, /* the opening quote of a string; its parts are read with saga_lexer_string */
} saga_token_kind;

/* Symbols of more than one character; those of one character are the character. */
typedef enum saga_symbol {
    SAGA_SYMBOL_RECURSE = 256, /* .. */
    SAGA_SYMBOL_EQUAL,         /* == */
    SAGA_SYMBOL_NOT_EQUAL,
    SAGA_SYMBOL_LESS_EQUAL,
    SAGA_SYMBOL_GREATER_EQUAL,
    SAGA_SYMBOL_ALTERNATIVE, /* // */
    SAGA_SYMBOL_UPDATE,      /* |= */
    SAGA_SYMBOL_UPDATE_ADD,
    SAGA_SYMBOL_UPDATE_SUBTRACT,
    SAGA_SYMBOL_UPDATE_MULTIPLY,
    SAGA_SYMBOL_UPDATE_DIVIDE,
    SAGA_SYMBOL_UPDATE_MODULO,
    SAGA_SYMBOL_UPDATE_ALTERNATIVE, /* //= */
    SAGA_SYMBOL_DESTRUCTURE         /* ?// */
} saga_symbol;

typedef struct saga_token {
    saga_token_kind kind;
    int symbol;
    uint32_t offset;
    uint32_t end;
    base_slice text;
} saga_token;

typedef struct saga_lexer {
    base_slice source;
    size_t position;
} saga_lexer;

/* Reads the next token. Errors: a character that starts none (error text is set; place is the
 * token's offset). */
base_status saga_lexer_next(saga_lexer *lexer, saga_token *token_out,
                            base_error *error) BASE_MUST_USE;

typedef enum saga_string_end { SAGA_STRING_QUOTE, SAGA_STRING_INTERPOLATION } saga_string_end;

/* Reads one literal part of a string, escapes resolved, up to and past its closing quote or an
 * opening `\(`. */
base_status saga_lexer_string(saga_lexer *lexer, base_arena *arena, base_slice *part_out,
                              saga_string_end *end_out, base_error *error) BASE_MUST_USE;

/* A number as jq writes it (.5, 1., 007 and +1 are numbers too). BASE_BAD_INPUT when it is none. */
base_status saga_expr_number(base_slice text, base_arena *arena, base_value *out) BASE_MUST_USE;
/* Writes a code point as UTF-8 and returns its length; what is no code point becomes U+FFFD. */
size_t saga_expr_utf8(uint32_t code_point, char out[4]);
/* The four hex digits at text as a number, or -1. */
int32_t saga_expr_hex4(const char *text, size_t size);

/* ---- the tree ---- */
typedef enum saga_node_kind {
    SAGA_NODE_IDENTITY,
    SAGA_NODE_RECURSE,  /* .. */
    SAGA_NODE_CONSTANT, /* value */
    SAGA_NODE_VARIABLE, /* variable */
    SAGA_NODE_FIELD,    /* a: term; value: name */
    SAGA_NODE_INDEX,    /* a: term; b: key */
    SAGA_NODE_SLICE,    /* a: term; b: from or NULL; c: to or NULL */
    SAGA_NODE_EACH,     /* a: term */
    SAGA_NODE_PIPE,     /* a | b */
    SAGA_NODE_COMMA,    /* a, b */
    SAGA_NODE_ALTERNATIVE,
    SAGA_NODE_AND,
    SAGA_NODE_OR,
    SAGA_NODE_BINARY,  /* op: saga_binary; a, b */
    SAGA_NODE_NEGATE,  /* a */
    SAGA_NODE_IF,      /* a: condition; b: then; c: else or NULL */
    SAGA_NODE_TRY,     /* a: body; b: handler or NULL */
    SAGA_NODE_REDUCE,  /* a: source; patterns; b: start; c: update */
    SAGA_NODE_FOREACH, /* the same; d: extract or NULL */
    SAGA_NODE_AS,      /* a: source; patterns; b: body */
    SAGA_NODE_LABEL,   /* variable; a: body */
    SAGA_NODE_BREAK,   /* variable */
    SAGA_NODE_LIST,    /* [a] */
    SAGA_NODE_MAP,     /* list: entries */
    SAGA_NODE_ENTRY,   /* a: key; b: value, or NULL for .[key] */
    SAGA_NODE_STRING,  /* list: parts, each the a of its node; op: saga_format */
    SAGA_NODE_FORMAT,  /* @name; op: saga_format */
    SAGA_NODE_ASSIGN,  /* a = b */
    SAGA_NODE_UPDATE,  /* a |= b */
    SAGA_NODE_COMPUTE, /* a op= b; op: saga_binary */
    SAGA_NODE_DEFAULT, /* a //= b */
    SAGA_NODE_CALL,    /* native function op (saga_native); a, b: arguments */
    SAGA_NODE_EMPTY,
    SAGA_NODE_ERROR, /* raises . */
    SAGA_NODE_PATH,  /* path(a) */
    SAGA_NODE_FIRST, /* first(a) */
    SAGA_NODE_LIMIT, /* limit(a; b) */
    SAGA_NODE_NTH,   /* nth(a; b) */
    SAGA_NODE_IS_EMPTY,
    SAGA_NODE_ANY,   /* any(a; b) */
    SAGA_NODE_ALL,   /* all(a; b) */
    SAGA_NODE_RANGE, /* range(a; b; c); c may be NULL */
    SAGA_NODE_PATTERN_VARIABLE,
    SAGA_NODE_PATTERN_LIST,  /* list: patterns, the last first: jq binds them in that order */
    SAGA_NODE_PATTERN_MAP,   /* list: PATTERN_ENTRY */
    SAGA_NODE_PATTERN_ENTRY, /* a: key; b: pattern or NULL; variable when $name was the key, else -1
                              */
    SAGA_NODE_KIND_COUNT
} saga_node_kind;

typedef enum saga_binary {
    SAGA_BINARY_ADD,
    SAGA_BINARY_SUBTRACT,
    SAGA_BINARY_MULTIPLY,
    SAGA_BINARY_DIVIDE,
    SAGA_BINARY_MODULO,
    SAGA_BINARY_EQUAL,
    SAGA_BINARY_NOT_EQUAL,
    SAGA_BINARY_LESS,
    SAGA_BINARY_LESS_EQUAL,
    SAGA_BINARY_GREATER,
    SAGA_BINARY_GREATER_EQUAL
} saga_binary;

typedef enum saga_format {
    SAGA_FORMAT_TEXT,
    SAGA_FORMAT_JSON,
    SAGA_FORMAT_CSV,
    SAGA_FORMAT_TSV,
    SAGA_FORMAT_HTML,
    SAGA_FORMAT_URI,
    SAGA_FORMAT_SH,
    SAGA_FORMAT_BASE64,
    SAGA_FORMAT_BASE64D,
    SAGA_FORMAT_COUNT
} saga_format;

typedef struct saga_node saga_node;
struct saga_node {
    saga_node_kind kind;
    uint8_t op;
    bool optional; /* FIELD, INDEX, SLICE, EACH: `?` behind it; a string's part: to be formatted */
    int32_t variable;     /* a variable's or label's number, by scope; -1: none. With patterns: the
                             first of theirs */
    int32_t variable_end; /* with patterns: behind the last of theirs */
    uint32_t offset;
    saga_node *a;
    saga_node *b;
    saga_node *c;
    saga_node *d;
    saga_node *list;     /* first of a list, linked by next */
    saga_node *patterns; /* first of `as P1 ?// P2`, linked by next */
    saga_node *next;
    base_value value;
};

typedef struct saga_tree {
    saga_node *root;
    uint32_t variable_count; /* those that were handed in, then all that the text binds */
} saga_tree;

base_status saga_expr_parse(base_slice text, const base_slice *variables, size_t variable_count,
                            base_arena *arena, saga_tree *tree_out,
                            base_error *error) BASE_MUST_USE;

/* Puts line, column and the picture with the caret behind an error whose place is `offset` of the
 * text. */
void saga_expr_place(base_error *error, base_slice text, uint32_t offset);

/* ---- built-in functions ---- */
typedef enum saga_builtin_kind {
    SAGA_BUILTIN_NODE,   /* a node kind of its own; code: saga_node_kind */
    SAGA_BUILTIN_NATIVE, /* a native function; code: saga_native */
    SAGA_BUILTIN_TEXT    /* written in jq: text, with the parameter names f, g, h */
} saga_builtin_kind;

typedef struct saga_builtin {
    const char *name;
    uint8_t arity;
    saga_builtin_kind kind;
    uint8_t code;
    const char *text;
} saga_builtin;

#define SAGA_BUILTIN_PARAMETERS_MAX 3

/* The function; or the reason in the error: refused (BASE_BAD_INPUT, E105), not covered
 * (BASE_UNSUPPORTED), unknown (BASE_BAD_INPUT with a near name). `inner` is true in the text of a
 * built-in, where names with an underscore in front are known too. */
base_status saga_builtin_find(base_slice name, size_t arity, bool inner,
                              const saga_builtin **builtin_out, base_error *error) BASE_MUST_USE;
/* A keyword of jq that starts something refused (def, import, ...): sets the error and returns
 * true. */
bool saga_builtin_refused_keyword(base_slice name, base_error *error);
/* The format's number, or SAGA_FORMAT_COUNT with the error set. */
saga_format saga_builtin_format(base_slice name, base_error *error);

#endif

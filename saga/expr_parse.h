/*
 * Inside of saga/expr_parse*.c: a descent parser whose stack is its own. What a recursive parser
 * would call is a goal; a goal's handler runs until it needs another goal, pushes that, and is
 * called again with its result. So the depth of a text costs arena memory up to a stated limit, and
 * never the C stack.
 */
#ifndef SAGA_EXPR_PARSE_H
#define SAGA_EXPR_PARSE_H

#include "saga/expr_node.h"

/* How tightly operators bind. */
enum {
    SAGA_LEVEL_ANY,
    SAGA_LEVEL_PIPE,
    SAGA_LEVEL_COMMA,
    SAGA_LEVEL_ALTERNATIVE,
    SAGA_LEVEL_ASSIGN,
    SAGA_LEVEL_OR,
    SAGA_LEVEL_AND,
    SAGA_LEVEL_COMPARE,
    SAGA_LEVEL_ADD,
    SAGA_LEVEL_MULTIPLY,
    SAGA_LEVEL_TERM
};

typedef enum saga_goal_kind {
    SAGA_GOAL_EXPRESSION,
    SAGA_GOAL_TERM,
    SAGA_GOAL_CALL,
    SAGA_GOAL_TEXT, /* the text of a built-in that is written in jq */
    SAGA_GOAL_STRING,
    SAGA_GOAL_MAP,
    SAGA_GOAL_IF,
    SAGA_GOAL_TRY,
    SAGA_GOAL_LABEL,
    SAGA_GOAL_AS,
    SAGA_GOAL_LOOP, /* reduce, foreach */
    SAGA_GOAL_PATTERNS,
    SAGA_GOAL_PATTERN,
    SAGA_GOAL_KIND_COUNT
} saga_goal_kind;

typedef struct saga_goal_inner saga_goal_inner;

typedef struct saga_goal {
    uint8_t kind;
    uint8_t state; /* 0 at first; then what the goal's handler makes of it */
    uint8_t level; /* EXPRESSION: operators below it end the expression */
    bool member;   /* EXPRESSION: the value of a map's entry, where only `|` may follow a term */
    int symbol;    /* EXPRESSION: the operator whose right side is awaited */
    uint32_t offset;
    size_t scope;   /* names in scope before the goal's own */
    size_t pending; /* pattern names seen before the goal's own */
    saga_node *node;
    saga_node *last;
    base_slice name;
    size_t count;
    saga_goal_inner *inner;
} saga_goal;

typedef struct saga_scope_name {
    base_slice name;
    int32_t variable;
    bool label;
} saga_scope_name;

typedef struct saga_parser {
    base_arena *arena;
    base_error *error;
    saga_lexer lexer;
    saga_token token; /* the next one */
    saga_goal *goals;
    size_t goal_count;
    size_t goal_capacity;
    size_t depth;      /* expressions being parsed */
    saga_node *result; /* of the goal that was just done */
    saga_scope_name *names;
    size_t name_count;
    size_t name_capacity;
    size_t name_base; /* names before are out of sight: those outside of a built-in's text */
    saga_scope_name *pending;
    size_t pending_count;
    size_t pending_capacity;
    uint32_t variable_count;
    uint32_t error_offset;
    const saga_goal_inner *inner; /* in the text of a built-in; else NULL */
} saga_parser;

/* What is set aside while the text of a built-in is parsed. */
struct saga_goal_inner {
    const saga_builtin *builtin;
    saga_node *arguments[SAGA_BUILTIN_PARAMETERS_MAX];
    saga_lexer lexer;
    saga_token token;
    size_t name_base;
    const saga_goal_inner *outer;
    uint32_t offset; /* of the call */
};

#define SAGA_PARSER_FAIL(parser, offset, code, ...)                                                \
    ((parser)->error_offset = (offset), base_error_set((parser)->error, (code), __VA_ARGS__))

base_status saga_parser_advance(saga_parser *parser) BASE_MUST_USE;
base_status saga_parser_push(saga_parser *parser, saga_goal goal) BASE_MUST_USE;
base_status saga_parser_expression(saga_parser *parser, uint8_t level) BASE_MUST_USE;
base_status saga_parser_goal(saga_parser *parser, saga_goal_kind kind) BASE_MUST_USE;
/* Ends the goal on top with a result. */
void saga_parser_done(saga_parser *parser, saga_node *result);
/* NULL when out of memory; the kind's other members are zero, variable -1. */
saga_node *saga_parser_node(saga_parser *parser, saga_node_kind kind);
saga_node *saga_parser_constant(saga_parser *parser, base_value value);
base_status saga_parser_no_memory(saga_parser *parser);
bool saga_parser_is(const saga_parser *parser, int symbol);
bool saga_parser_is_name(const saga_parser *parser, const char *name);
/* Takes the symbol / keyword, or fails with what was expected. */
base_status saga_parser_expect(saga_parser *parser, int symbol) BASE_MUST_USE;
base_status saga_parser_expect_name(saga_parser *parser, const char *name) BASE_MUST_USE;
base_status saga_parser_unexpected(saga_parser *parser, const char *expected);

/* Names. bind: a variable of its own for the name, in scope from now on. pend: the same, in scope
 * once saga_parser_bind_pending is called (patterns). */
base_status saga_parser_bind(saga_parser *parser, base_slice name, bool label,
                             int32_t *variable_out) BASE_MUST_USE;
base_status saga_parser_pend(saga_parser *parser, size_t from, base_slice name,
                             int32_t *variable_out) BASE_MUST_USE;
base_status saga_parser_bind_pending(saga_parser *parser, size_t from) BASE_MUST_USE;
/* A node for $name, at the token. */
base_status saga_parser_variable(saga_parser *parser, base_slice name,
                                 saga_node **node_out) BASE_MUST_USE;
base_status saga_parser_break(saga_parser *parser, base_slice label,
                              saga_node **node_out) BASE_MUST_USE;

/* expr_parse_forms.c */
base_status saga_goal_call(saga_parser *parser, saga_goal *goal) BASE_MUST_USE;
base_status saga_goal_text(saga_parser *parser, saga_goal *goal) BASE_MUST_USE;
base_status saga_goal_string(saga_parser *parser, saga_goal *goal) BASE_MUST_USE;
base_status saga_goal_map(saga_parser *parser, saga_goal *goal) BASE_MUST_USE;
base_status saga_goal_if(saga_parser *parser, saga_goal *goal) BASE_MUST_USE;
base_status saga_goal_try(saga_parser *parser, saga_goal *goal) BASE_MUST_USE;
base_status saga_goal_label(saga_parser *parser, saga_goal *goal) BASE_MUST_USE;
base_status saga_goal_as(saga_parser *parser, saga_goal *goal) BASE_MUST_USE;
base_status saga_goal_loop(saga_parser *parser, saga_goal *goal) BASE_MUST_USE;
base_status saga_goal_patterns(saga_parser *parser, saga_goal *goal) BASE_MUST_USE;
base_status saga_goal_pattern(saga_parser *parser, saga_goal *goal) BASE_MUST_USE;

#endif

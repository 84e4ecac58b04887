/* The parser's loop, names in scope, and expressions: operators, terms and what stands behind a
 * term. The grammar is jq 1.7's; strings, maps and the forms with keywords are in
 * expr_parse_forms.c. */
#include "saga/expr_parse.h"

/* ---- goals, nodes, tokens ---- */
base_status saga_parser_no_memory(saga_parser *parser)
{
    return SAGA_PARSER_FAIL(parser, parser->token.offset, BASE_OUT_OF_MEMORY, "out of memory");
}

base_status saga_parser_push(saga_parser *parser, saga_goal goal)
{
    if (parser->goal_count == parser->goal_capacity) {
        const size_t capacity = parser->goal_capacity == 0 ? 32 : parser->goal_capacity * 2;
        saga_goal *goals =
            base_arena_grow(parser->arena, parser->goals, parser->goal_capacity * sizeof *goals,
                            capacity * sizeof *goals);
        if (goals == NULL) {
            return saga_parser_no_memory(parser);
        }
        parser->goals = goals;
        parser->goal_capacity = capacity;
    }
    if (parser->depth > SAGA_EXPR_DEPTH_MAX ||
        parser->goal_count > (size_t)8 * SAGA_EXPR_DEPTH_MAX) {
        return SAGA_PARSER_FAIL(parser, parser->token.offset, BASE_BAD_INPUT,
                                "expression is nested deeper than %d levels", SAGA_EXPR_DEPTH_MAX);
    }
    if (goal.kind == SAGA_GOAL_EXPRESSION) {
        parser->depth++;
    }
    goal.offset = parser->token.offset;
    goal.scope = parser->name_count;
    goal.pending = parser->pending_count;
    parser->goals[parser->goal_count++] = goal;
    return base_ok();
}

base_status saga_parser_expression(saga_parser *parser, uint8_t level)
{
    return saga_parser_push(parser, (saga_goal){.kind = SAGA_GOAL_EXPRESSION, .level = level});
}

base_status saga_parser_goal(saga_parser *parser, saga_goal_kind kind)
{
    return saga_parser_push(parser, (saga_goal){.kind = (uint8_t)kind});
}

void saga_parser_done(saga_parser *parser, saga_node *result)
{
    const saga_goal *goal = &parser->goals[--parser->goal_count];
    if (goal->kind == SAGA_GOAL_EXPRESSION) {
        parser->depth--;
    }
    parser->result = result;
}

saga_node *saga_parser_node(saga_parser *parser, saga_node_kind kind)
{
    saga_node *node = BASE_ARENA_NEW(parser->arena, saga_node);
    if (node == NULL) {
        (void)saga_parser_no_memory(parser);
        return NULL;
    }
    node->kind = kind;
    node->variable = -1;
    node->offset = parser->inner != NULL ? parser->inner->offset : parser->token.offset;
    return node;
}

saga_node *saga_parser_constant(saga_parser *parser, base_value value)
{
    saga_node *node = saga_parser_node(parser, SAGA_NODE_CONSTANT);
    if (node != NULL) {
        node->value = value;
    }
    return node;
}

base_status saga_parser_advance(saga_parser *parser)
{
    const base_status status = saga_lexer_next(&parser->lexer, &parser->token, parser->error);
    if (base_failed(status)) {
        parser->error_offset = parser->token.offset;
    }
    return status;
}

bool saga_parser_is(const saga_parser *parser, int symbol)
{
    return parser->token.kind == SAGA_TOKEN_SYMBOL && parser->token.symbol == symbol;
}

bool saga_parser_is_name(const saga_parser *parser, const char *name)
{
    return parser->token.kind == SAGA_TOKEN_NAME && base_slice_is(parser->token.text, name);
}

base_status saga_parser_unexpected(saga_parser *parser, const char *expected)
{
    const saga_token *token = &parser->token;
    if (token->kind == SAGA_TOKEN_END) {
        return SAGA_PARSER_FAIL(parser, token->offset, BASE_BAD_INPUT,
                                "expression ends where %s is expected", expected);
    }
    return SAGA_PARSER_FAIL(parser, token->offset, BASE_BAD_INPUT, "unexpected %.*s, expected %s",
                            (int)(token->end - token->offset),
                            parser->lexer.source.data + token->offset, expected);
}

base_status saga_parser_expect(saga_parser *parser, int symbol)
{
    if (!saga_parser_is(parser, symbol)) {
        const char expected[] = {'"', (char)symbol, '"', '\0'};
        return saga_parser_unexpected(parser, expected);
    }
    return saga_parser_advance(parser);
}

base_status saga_parser_expect_name(saga_parser *parser, const char *name)
{
    if (!saga_parser_is_name(parser, name)) {
        return saga_parser_unexpected(parser, name);
    }
    return saga_parser_advance(parser);
}

/* ---- names ---- */
static base_status add_name(saga_parser *parser, saga_scope_name **names, size_t *count,
                            size_t *capacity, saga_scope_name name)
{
    if (*count == *capacity) {
        const size_t wanted = *capacity == 0 ? 16 : *capacity * 2;
        saga_scope_name *grown = base_arena_grow(parser->arena, *names, *capacity * sizeof *grown,
                                                 wanted * sizeof *grown);
        if (grown == NULL) {
            return saga_parser_no_memory(parser);
        }
        *names = grown;
        *capacity = wanted;
    }
    (*names)[(*count)++] = name;
    return base_ok();
}

base_status saga_parser_bind(saga_parser *parser, base_slice name, bool label,
                             int32_t *variable_out)
{
    const int32_t variable = (int32_t)parser->variable_count++;
    BASE_TRY(add_name(parser, &parser->names, &parser->name_count, &parser->name_capacity,
                      (saga_scope_name){name, variable, label}));
    *variable_out = variable;
    return base_ok();
}

base_status saga_parser_pend(saga_parser *parser, size_t from, base_slice name,
                             int32_t *variable_out)
{
    for (size_t i = from; i < parser->pending_count; i++) {
        if (base_slice_equal(parser->pending[i].name, name)) {
            *variable_out = parser->pending[i].variable;
            return base_ok();
        }
    }
    const int32_t variable = (int32_t)parser->variable_count++;
    BASE_TRY(add_name(parser, &parser->pending, &parser->pending_count, &parser->pending_capacity,
                      (saga_scope_name){name, variable, false}));
    *variable_out = variable;
    return base_ok();
}

base_status saga_parser_bind_pending(saga_parser *parser, size_t from)
{
    for (size_t i = from; i < parser->pending_count; i++) {
        BASE_TRY(add_name(parser, &parser->names, &parser->name_count, &parser->name_capacity,
                          parser->pending[i]));
    }
    parser->pending_count = from;
    return base_ok();
}

static const saga_scope_name *find_name(const saga_parser *parser, base_slice name, bool label)
{
    for (size_t i = parser->name_count; i > parser->name_base; i--) {
        const saga_scope_name *known = &parser->names[i - 1];
        if (known->label == label && base_slice_equal(known->name, name)) {
            return known;
        }
    }
    return NULL;
}

static base_status unknown_name(saga_parser *parser, base_slice name, bool label)
{
    const uint32_t offset = parser->token.offset;
    if (!label && base_slice_is(name, "ENV")) {
        (void)SAGA_PARSER_FAIL(parser, offset, BASE_BAD_INPUT,
                               "expression uses \"$ENV\": not repeatable");
        base_error_check(parser->error, "E105");
        return base_status_of(BASE_BAD_INPUT);
    }
    (void)SAGA_PARSER_FAIL(parser, offset, BASE_BAD_INPUT, "%s \"$%.*s\" is not defined",
                           label ? "label" : "variable", BASE_SLICE_ARG(name));
    base_slice *names = BASE_ARENA_ARRAY(parser->arena, base_slice, parser->name_count + 1);
    if (names == NULL) {
        return base_status_of(BASE_OUT_OF_MEMORY);
    }
    size_t count = 0;
    for (size_t i = parser->name_base; i < parser->name_count; i++) {
        if (parser->names[i].label == label) {
            names[count++] = parser->names[i].name;
        }
    }
    const base_slice near = base_error_nearest(name, names, count);
    if (near.size > 0) {
        base_error_hint(parser->error, "did you mean \"$%.*s\"?", BASE_SLICE_ARG(near));
    }
    return base_status_of(BASE_BAD_INPUT);
}

/* {"file": "<top-level>", "line": N}, as jq gives it. */
static saga_node *location(saga_parser *parser)
{
    base_member *members = BASE_ARENA_ARRAY(parser->arena, base_member, 2);
    if (members == NULL) {
        return NULL;
    }
    int64_t line = 1;
    for (uint32_t i = 0; i < parser->token.offset; i++) {
        line += parser->lexer.source.data[i] == '\n';
    }
    members[0] =
        (base_member){.key = base_slice_of("file"), .value = base_value_text("<top-level>")};
    members[1] = (base_member){.key = base_slice_of("line"), .value = base_value_integer(line)};
    return saga_parser_constant(parser, base_value_map(members, 2));
}

base_status saga_parser_variable(saga_parser *parser, base_slice name, saga_node **node_out)
{
    if (base_slice_is(name, "__loc__")) {
        *node_out = location(parser);
        return *node_out == NULL ? saga_parser_no_memory(parser) : base_ok();
    }
    const saga_scope_name *known = find_name(parser, name, false);
    if (known == NULL) {
        return unknown_name(parser, name, false);
    }
    saga_node *node = saga_parser_node(parser, SAGA_NODE_VARIABLE);
    if (node == NULL) {
        return saga_parser_no_memory(parser);
    }
    node->variable = known->variable;
    *node_out = node;
    return base_ok();
}

base_status saga_parser_break(saga_parser *parser, base_slice label, saga_node **node_out)
{
    const saga_scope_name *known = find_name(parser, label, true);
    if (known == NULL) {
        return unknown_name(parser, label, true);
    }
    saga_node *node = saga_parser_node(parser, SAGA_NODE_BREAK);
    if (node == NULL) {
        return saga_parser_no_memory(parser);
    }
    node->variable = known->variable;
    *node_out = node;
    return base_ok();
}

/* ---- expressions ---- */
enum {
    EXPRESSION_START,
    EXPRESSION_NEGATED,
    EXPRESSION_TERM,
    EXPRESSION_WHOLE,
    EXPRESSION_LEFT,
    EXPRESSION_RIGHT
};

typedef struct operator_info {
    uint16_t symbol;
    uint8_t level;
    uint8_t right_level; /* of the right side */
    bool single;         /* does not chain: a == b == c is refused */
    uint8_t kind;        /* saga_node_kind */
    uint8_t op;
} operator_info;

static const operator_info OPERATORS[] = {
    {'|', SAGA_LEVEL_PIPE, SAGA_LEVEL_COMMA, false, SAGA_NODE_PIPE, 0},
    {',', SAGA_LEVEL_COMMA, SAGA_LEVEL_ALTERNATIVE, false, SAGA_NODE_COMMA, 0},
    {SAGA_SYMBOL_ALTERNATIVE, SAGA_LEVEL_ALTERNATIVE, SAGA_LEVEL_ALTERNATIVE, false,
     SAGA_NODE_ALTERNATIVE, 0},
    {'=', SAGA_LEVEL_ASSIGN, SAGA_LEVEL_OR, true, SAGA_NODE_ASSIGN, 0},
    {SAGA_SYMBOL_UPDATE, SAGA_LEVEL_ASSIGN, SAGA_LEVEL_OR, true, SAGA_NODE_UPDATE, 0},
    {SAGA_SYMBOL_UPDATE_ADD, SAGA_LEVEL_ASSIGN, SAGA_LEVEL_OR, true, SAGA_NODE_COMPUTE,
     SAGA_BINARY_ADD},
    {SAGA_SYMBOL_UPDATE_SUBTRACT, SAGA_LEVEL_ASSIGN, SAGA_LEVEL_OR, true, SAGA_NODE_COMPUTE,
     SAGA_BINARY_SUBTRACT},
    {SAGA_SYMBOL_UPDATE_MULTIPLY, SAGA_LEVEL_ASSIGN, SAGA_LEVEL_OR, true, SAGA_NODE_COMPUTE,
     SAGA_BINARY_MULTIPLY},
    {SAGA_SYMBOL_UPDATE_DIVIDE, SAGA_LEVEL_ASSIGN, SAGA_LEVEL_OR, true, SAGA_NODE_COMPUTE,
     SAGA_BINARY_DIVIDE},
    {SAGA_SYMBOL_UPDATE_MODULO, SAGA_LEVEL_ASSIGN, SAGA_LEVEL_OR, true, SAGA_NODE_COMPUTE,
     SAGA_BINARY_MODULO},
    {SAGA_SYMBOL_UPDATE_ALTERNATIVE, SAGA_LEVEL_ASSIGN, SAGA_LEVEL_OR, true, SAGA_NODE_DEFAULT, 0},
    {SAGA_SYMBOL_EQUAL, SAGA_LEVEL_COMPARE, SAGA_LEVEL_ADD, true, SAGA_NODE_BINARY,
     SAGA_BINARY_EQUAL},
    {SAGA_SYMBOL_NOT_EQUAL, SAGA_LEVEL_COMPARE, SAGA_LEVEL_ADD, true, SAGA_NODE_BINARY,
     SAGA_BINARY_NOT_EQUAL},
    {'<', SAGA_LEVEL_COMPARE, SAGA_LEVEL_ADD, true, SAGA_NODE_BINARY, SAGA_BINARY_LESS},
    {SAGA_SYMBOL_LESS_EQUAL, SAGA_LEVEL_COMPARE, SAGA_LEVEL_ADD, true, SAGA_NODE_BINARY,
     SAGA_BINARY_LESS_EQUAL},
    {'>', SAGA_LEVEL_COMPARE, SAGA_LEVEL_ADD, true, SAGA_NODE_BINARY, SAGA_BINARY_GREATER},
    {SAGA_SYMBOL_GREATER_EQUAL, SAGA_LEVEL_COMPARE, SAGA_LEVEL_ADD, true, SAGA_NODE_BINARY,
     SAGA_BINARY_GREATER_EQUAL},
    {'+', SAGA_LEVEL_ADD, SAGA_LEVEL_MULTIPLY, false, SAGA_NODE_BINARY, SAGA_BINARY_ADD},
    {'-', SAGA_LEVEL_ADD, SAGA_LEVEL_MULTIPLY, false, SAGA_NODE_BINARY, SAGA_BINARY_SUBTRACT},
    {'*', SAGA_LEVEL_MULTIPLY, SAGA_LEVEL_TERM, false, SAGA_NODE_BINARY, SAGA_BINARY_MULTIPLY},
    {'/', SAGA_LEVEL_MULTIPLY, SAGA_LEVEL_TERM, false, SAGA_NODE_BINARY, SAGA_BINARY_DIVIDE},
    {'%', SAGA_LEVEL_MULTIPLY, SAGA_LEVEL_TERM, false, SAGA_NODE_BINARY, SAGA_BINARY_MODULO},
};

static const operator_info OPERATOR_OR = {0, SAGA_LEVEL_OR, SAGA_LEVEL_AND, false, SAGA_NODE_OR, 0};
static const operator_info OPERATOR_AND = {0,     SAGA_LEVEL_AND, SAGA_LEVEL_COMPARE,
                                           false, SAGA_NODE_AND,  0};

static const operator_info *operator_at(const saga_parser *parser)
{
    if (parser->token.kind == SAGA_TOKEN_NAME) {
        if (base_slice_is(parser->token.text, "or")) {
            return &OPERATOR_OR;
        }
        return base_slice_is(parser->token.text, "and") ? &OPERATOR_AND : NULL;
    }
    if (parser->token.kind != SAGA_TOKEN_SYMBOL) {
        return NULL;
    }
    for (size_t i = 0; i < sizeof OPERATORS / sizeof OPERATORS[0]; i++) {
        if (OPERATORS[i].symbol == parser->token.symbol) {
            return &OPERATORS[i];
        }
    }
    return NULL;
}

static base_status expression_start(saga_parser *parser, saga_goal *goal)
{
    if (saga_parser_is(parser, '-')) {
        goal->state = EXPRESSION_NEGATED;
        const saga_goal inner = {.kind = SAGA_GOAL_EXPRESSION,
                                 .level = goal->member ? SAGA_LEVEL_TERM : SAGA_LEVEL_MULTIPLY,
                                 .member = goal->member};
        BASE_TRY(saga_parser_advance(parser));
        return saga_parser_push(parser, inner);
    }
    const bool word = parser->token.kind == SAGA_TOKEN_NAME && !goal->member;
    if (word && saga_builtin_refused_keyword(parser->token.text, parser->error)) {
        parser->error_offset = parser->token.offset;
        return base_status_of(BASE_BAD_INPUT);
    }
    if (word && base_slice_is(parser->token.text, "try")) {
        goal->state = EXPRESSION_WHOLE;
        return saga_parser_goal(parser, SAGA_GOAL_TRY);
    }
    if (word && base_slice_is(parser->token.text, "label")) {
        goal->state = EXPRESSION_WHOLE;
        return saga_parser_goal(parser, SAGA_GOAL_LABEL);
    }
    goal->state = EXPRESSION_TERM;
    return saga_parser_goal(parser, SAGA_GOAL_TERM);
}

static base_status negated(saga_parser *parser, saga_goal *goal)
{
    saga_node *inner = parser->result;
    if (inner->kind == SAGA_NODE_CONSTANT && base_value_is_number(&inner->value) &&
        inner->value.kind != BASE_NUMBER_TEXT) {
        const base_value zero = base_value_integer(0);
        base_value value;
        if (!base_failed(base_number_subtract(&zero, &inner->value, &value))) {
            goal->node = saga_parser_constant(parser, value);
            return goal->node == NULL ? saga_parser_no_memory(parser) : base_ok();
        }
    }
    goal->node = saga_parser_node(parser, SAGA_NODE_NEGATE);
    if (goal->node == NULL) {
        return saga_parser_no_memory(parser);
    }
    goal->node->offset = goal->offset;
    goal->node->a = inner;
    return base_ok();
}

/* `count` holds the level of the last operator that does not chain. */
static base_status expression_left(saga_parser *parser, saga_goal *goal)
{
    const operator_info *info = operator_at(parser);
    if (info == NULL || info->level < goal->level ||
        (goal->member && info->kind != SAGA_NODE_PIPE)) {
        saga_parser_done(parser, goal->node);
        return base_ok();
    }
    if (info->single && goal->count == info->level) {
        return SAGA_PARSER_FAIL(parser, parser->token.offset, BASE_BAD_INPUT,
                                "operators like %.*s do not chain; use parentheses",
                                (int)(parser->token.end - parser->token.offset),
                                parser->lexer.source.data + parser->token.offset);
    }
    saga_node *node = saga_parser_node(parser, (saga_node_kind)info->kind);
    if (node == NULL) {
        return saga_parser_no_memory(parser);
    }
    node->op = info->op;
    node->a = goal->node;
    goal->node = node;
    goal->count = info->single ? info->level : 0;
    goal->state = EXPRESSION_RIGHT;
    const saga_goal right = {
        .kind = SAGA_GOAL_EXPRESSION, .level = info->right_level, .member = goal->member};
    BASE_TRY(saga_parser_advance(parser));
    return saga_parser_push(parser, right);
}

static base_status goal_expression(saga_parser *parser, saga_goal *goal)
{
    switch (goal->state) {
    case EXPRESSION_START:
        return expression_start(parser, goal);
    case EXPRESSION_NEGATED:
        goal->state = EXPRESSION_LEFT;
        return negated(parser, goal);
    case EXPRESSION_TERM:
        if (!goal->member && saga_parser_is_name(parser, "as")) {
            goal->state = EXPRESSION_WHOLE;
            return saga_parser_push(parser,
                                    (saga_goal){.kind = SAGA_GOAL_AS, .node = parser->result});
        }
        goal->node = parser->result;
        goal->state = EXPRESSION_LEFT;
        return base_ok();
    case EXPRESSION_RIGHT:
        goal->node->b = parser->result;
        goal->state = EXPRESSION_LEFT;
        return base_ok();
    case EXPRESSION_WHOLE:
        goal->node = parser->result;
        goal->state = EXPRESSION_LEFT;
        return base_ok();
    default:
        return expression_left(parser, goal);
    }
}

/* ---- terms ---- */
enum {
    TERM_START,
    TERM_RESULT, /* the result is the term so far */
    TERM_PAREN,
    TERM_LIST,
    TERM_FIELD_STRING,
    TERM_FIRST_INDEX,
    TERM_SLICE_END,
    TERM_BEHIND
};

static base_status set_node(saga_parser *parser, saga_goal *goal, saga_node *node)
{
    goal->node = node;
    goal->state = TERM_BEHIND;
    return node == NULL ? saga_parser_no_memory(parser) : base_ok();
}

static base_status field_node(saga_parser *parser, saga_goal *goal, saga_node *term,
                              base_slice name)
{
    saga_node *node = saga_parser_node(parser, SAGA_NODE_FIELD);
    if (node != NULL) {
        node->a = term;
        node->value = base_value_string(name);
    }
    return set_node(parser, goal, node);
}

/* term[key], as a field where the key is a constant string. */
static base_status index_node(saga_parser *parser, saga_goal *goal, saga_node *term, saga_node *key)
{
    if (key->kind == SAGA_NODE_CONSTANT && key->value.kind == BASE_STRING) {
        return field_node(parser, goal, term, base_value_slice(&key->value));
    }
    saga_node *node = saga_parser_node(parser, SAGA_NODE_INDEX);
    if (node != NULL) {
        node->a = term;
        node->b = key;
    }
    return set_node(parser, goal, node);
}

static base_status slice_node(saga_parser *parser, saga_goal *goal, saga_node *from, saga_node *to)
{
    saga_node *node = saga_parser_node(parser, SAGA_NODE_SLICE);
    if (node != NULL) {
        node->a = goal->node;
        node->b = from;
        node->c = to;
    }
    return set_node(parser, goal, node);
}

static base_status optional_mark(saga_parser *parser, saga_goal *goal)
{
    if (!saga_parser_is(parser, '?')) {
        return base_ok();
    }
    goal->node->optional = true;
    return saga_parser_advance(parser);
}

static base_status term_word(saga_parser *parser, saga_goal *goal)
{
    const base_slice name = parser->token.text;
    const char *const constants[] = {"null", "false", "true"};
    for (size_t i = 0; i < 3; i++) {
        if (base_slice_is(name, constants[i])) {
            BASE_TRY(set_node(parser, goal,
                              saga_parser_constant(parser, i == 0 ? base_value_null()
                                                                  : base_value_bool(i == 2))));
            return saga_parser_advance(parser);
        }
    }
    if (base_slice_is(name, "break")) {
        BASE_TRY(saga_parser_advance(parser));
        if (parser->token.kind != SAGA_TOKEN_BINDING) {
            return saga_parser_unexpected(parser, "the label's $name");
        }
        saga_node *node = NULL;
        BASE_TRY(saga_parser_break(parser, parser->token.text, &node));
        BASE_TRY(set_node(parser, goal, node));
        return saga_parser_advance(parser);
    }
    goal->state = TERM_RESULT;
    if (base_slice_is(name, "if")) {
        return saga_parser_goal(parser, SAGA_GOAL_IF);
    }
    if (base_slice_is(name, "reduce") || base_slice_is(name, "foreach")) {
        return saga_parser_goal(parser, SAGA_GOAL_LOOP);
    }
    static const char *const NOT_HERE[] = {"then", "elif",  "else", "end",   "as",  "and",
                                           "or",   "catch", "try",  "label", "def", "__loc__"};
    for (size_t i = 0; i < sizeof NOT_HERE / sizeof NOT_HERE[0]; i++) {
        if (base_slice_is(name, NOT_HERE[i])) {
            return saga_parser_unexpected(parser, "a value");
        }
    }
    return saga_parser_goal(parser, SAGA_GOAL_CALL);
}

static base_status term_symbol(saga_parser *parser, saga_goal *goal)
{
    const int symbol = parser->token.symbol;
    if (symbol == '(') {
        goal->state = TERM_PAREN;
        BASE_TRY(saga_parser_advance(parser));
        return saga_parser_expression(parser, SAGA_LEVEL_ANY);
    }
    if (symbol == '{') {
        goal->state = TERM_RESULT;
        return saga_parser_goal(parser, SAGA_GOAL_MAP);
    }
    if (symbol == '[') {
        BASE_TRY(saga_parser_advance(parser));
        if (saga_parser_is(parser, ']')) {
            BASE_TRY(
                set_node(parser, goal, saga_parser_constant(parser, base_value_list(NULL, 0))));
            return saga_parser_advance(parser);
        }
        goal->state = TERM_LIST;
        return saga_parser_expression(parser, SAGA_LEVEL_ANY);
    }
    if (symbol == SAGA_SYMBOL_RECURSE) {
        BASE_TRY(set_node(parser, goal, saga_parser_node(parser, SAGA_NODE_RECURSE)));
        return saga_parser_advance(parser);
    }
    if (symbol != '.') {
        return saga_parser_unexpected(parser, "a value");
    }
    BASE_TRY(set_node(parser, goal, saga_parser_node(parser, SAGA_NODE_IDENTITY)));
    BASE_TRY(saga_parser_advance(parser));
    if (parser->token.kind == SAGA_TOKEN_QUOTE || parser->token.kind == SAGA_TOKEN_FORMAT) {
        goal->state = TERM_FIELD_STRING;
        return saga_parser_goal(parser, SAGA_GOAL_STRING);
    }
    return base_ok();
}

static base_status term_start(saga_parser *parser, saga_goal *goal)
{
    saga_node *node = NULL;
    switch (parser->token.kind) {
    case SAGA_TOKEN_SYMBOL:
        return term_symbol(parser, goal);
    case SAGA_TOKEN_NAME:
        return term_word(parser, goal);
    case SAGA_TOKEN_FIELD:
        node = saga_parser_node(parser, SAGA_NODE_IDENTITY);
        if (node == NULL) {
            return saga_parser_no_memory(parser);
        }
        BASE_TRY(field_node(parser, goal, node, parser->token.text));
        BASE_TRY(saga_parser_advance(parser));
        return optional_mark(parser, goal);
    case SAGA_TOKEN_BINDING:
        BASE_TRY(saga_parser_variable(parser, parser->token.text, &node));
        BASE_TRY(set_node(parser, goal, node));
        return saga_parser_advance(parser);
    case SAGA_TOKEN_NUMBER: {
        base_value value;
        const base_status status = saga_expr_number(parser->token.text, parser->arena, &value);
        if (base_failed(status)) {
            return SAGA_PARSER_FAIL(parser, parser->token.offset, status.code, "bad number");
        }
        BASE_TRY(set_node(parser, goal, saga_parser_constant(parser, value)));
        return saga_parser_advance(parser);
    }
    case SAGA_TOKEN_QUOTE:
    case SAGA_TOKEN_FORMAT:
        goal->state = TERM_RESULT;
        return saga_parser_goal(parser, SAGA_GOAL_STRING);
    case SAGA_TOKEN_END:
    default:
        return saga_parser_unexpected(parser, "a value");
    }
}

static base_status bracket(saga_parser *parser, saga_goal *goal)
{
    BASE_TRY(saga_parser_advance(parser));
    if (saga_parser_is(parser, ']')) {
        saga_node *node = saga_parser_node(parser, SAGA_NODE_EACH);
        if (node == NULL) {
            return saga_parser_no_memory(parser);
        }
        node->a = goal->node;
        goal->node = node;
        BASE_TRY(saga_parser_advance(parser));
        return optional_mark(parser, goal);
    }
    goal->last = NULL;
    if (saga_parser_is(parser, ':')) {
        goal->state = TERM_SLICE_END;
        BASE_TRY(saga_parser_advance(parser));
    } else {
        goal->state = TERM_FIRST_INDEX;
    }
    return saga_parser_expression(parser, SAGA_LEVEL_ANY);
}

static base_status first_index(saga_parser *parser, saga_goal *goal)
{
    if (saga_parser_is(parser, ':')) {
        goal->last = parser->result;
        BASE_TRY(saga_parser_advance(parser));
        if (!saga_parser_is(parser, ']')) {
            goal->state = TERM_SLICE_END;
            return saga_parser_expression(parser, SAGA_LEVEL_ANY);
        }
        BASE_TRY(slice_node(parser, goal, goal->last, NULL));
    } else {
        if (!saga_parser_is(parser, ']')) {
            return saga_parser_unexpected(parser, "\"]\"");
        }
        BASE_TRY(index_node(parser, goal, goal->node, parser->result));
    }
    BASE_TRY(saga_parser_advance(parser));
    return optional_mark(parser, goal);
}

static base_status term_behind(saga_parser *parser, saga_goal *goal)
{
    if (parser->token.kind == SAGA_TOKEN_FIELD) {
        BASE_TRY(field_node(parser, goal, goal->node, parser->token.text));
        BASE_TRY(saga_parser_advance(parser));
        return optional_mark(parser, goal);
    }
    if (saga_parser_is(parser, '.')) {
        BASE_TRY(saga_parser_advance(parser));
        if (parser->token.kind == SAGA_TOKEN_QUOTE || parser->token.kind == SAGA_TOKEN_FORMAT) {
            goal->state = TERM_FIELD_STRING;
            return saga_parser_goal(parser, SAGA_GOAL_STRING);
        }
        if (!saga_parser_is(parser, '[')) {
            (void)saga_parser_unexpected(parser, "a field name");
            base_error_hint(parser->error, "try .[\"field\"] for unusually named fields");
            return base_status_of(BASE_BAD_INPUT);
        }
    }
    if (saga_parser_is(parser, '[')) {
        return bracket(parser, goal);
    }
    if (saga_parser_is(parser, '?')) {
        saga_node *node = saga_parser_node(parser, SAGA_NODE_TRY);
        if (node == NULL) {
            return saga_parser_no_memory(parser);
        }
        node->a = goal->node;
        goal->node = node;
        return saga_parser_advance(parser);
    }
    saga_parser_done(parser, goal->node);
    return base_ok();
}

static base_status goal_term(saga_parser *parser, saga_goal *goal)
{
    switch (goal->state) {
    case TERM_START:
        return term_start(parser, goal);
    case TERM_RESULT:
        return set_node(parser, goal, parser->result);
    case TERM_PAREN:
        BASE_TRY(set_node(parser, goal, parser->result));
        return saga_parser_expect(parser, ')');
    case TERM_LIST: {
        saga_node *node = saga_parser_node(parser, SAGA_NODE_LIST);
        BASE_TRY(set_node(parser, goal, node));
        node->a = parser->result;
        return saga_parser_expect(parser, ']');
    }
    case TERM_FIELD_STRING:
        BASE_TRY(index_node(parser, goal, goal->node, parser->result));
        return optional_mark(parser, goal);
    case TERM_FIRST_INDEX:
        return first_index(parser, goal);
    case TERM_SLICE_END:
        BASE_TRY(slice_node(parser, goal, goal->last, parser->result));
        BASE_TRY(saga_parser_expect(parser, ']'));
        return optional_mark(parser, goal);
    default:
        return term_behind(parser, goal);
    }
}

/* ---- the loop ---- */
typedef base_status (*goal_handler)(saga_parser *parser, saga_goal *goal);

static const goal_handler HANDLERS[SAGA_GOAL_KIND_COUNT] = {
    [SAGA_GOAL_EXPRESSION] = goal_expression,
    [SAGA_GOAL_TERM] = goal_term,
    [SAGA_GOAL_CALL] = saga_goal_call,
    [SAGA_GOAL_TEXT] = saga_goal_text,
    [SAGA_GOAL_STRING] = saga_goal_string,
    [SAGA_GOAL_MAP] = saga_goal_map,
    [SAGA_GOAL_IF] = saga_goal_if,
    [SAGA_GOAL_TRY] = saga_goal_try,
    [SAGA_GOAL_LABEL] = saga_goal_label,
    [SAGA_GOAL_AS] = saga_goal_as,
    [SAGA_GOAL_LOOP] = saga_goal_loop,
    [SAGA_GOAL_PATTERNS] = saga_goal_patterns,
    [SAGA_GOAL_PATTERN] = saga_goal_pattern,
};

static base_status parse_all(saga_parser *parser)
{
    BASE_TRY(saga_parser_advance(parser));
    BASE_TRY(saga_parser_expression(parser, SAGA_LEVEL_ANY));
    while (parser->goal_count > 0) {
        saga_goal *goal = &parser->goals[parser->goal_count - 1];
        BASE_TRY(HANDLERS[goal->kind](parser, goal));
    }
    if (parser->token.kind != SAGA_TOKEN_END) {
        return saga_parser_unexpected(parser, "the end of the expression");
    }
    return base_ok();
}

base_status saga_expr_parse(base_slice text, const base_slice *variables, size_t variable_count,
                            base_arena *arena, saga_tree *tree_out, base_error *error)
{
    saga_parser parser = {.arena = arena, .error = error, .lexer = {.source = text}};
    base_status status = base_ok();
    for (size_t i = 0; i < variable_count && !base_failed(status); i++) {
        int32_t variable;
        status = saga_parser_bind(&parser, variables[i], false, &variable);
    }
    if (!base_failed(status)) {
        status = parse_all(&parser);
    }
    if (base_failed(status)) {
        if (status.code != BASE_OUT_OF_MEMORY && error != NULL && error->check[0] == '\0') {
            base_error_check(error, "E106");
        }
        saga_expr_place(error, text, parser.error_offset);
        return status;
    }
    tree_out->root = parser.result;
    tree_out->variable_count = parser.variable_count;
    return base_ok();
}

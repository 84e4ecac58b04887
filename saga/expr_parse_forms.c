/* Calls, strings, maps, and the forms with keywords: if, try, label, as, reduce, foreach, and
 * patterns. */
#include "saga/expr_parse.h"

/* ---- calls ---- */
enum { CALL_START, CALL_ARGUMENT, CALL_TEXT };

/* The result is the call itself, or a goal that will give it. The goal on top is the call's. */
static base_status call_resolve(saga_parser *parser, const saga_goal *goal)
{
    const saga_goal call = *goal;
    const saga_goal_inner *inner = parser->inner;
    if (inner != NULL && call.count == 0 && call.name.size == 1) {
        const size_t parameter = (size_t)(call.name.data[0] - 'f');
        if (parameter < inner->builtin->arity) {
            saga_parser_done(parser, inner->arguments[parameter]);
            return base_ok();
        }
    }
    const saga_builtin *builtin = NULL;
    const base_status found =
        saga_builtin_find(call.name, call.count, inner != NULL, &builtin, parser->error);
    if (base_failed(found)) {
        parser->error_offset = call.offset;
        return found;
    }
    saga_node *arguments[SAGA_BUILTIN_PARAMETERS_MAX] = {NULL, NULL, NULL};
    size_t count = 0;
    for (saga_node *node = call.node; node != NULL; node = node->list) {
        arguments[count++] = node->a;
    }
    if (builtin->kind == SAGA_BUILTIN_TEXT) {
        saga_goal_inner *next = BASE_ARENA_NEW(parser->arena, saga_goal_inner);
        if (next == NULL) {
            return saga_parser_no_memory(parser);
        }
        *next = (saga_goal_inner){.builtin = builtin,
                                  .arguments = {arguments[0], arguments[1], arguments[2]},
                                  .lexer = parser->lexer,
                                  .token = parser->token,
                                  .name_base = parser->name_base,
                                  .outer = inner,
                                  .offset = inner != NULL ? inner->offset : call.offset};
        saga_parser_done(parser, NULL);
        return saga_parser_push(parser, (saga_goal){.kind = SAGA_GOAL_TEXT, .inner = next});
    }
    saga_node *node =
        saga_parser_node(parser, builtin->kind == SAGA_BUILTIN_NODE ? (saga_node_kind)builtin->code
                                                                    : SAGA_NODE_CALL);
    if (node == NULL) {
        return saga_parser_no_memory(parser);
    }
    if (inner == NULL) {
        node->offset = call.offset;
    }
    node->op = builtin->kind == SAGA_BUILTIN_NATIVE ? builtin->code : 0;
    node->a = arguments[0];
    node->b = arguments[1];
    node->c = arguments[2];
    saga_parser_done(parser, node);
    return base_ok();
}

base_status saga_goal_call(saga_parser *parser, saga_goal *goal)
{
    if (goal->state == CALL_START) {
        goal->name = parser->token.text;
        BASE_TRY(saga_parser_advance(parser));
        if (!saga_parser_is(parser, '(')) {
            return call_resolve(parser, goal);
        }
    } else {
        /* Each argument hangs in a node of its own, as its tree may stand in several lists. */
        saga_node *argument = saga_parser_node(parser, SAGA_NODE_PIPE);
        if (argument == NULL) {
            return saga_parser_no_memory(parser);
        }
        argument->a = parser->result;
        if (goal->last == NULL) {
            goal->node = argument;
        } else {
            goal->last->list = argument;
        }
        goal->last = argument;
        goal->count++;
        if (saga_parser_is(parser, ')')) {
            BASE_TRY(saga_parser_advance(parser));
            return call_resolve(parser, goal);
        }
        if (!saga_parser_is(parser, ';')) {
            return saga_parser_unexpected(parser, "\";\" or \")\"");
        }
    }
    goal->state = CALL_ARGUMENT;
    BASE_TRY(saga_parser_advance(parser));
    return saga_parser_expression(parser, SAGA_LEVEL_ANY);
}

base_status saga_goal_text(saga_parser *parser, saga_goal *goal)
{
    if (goal->state == 0) {
        goal->state = 1;
        parser->inner = goal->inner;
        parser->name_base = parser->name_count;
        parser->lexer = (saga_lexer){.source = base_slice_of(goal->inner->builtin->text)};
        BASE_TRY(saga_parser_advance(parser));
        return saga_parser_expression(parser, SAGA_LEVEL_ANY);
    }
    const saga_goal_inner *inner = goal->inner;
    parser->lexer = inner->lexer;
    parser->token = inner->token;
    parser->name_base = inner->name_base;
    parser->inner = inner->outer;
    saga_parser_done(parser, parser->result);
    return base_ok();
}

/* ---- strings ---- */
enum { STRING_START, STRING_PART };

static base_status string_add(saga_parser *parser, saga_goal *goal, saga_node *part, bool formatted)
{
    /* A part may be a tree that stands in another list too (a parameter of a built-in), so it gets
     * a node around. */
    saga_node *item = saga_parser_node(parser, SAGA_NODE_PIPE);
    if (item == NULL || part == NULL) {
        return saga_parser_no_memory(parser);
    }
    item->a = part;
    item->optional = formatted;
    if (goal->last == NULL) {
        goal->node->list = item;
    } else {
        goal->last->next = item;
    }
    goal->last = item;
    goal->count++;
    return base_ok();
}

/* A string without interpolation is a constant. */
static base_status string_done(saga_parser *parser, saga_goal *goal)
{
    saga_node *node = goal->node;
    BASE_TRY(saga_parser_advance(parser));
    if (goal->count == 0) {
        node = saga_parser_constant(parser, base_value_string(base_slice_make("", 0)));
    } else if (goal->count == 1 && !node->list->optional) {
        node = node->list->a;
    }
    if (node == NULL) {
        return saga_parser_no_memory(parser);
    }
    saga_parser_done(parser, node);
    return base_ok();
}

base_status saga_goal_string(saga_parser *parser, saga_goal *goal)
{
    if (goal->state == STRING_START) {
        saga_format format = SAGA_FORMAT_TEXT;
        const bool named = parser->token.kind == SAGA_TOKEN_FORMAT;
        if (named) {
            format = saga_builtin_format(parser->token.text, parser->error);
            if (format == SAGA_FORMAT_COUNT) {
                parser->error_offset = parser->token.offset;
                return base_status_of(BASE_BAD_INPUT);
            }
            BASE_TRY(saga_parser_advance(parser));
        }
        goal->state = STRING_PART;
        const bool quoted = parser->token.kind == SAGA_TOKEN_QUOTE;
        goal->node = saga_parser_node(parser, quoted ? SAGA_NODE_STRING : SAGA_NODE_FORMAT);
        if (goal->node == NULL) {
            return saga_parser_no_memory(parser);
        }
        goal->node->op = (uint8_t)format;
        if (!quoted) {
            saga_parser_done(parser, goal->node);
            return base_ok();
        }
    } else {
        BASE_TRY(string_add(parser, goal, parser->result, true));
        if (!saga_parser_is(parser, ')')) {
            return saga_parser_unexpected(parser, "\")\"");
        }
    }
    base_slice part;
    saga_string_end end;
    const base_status status =
        saga_lexer_string(&parser->lexer, parser->arena, &part, &end, parser->error);
    if (base_failed(status)) {
        parser->error_offset = parser->lexer.position < parser->lexer.source.size &&
                                       parser->lexer.source.data[parser->lexer.position] == '\\'
                                   ? (uint32_t)parser->lexer.position
                                   : goal->offset;
        return status;
    }
    if (part.size > 0) {
        BASE_TRY(
            string_add(parser, goal, saga_parser_constant(parser, base_value_string(part)), false));
    }
    if (end == SAGA_STRING_QUOTE) {
        return string_done(parser, goal);
    }
    BASE_TRY(saga_parser_advance(parser));
    return saga_parser_expression(parser, SAGA_LEVEL_ANY);
}

/* ---- maps ---- */
enum { MAP_START, MAP_ENTRY, MAP_STRING_KEY, MAP_PAREN_KEY, MAP_VALUE };

static base_status map_entry(saga_parser *parser, saga_goal *goal, saga_node *key)
{
    saga_node *entry = saga_parser_node(parser, SAGA_NODE_ENTRY);
    if (entry == NULL || key == NULL) {
        return saga_parser_no_memory(parser);
    }
    entry->a = key;
    if (goal->last == NULL) {
        goal->node->list = entry;
    } else {
        goal->last->next = entry;
    }
    goal->last = entry;
    return base_ok();
}

static base_status map_value(saga_parser *parser, saga_goal *goal)
{
    const saga_node *key = goal->last->a;
    if (key->kind == SAGA_NODE_CONSTANT && key->value.kind != BASE_STRING) {
        return SAGA_PARSER_FAIL(parser, key->offset, BASE_BAD_INPUT,
                                "cannot use a %s as object key",
                                base_kind_name((base_kind)key->value.kind));
    }
    goal->state = MAP_VALUE;
    BASE_TRY(saga_parser_expect(parser, ':'));
    return saga_parser_push(parser, (saga_goal){.kind = SAGA_GOAL_EXPRESSION, .member = true});
}

static saga_node *text_constant(saga_parser *parser, base_slice text)
{
    return saga_parser_constant(parser, base_value_string(text));
}

static base_status map_variable(saga_parser *parser, saga_goal *goal)
{
    saga_node *variable = NULL;
    const base_slice name = parser->token.text;
    BASE_TRY(saga_parser_variable(parser, name, &variable));
    saga_node *key = text_constant(parser, name);
    BASE_TRY(saga_parser_advance(parser));
    if (saga_parser_is(parser, ':')) {
        BASE_TRY(map_entry(parser, goal, variable));
        return map_value(parser, goal);
    }
    BASE_TRY(map_entry(parser, goal, key));
    goal->last->b = variable;
    return base_ok();
}

static base_status map_word(saga_parser *parser, saga_goal *goal)
{
    BASE_TRY(map_entry(parser, goal, text_constant(parser, parser->token.text)));
    BASE_TRY(saga_parser_advance(parser));
    return saga_parser_is(parser, ':') ? map_value(parser, goal) : base_ok();
}

static base_status map_start_entry(saga_parser *parser, saga_goal *goal)
{
    goal->state = MAP_ENTRY;
    switch (parser->token.kind) {
    case SAGA_TOKEN_BINDING:
        return map_variable(parser, goal);
    case SAGA_TOKEN_NAME:
        return map_word(parser, goal);
    case SAGA_TOKEN_QUOTE:
    case SAGA_TOKEN_FORMAT:
        goal->state = MAP_STRING_KEY;
        return saga_parser_goal(parser, SAGA_GOAL_STRING);
    case SAGA_TOKEN_SYMBOL:
        if (saga_parser_is(parser, '(')) {
            goal->state = MAP_PAREN_KEY;
            BASE_TRY(saga_parser_advance(parser));
            return saga_parser_expression(parser, SAGA_LEVEL_ANY);
        }
        break;
    case SAGA_TOKEN_NUMBER:
        (void)saga_parser_unexpected(parser, "a key");
        base_error_hint(parser->error, "a key that is computed stands in parentheses");
        return base_status_of(BASE_BAD_INPUT);
    case SAGA_TOKEN_FIELD:
    case SAGA_TOKEN_END:
    default:
        break;
    }
    return saga_parser_unexpected(parser, "a key");
}

static base_status map_next(saga_parser *parser, saga_goal *goal)
{
    if (saga_parser_is(parser, '}')) {
        BASE_TRY(saga_parser_advance(parser));
        saga_parser_done(parser, goal->node);
        return base_ok();
    }
    if (goal->last != NULL) {
        if (!saga_parser_is(parser, ',')) {
            (void)saga_parser_unexpected(parser, "\",\" or \"}\"");
            if (goal->last->b != NULL) {
                base_error_hint(parser->error,
                                "a value with operators stands in parentheses: {a: (.b + 1)}");
            }
            return base_status_of(BASE_BAD_INPUT);
        }
        BASE_TRY(saga_parser_advance(parser));
    }
    return map_start_entry(parser, goal);
}

base_status saga_goal_map(saga_parser *parser, saga_goal *goal)
{
    switch (goal->state) {
    case MAP_START:
        goal->state = MAP_ENTRY;
        goal->node = saga_parser_node(parser, SAGA_NODE_MAP);
        if (goal->node == NULL) {
            return saga_parser_no_memory(parser);
        }
        return saga_parser_advance(parser);
    case MAP_STRING_KEY:
        goal->state = MAP_ENTRY;
        BASE_TRY(map_entry(parser, goal, parser->result));
        return saga_parser_is(parser, ':') ? map_value(parser, goal) : base_ok();
    case MAP_PAREN_KEY:
        BASE_TRY(map_entry(parser, goal, parser->result));
        BASE_TRY(saga_parser_expect(parser, ')'));
        return map_value(parser, goal);
    case MAP_VALUE:
        goal->state = MAP_ENTRY;
        goal->last->b = parser->result;
        return base_ok();
    default:
        return map_next(parser, goal);
    }
}

/* ---- if ---- */
enum { IF_START, IF_CONDITION, IF_THEN, IF_ELSE };

static base_status if_condition(saga_parser *parser, saga_goal *goal)
{
    saga_node *node = saga_parser_node(parser, SAGA_NODE_IF);
    if (node == NULL) {
        return saga_parser_no_memory(parser);
    }
    if (goal->last == NULL) {
        goal->node = node;
    } else {
        goal->last->c = node;
    }
    goal->last = node;
    goal->state = IF_CONDITION;
    BASE_TRY(saga_parser_advance(parser));
    return saga_parser_expression(parser, SAGA_LEVEL_ANY);
}

base_status saga_goal_if(saga_parser *parser, saga_goal *goal)
{
    switch (goal->state) {
    case IF_START:
        return if_condition(parser, goal);
    case IF_CONDITION:
        goal->last->a = parser->result;
        goal->state = IF_THEN;
        BASE_TRY(saga_parser_expect_name(parser, "then"));
        return saga_parser_expression(parser, SAGA_LEVEL_ANY);
    case IF_THEN:
        goal->last->b = parser->result;
        if (saga_parser_is_name(parser, "elif")) {
            return if_condition(parser, goal);
        }
        if (saga_parser_is_name(parser, "else")) {
            goal->state = IF_ELSE;
            BASE_TRY(saga_parser_advance(parser));
            return saga_parser_expression(parser, SAGA_LEVEL_ANY);
        }
        if (!saga_parser_is_name(parser, "end")) {
            return saga_parser_unexpected(parser, "elif, else or end");
        }
        break;
    default:
        goal->last->c = parser->result;
        if (!saga_parser_is_name(parser, "end")) {
            return saga_parser_unexpected(parser, "end");
        }
        break;
    }
    BASE_TRY(saga_parser_advance(parser));
    saga_parser_done(parser, goal->node);
    return base_ok();
}

/* ---- try, label ---- */
enum { TRY_START, TRY_BODY, TRY_HANDLER };

base_status saga_goal_try(saga_parser *parser, saga_goal *goal)
{
    if (goal->state == TRY_START) {
        goal->node = saga_parser_node(parser, SAGA_NODE_TRY);
        if (goal->node == NULL) {
            return saga_parser_no_memory(parser);
        }
        goal->state = TRY_BODY;
        BASE_TRY(saga_parser_advance(parser));
        return saga_parser_expression(parser, SAGA_LEVEL_TERM);
    }
    if (goal->state == TRY_BODY) {
        goal->node->a = parser->result;
        if (saga_parser_is_name(parser, "catch")) {
            goal->state = TRY_HANDLER;
            BASE_TRY(saga_parser_advance(parser));
            return saga_parser_expression(parser, SAGA_LEVEL_TERM);
        }
    } else {
        goal->node->b = parser->result;
    }
    saga_parser_done(parser, goal->node);
    return base_ok();
}

base_status saga_goal_label(saga_parser *parser, saga_goal *goal)
{
    if (goal->state == 0) {
        goal->state = 1;
        goal->node = saga_parser_node(parser, SAGA_NODE_LABEL);
        if (goal->node == NULL) {
            return saga_parser_no_memory(parser);
        }
        BASE_TRY(saga_parser_advance(parser));
        if (parser->token.kind != SAGA_TOKEN_BINDING) {
            return saga_parser_unexpected(parser, "the label's $name");
        }
        BASE_TRY(saga_parser_bind(parser, parser->token.text, true, &goal->node->variable));
        BASE_TRY(saga_parser_advance(parser));
        BASE_TRY(saga_parser_expect(parser, '|'));
        return saga_parser_expression(parser, SAGA_LEVEL_ANY);
    }
    goal->node->a = parser->result;
    parser->name_count = goal->scope;
    saga_parser_done(parser, goal->node);
    return base_ok();
}

/* ---- as, reduce, foreach ---- */
enum { AS_START, AS_PATTERNS, AS_BODY };

base_status saga_goal_as(saga_parser *parser, saga_goal *goal)
{
    if (goal->state == AS_START) {
        saga_node *node = saga_parser_node(parser, SAGA_NODE_AS);
        if (node == NULL) {
            return saga_parser_no_memory(parser);
        }
        node->a = goal->node;
        node->variable = (int32_t)parser->variable_count;
        goal->node = node;
        goal->state = AS_PATTERNS;
        BASE_TRY(saga_parser_advance(parser));
        return saga_parser_goal(parser, SAGA_GOAL_PATTERNS);
    }
    if (goal->state == AS_PATTERNS) {
        goal->node->patterns = parser->result;
        goal->node->variable_end = (int32_t)parser->variable_count;
        goal->state = AS_BODY;
        BASE_TRY(saga_parser_bind_pending(parser, goal->pending));
        BASE_TRY(saga_parser_expect(parser, '|'));
        return saga_parser_expression(parser, SAGA_LEVEL_ANY);
    }
    goal->node->b = parser->result;
    parser->name_count = goal->scope;
    saga_parser_done(parser, goal->node);
    return base_ok();
}

enum { LOOP_START, LOOP_SOURCE, LOOP_PATTERNS, LOOP_FIRST, LOOP_UPDATE, LOOP_EXTRACT };

static base_status loop_start(saga_parser *parser, saga_goal *goal)
{
    const bool reduce = base_slice_is(parser->token.text, "reduce");
    goal->node = saga_parser_node(parser, reduce ? SAGA_NODE_REDUCE : SAGA_NODE_FOREACH);
    if (goal->node == NULL) {
        return saga_parser_no_memory(parser);
    }
    goal->state = LOOP_SOURCE;
    BASE_TRY(saga_parser_advance(parser));
    return saga_parser_goal(parser, SAGA_GOAL_TERM);
}

base_status saga_goal_loop(saga_parser *parser, saga_goal *goal)
{
    saga_node *node = goal->node;
    switch (goal->state) {
    case LOOP_START:
        return loop_start(parser, goal);
    case LOOP_SOURCE:
        node->a = parser->result;
        node->variable = (int32_t)parser->variable_count;
        goal->state = LOOP_PATTERNS;
        BASE_TRY(saga_parser_expect_name(parser, "as"));
        return saga_parser_goal(parser, SAGA_GOAL_PATTERNS);
    case LOOP_PATTERNS:
        node->patterns = parser->result;
        node->variable_end = (int32_t)parser->variable_count;
        goal->state = LOOP_FIRST;
        BASE_TRY(saga_parser_expect(parser, '('));
        return saga_parser_expression(parser, SAGA_LEVEL_ANY);
    case LOOP_FIRST:
        node->b = parser->result;
        goal->state = LOOP_UPDATE;
        BASE_TRY(saga_parser_bind_pending(parser, goal->pending));
        BASE_TRY(saga_parser_expect(parser, ';'));
        return saga_parser_expression(parser, SAGA_LEVEL_ANY);
    case LOOP_UPDATE:
        node->c = parser->result;
        if (node->kind == SAGA_NODE_FOREACH && saga_parser_is(parser, ';')) {
            goal->state = LOOP_EXTRACT;
            BASE_TRY(saga_parser_advance(parser));
            return saga_parser_expression(parser, SAGA_LEVEL_ANY);
        }
        break;
    default:
        node->d = parser->result;
        break;
    }
    BASE_TRY(saga_parser_expect(parser, ')'));
    parser->name_count = goal->scope;
    saga_parser_done(parser, node);
    return base_ok();
}

/* ---- patterns ---- */
base_status saga_goal_patterns(saga_parser *parser, saga_goal *goal)
{
    if (goal->state == 0) {
        goal->state = 1;
    } else {
        if (goal->last == NULL) {
            goal->node = parser->result;
        } else {
            goal->last->next = parser->result;
        }
        goal->last = parser->result;
        if (!saga_parser_is(parser, SAGA_SYMBOL_DESTRUCTURE)) {
            saga_parser_done(parser, goal->node);
            return base_ok();
        }
        BASE_TRY(saga_parser_advance(parser));
    }
    return saga_parser_push(parser, (saga_goal){.kind = SAGA_GOAL_PATTERN, .count = goal->pending});
}

enum {
    PATTERN_START,
    PATTERN_ITEM,
    PATTERN_STRING_KEY,
    PATTERN_PAREN_KEY,
    PATTERN_ENTRY,
    PATTERN_VALUE
};

/* `count` is where the names of the whole `as` begin among the pending ones. */
static base_status pattern_inner(saga_parser *parser, saga_goal *goal, uint8_t state)
{
    goal->state = state;
    const saga_goal inner = {.kind = SAGA_GOAL_PATTERN, .count = goal->count};
    BASE_TRY(saga_parser_advance(parser));
    return saga_parser_push(parser, inner);
}

static base_status pattern_entry_key(saga_parser *parser, saga_goal *goal, saga_node *key)
{
    saga_node *entry = saga_parser_node(parser, SAGA_NODE_PATTERN_ENTRY);
    if (entry == NULL || key == NULL) {
        return saga_parser_no_memory(parser);
    }
    if (key->kind == SAGA_NODE_CONSTANT && key->value.kind != BASE_STRING) {
        return SAGA_PARSER_FAIL(parser, key->offset, BASE_BAD_INPUT,
                                "cannot use a %s as object key",
                                base_kind_name((base_kind)key->value.kind));
    }
    entry->a = key;
    if (goal->last == NULL) {
        goal->node->list = entry;
    } else {
        goal->last->next = entry;
    }
    goal->last = entry;
    goal->state = PATTERN_ENTRY;
    return base_ok();
}

static base_status pattern_entry_start(saga_parser *parser, saga_goal *goal)
{
    const base_slice text = parser->token.text;
    if (parser->token.kind == SAGA_TOKEN_BINDING) {
        int32_t variable;
        BASE_TRY(saga_parser_pend(parser, goal->count, text, &variable));
        BASE_TRY(pattern_entry_key(parser, goal, text_constant(parser, text)));
        goal->last->variable = variable;
        return saga_parser_advance(parser);
    }
    if (parser->token.kind == SAGA_TOKEN_NAME) {
        BASE_TRY(pattern_entry_key(parser, goal, text_constant(parser, text)));
        return saga_parser_advance(parser);
    }
    if (parser->token.kind == SAGA_TOKEN_QUOTE || parser->token.kind == SAGA_TOKEN_FORMAT) {
        goal->state = PATTERN_STRING_KEY;
        return saga_parser_goal(parser, SAGA_GOAL_STRING);
    }
    if (!saga_parser_is(parser, '(')) {
        return saga_parser_unexpected(parser, "a key or a $name");
    }
    goal->state = PATTERN_PAREN_KEY;
    BASE_TRY(saga_parser_advance(parser));
    return saga_parser_expression(parser, SAGA_LEVEL_ANY);
}

static base_status pattern_close(saga_parser *parser, saga_goal *goal, int symbol)
{
    BASE_TRY(saga_parser_expect(parser, symbol));
    saga_parser_done(parser, goal->node);
    return base_ok();
}

static base_status pattern_start(saga_parser *parser, saga_goal *goal)
{
    if (parser->token.kind == SAGA_TOKEN_BINDING) {
        saga_node *node = saga_parser_node(parser, SAGA_NODE_PATTERN_VARIABLE);
        if (node == NULL) {
            return saga_parser_no_memory(parser);
        }
        BASE_TRY(saga_parser_pend(parser, goal->count, parser->token.text, &node->variable));
        BASE_TRY(saga_parser_advance(parser));
        saga_parser_done(parser, node);
        return base_ok();
    }
    const bool list = saga_parser_is(parser, '[');
    if (!list && !saga_parser_is(parser, '{')) {
        return saga_parser_unexpected(parser, "a $name, [pattern] or {key: pattern}");
    }
    goal->node = saga_parser_node(parser, list ? SAGA_NODE_PATTERN_LIST : SAGA_NODE_PATTERN_MAP);
    if (goal->node == NULL) {
        return saga_parser_no_memory(parser);
    }
    if (list) {
        return pattern_inner(parser, goal, PATTERN_ITEM);
    }
    BASE_TRY(saga_parser_advance(parser));
    return pattern_entry_start(parser, goal);
}

static base_status pattern_item(saga_parser *parser, saga_goal *goal)
{
    parser->result->next = goal->node->list;
    goal->node->list = parser->result;
    if (saga_parser_is(parser, ',')) {
        return pattern_inner(parser, goal, PATTERN_ITEM);
    }
    return pattern_close(parser, goal, ']');
}

static base_status pattern_entry(saga_parser *parser, saga_goal *goal)
{
    if (goal->state == PATTERN_ENTRY && saga_parser_is(parser, ':')) {
        return pattern_inner(parser, goal, PATTERN_VALUE);
    }
    if (goal->last->b == NULL && goal->last->variable < 0) {
        return saga_parser_unexpected(parser, "\":\"");
    }
    if (saga_parser_is(parser, ',')) {
        BASE_TRY(saga_parser_advance(parser));
        return pattern_entry_start(parser, goal);
    }
    return pattern_close(parser, goal, '}');
}

base_status saga_goal_pattern(saga_parser *parser, saga_goal *goal)
{
    switch (goal->state) {
    case PATTERN_START:
        return pattern_start(parser, goal);
    case PATTERN_ITEM:
        return pattern_item(parser, goal);
    case PATTERN_STRING_KEY:
        return pattern_entry_key(parser, goal, parser->result);
    case PATTERN_PAREN_KEY:
        BASE_TRY(pattern_entry_key(parser, goal, parser->result));
        return saga_parser_expect(parser, ')');
    case PATTERN_VALUE:
        goal->last->b = parser->result;
        return pattern_entry(parser, goal);
    default:
        return pattern_entry(parser, goal);
    }
}

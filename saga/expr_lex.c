/* Tokens of jq. Strings come in parts, as interpolation nests: the parser asks for them. */
#include "saga/expr_node.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_name(char c)
{
    return is_name_start(c) || is_digit(c);
}

/* The character `ahead` of the position, or 0 past the end. */
static char peek(const saga_lexer *lexer, size_t ahead)
{
    const size_t at = lexer->position + ahead;
    return at < lexer->source.size ? lexer->source.data[at] : '\0';
}

static void skip_space(saga_lexer *lexer)
{
    while (lexer->position < lexer->source.size) {
        const char c = peek(lexer, 0);
        if (c == '#') {
            while (lexer->position < lexer->source.size && peek(lexer, 0) != '\n') {
                lexer->position++;
            }
        } else if (c == ' ' || c == '\n' || c == '\t' || c == '\r') {
            lexer->position++;
        } else {
            return;
        }
    }
}

static void finish(saga_lexer *lexer, saga_token *token, saga_token_kind kind, size_t skip,
                   size_t size)
{
    token->kind = kind;
    token->text = base_slice_make(lexer->source.data + lexer->position + skip, size - skip);
    lexer->position += size;
    token->end = (uint32_t)lexer->position;
}

static size_t name_size(const saga_lexer *lexer, size_t from)
{
    size_t size = from;
    while (is_name(peek(lexer, size))) {
        size++;
    }
    return size;
}

static size_t number_size(const saga_lexer *lexer)
{
    size_t size = 0;
    while (is_digit(peek(lexer, size))) {
        size++;
    }
    if (peek(lexer, size) == '.') {
        size++;
        while (is_digit(peek(lexer, size))) {
            size++;
        }
    }
    if (peek(lexer, size) == 'e' || peek(lexer, size) == 'E') {
        size_t end = size + 1;
        if (peek(lexer, end) == '+' || peek(lexer, end) == '-') {
            end++;
        }
        if (is_digit(peek(lexer, end))) {
            while (is_digit(peek(lexer, end))) {
                end++;
            }
            size = end;
        }
    }
    return size;
}

typedef struct symbol_text {
    char text[4];
    uint16_t symbol;
} symbol_text;

/* The longest first where one starts another. */
static const symbol_text SYMBOLS[] = {
    {"?//", SAGA_SYMBOL_DESTRUCTURE},    {"//=", SAGA_SYMBOL_UPDATE_ALTERNATIVE},
    {"//", SAGA_SYMBOL_ALTERNATIVE},     {"==", SAGA_SYMBOL_EQUAL},
    {"!=", SAGA_SYMBOL_NOT_EQUAL},       {"<=", SAGA_SYMBOL_LESS_EQUAL},
    {">=", SAGA_SYMBOL_GREATER_EQUAL},   {"|=", SAGA_SYMBOL_UPDATE},
    {"+=", SAGA_SYMBOL_UPDATE_ADD},      {"-=", SAGA_SYMBOL_UPDATE_SUBTRACT},
    {"*=", SAGA_SYMBOL_UPDATE_MULTIPLY}, {"/=", SAGA_SYMBOL_UPDATE_DIVIDE},
    {"%=", SAGA_SYMBOL_UPDATE_MODULO},   {"..", SAGA_SYMBOL_RECURSE},
};

static base_status symbol_next(saga_lexer *lexer, saga_token *token, base_error *error)
{
    const base_slice rest = {lexer->source.data + lexer->position,
                             lexer->source.size - lexer->position};
    for (size_t i = 0; i < sizeof SYMBOLS / sizeof SYMBOLS[0]; i++) {
        const base_slice text = base_slice_of(SYMBOLS[i].text);
        if (base_slice_starts_with(rest, text)) {
            token->symbol = SYMBOLS[i].symbol;
            finish(lexer, token, SAGA_TOKEN_SYMBOL, 0, text.size);
            return base_ok();
        }
    }
    const char c = rest.data[0];
    if (c != '\0' && strchr(".?=;,:|+-*/%$<>[](){}", c) != NULL) {
        token->symbol = (uint8_t)c;
        finish(lexer, token, SAGA_TOKEN_SYMBOL, 0, 1);
        return base_ok();
    }
    if (c == '\'') {
        (void)base_error_set(error, BASE_BAD_INPUT, "strings are written in double quotes");
    } else if (c >= ' ' && c < 127) {
        (void)base_error_set(error, BASE_BAD_INPUT, "unexpected character \"%c\"", c);
    } else {
        (void)base_error_set(error, BASE_BAD_INPUT, "unexpected character 0x%02x",
                             (unsigned)(uint8_t)c);
    }
    return base_status_of(BASE_BAD_INPUT);
}

base_status saga_lexer_next(saga_lexer *lexer, saga_token *token_out, base_error *error)
{
    skip_space(lexer);
    saga_token *token = token_out;
    *token = (saga_token){.offset = (uint32_t)lexer->position, .end = (uint32_t)lexer->position};
    if (lexer->position >= lexer->source.size) {
        return base_ok();
    }
    const char c = peek(lexer, 0);
    if (is_digit(c) || (c == '.' && is_digit(peek(lexer, 1)))) {
        finish(lexer, token, SAGA_TOKEN_NUMBER, 0, number_size(lexer));
    } else if (c == '.' && is_name_start(peek(lexer, 1))) {
        finish(lexer, token, SAGA_TOKEN_FIELD, 1, name_size(lexer, 1));
    } else if (c == '$' && is_name_start(peek(lexer, 1))) {
        finish(lexer, token, SAGA_TOKEN_BINDING, 1, name_size(lexer, 1));
    } else if (c == '@' && is_name(peek(lexer, 1))) {
        finish(lexer, token, SAGA_TOKEN_FORMAT, 1, name_size(lexer, 1));
    } else if (is_name_start(c)) {
        finish(lexer, token, SAGA_TOKEN_NAME, 0, name_size(lexer, 0));
    } else if (c == '"') {
        finish(lexer, token, SAGA_TOKEN_QUOTE, 0, 1);
    } else {
        return symbol_next(lexer, token, error);
    }
    return base_ok();
}

/* ---- strings ---- */
size_t saga_expr_utf8(uint32_t code_point, char out[4])
{
    if (code_point > 0x10ffff || (code_point >= 0xd800 && code_point <= 0xdfff)) {
        code_point = 0xfffd;
    }
    if (code_point < 0x80) {
        out[0] = (char)code_point;
        return 1;
    }
    if (code_point < 0x800) {
        out[0] = (char)(0xc0 | code_point >> 6);
        out[1] = (char)(0x80 | (code_point & 0x3f));
        return 2;
    }
    if (code_point < 0x10000) {
        out[0] = (char)(0xe0 | code_point >> 12);
        out[1] = (char)(0x80 | (code_point >> 6 & 0x3f));
        out[2] = (char)(0x80 | (code_point & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | code_point >> 18);
    out[1] = (char)(0x80 | (code_point >> 12 & 0x3f));
    out[2] = (char)(0x80 | (code_point >> 6 & 0x3f));
    out[3] = (char)(0x80 | (code_point & 0x3f));
    return 4;
}

int32_t saga_expr_hex4(const char *text, size_t size)
{
    if (size < 4) {
        return -1;
    }
    int32_t number = 0;
    for (size_t i = 0; i < 4; i++) {
        const char c = text[i];
        int32_t digit;
        if (is_digit(c)) {
            digit = c - '0';
        } else if (c >= 'a' && c <= 'f') {
            digit = c - 'a' + 10;
        } else if (c >= 'A' && c <= 'F') {
            digit = c - 'A' + 10;
        } else {
            return -1;
        }
        number = number * 16 + digit;
    }
    return number;
}

/* `\uXXXX` at the position, a pair of surrogates as one code point. */
static base_status unicode_escape(saga_lexer *lexer, char *out, size_t *size, base_error *error)
{
    const char *text = lexer->source.data + lexer->position;
    const size_t rest = lexer->source.size - lexer->position;
    const int32_t first = saga_expr_hex4(text + 2, rest - 2);
    if (first < 0) {
        return base_error_set(error, BASE_BAD_INPUT, "\\u needs four hexadecimal digits");
    }
    uint32_t code_point = (uint32_t)first;
    size_t used = 6;
    if (first >= 0xd800 && first < 0xdc00 && rest >= 12 && text[6] == '\\' && text[7] == 'u') {
        const int32_t second = saga_expr_hex4(text + 8, rest - 8);
        if (second >= 0xdc00 && second <= 0xdfff) {
            code_point = 0x10000 + (((uint32_t)first - 0xd800) << 10) + ((uint32_t)second - 0xdc00);
            used = 12;
        }
    }
    *size += saga_expr_utf8(code_point, out + *size);
    lexer->position += used;
    return base_ok();
}

static base_status escape(saga_lexer *lexer, char *out, size_t *size, base_error *error)
{
    const char c = peek(lexer, 1);
    if (c == 'u') {
        return unicode_escape(lexer, out, size, error);
    }
    static const char FROM[] = "\"\\/bfnrt";
    static const char TO[] = "\"\\/\b\f\n\r\t";
    const char *found = c == '\0' ? NULL : strchr(FROM, c);
    if (found == NULL) {
        return base_error_set(error, BASE_BAD_INPUT, "unknown escape in a string");
    }
    out[(*size)++] = TO[found - FROM];
    lexer->position += 2;
    return base_ok();
}

base_status saga_lexer_string(saga_lexer *lexer, base_arena *arena, base_slice *part_out,
                              saga_string_end *end_out, base_error *error)
{
    /* An escape is never shorter than what it stands for, so the rest of the part is room enough.
     */
    size_t end = lexer->position;
    while (end < lexer->source.size && lexer->source.data[end] != '"') {
        if (lexer->source.data[end] == '\\') {
            if (end + 1 < lexer->source.size && lexer->source.data[end + 1] == '(') {
                break;
            }
            end++;
        }
        end++;
    }
    if (end >= lexer->source.size) {
        return base_error_set(error, BASE_BAD_INPUT, "string is not closed");
    }
    char *out = base_arena_alloc(arena, end - lexer->position + 1);
    if (out == NULL) {
        return base_error_set(error, BASE_OUT_OF_MEMORY, "out of memory");
    }
    size_t size = 0;
    while (lexer->position < end) {
        if (peek(lexer, 0) == '\\') {
            BASE_TRY(escape(lexer, out, &size, error));
        } else {
            out[size++] = lexer->source.data[lexer->position++];
        }
    }
    *end_out = peek(lexer, 0) == '"' ? SAGA_STRING_QUOTE : SAGA_STRING_INTERPOLATION;
    lexer->position += *end_out == SAGA_STRING_QUOTE ? 1 : 2;
    *part_out = base_slice_make(out, size);
    return base_ok();
}

/* ---- numbers ---- */
/* Rewrites what jq takes for a number into JSON's form: no plus in front, no zeros too many, digits
 * around the point. */
static size_t normalise(base_slice text, char *out)
{
    size_t size = 0;
    size_t i = 0;
    if (i < text.size && (text.data[i] == '-' || text.data[i] == '+')) {
        if (text.data[i] == '-') {
            out[size++] = '-';
        }
        i++;
    }
    size_t digits = 0;
    while (i + 1 < text.size && text.data[i] == '0' && is_digit(text.data[i + 1])) {
        i++;
    }
    for (; i < text.size && is_digit(text.data[i]); i++, digits++) {
        out[size++] = text.data[i];
    }
    if (digits == 0) {
        out[size++] = '0';
    }
    if (i < text.size && text.data[i] == '.') {
        i++;
        size_t fraction = 0;
        for (; i + fraction < text.size && is_digit(text.data[i + fraction]); fraction++) {
        }
        if (digits + fraction == 0) {
            return 0;
        }
        if (fraction > 0) {
            out[size++] = '.';
            memcpy(out + size, text.data + i, fraction);
            size += fraction;
            i += fraction;
        }
    } else if (digits == 0) {
        return 0;
    }
    memcpy(out + size, text.data + i, text.size - i);
    return size + text.size - i;
}

base_status saga_expr_number(base_slice text, base_arena *arena, base_value *out)
{
    if (text.size == 0) {
        return base_status_of(BASE_BAD_INPUT);
    }
    char *json = base_arena_alloc(arena, text.size + 1);
    if (json == NULL) {
        return base_status_of(BASE_OUT_OF_MEMORY);
    }
    const size_t size = normalise(text, json);
    return base_number_parse(base_slice_make(json, size), out);
}

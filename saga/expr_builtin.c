/*
 * The functions that are known by name: those with code of their own, those written in jq, those
 * refused.
 *
 * A function written in jq is parsed where it is called, its parameters f, g, h standing for the
 * argument's trees. So it costs nothing at run time that the same text written by hand would not
 * cost, and takes part in paths by itself. The definitions are jq 1.7's, less what native code does
 * at once.
 */
#include "saga/expr_code.h"

#define NODE(name, arity, kind)                                                                    \
    {                                                                                              \
        name, arity, SAGA_BUILTIN_NODE, SAGA_NODE_##kind, NULL                                     \
    }
#define NATIVE(name, arity, kind)                                                                  \
    {                                                                                              \
        name, arity, SAGA_BUILTIN_NATIVE, SAGA_NATIVE_##kind, NULL                                 \
    }
#define TEXT(name, arity, text)                                                                    \
    {                                                                                              \
        name, arity, SAGA_BUILTIN_TEXT, 0, text                                                    \
    }

static const saga_builtin BUILTINS[] = {
    NODE("empty", 0, EMPTY),
    NODE("error", 0, ERROR),
    NODE("recurse", 0, RECURSE),
    NODE("path", 1, PATH),
    NODE("first", 1, FIRST),
    NODE("limit", 2, LIMIT),
    NODE("nth", 2, NTH),
    NODE("isempty", 1, IS_EMPTY),
    NODE("any", 2, ANY),
    NODE("all", 2, ALL),
    NODE("range", 2, RANGE),
    NODE("range", 3, RANGE),

    TEXT("error", 1, "f | error"),
    TEXT("map", 1, "[.[] | f]"),
    TEXT("map_values", 1, ".[] |= f"),
    TEXT("select", 1, "if f then . else empty end"),
    TEXT("any", 0, "any(.[]; .)"),
    TEXT("any", 1, "any(.[]; f)"),
    TEXT("all", 0, "all(.[]; .)"),
    TEXT("all", 1, "all(.[]; f)"),
    TEXT("add", 1, "reduce f as $x (null; . + $x)"),
    TEXT("range", 1, "range(0; f)"),
    TEXT("first", 0, ".[0]"),
    TEXT("last", 0, ".[-1]"),
    TEXT("last", 1, "reduce f as $x (null; $x)"),
    TEXT("nth", 1, ".[f]"),
    TEXT("in", 1, ". as $x | f | has($x)"),
    TEXT("inside", 1, ". as $x | f | contains($x)"),
    TEXT("index", 1, "indices(f) | .[0]"),
    TEXT("rindex", 1, "indices(f) | .[-1:][0]"),
    TEXT("min_by", 1, "_min_by(map([f]))"),
    TEXT("max_by", 1, "_max_by(map([f]))"),
    TEXT("sort_by", 1, "_sort_by(map([f]))"),
    TEXT("group_by", 1, "_group_by(map([f]))"),
    TEXT("unique_by", 1, "[_group_by(map([f]))[] | .[0]]"),
    TEXT("unique", 0, "[_group_by(map([.]))[] | .[0]]"),
    TEXT("del", 1, "delpaths([path(f)])"),
    TEXT("paths", 0, "path(..) | select(length > 0)"),
    TEXT("paths", 1, "path(.. | select(f)) | select(length > 0)"),
    TEXT("leaf_paths", 0, "paths(scalars)"),
    TEXT("pick", 1, ". as $in | reduce path(f) as $p (null; setpath($p; $in | getpath($p)))"),
    TEXT("from_entries", 0,
         "map({(.key // .Key // .name // .Name): (if has(\"value\") then .value else .Value end)})"
         " | add // {}"),
    TEXT("with_entries", 1, "to_entries | map(f) | from_entries"),
    TEXT("transpose", 0, "[range(0; map(length) | max // 0) as $i | [.[][$i]]]"),
    TEXT("abs", 0, "if . < 0 then - . else . end"),
    TEXT("values", 0, "select(. != null)"),
    TEXT("nulls", 0, "select(. == null)"),
    TEXT("booleans", 0, "select(type == \"boolean\")"),
    TEXT("numbers", 0, "select(type == \"number\")"),
    TEXT("strings", 0, "select(type == \"string\")"),
    TEXT("arrays", 0, "select(type == \"array\")"),
    TEXT("objects", 0, "select(type == \"object\")"),
    TEXT("iterables", 0, "select(type | . == \"array\" or . == \"object\")"),
    TEXT("scalars", 0, "select(type | . != \"array\" and . != \"object\")"),
    TEXT("IN", 1, "any(f == .; .)"),
    TEXT("IN", 2, "any(f == g; .)"),
    TEXT("INDEX", 1, "reduce .[] as $row ({}; .[$row | f | tostring] = $row)"),
    TEXT("INDEX", 2, "reduce f as $row ({}; .[$row | g | tostring] = $row)"),
    TEXT("todateiso8601", 0, "todate"),
    TEXT("fromdateiso8601", 0, "fromdate"),
    TEXT("date", 0, "todate"),

    NATIVE("length", 0, LENGTH),
    NATIVE("utf8bytelength", 0, UTF8_LENGTH),
    NATIVE("not", 0, NOT),
    NATIVE("keys", 0, KEYS),
    NATIVE("keys_unsorted", 0, KEYS_UNSORTED),
    NATIVE("has", 1, HAS),
    NATIVE("contains", 1, CONTAINS),
    NATIVE("add", 0, ADD),
    NATIVE("flatten", 0, FLATTEN),
    NATIVE("flatten", 1, FLATTEN),
    NATIVE("min", 0, MIN),
    NATIVE("max", 0, MAX),
    NATIVE("_min_by", 1, MIN_BY),
    NATIVE("_max_by", 1, MAX_BY),
    NATIVE("sort", 0, SORT),
    NATIVE("_sort_by", 1, SORT_BY),
    NATIVE("_group_by", 1, GROUP_BY),
    NATIVE("indices", 1, INDICES),
    NATIVE("startswith", 1, STARTSWITH),
    NATIVE("endswith", 1, ENDSWITH),
    NATIVE("ltrimstr", 1, LTRIMSTR),
    NATIVE("rtrimstr", 1, RTRIMSTR),
    NATIVE("trim", 0, TRIM),
    NATIVE("ltrim", 0, LTRIM),
    NATIVE("rtrim", 0, RTRIM),
    NATIVE("split", 1, SPLIT),
    NATIVE("join", 1, JOIN),
    NATIVE("ascii_downcase", 0, DOWNCASE),
    NATIVE("ascii_upcase", 0, UPCASE),
    NATIVE("tostring", 0, TOSTRING),
    NATIVE("tonumber", 0, TONUMBER),
    NATIVE("toboolean", 0, TOBOOLEAN),
    NATIVE("type", 0, TYPE),
    NATIVE("tojson", 0, TOJSON),
    NATIVE("fromjson", 0, FROMJSON),
    NATIVE("to_entries", 0, TO_ENTRIES),
    NATIVE("reverse", 0, REVERSE),
    NATIVE("floor", 0, FLOOR),
    NATIVE("ceil", 0, CEIL),
    NATIVE("round", 0, ROUND),
    NATIVE("fabs", 0, FABS),
    NATIVE("trunc", 0, TRUNC),
    NATIVE("todate", 0, TODATE),
    NATIVE("fromdate", 0, FROMDATE),
    NATIVE("getpath", 1, GETPATH),
    NATIVE("setpath", 2, SETPATH),
    NATIVE("delpaths", 1, DELPATHS),
    NATIVE("explode", 0, EXPLODE),
    NATIVE("implode", 0, IMPLODE),
};
#define BUILTIN_COUNT (sizeof BUILTINS / sizeof BUILTINS[0])

/* ---- what is refused ---- */
typedef enum refusal {
    REFUSED_CLOCK,
    REFUSED_WORLD,
    REFUSED_ENDLESS,
    REFUSED_DEFINITION,
    REFUSED_MODULE,
    REFUSED_INFINITE,
    NOT_REGEX,
    NOT_FLOAT,
    NOT_YET
} refusal;

typedef struct refused_name {
    const char *name;
    int8_t arity; /* -1: any */
    refusal why;
} refused_name;

static const refused_name REFUSED[] = {
    {"now", -1, REFUSED_CLOCK},
    {"localtime", -1, REFUSED_WORLD},
    {"strflocaltime", -1, REFUSED_WORLD},
    {"mktime", -1, REFUSED_WORLD},
    {"env", -1, REFUSED_WORLD},
    {"input", -1, REFUSED_WORLD},
    {"inputs", -1, REFUSED_WORLD},
    {"input_filename", -1, REFUSED_WORLD},
    {"input_line_number", -1, REFUSED_WORLD},
    {"debug", -1, REFUSED_WORLD},
    {"stderr", -1, REFUSED_WORLD},
    {"halt", -1, REFUSED_WORLD},
    {"halt_error", -1, REFUSED_WORLD},
    {"get_search_list", -1, REFUSED_WORLD},
    {"modulemeta", -1, REFUSED_MODULE},
    {"import", -1, REFUSED_MODULE},
    {"include", -1, REFUSED_MODULE},
    {"module", -1, REFUSED_MODULE},
    {"def", -1, REFUSED_DEFINITION},
    {"repeat", -1, REFUSED_ENDLESS},
    {"while", -1, REFUSED_ENDLESS},
    {"until", -1, REFUSED_ENDLESS},
    {"recurse", 1, REFUSED_ENDLESS},
    {"recurse", 2, REFUSED_ENDLESS},
    {"recurse_down", -1, NOT_YET},
    {"infinite", -1, REFUSED_INFINITE},
    {"test", -1, NOT_REGEX},
    {"match", -1, NOT_REGEX},
    {"capture", -1, NOT_REGEX},
    {"scan", -1, NOT_REGEX},
    {"split", 2, NOT_REGEX},
    {"splits", -1, NOT_REGEX},
    {"sub", -1, NOT_REGEX},
    {"gsub", -1, NOT_REGEX},
    {"nan", -1, NOT_FLOAT},
    {"isnan", -1, NOT_FLOAT},
    {"isinfinite", -1, NOT_FLOAT},
    {"isnormal", -1, NOT_FLOAT},
    {"isfinite", -1, NOT_FLOAT},
    {"normals", -1, NOT_FLOAT},
    {"finites", -1, NOT_FLOAT},
    {"have_decnum", -1, NOT_FLOAT},
    {"have_literal_numbers", -1, NOT_FLOAT},
    {"sqrt", -1, NOT_FLOAT},
    {"pow", -1, NOT_FLOAT},
    {"log", -1, NOT_FLOAT},
    {"log2", -1, NOT_FLOAT},
    {"log10", -1, NOT_FLOAT},
    {"exp", -1, NOT_FLOAT},
    {"exp2", -1, NOT_FLOAT},
    {"exp10", -1, NOT_FLOAT},
    {"sin", -1, NOT_FLOAT},
    {"cos", -1, NOT_FLOAT},
    {"tan", -1, NOT_FLOAT},
    {"asin", -1, NOT_FLOAT},
    {"acos", -1, NOT_FLOAT},
    {"atan", -1, NOT_FLOAT},
    {"significand", -1, NOT_FLOAT},
    {"logb", -1, NOT_FLOAT},
    {"frexp", -1, NOT_FLOAT},
    {"modf", -1, NOT_FLOAT},
    {"ldexp", -1, NOT_FLOAT},
    {"scalb", -1, NOT_FLOAT},
    {"cbrt", -1, NOT_FLOAT},
    {"gmtime", -1, NOT_YET},
    {"strftime", -1, NOT_YET},
    {"strptime", -1, NOT_YET},
    {"dateadd", -1, NOT_YET},
    {"datesub", -1, NOT_YET},
    {"walk", -1, NOT_YET},
    {"combinations", -1, NOT_YET},
    {"tostream", -1, NOT_YET},
    {"fromstream", -1, NOT_YET},
    {"truncate_stream", -1, NOT_YET},
    {"skip", -1, NOT_YET},
    {"bsearch", -1, NOT_YET},
    {"ascii", -1, NOT_YET},
    {"builtins", -1, NOT_YET},
    {"JOIN", -1, NOT_YET},
    {"trimstr", -1, NOT_YET},
    {"format", 1, NOT_YET},
};

static void refuse(refusal why, base_slice name, base_error *error)
{
    const int size = (int)name.size;
    switch (why) {
    case REFUSED_CLOCK:
        (void)base_error_set(error, BASE_BAD_INPUT, "expression uses \"%.*s\": not repeatable",
                             size, name.data);
        base_error_hint(error, "use $now");
        break;
    case REFUSED_WORLD:
        (void)base_error_set(error, BASE_BAD_INPUT, "expression uses \"%.*s\": not repeatable",
                             size, name.data);
        base_error_hint(error, "an expression sees its input and its variables, nothing else");
        break;
    case REFUSED_MODULE:
        (void)base_error_set(error, BASE_BAD_INPUT,
                             "expression uses \"%.*s\": there are no modules", size, name.data);
        break;
    case REFUSED_ENDLESS:
        (void)base_error_set(error, BASE_BAD_INPUT, "\"%.*s\" may not end", size, name.data);
        base_error_hint(error, "use reduce, foreach, range, limit or ..");
        break;
    case REFUSED_DEFINITION:
        (void)base_error_set(error, BASE_BAD_INPUT,
                             "\"def\" is refused: a function of one's own may not end");
        base_error_hint(error, "bind a value with \"as $name\" instead");
        break;
    case REFUSED_INFINITE:
        (void)base_error_set(error, BASE_BAD_INPUT, "\"%.*s\" is refused: numbers are exact", size,
                             name.data);
        break;
    case NOT_REGEX:
        (void)base_error_set(error, BASE_UNSUPPORTED,
                             "\"%.*s\" is not covered: no regular expressions yet", size,
                             name.data);
        base_error_hint(error,
                        "startswith, endswith, contains, split and index work on plain text");
        break;
    case NOT_FLOAT:
        (void)base_error_set(error, BASE_UNSUPPORTED, "\"%.*s\" is not covered: numbers are exact",
                             size, name.data);
        break;
    case NOT_YET:
        (void)base_error_set(error, BASE_UNSUPPORTED, "\"%.*s\" is not covered", size, name.data);
        break;
    }
    base_error_check(error, why <= REFUSED_INFINITE ? "E105" : "E106");
}

/* BASE_OK: not refused. */
static base_status refused(base_slice name, int arity, base_error *error)
{
    for (size_t i = 0; i < sizeof REFUSED / sizeof REFUSED[0]; i++) {
        if (base_slice_is(name, REFUSED[i].name) &&
            (REFUSED[i].arity < 0 || REFUSED[i].arity == arity)) {
            refuse(REFUSED[i].why, name, error);
            return base_status_of(REFUSED[i].why <= REFUSED_INFINITE ? BASE_BAD_INPUT
                                                                     : BASE_UNSUPPORTED);
        }
    }
    return base_ok();
}

bool saga_builtin_refused_keyword(base_slice name, base_error *error)
{
    static const char *const KEYWORDS[] = {"def", "import", "include", "module"};
    for (size_t i = 0; i < sizeof KEYWORDS / sizeof KEYWORDS[0]; i++) {
        if (base_slice_is(name, KEYWORDS[i])) {
            return base_failed(refused(name, -1, error));
        }
    }
    return false;
}

static void unknown(base_slice name, size_t arity, base_error *error)
{
    (void)base_error_set(error, BASE_BAD_INPUT, "function \"%.*s/%zu\" is not defined",
                         BASE_SLICE_ARG(name), arity);
    base_error_check(error, "E106");
    base_slice names[BUILTIN_COUNT];
    size_t count = 0;
    for (size_t i = 0; i < BUILTIN_COUNT; i++) {
        if (BUILTINS[i].name[0] == '_') {
            continue;
        }
        names[count++] = base_slice_of(BUILTINS[i].name);
        if (base_slice_is(name, BUILTINS[i].name)) {
            base_error_hint(error, "\"%s\" takes %u argument%s", BUILTINS[i].name,
                            BUILTINS[i].arity, BUILTINS[i].arity == 1 ? "" : "s");
            return;
        }
    }
    const base_slice near = base_error_nearest(name, names, count);
    if (near.size > 0) {
        base_error_hint(error, "did you mean \"%.*s\"?", BASE_SLICE_ARG(near));
    }
}

base_status saga_builtin_find(base_slice name, size_t arity, bool inner,
                              const saga_builtin **builtin_out, base_error *error)
{
    for (size_t i = 0; i < BUILTIN_COUNT; i++) {
        if (BUILTINS[i].arity == arity && base_slice_is(name, BUILTINS[i].name) &&
            (inner || name.data[0] != '_')) {
            *builtin_out = &BUILTINS[i];
            return base_ok();
        }
    }
    BASE_TRY(refused(name, arity > 100 ? 100 : (int)arity, error));
    unknown(name, arity, error);
    return base_status_of(BASE_BAD_INPUT);
}

saga_format saga_builtin_format(base_slice name, base_error *error)
{
    static const char *const FORMATS[SAGA_FORMAT_COUNT] = {
        [SAGA_FORMAT_TEXT] = "text",       [SAGA_FORMAT_JSON] = "json",
        [SAGA_FORMAT_CSV] = "csv",         [SAGA_FORMAT_TSV] = "tsv",
        [SAGA_FORMAT_HTML] = "html",       [SAGA_FORMAT_URI] = "uri",
        [SAGA_FORMAT_SH] = "sh",           [SAGA_FORMAT_BASE64] = "base64",
        [SAGA_FORMAT_BASE64D] = "base64d",
    };
    base_slice names[SAGA_FORMAT_COUNT];
    for (size_t i = 0; i < SAGA_FORMAT_COUNT; i++) {
        if (base_slice_is(name, FORMATS[i])) {
            return (saga_format)i;
        }
        names[i] = base_slice_of(FORMATS[i]);
    }
    (void)base_error_set(error, BASE_BAD_INPUT, "\"@%.*s\" is not a format", BASE_SLICE_ARG(name));
    base_error_check(error, "E106");
    const base_slice near = base_error_nearest(name, names, SAGA_FORMAT_COUNT);
    if (near.size > 0) {
        base_error_hint(error, "did you mean \"@%.*s\"?", BASE_SLICE_ARG(near));
    }
    return SAGA_FORMAT_COUNT;
}

/* Native functions on strings, and dates. */
#include "saga/expr_code.h"

#define NATIVE(name)                                                                               \
    base_status saga_native_##name(saga_machine *machine, const base_value *input,                 \
                                   const base_value *b, const base_value *c, base_value *out)

static base_value text_value(base_slice text)
{
    return base_value_string(text.size > 0 ? text : base_slice_make("", 0));
}

NATIVE(utf8_length)
{
    (void)b;
    (void)c;
    if (input->kind != BASE_STRING) {
        return saga_raise_one(machine, input, "only strings have UTF-8 byte length");
    }
    *out = base_value_integer((int64_t)input->size);
    return base_ok();
}

/* ---- looking for text ---- */
static base_status text_indexes(saga_machine *machine, base_slice text, base_slice part,
                                base_value *out)
{
    base_list_builder builder;
    base_list_begin(&builder, machine->arena);
    BASE_TRY(saga_machine_spend(machine, text.size / 64));
    size_t from = 0;
    size_t counted_to = 0; /* bytes whose code points are counted */
    size_t code_points = 0;
    while (part.size > 0) {
        size_t hit;
        BASE_TRY(saga_find_bytes(machine, text, from, part, &hit));
        if (hit == SIZE_MAX) {
            break;
        }
        code_points += saga_utf8_count(base_slice_make(text.data + counted_to, hit - counted_to));
        counted_to = hit;
        const base_value index = base_value_integer((int64_t)code_points);
        BASE_TRY(saga_machine_spend(machine, 1));
        BASE_TRY(base_list_push(&builder, &index));
        BASE_TRY(saga_machine_check_memory(machine));
        from = hit + 1;
    }
    machine->built = true;
    *out = base_list_end(&builder);
    return base_ok();
}

NATIVE(indices)
{
    (void)c;
    if (input->kind == BASE_STRING && b->kind == BASE_STRING) {
        return text_indexes(machine, base_value_slice(input), base_value_slice(b), out);
    }
    if (input->kind != BASE_LIST || b->kind == BASE_LIST) {
        return saga_index(machine, input, b, out);
    }
    const base_value part = base_value_list(b, 1);
    return saga_index(machine, input, &part, out);
}

NATIVE(startswith)
{
    (void)c;
    if (input->kind != BASE_STRING || b->kind != BASE_STRING) {
        return SAGA_RAISE(machine, "startswith() requires string inputs");
    }
    BASE_TRY(saga_machine_spend(machine, b->size / 64));
    *out = base_value_bool(base_slice_starts_with(base_value_slice(input), base_value_slice(b)));
    return base_ok();
}

NATIVE(endswith)
{
    (void)c;
    if (input->kind != BASE_STRING || b->kind != BASE_STRING) {
        return SAGA_RAISE(machine, "endswith() requires string inputs");
    }
    BASE_TRY(saga_machine_spend(machine, b->size / 64));
    *out = base_value_bool(base_slice_ends_with(base_value_slice(input), base_value_slice(b)));
    return base_ok();
}

/* What is no string, or does not begin so, is left as it is. */
NATIVE(ltrimstr)
{
    (void)c;
    *out = *input;
    BASE_TRY(saga_machine_spend(machine, base_value_slice(b).size / 64));
    if (input->kind == BASE_STRING && b->kind == BASE_STRING &&
        base_slice_starts_with(base_value_slice(input), base_value_slice(b))) {
        *out = text_value(base_slice_make(input->bytes + b->size, input->size - b->size));
    }
    return base_ok();
}

NATIVE(rtrimstr)
{
    (void)c;
    *out = *input;
    BASE_TRY(saga_machine_spend(machine, base_value_slice(b).size / 64));
    if (input->kind == BASE_STRING && b->kind == BASE_STRING &&
        base_slice_ends_with(base_value_slice(input), base_value_slice(b))) {
        *out = text_value(base_slice_make(input->bytes, input->size - b->size));
    }
    return base_ok();
}

/* ---- white space: Unicode's, as jq has it ---- */
static bool is_space_at(base_slice text, size_t at, size_t *length)
{
    static const char *const SPACES[] = {" ",
                                         "\t",
                                         "\n",
                                         "\v",
                                         "\f",
                                         "\r",
                                         "\xc2\x85",
                                         "\xc2\xa0",
                                         "\xe1\x9a\x80",
                                         "\xe2\x80\x80",
                                         "\xe2\x80\x81",
                                         "\xe2\x80\x82",
                                         "\xe2\x80\x83",
                                         "\xe2\x80\x84",
                                         "\xe2\x80\x85",
                                         "\xe2\x80\x86",
                                         "\xe2\x80\x87",
                                         "\xe2\x80\x88",
                                         "\xe2\x80\x89",
                                         "\xe2\x80\x8a",
                                         "\xe2\x80\xa8",
                                         "\xe2\x80\xa9",
                                         "\xe2\x80\xaf",
                                         "\xe2\x81\x9f",
                                         "\xe3\x80\x80"};
    const base_slice rest = base_slice_make(text.data + at, text.size - at);
    for (size_t i = 0; i < sizeof SPACES / sizeof SPACES[0]; i++) {
        const base_slice space = base_slice_of(SPACES[i]);
        if (base_slice_starts_with(rest, space)) {
            *length = space.size;
            return true;
        }
    }
    return false;
}

static base_status trimmed(saga_machine *machine, const base_value *input, bool left, bool right,
                           base_value *out)
{
    if (input->kind != BASE_STRING) {
        return saga_raise_one(machine, input, "cannot be trimmed");
    }
    base_slice text = base_value_slice(input);
    size_t length;
    BASE_TRY(saga_machine_spend(machine, text.size / 64));
    while (left && text.size > 0 && is_space_at(text, 0, &length)) {
        text = base_slice_make(text.data + length, text.size - length);
    }
    while (right && text.size > 0) {
        size_t last = text.size - 1;
        while (last > 0 && ((uint8_t)text.data[last] & 0xc0) == 0x80) {
            last--;
        }
        if (!is_space_at(text, last, &length)) {
            break;
        }
        text.size = last;
    }
    *out = text_value(text);
    return base_ok();
}

NATIVE(trim)
{
    (void)b;
    (void)c;
    return trimmed(machine, input, true, true, out);
}

NATIVE(ltrim)
{
    (void)b;
    (void)c;
    return trimmed(machine, input, true, false, out);
}

NATIVE(rtrim)
{
    (void)b;
    (void)c;
    return trimmed(machine, input, false, true, out);
}

/* ---- splitting, joining, changing ---- */
NATIVE(split_function)
{
    (void)c;
    if (input->kind != BASE_STRING || b->kind != BASE_STRING) {
        return SAGA_RAISE(machine, "split input and separator must be strings");
    }
    return saga_split(machine, base_value_slice(input), base_value_slice(b), out);
}

static base_status join_item(saga_text *text, const base_value *item)
{
    if (item->kind == BASE_NULL) {
        return base_ok();
    }
    if (item->kind == BASE_STRING) {
        return saga_text_put(text, base_value_slice(item));
    }
    if (item->kind == BASE_BOOL || base_value_is_number(item)) {
        return saga_json_write(text, item, SIZE_MAX);
    }
    const base_value so_far = saga_text_value(text);
    return saga_raise_two(text->machine, &so_far, item, "cannot be added");
}

NATIVE(join)
{
    (void)c;
    if (input->kind != BASE_LIST && input->kind != BASE_MAP) {
        base_slice brief;
        BASE_TRY(saga_value_brief(machine, input, 14, &brief));
        return SAGA_RAISE(machine, "Cannot iterate over %s (%.*s)", saga_kind_name(input),
                          BASE_SLICE_ARG(brief));
    }
    saga_text text = {.machine = machine};
    for (size_t i = 0; i < input->size; i++) {
        BASE_TRY(saga_machine_spend(machine, 1));
        if (i > 0 && b->kind != BASE_STRING && b->kind != BASE_NULL) {
            const base_value so_far = saga_text_value(&text);
            return saga_raise_two(machine, &so_far, b, "cannot be added");
        }
        if (i > 0) {
            BASE_TRY(saga_text_put(&text, base_value_slice(b)));
        }
        BASE_TRY(join_item(&text,
                           input->kind == BASE_LIST ? &input->items[i] : &input->members[i].value));
    }
    *out = saga_text_value(&text);
    return base_ok();
}

static base_status change_case(saga_machine *machine, const base_value *input, char first,
                               char last, base_value *out)
{
    if (input->kind != BASE_STRING) {
        return SAGA_RAISE(machine, "explode input must be a string");
    }
    void *block = NULL;
    BASE_TRY(saga_machine_spend(machine, input->size / 64));
    BASE_TRY(saga_machine_alloc(machine, input->size, &block));
    char *bytes = block;
    for (size_t i = 0; i < input->size; i++) {
        const char byte = input->bytes[i];
        bytes[i] = byte >= first && byte <= last ? (char)(byte ^ 0x20) : byte;
    }
    *out = base_value_string(base_slice_make(bytes, input->size));
    return base_ok();
}

NATIVE(downcase)
{
    (void)b;
    (void)c;
    return change_case(machine, input, 'A', 'Z', out);
}

NATIVE(upcase)
{
    (void)b;
    (void)c;
    return change_case(machine, input, 'a', 'z', out);
}

NATIVE(explode)
{
    (void)b;
    (void)c;
    if (input->kind != BASE_STRING) {
        return SAGA_RAISE(machine, "explode input must be a string");
    }
    const base_slice text = base_value_slice(input);
    const size_t count = saga_utf8_count(text);
    void *block = NULL;
    BASE_TRY(saga_machine_spend(machine, text.size / 8));
    BASE_TRY(saga_machine_array(machine, count, sizeof(base_value), &block));
    base_value *items = block;
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        const size_t length = saga_utf8_length(text.data[at]);
        const uint8_t lead = (uint8_t)text.data[at];
        uint32_t code_point = length == 1 ? lead : lead & (0xffu >> (length + 1));
        for (size_t j = 1; j < length; j++) {
            code_point = code_point << 6 | ((uint8_t)text.data[at + j] & 0x3fu);
        }
        items[i] = base_value_integer(code_point);
        at += length;
    }
    machine->built = true;
    *out = base_value_list(items, count);
    return base_ok();
}

NATIVE(implode)
{
    (void)b;
    (void)c;
    if (input->kind != BASE_LIST) {
        return SAGA_RAISE(machine, "implode input must be an array");
    }
    saga_text text = {.machine = machine};
    for (size_t i = 0; i < input->size; i++) {
        const base_value *item = &input->items[i];
        if (!base_value_is_number(item)) {
            return saga_raise_one(machine, item,
                                  "can't be imploded, unicode codepoint needs to be numeric");
        }
        const int64_t number = saga_integer_of(item);
        char bytes[4];
        const size_t size =
            saga_expr_utf8(number < 0 || number > 0x10ffff ? 0xfffd : (uint32_t)number, bytes);
        BASE_TRY(saga_machine_spend(machine, 1));
        BASE_TRY(saga_text_put(&text, base_slice_make(bytes, size)));
    }
    *out = saga_text_value(&text);
    return base_ok();
}

/* ---- from and to other kinds ---- */
NATIVE(tostring)
{
    (void)b;
    (void)c;
    return saga_to_string(machine, input, out);
}

NATIVE(tojson)
{
    (void)b;
    (void)c;
    return saga_format_run(machine, SAGA_FORMAT_JSON, input, out);
}

NATIVE(fromjson)
{
    (void)b;
    (void)c;
    if (input->kind != BASE_STRING) {
        return saga_raise_one(machine, input, "only strings can be parsed");
    }
    return saga_json_read(machine, base_value_slice(input), out);
}

NATIVE(tonumber)
{
    (void)b;
    (void)c;
    if (base_value_is_number(input)) {
        *out = *input;
        return base_ok();
    }
    if (input->kind == BASE_STRING) {
        base_slice text = base_value_slice(input);
        while (text.size > 0 && strchr(" \t\n\r", text.data[0]) != NULL && text.data[0] != '\0') {
            text = base_slice_make(text.data + 1, text.size - 1);
        }
        while (text.size > 0 && strchr(" \t\n\r", text.data[text.size - 1]) != NULL &&
               text.data[text.size - 1] != '\0') {
            text.size--;
        }
        BASE_TRY(saga_machine_spend(machine, text.size / 64));
        const base_status status = saga_expr_number(text, machine->arena, out);
        if (!base_failed(status) || status.code == BASE_OUT_OF_MEMORY) {
            return status;
        }
    }
    return saga_raise_one(machine, input, "cannot be parsed as a number");
}

NATIVE(toboolean)
{
    (void)b;
    (void)c;
    *out = *input;
    if (input->kind == BASE_BOOL) {
        return base_ok();
    }
    const base_slice text = base_value_slice(input);
    if (input->kind == BASE_STRING &&
        (base_slice_is(text, "true") || base_slice_is(text, "false"))) {
        *out = base_value_bool(text.size == 4);
        return base_ok();
    }
    return saga_raise_one(machine, input, "cannot be parsed as a boolean");
}

/* ---- dates: ISO 8601 in seconds, in UTC ---- */
#define SECONDS_A_DAY ((int64_t)86400)
#define DATE_SECONDS_MAX ((int64_t)1 << 50) /* some 35 million years */

/* Days since 1970-01-01 of a date, in the Gregorian calendar both ways. The year is counted from
 * March, so that the leap day is its last. */
static int64_t days_from_date(int64_t year, int64_t month, int64_t day)
{
    const int64_t y = month <= 2 ? year - 1 : year;
    const int64_t era = (y >= 0 ? y : y - 399) / 400;
    const int64_t year_of_era = y - era * 400;
    const int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           719468;
}

static void date_from_days(int64_t days, int64_t *year, int64_t *month, int64_t *day)
{
    days += 719468;
    const int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    const int64_t day_of_era = days - era * 146097;
    const int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    const int64_t day_of_year =
        day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const int64_t shifted = (5 * day_of_year + 2) / 153;
    *day = day_of_year - (153 * shifted + 2) / 5 + 1;
    *month = shifted < 10 ? shifted + 3 : shifted - 9;
    *year = year_of_era + era * 400 + (*month <= 2 ? 1 : 0);
}

NATIVE(todate)
{
    (void)b;
    (void)c;
    if (!base_value_is_number(input)) {
        return SAGA_RAISE(machine, "strftime/1 requires parsed datetime inputs");
    }
    const int64_t seconds = saga_integer_of(input);
    if (seconds > DATE_SECONDS_MAX || seconds < -DATE_SECONDS_MAX) {
        return SAGA_RAISE(machine, "error converting number of seconds since epoch to datetime");
    }
    int64_t days = seconds / SECONDS_A_DAY;
    int64_t rest = seconds % SECONDS_A_DAY;
    if (rest < 0) {
        rest += SECONDS_A_DAY;
        days--;
    }
    int64_t year;
    int64_t month;
    int64_t day;
    date_from_days(days, &year, &month, &day);
    const base_slice text = base_arena_print(
        machine->arena, "%lld-%02d-%02dT%02d:%02d:%02dZ", (long long)year, (int)month, (int)day,
        (int)(rest / 3600), (int)(rest / 60 % 60), (int)(rest % 60));
    if (text.data == NULL) {
        return base_status_of(BASE_OUT_OF_MEMORY);
    }
    *out = base_value_string(text);
    return saga_machine_check_memory(machine);
}

/* "2015-03-05T23:51:47Z": the numbers, by the picture; false when the text does not fit. */
static bool date_parts(base_slice text, int64_t parts[6])
{
    static const char PICTURE[] = "0000-11-22T33:44:55Z";
    if (text.size != sizeof PICTURE - 1) {
        return false;
    }
    for (size_t i = 0; i < text.size; i++) {
        const char c = text.data[i];
        if (PICTURE[i] >= '0' && PICTURE[i] <= '5') {
            if (c < '0' || c > '9') {
                return false;
            }
            int64_t *part = &parts[PICTURE[i] - '0'];
            *part = *part * 10 + (c - '0');
        } else if (c != PICTURE[i]) {
            return false;
        }
    }
    return true;
}

static bool date_valid(const int64_t parts[6])
{
    static const int8_t DAYS[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (parts[1] < 1 || parts[1] > 12 || parts[2] < 1) {
        return false;
    }
    const bool leap = (parts[0] % 4 == 0 && parts[0] % 100 != 0) || parts[0] % 400 == 0;
    const int64_t days = DAYS[parts[1] - 1] + (parts[1] == 2 && leap ? 1 : 0);
    return parts[2] <= days && parts[3] <= 23 && parts[4] <= 59 && parts[5] <= 60;
}

NATIVE(fromdate)
{
    (void)b;
    (void)c;
    if (input->kind != BASE_STRING) {
        return SAGA_RAISE(machine, "strptime/1 requires string inputs and arguments");
    }
    int64_t parts[6] = {0};
    if (!date_parts(base_value_slice(input), parts) || !date_valid(parts)) {
        return SAGA_RAISE(machine,
                          "date \"%.*s\" does not match format \"%%Y-%%m-%%dT%%H:%%M:%%SZ\"",
                          input->size < 200 ? (int)input->size : 200, input->bytes);
    }
    *out = base_value_integer(days_from_date(parts[0], parts[1], parts[2]) * SECONDS_A_DAY +
                              parts[3] * 3600 + parts[4] * 60 + parts[5]);
    return base_ok();
}

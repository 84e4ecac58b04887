#include "connectors/log_shared.h"

#include <string.h>
#include <time.h>

#include "base/assert.h"

/* Empty but not null: needs an address. */
static const char empty_bytes[1] = "";

size_t log_record_pack_size(const schema_record *record)
{
    size_t size = sizeof(schema_record) + record->header_count * sizeof(schema_header);
    size += record->topic.size + record->key.size + record->value.size;
    for (size_t i = 0; i < record->header_count; i++) {
        size += record->headers[i].name.size + record->headers[i].value.size;
    }
    return size;
}

static base_slice pack_bytes(char **cursor, base_slice bytes)
{
    if (bytes.data == NULL) {
        return (base_slice){NULL, 0};
    }
    if (bytes.size == 0) {
        return (base_slice){empty_bytes, 0};
    }
    const base_slice copy = {*cursor, bytes.size};
    memcpy(*cursor, bytes.data, bytes.size);
    *cursor += bytes.size;
    return copy;
}

schema_record *log_record_pack(const schema_record *record, void *block)
{
    schema_record *copy = block;
    schema_header *headers = (schema_header *)(copy + 1);
    char *cursor = (char *)(headers + record->header_count);
    *copy = *record;
    copy->headers = record->header_count > 0 ? headers : NULL;
    for (size_t i = 0; i < record->header_count; i++) {
        headers[i].name = pack_bytes(&cursor, record->headers[i].name);
        headers[i].value = pack_bytes(&cursor, record->headers[i].value);
    }
    copy->topic = pack_bytes(&cursor, record->topic);
    copy->key = pack_bytes(&cursor, record->key);
    copy->value = pack_bytes(&cursor, record->value);
    BASE_ASSERT((size_t)(cursor - (char *)block) <= log_record_pack_size(record));
    return copy;
}

size_t log_range_index(size_t member_count, int32_t partition_count, int32_t partition)
{
    BASE_ASSERT(member_count > 0);
    BASE_ASSERT(partition >= 0 && partition < partition_count);
    const size_t number = (size_t)partition;
    const size_t share = (size_t)partition_count / member_count;
    const size_t extra = (size_t)partition_count % member_count;
    const size_t in_larger = extra * (share + 1);
    if (number < in_larger) {
        return number / (share + 1);
    }
    return extra + (number - in_larger) / share;
}

int log_range_compare(base_slice identity_a, uint64_t joined_a, base_slice identity_b,
                      uint64_t joined_b)
{
    if (identity_a.size > 0 && identity_b.size > 0) {
        return base_slice_compare(identity_a, identity_b);
    }
    if (identity_a.size > 0 || identity_b.size > 0) {
        return identity_a.size > 0 ? -1 : 1;
    }
    return joined_a < joined_b ? -1 : joined_a > joined_b;
}

static int64_t clock_ms(clockid_t clock)
{
    struct timespec now = {0, 0};
    const int result = clock_gettime(clock, &now);
    BASE_ASSERT(result == 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t log_wall_ms(void)
{
    return clock_ms(CLOCK_REALTIME);
}

int64_t log_steady_ms(void)
{
    return clock_ms(CLOCK_BOOTTIME);
}

#include "base/slice.h"

int base_slice_compare(base_slice a, base_slice b)
{
    const size_t size = a.size < b.size ? a.size : b.size;
    const int order = size == 0 ? 0 : memcmp(a.data, b.data, size);
    if (order != 0) {
        return order;
    }
    return (a.size > b.size) - (a.size < b.size);
}

bool base_slice_starts_with(base_slice slice, base_slice prefix)
{
    return slice.size >= prefix.size &&
           (prefix.size == 0 || memcmp(slice.data, prefix.data, prefix.size) == 0);
}

bool base_slice_ends_with(base_slice slice, base_slice suffix)
{
    return slice.size >= suffix.size &&
           (suffix.size == 0 ||
            memcmp(slice.data + (slice.size - suffix.size), suffix.data, suffix.size) == 0);
}

/* The size of the character that starts at text, at most `left` bytes long; 0 when it is not
 * well-formed (Unicode 15, table 3-7). The second byte's range is what keeps overlong forms,
 * surrogates and numbers past U+10FFFF out. */
static size_t character_size(const unsigned char *text, size_t left)
{
    const unsigned char lead = text[0];
    size_t size = 0;
    unsigned char lowest = 0x80;
    unsigned char highest = 0xBF;
    if (lead >= 0xC2 && lead <= 0xDF) {
        size = 2;
    } else if (lead >= 0xE0 && lead <= 0xEF) {
        size = 3;
        lowest = lead == 0xE0 ? 0xA0 : 0x80;
        highest = lead == 0xED ? 0x9F : 0xBF;
    } else if (lead >= 0xF0 && lead <= 0xF4) {
        size = 4;
        lowest = lead == 0xF0 ? 0x90 : 0x80;
        highest = lead == 0xF4 ? 0x8F : 0xBF;
    } else {
        return lead < 0x80 ? 1 : 0;
    }
    if (size > left || text[1] < lowest || text[1] > highest) {
        return 0;
    }
    for (size_t index = 2; index < size; index++) {
        if ((text[index] & 0xC0) != 0x80) {
            return 0;
        }
    }
    return size;
}

bool base_utf8_valid(base_slice text)
{
    const unsigned char *bytes = (const unsigned char *)text.data;
    size_t at = 0;
    while (at < text.size) {
        /* Most text is ASCII: eight bytes a step while that holds. */
        uint64_t word = 0;
        if (text.size - at >= sizeof(word)) {
            memcpy(&word, bytes + at, sizeof(word));
            if ((word & UINT64_C(0x8080808080808080)) == 0) {
                at += sizeof(word);
                continue;
            }
        }
        const size_t size = character_size(bytes + at, text.size - at);
        if (size == 0) {
            return false;
        }
        at += size;
    }
    return true;
}

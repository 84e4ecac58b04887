#include "base/hash.h"

#include "base/assert.h"

/* ---- SHA-256, FIPS 180-4 ---- */

static const uint32_t SHA256_CONSTANTS[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotate_right(uint32_t word, unsigned count)
{
    return (word >> count) | (word << (32 - count));
}

static uint32_t read_big32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static void sha256_block(uint32_t state[8], const uint8_t *block)
{
    uint32_t schedule[64];
    for (size_t t = 0; t < 16; t++) {
        schedule[t] = read_big32(block + 4 * t);
    }
    for (size_t t = 16; t < 64; t++) {
        const uint32_t w15 = schedule[t - 15];
        const uint32_t w2 = schedule[t - 2];
        const uint32_t sigma0 = rotate_right(w15, 7) ^ rotate_right(w15, 18) ^ (w15 >> 3);
        const uint32_t sigma1 = rotate_right(w2, 17) ^ rotate_right(w2, 19) ^ (w2 >> 10);
        schedule[t] = sigma1 + schedule[t - 7] + sigma0 + schedule[t - 16];
    }
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
    for (size_t t = 0; t < 64; t++) {
        const uint32_t sum1 = rotate_right(e, 6) ^ rotate_right(e, 11) ^ rotate_right(e, 25);
        const uint32_t choice = (e & f) ^ (~e & g);
        const uint32_t t1 = h + sum1 + choice + SHA256_CONSTANTS[t] + schedule[t];
        const uint32_t sum0 = rotate_right(a, 2) ^ rotate_right(a, 13) ^ rotate_right(a, 22);
        const uint32_t majority = (a & b) ^ (a & c) ^ (b & c);
        h = g;
        g = f;
        f = e;
        e = d + t1;
        d = c;
        c = b;
        b = a;
        a = t1 + sum0 + majority;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
    state[5] += f;
    state[6] += g;
    state[7] += h;
}

void base_sha256_init(base_sha256 *hash)
{
    *hash = (base_sha256){.state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f,
                                    0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
}

void base_sha256_update(base_sha256 *hash, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    const size_t held_size = (size_t)(hash->size % 64);
    hash->size += size;
    if (held_size > 0) {
        const size_t wanted_size = 64 - held_size;
        if (size < wanted_size) {
            if (size > 0) {
                memcpy(hash->block + held_size, bytes, size);
            }
            return;
        }
        memcpy(hash->block + held_size, bytes, wanted_size);
        sha256_block(hash->state, hash->block);
        bytes += wanted_size;
        size -= wanted_size;
    }
    while (size >= 64) {
        sha256_block(hash->state, bytes);
        bytes += 64;
        size -= 64;
    }
    if (size > 0) {
        memcpy(hash->block, bytes, size);
    }
}

void base_sha256_field(base_sha256 *hash, base_slice field)
{
    uint8_t size_bytes[8];
    for (size_t index = 0; index < 8; index++) {
        size_bytes[index] = (uint8_t)((uint64_t)field.size >> (8 * index));
    }
    base_sha256_update(hash, size_bytes, sizeof(size_bytes));
    base_sha256_update(hash, field.data, field.size);
}

void base_sha256_final(base_sha256 *hash, uint8_t digest_out[32])
{
    static const uint8_t padding[64] = {0x80};
    const uint64_t bit_count = hash->size * 8;
    const size_t held_size = (size_t)(hash->size % 64);
    base_sha256_update(hash, padding, held_size < 56 ? 56 - held_size : 120 - held_size);
    uint8_t size_bytes[8];
    for (size_t index = 0; index < 8; index++) {
        size_bytes[index] = (uint8_t)(bit_count >> (56 - 8 * index));
    }
    base_sha256_update(hash, size_bytes, sizeof(size_bytes));
    for (size_t index = 0; index < 32; index++) {
        digest_out[index] = (uint8_t)(hash->state[index / 4] >> (24 - 8 * (index % 4)));
    }
}

void base_hex(const uint8_t *bytes, size_t size, char *text_out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t index = 0; index < size; index++) {
        text_out[2 * index] = digits[bytes[index] >> 4];
        text_out[2 * index + 1] = digits[bytes[index] & 15];
    }
    text_out[2 * size] = '\0';
}

/* ---- XXH64, xxHash specification 0.1.1 ---- */

#define XXH_PRIME1 UINT64_C(0x9E3779B185EBCA87)
#define XXH_PRIME2 UINT64_C(0xC2B2AE3D27D4EB4F)
#define XXH_PRIME3 UINT64_C(0x165667B19E3779F9)
#define XXH_PRIME4 UINT64_C(0x85EBCA77C2B2AE63)
#define XXH_PRIME5 UINT64_C(0x27D4EB2F165667C5)

static uint64_t rotate_left(uint64_t word, unsigned count)
{
    return (word << count) | (word >> (64 - count));
}

/* The compiler makes one load of these on a little-endian machine. */
static uint32_t read_little32(const uint8_t *bytes)
{
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static uint64_t read_little64(const uint8_t *bytes)
{
    return read_little32(bytes) | (uint64_t)read_little32(bytes + 4) << 32;
}

static uint64_t xxh_round(uint64_t accumulator, uint64_t lane)
{
    return rotate_left(accumulator + lane * XXH_PRIME2, 31) * XXH_PRIME1;
}

static uint64_t xxh_merge(uint64_t accumulator, uint64_t lane)
{
    return (accumulator ^ xxh_round(0, lane)) * XXH_PRIME1 + XXH_PRIME4;
}

/* Steps 1 to 3: the stripes of 32 bytes. Moves *at past them. */
static uint64_t xxh_stripes(const uint8_t **at, const uint8_t *end, uint64_t seed)
{
    uint64_t lanes[4] = {seed + XXH_PRIME1 + XXH_PRIME2, seed + XXH_PRIME2, seed,
                         seed - XXH_PRIME1};
    const uint8_t *bytes = *at;
    for (; end - bytes >= 32; bytes += 32) {
        for (size_t lane = 0; lane < 4; lane++) {
            lanes[lane] = xxh_round(lanes[lane], read_little64(bytes + 8 * lane));
        }
    }
    *at = bytes;
    uint64_t accumulator = rotate_left(lanes[0], 1) + rotate_left(lanes[1], 7) +
                           rotate_left(lanes[2], 12) + rotate_left(lanes[3], 18);
    for (size_t lane = 0; lane < 4; lane++) {
        accumulator = xxh_merge(accumulator, lanes[lane]);
    }
    return accumulator;
}

uint64_t base_hash64(base_slice bytes, uint64_t seed)
{
    const uint8_t empty = 0;
    const uint8_t *at = bytes.size == 0 ? &empty : (const uint8_t *)bytes.data;
    const uint8_t *end = at + bytes.size;
    uint64_t accumulator = bytes.size >= 32 ? xxh_stripes(&at, end, seed) : seed + XXH_PRIME5;
    accumulator += bytes.size;
    for (; end - at >= 8; at += 8) {
        accumulator ^= xxh_round(0, read_little64(at));
        accumulator = rotate_left(accumulator, 27) * XXH_PRIME1 + XXH_PRIME4;
    }
    if (end - at >= 4) {
        accumulator ^= read_little32(at) * XXH_PRIME1;
        accumulator = rotate_left(accumulator, 23) * XXH_PRIME2 + XXH_PRIME3;
        at += 4;
    }
    for (; at < end; at++) {
        accumulator ^= *at * XXH_PRIME5;
        accumulator = rotate_left(accumulator, 11) * XXH_PRIME1;
    }
    accumulator ^= accumulator >> 33;
    accumulator *= XXH_PRIME2;
    accumulator ^= accumulator >> 29;
    accumulator *= XXH_PRIME3;
    accumulator ^= accumulator >> 32;
    return accumulator;
}

/* ---- Kafka's murmur2: MurmurHash2 with the seed and the signedness of the Java client ---- */

uint32_t base_murmur2(base_slice bytes)
{
    const uint32_t m = 0x5bd1e995;
    const uint8_t empty = 0;
    const uint8_t *at = bytes.size == 0 ? &empty : (const uint8_t *)bytes.data;
    size_t left = bytes.size;
    uint32_t hash = 0x9747b28c ^ (uint32_t)bytes.size;
    for (; left >= 4; left -= 4, at += 4) {
        uint32_t word = read_little32(at) * m;
        word = (word ^ (word >> 24)) * m;
        hash = (hash * m) ^ word;
    }
    if (left >= 3) {
        hash ^= (uint32_t)at[2] << 16;
    }
    if (left >= 2) {
        hash ^= (uint32_t)at[1] << 8;
    }
    if (left >= 1) {
        hash = (hash ^ at[0]) * m;
    }
    hash = (hash ^ (hash >> 13)) * m;
    return hash ^ (hash >> 15);
}

int32_t base_partition_of(base_slice key, int32_t partition_count)
{
    BASE_ASSERT(partition_count > 0);
    return (int32_t)(base_murmur2(key) & 0x7fffffff) % partition_count;
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"

static void sha256_hex(const void *data, size_t size, char *text)
{
    base_sha256 hash;
    uint8_t digest[32];
    base_sha256_init(&hash);
    base_sha256_update(&hash, data, size);
    base_sha256_final(&hash, digest);
    base_hex(digest, sizeof(digest), text);
}

/* FIPS 180-4 examples (NIST, "SHA256" examples and the long vector). */
static void test_hash__sha256_gives_the_published_digests(void **state)
{
    (void)state;
    char hex[65];
    sha256_hex("", 0, hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    sha256_hex(NULL, 0, hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    sha256_hex("abc", 3, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, hex);
    assert_string_equal(hex, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    char *many = malloc(1000000);
    assert_non_null(many);
    memset(many, 'a', 1000000);
    sha256_hex(many, 1000000, hex);
    assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    free(many);
}

/* The bytes (7i + n) mod 256, as the references below were made of. */
static void pattern(uint8_t *bytes, size_t n)
{
    for (size_t index = 0; index < n; index++) {
        bytes[index] = (uint8_t)(index * 7 + n);
    }
}

/* The digest of the digests of all lengths from 0 to 259, from Python's hashlib: padding at every
 * place in a block. */
static void test_hash__sha256_is_right_at_every_length_and_in_pieces(void **state)
{
    (void)state;
    base_sha256 all;
    base_sha256_init(&all);
    for (size_t n = 0; n < 260; n++) {
        uint8_t bytes[260];
        uint8_t digest[32];
        uint8_t again[32];
        pattern(bytes, n);
        base_sha256 hash;
        base_sha256_init(&hash);
        base_sha256_update(&hash, bytes, n);
        base_sha256_final(&hash, digest);
        base_sha256_update(&all, digest, sizeof(digest));
        base_sha256_init(&hash);
        for (size_t at = 0, step = 1; at < n; at += step, step = step % 67 + 1) {
            base_sha256_update(&hash, bytes + at, n - at < step ? n - at : step);
        }
        base_sha256_final(&hash, again);
        assert_memory_equal(digest, again, sizeof(digest));
    }
    uint8_t digest[32];
    char hex[65];
    base_sha256_final(&all, digest);
    base_hex(digest, sizeof(digest), hex);
    assert_string_equal(hex, "05276a25574d3f5608fda82219045118e93a9ca197ecafd98f2b51fea6680a3e");
}

static void test_hash__fields_do_not_run_into_each_other(void **state)
{
    (void)state;
    uint8_t one[32];
    uint8_t two[32];
    uint8_t plain[32];
    base_sha256 hash;
    base_sha256_init(&hash);
    base_sha256_field(&hash, base_slice_of("ab"));
    base_sha256_field(&hash, base_slice_of("c"));
    base_sha256_final(&hash, one);
    base_sha256_init(&hash);
    base_sha256_field(&hash, base_slice_of("a"));
    base_sha256_field(&hash, base_slice_of("bc"));
    base_sha256_final(&hash, two);
    assert_memory_not_equal(one, two, sizeof(one));
    base_sha256_init(&hash);
    base_sha256_update(&hash, "\2\0\0\0\0\0\0\0ab\1\0\0\0\0\0\0\0c", 19);
    base_sha256_final(&hash, plain);
    assert_memory_equal(one, plain, sizeof(one));
}

static void test_hash__hex_is_lower_case(void **state)
{
    (void)state;
    const uint8_t bytes[] = {0x00, 0x9A, 0xFF, 0x10};
    char text[9];
    base_hex(bytes, sizeof(bytes), text);
    assert_string_equal(text, "009aff10");
    base_hex(bytes, 0, text);
    assert_string_equal(text, "");
}

/* From the reference implementation (xxHash, Python binding), of the pattern above. */
static void test_hash__hash64_is_xxh64(void **state)
{
    (void)state;
    static const struct {
        size_t size;
        uint64_t hash;        /* seed 0 */
        uint64_t seeded_hash; /* seed 0x9E3779B1 */
    } rows[] = {
        {0, 0xef46db3751d8e999ULL, 0xac75fda2929b17efULL},
        {1, 0x8a4127811b21e730ULL, 0x211ae13247ce135fULL},
        {3, 0x31d2363f52e564c9ULL, 0x96d2a5e583ddd738ULL},
        {4, 0xb4d516af63f9c743ULL, 0x0b4fc5945a0d7fcdULL},
        {8, 0xd5474d6ca50def58ULL, 0x7d6145705ac81a3fULL},
        {15, 0x646187cf6e75240dULL, 0x16a6811f8cbedffbULL},
        {31, 0xc025b4c3c4880c7aULL, 0x5458c554929db390ULL},
        {32, 0x178ae25cee6f7994ULL, 0x4e5a84676a71a55bULL},
        {33, 0x4072a28263e977efULL, 0xfba9e8d19c16c59aULL},
        {64, 0xcf35552f599ba94dULL, 0x6d727d72d3edc20fULL},
        {255, 0xa537c95be46e0e8aULL, 0xb9a944e68d19f7dfULL},
    };
    uint8_t bytes[300];
    for (size_t index = 0; index < sizeof(rows) / sizeof(rows[0]); index++) {
        pattern(bytes, rows[index].size);
        const base_slice slice = base_slice_make(bytes, rows[index].size);
        assert_true(base_hash64(slice, 0) == rows[index].hash);
        assert_true(base_hash64(slice, 0x9E3779B1) == rows[index].seeded_hash);
    }
    assert_true(base_hash64(base_slice_make(NULL, 0), 0) == 0xef46db3751d8e999ULL);
    assert_true(base_hash64(base_slice_of("abc"), 0) == 0x44bc2cf5ad770999ULL);
    assert_true(base_hash64(base_slice_of("Nobody inspects the spammish repetition"), 0) ==
                0xfbcea83c8a378bf1ULL);
    uint64_t all = 0; /* every length, each with another seed, on addresses of every alignment */
    uint8_t shifted[310];
    for (size_t n = 0; n < 300; n++) {
        pattern(bytes, n);
        memcpy(shifted + n % 8, bytes, n);
        all = all * 31 + base_hash64(base_slice_make(shifted + n % 8, n), n);
    }
    assert_true(all == 0x299fa3c9c775f89eULL);
}

/* org.apache.kafka.common.utils.UtilsTest.testMurmur2 */
static void test_hash__murmur2_is_kafkas(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        int32_t hash;
    } rows[] = {
        {"21", -973932308},
        {"foobar", -790332482},
        {"a-little-bit-long-string", -985981536},
        {"a-little-bit-longer-string", -1486304829},
        {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
        {"abc", 479470107},
    };
    for (size_t index = 0; index < sizeof(rows) / sizeof(rows[0]); index++) {
        const base_slice key = base_slice_of(rows[index].key);
        assert_int_equal((int32_t)base_murmur2(key), rows[index].hash);
        for (int32_t count = 1; count < 100; count++) {
            assert_int_equal(base_partition_of(key, count),
                             (rows[index].hash & 0x7fffffff) % count);
        }
    }
    assert_int_equal(base_murmur2(base_slice_make(NULL, 0)), base_murmur2(base_slice_of("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash__sha256_gives_the_published_digests),
        cmocka_unit_test(test_hash__sha256_is_right_at_every_length_and_in_pieces),
        cmocka_unit_test(test_hash__fields_do_not_run_into_each_other),
        cmocka_unit_test(test_hash__hex_is_lower_case),
        cmocka_unit_test(test_hash__hash64_is_xxh64),
        cmocka_unit_test(test_hash__murmur2_is_kafkas),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

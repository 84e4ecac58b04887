/*
 * Drives a fuzz target without a fuzzer: each seed as it is, then changed in many small ways (bits,
 * bytes, numbers at the edge, pieces cut out, doubled or taken from another seed), the same ways in
 * every run.
 *
 *   fuzz_NAME CHANGES-PER-SEED [SEED-FILE or FOLDER]...
 *
 * FUZZ_SEED chooses other ways. What is being run when the process ends badly is left in fuzz-find
 * in the working directory; `fuzz_NAME 0 fuzz-find` runs it again.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

#define SEED_COUNT_MAX 4096
#define INPUT_SIZE_MAX ((size_t)256 * 1024)
#define PATH_SIZE 1024

typedef struct seed_input {
    uint8_t *data;
    size_t size;
} seed_input;

/* The one piece of state that a signal handler has to see. */
static uint8_t running[INPUT_SIZE_MAX];
static volatile size_t running_size;

static void keep_input(void)
{
    int file = open("fuzz-find", O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (file >= 0) {
        ssize_t written = write(file, running, running_size);
        (void)written;
        close(file);
    }
}

static void keep_and_die(int signal_number)
{
    keep_input();
    struct sigaction usual = {.sa_handler = SIG_DFL};
    sigaction(signal_number, &usual, NULL);
    raise(signal_number);
}

/* There when a sanitizer is: its finds end the process by no signal. */
__attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)(void)); /* NOLINT */

/* splitmix64 */
static uint64_t next_random(uint64_t *state)
{
    uint64_t mixed = (*state += UINT64_C(0x9E3779B97F4A7C15));
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94D049BB133111EB);
    return mixed ^ (mixed >> 31);
}

static size_t random_below(uint64_t *state, size_t bound)
{
    return bound == 0 ? 0 : (size_t)(next_random(state) % bound);
}

static void run(void)
{
    /* A copy of the exact size, so that a read past the end is seen. */
    uint8_t *input = malloc(running_size > 0 ? running_size : 1);
    FUZZ_MUST(input != NULL);
    memcpy(input, running, running_size);
    LLVMFuzzerTestOneInput(input, running_size);
    free(input);
}

static void change_byte(uint64_t *state)
{
    static const uint8_t EDGES[] = {0x00, 0x01, 0x7F, 0x80, 0xFF, '"',
                                    '\\', '{',  '[',  ':',  '\n', ' '};
    if (running_size == 0) {
        return;
    }
    uint8_t *byte = &running[random_below(state, running_size)];
    switch (random_below(state, 3)) {
    case 0:
        *byte ^= (uint8_t)(1U << random_below(state, 8));
        break;
    case 1:
        *byte = EDGES[random_below(state, sizeof EDGES)];
        break;
    default:
        *byte = (uint8_t)next_random(state);
        break;
    }
}

/* Puts size bytes of source at a place of the input, moving what is behind. */
static void insert(uint64_t *state, const uint8_t *source, size_t size)
{
    if (size == 0 || running_size + size > INPUT_SIZE_MAX) {
        return;
    }
    size_t at = random_below(state, running_size + 1);
    memmove(running + at + size, running + at, running_size - at);
    memcpy(running + at, source, size);
    running_size += size;
}

static void cut(uint64_t *state)
{
    if (running_size == 0) {
        return;
    }
    size_t at = random_below(state, running_size);
    size_t size = 1 + random_below(state, random_below(state, 2) == 0 ? 4 : running_size - at);
    if (size > running_size - at) {
        size = running_size - at;
    }
    memmove(running + at, running + at + size, running_size - at - size);
    running_size -= size;
}

static void change(uint64_t *state, const seed_input *seeds, size_t seed_count)
{
    uint8_t piece[64];
    size_t kind = random_below(state, 8);
    if (kind < 4) {
        change_byte(state);
    } else if (kind == 4) {
        cut(state);
    } else {
        /* A piece of this input, or of another seed. */
        const seed_input *other = &seeds[random_below(state, seed_count)];
        const uint8_t *from = kind == 5 ? other->data : running;
        size_t from_size = kind == 5 ? other->size : running_size;
        if (from_size == 0) {
            return;
        }
        size_t at = random_below(state, from_size);
        size_t size = 1 + random_below(state, sizeof piece - 1);
        size = size < from_size - at ? size : from_size - at;
        memcpy(piece, from + at, size);
        insert(state, piece, size);
    }
}

static void seed_add(seed_input *seeds, size_t *count, const char *path)
{
    FILE *file = fopen(path, "rb");
    struct stat info;
    if (file == NULL || fstat(fileno(file), &info) != 0 ||
        (uint64_t)info.st_size > INPUT_SIZE_MAX || *count == SEED_COUNT_MAX) {
        fprintf(stderr, "cannot use the seed %s\n", path);
        exit(2);
    }
    seed_input *seed = &seeds[(*count)++];
    seed->data = malloc((size_t)info.st_size + 1);
    FUZZ_MUST(seed->data != NULL);
    seed->size = fread(seed->data, 1, (size_t)info.st_size, file);
    fclose(file);
}

static void seeds_read(seed_input *seeds, size_t *count, const char *path)
{
    struct dirent **entries = NULL;
    int entry_count = scandir(path, &entries, NULL, alphasort);
    if (entry_count < 0) {
        if (errno == ENOTDIR) {
            seed_add(seeds, count, path);
        } else {
            fprintf(stderr, "no seeds in %s\n", path);
        }
        return;
    }
    for (int i = 0; i < entry_count; i++) {
        char name[PATH_SIZE];
        snprintf(name, sizeof name, "%s/%s", path, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.') {
            seed_add(seeds, count, name);
        }
        free(entries[i]);
    }
    free(entries);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: %s CHANGES-PER-SEED [SEED-FILE or FOLDER]...\n", argv[0]);
        return 2;
    }
    size_t changes = (size_t)strtoull(argv[1], NULL, 10);
    const char *chosen = getenv("FUZZ_SEED");
    uint64_t state = chosen != NULL ? strtoull(chosen, NULL, 10) : 1;
    printf("FUZZ_SEED=%" PRIu64 "\n", state);

    const int FATAL[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    if (__sanitizer_set_death_callback != NULL) {
        __sanitizer_set_death_callback(keep_input);
    }
    const struct sigaction action = {.sa_handler = keep_and_die};
    for (size_t i = 0; i < sizeof FATAL / sizeof *FATAL; i++) {
        sigaction(FATAL[i], &action, NULL);
    }
    static seed_input seeds[SEED_COUNT_MAX];
    size_t seed_count = 0;
    for (int i = 2; i < argc; i++) {
        seeds_read(seeds, &seed_count, argv[i]);
    }
    if (seed_count == 0) {
        seeds[seed_count++] = (seed_input){calloc(1, 1), 0}; /* the empty input, at least */
    }
    for (size_t i = 0; i < seed_count; i++) {
        for (size_t k = 0; k <= changes; k++) {
            memcpy(running, seeds[i].data, seeds[i].size);
            running_size = seeds[i].size;
            size_t times = k == 0 ? 0 : 1 + random_below(&state, 6);
            for (size_t n = 0; n < times; n++) {
                change(&state, seeds, seed_count);
            }
            run();
        }
    }
    printf("%zu seeds, %zu inputs\n", seed_count, seed_count * (changes + 1));
    for (size_t i = 0; i < seed_count; i++) {
        free(seeds[i].data);
    }
    return 0;
}

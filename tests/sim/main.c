/*
 * The simulator's command line:
 *
 *   sim --seed N --count K [--trace] [--twice] [--every-fault]
 *
 * Runs seeds N .. N+K-1. Exit code 1 when a run failed, or, with --every-fault, when a kind of
 * fault never struck or a checker never looked at anything.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/sim/sim.h"

typedef struct options {
    uint64_t seed;
    uint64_t count;
    bool trace;
    bool twice;
    bool every_fault;
} options;

static char crash_line[160];

/* An assertion of the engine ended the process: say which seed it was. */
static void on_abort(int number)
{
    (void)number;
    const ssize_t written = write(STDERR_FILENO, crash_line, strlen(crash_line));
    (void)written;
}

/* The commit that the source tree stands on; "unknown" outside of git. */
static void commit_name(char *out, size_t size)
{
    char path[600] = TEST_ROOT_DIR "/.git/HEAD";
    char line[256] = "";
    (void)snprintf(out, size, "unknown");
    for (int i = 0; i < 2; i++) {
        FILE *file = fopen(path, "rb");
        if (file == NULL) {
            return;
        }
        const char *read = fgets(line, sizeof(line), file);
        (void)fclose(file);
        if (read == NULL) {
            return;
        }
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "ref: ", 5) != 0) {
            (void)snprintf(out, size, "%.12s", line);
            return;
        }
        (void)snprintf(path, sizeof(path), "%s/.git/%s", TEST_ROOT_DIR, line + 5);
    }
}

static bool read_options(int argc, char **argv, options *out)
{
    *out = (options){.seed = 1, .count = 1};
    for (int i = 1; i < argc; i++) {
        uint64_t *number = strcmp(argv[i], "--seed") == 0    ? &out->seed
                           : strcmp(argv[i], "--count") == 0 ? &out->count
                                                             : NULL;
        if (number != NULL && i + 1 < argc) {
            char *end = NULL;
            *number = strtoull(argv[++i], &end, 10);
            if (*end != '\0') {
                return false;
            }
        } else if (strcmp(argv[i], "--trace") == 0) {
            out->trace = true;
        } else if (strcmp(argv[i], "--twice") == 0) {
            out->twice = true;
        } else if (strcmp(argv[i], "--every-fault") == 0) {
            out->every_fault = true;
        } else {
            return false;
        }
    }
    return true;
}

static bool every_kind_struck(const sim_totals *totals)
{
    bool all = true;
    for (int i = 0; i < SIM_FAULT_COUNT; i++) {
        if (totals->faults[i] == 0) {
            (void)printf("fault %s never struck\n", sim_fault_name((sim_fault)i));
            all = false;
        }
    }
    for (int i = 0; i < SIM_CHECK_COUNT; i++) {
        if (totals->checks[i] == 0) {
            (void)printf("check %s never looked at anything\n", sim_check_name((sim_check)i));
            all = false;
        }
    }
    return all;
}

static void print_totals(const sim_totals *totals, uint64_t failed, double seconds)
{
    uint64_t least = UINT64_MAX;
    uint64_t faults = 0;
    uint64_t checks = 0;
    for (int i = 0; i < SIM_FAULT_COUNT; i++) {
        faults += totals->faults[i];
        least = totals->faults[i] < least ? totals->faults[i] : least;
    }
    for (int i = 0; i < SIM_CHECK_COUNT; i++) {
        checks += totals->checks[i];
    }
    (void)printf("%" PRIu64 " runs, %" PRIu64 " failed; %" PRIu64 " instances: %" PRIu64
                 " completed, %" PRIu64 " compensated, %" PRIu64 " damaged; %" PRIu64
                 " records, %" PRIu64 " entries; %" PRIu64
                 " faults of %d kinds, each at least %" PRIu64 " times; %" PRIu64
                 " checks; %.1f s, %.0f records a second\n",
                 totals->runs, failed, totals->instances, totals->ends[SAGA_PHASE_COMPLETED],
                 totals->ends[SAGA_PHASE_COMPENSATED], totals->ends[SAGA_PHASE_DAMAGED],
                 totals->records, totals->entries, faults, (int)SIM_FAULT_COUNT, least, checks,
                 seconds, seconds > 0 ? (double)totals->records / seconds : 0.0);
}

static bool run_seed(sim *s, uint64_t seed, const options *wanted, const char *commit,
                     sim_totals *totals)
{
    (void)snprintf(crash_line, sizeof(crash_line), "seed %" PRIu64 " commit %s: aborted\n", seed,
                   commit);
    bool fine = sim_run(s, seed, wanted->trace, totals);
    if (fine && wanted->twice) {
        sim_totals again = {0};
        const uint64_t hash = s->hash;
        fine = sim_run(s, seed, false, &again);
        if (fine && s->hash != hash) {
            (void)snprintf(s->failure, sizeof(s->failure), "run twice, it is not the same");
            fine = false;
        }
    }
    if (!fine) {
        (void)printf("seed %" PRIu64 " commit %s: %s\n", seed, commit, s->failure);
    } else if (wanted->trace) {
        (void)printf("seed %" PRIu64 " commit %s: hash %016" PRIx64 "\n", seed, commit, s->hash);
    }
    return fine;
}

int main(int argc, char **argv)
{
    static sim s;
    options wanted;
    sim_totals totals = {0};
    char commit[64];
    uint64_t failed = 0;
    if (!read_options(argc, argv, &wanted)) {
        (void)fprintf(stderr,
                      "usage: %s [--seed N] [--count K] [--trace] [--twice] "
                      "[--every-fault]\n",
                      argv[0]);
        return 2;
    }
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    commit_name(commit, sizeof(commit));
    (void)signal(SIGABRT, on_abort);
    const clock_t begun = clock();
    for (uint64_t i = 0; i < wanted.count; i++) {
        failed += run_seed(&s, wanted.seed + i, &wanted, commit, &totals) ? 0 : 1;
    }
    const bool all = !wanted.every_fault || every_kind_struck(&totals);
    print_totals(&totals, failed, (double)(clock() - begun) / CLOCKS_PER_SEC);
    return failed == 0 && all ? 0 : 1;
}

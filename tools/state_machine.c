/*
 * Prints docs/state-machine.md from the tables of saga/machine.c. With a file's name it compares
 * instead, and fails when the file is not what it would print: a test keeps the page true.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "saga/machine.h"

static void forward(FILE *out)
{
    (void)fprintf(out, "## Forward: F\n\n| state |");
    for (int32_t input = 0; input < SAGA_F_INPUT_COUNT; input++)
        (void)fprintf(out, " %s |", saga_f_input_text((saga_f_input)input));
    (void)fprintf(out, "\n|---|");
    for (int32_t input = 0; input < SAGA_F_INPUT_COUNT; input++)
        (void)fprintf(out, "---|");
    for (int32_t row = 0; row < SAGA_ROW_COUNT; row++) {
        (void)fprintf(out, "\n| **%s** |", saga_machine_row_name((saga_f_row)row));
        for (int32_t input = 0; input < SAGA_F_INPUT_COUNT; input++)
            (void)fprintf(out, " %s |",
                          saga_f_action_text(saga_machine_f((saga_f_row)row, (saga_f_input)input)));
    }
    (void)fprintf(out, "\n\n");
}

static void backward(FILE *out)
{
    (void)fprintf(out, "## Backward: U\n\n| state |");
    for (int32_t input = 0; input < SAGA_U_INPUT_COUNT; input++)
        (void)fprintf(out, " %s |", saga_u_input_text((saga_u_input)input));
    (void)fprintf(out, "\n|---|");
    for (int32_t input = 0; input < SAGA_U_INPUT_COUNT; input++)
        (void)fprintf(out, "---|");
    for (int32_t u = 0; u < SAGA_U_COUNT; u++) {
        (void)fprintf(out, "\n| **%s** |", saga_u_name((saga_u)u));
        for (int32_t input = 0; input < SAGA_U_INPUT_COUNT; input++)
            (void)fprintf(out, " %s |",
                          saga_u_action_text(saga_machine_u((saga_u)u, (saga_u_input)input)));
    }
    (void)fprintf(out, "\n");
}

/* Edges of the pictures: where an action leads to; NULL: it stays, or where depends. */
static const char *f_goal(saga_f_action action)
{
    static const char *const goals[SAGA_F_ACTION_COUNT] = {
        [SAGA_F_DO_SUCCEED] = "done",     [SAGA_F_DO_LATE] = "done",
        [SAGA_F_DO_FAIL] = "failed",      [SAGA_F_DO_TRY_OVER] = "unknown",
        [SAGA_F_DO_AGAIN] = "due",        [SAGA_F_DO_GIVE_UP] = "unknown",
        [SAGA_F_DO_BEGIN] = "due",        [SAGA_F_DO_PASS] = "skipped",
        [SAGA_F_DO_CANCEL] = "cancelled", [SAGA_F_DO_LOSE] = "unknown",
        [SAGA_F_DO_HUMAN_RETRY] = "due",  [SAGA_F_DO_HUMAN_SKIP] = "skipped",
        [SAGA_F_DO_HUMAN_FAIL] = "failed"};
    return goals[action];
}

static const char *u_goal(saga_u_action action)
{
    static const char *const goals[SAGA_U_ACTION_COUNT] = {[SAGA_U_DO_OWE] = "owed",
                                                           [SAGA_U_DO_ASK] = "undoing",
                                                           [SAGA_U_DO_ASK_AGAIN] = "undoing",
                                                           [SAGA_U_DO_SETTLE] = "undone",
                                                           [SAGA_U_DO_RETRY_LATER] = "ubackoff",
                                                           [SAGA_U_DO_STICK] = "ustuck",
                                                           [SAGA_U_DO_RELEASE] = "released",
                                                           [SAGA_U_DO_HUMAN_RETRY] = "undoing",
                                                           [SAGA_U_DO_WAIVE] = "waived",
                                                           [SAGA_U_DO_GIVE_UP] = "waived"};
    return goals[action];
}

static void pictures(FILE *out)
{
    (void)fprintf(out, "## Pictures\n\n```mermaid\nstateDiagram-v2\n");
    for (int32_t row = 0; row < SAGA_ROW_COUNT; row++) {
        for (int32_t input = 0; input < SAGA_F_INPUT_COUNT; input++) {
            const char *goal = f_goal(saga_machine_f((saga_f_row)row, (saga_f_input)input));
            if (goal != NULL)
                (void)fprintf(out, "    %s --> %s: %s\n", saga_machine_row_name((saga_f_row)row),
                              goal, saga_f_input_text((saga_f_input)input));
        }
    }
    (void)fprintf(
        out, "    due --> open: its try starts\n    open --> backoff: tries are left\n```\n\n");
    (void)fprintf(out, "```mermaid\nstateDiagram-v2\n");
    for (int32_t u = 0; u < SAGA_U_COUNT; u++) {
        for (int32_t input = 0; input < SAGA_U_INPUT_COUNT; input++) {
            const char *goal = u_goal(saga_machine_u((saga_u)u, (saga_u_input)input));
            if (goal != NULL && strcmp(goal, saga_u_name((saga_u)u)) != 0)
                (void)fprintf(out, "    %s --> %s: %s\n", saga_u_name((saga_u)u), goal,
                              saga_u_input_text((saga_u_input)input));
        }
    }
    (void)fprintf(out, "```\n\n");
}

static void print_page(FILE *out)
{
    (void)fprintf(
        out, "# The step's state machine\n\n"
             "Generated from the tables of `saga/machine.c` by `tools/state_machine.c`; a test "
             "keeps it true.\n"
             "A step has two halves: what happened forward (F) and what is owed backward (U). "
             "Numbers are rules\n"
             "of [the language](saga-language.md). `stuck` is a step that is failed or unknown and "
             "waits for a\n"
             "human (28); while it is open or in backoff a stuck step stays in those rows.\n\n");
    pictures(out);
    forward(out);
    backward(out);
}

int main(int argc, char **argv)
{
    char *page = NULL;
    size_t page_size = 0;
    if (argc < 2) {
        print_page(stdout);
        return 0;
    }
    FILE *out = open_memstream(&page, &page_size);
    FILE *in = fopen(argv[1], "r");
    if (out == NULL || in == NULL) {
        (void)fprintf(stderr, "%s: cannot be read\n", argv[1]);
        return 2;
    }
    print_page(out);
    (void)fclose(out);
    char *there = (char *)calloc(1, page_size + 2);
    if (there == NULL)
        return 2;
    const size_t size = fread(there, 1, page_size + 1, in);
    const int result = size == page_size && memcmp(there, page, size) == 0 ? 0 : 1;
    if (result != 0)
        (void)fprintf(stderr, "%s is not what the tables say: print it anew with %s\n", argv[1],
                      argv[0]);
    (void)fclose(in);
    free(there);
    free(page);
    return result;
}

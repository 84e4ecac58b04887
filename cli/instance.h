/* Instance: what ls and show say of one. */
#ifndef CLI_INSTANCE_H
#define CLI_INSTANCE_H

#include "cli/out.h"
#include "engine/view.h"

/* "running", "running (stuck, past pivot)". NULL data: no memory. */
base_slice cli_instance_phase(const engine_instance *instance, base_arena *arena);
/* What is under way: "authorise open, reserve/undo undoing"; "-" for nothing. */
base_slice cli_instance_doing(const engine_instance *instance, base_arena *arena);
/* A step's name, also where the plan is not known. */
base_slice cli_instance_step(const engine_instance *instance, int32_t step, base_arena *arena);

/* saga, version, hash, key, instance, partition, incarnation, phase, stuck, flags, started,
 * updated, ended, entries, cause. */
void cli_instance_object(const engine_instance *instance, base_arena *arena, cli_object *object);
/* open: [{step, F, tries}], debts: [{step, U, gen, tries}] */
void cli_instance_lists(const engine_instance *instance, base_arena *arena, cli_object *object);
/* Flags by name, as a list. */
void cli_flags(cli_object *object, uint32_t flags, const char *(*name_of)(uint32_t bit),
               base_arena *arena);

/* Is something owed for the step, or being undone? */
bool cli_is_debt(const saga_step_state *step);
/* Is the step under way? */
bool cli_is_open(const saga_step_state *step);

#endif

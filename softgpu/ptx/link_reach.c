/* SPDX-License-Identifier: GPL-2.0-or-later */
/* link_reach.c - the call graph: which shared memory a kernel needs, how deep its stack can be */

#include <errno.h>
#include <string.h>

#include "softgpu/ptx/link.h"

/*
 * Theory of operation
 *
 * A variable in .shared has one address for all kernels of a module, as code that several kernels
 * call holds it; yet each kernel pays only for what it reaches. So variables share bytes where no
 * kernel reaches both: kernels are taken one after the other, and each variable gets the lowest
 * place that is free in every kernel that reaches it. A call through a register may reach every
 * function whose address is taken.
 */

#define STEPS_MAX (1ull << 25)

/* --- what a function mentions ----------------------------------------------------------------- */

static void add_index(struct sg_load *load, uint32_t **list, size_t *count, size_t *capacity,
		      uint32_t value)
{
	/* neighbours repeat themselves; the others are found out by marks later */
	if (*count > 0 && (*list)[*count - 1] == value)
		return;
	*list = sg_load_grow(load, *list, *count, capacity, sizeof(**list));
	(*list)[(*count)++] = value;
}

/* Functions of CUDA's device runtime, by which a kernel launches another. */
static bool launches_kernels(const char *name)
{
	static const char *const beginnings[] = { "__cudaCDP2", "cudaLaunchDevice",
						  "cudaGetParameterBuffer" };

	for (size_t i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]); i++)
		if (strncmp(name, beginnings[i], strlen(beginnings[i])) == 0)
			return true;
	return false;
}

static _Noreturn void fail_undefined(struct sg_link *link, const struct sg_ast_func *in,
				     uint32_t line, const char *name)
{
	link->load->source = in->source;
	if (launches_kernels(name))
		sg_load_fail(link->load, -ENOTSUP, line, 0,
			     "'%.120s': launches from kernels are not supported by softgpu", name);
	sg_load_fail(link->load, -ENOENT, line, 0, "'%.120s' is not defined in any text", name);
}

static void mention_var(struct sg_link *link, struct sg_link_func *f, struct sg_ast_var *var,
			uint32_t line)
{
	struct sg_ast_var *definition = var->definition;

	if (var->space == SG_SPACE_LOCAL || var->space == SG_SPACE_PARAM)
		return;
	if (definition == NULL)
		fail_undefined(link, f->func, line, var->name);
	if (sg_link_is_dynamic(definition)) {
		f->dynamic = true;
		if (definition->align > f->dynamic_align)
			f->dynamic_align = definition->align;
	} else if (definition->space == SG_SPACE_SHARED) {
		add_index(link->load, &f->shared, &f->shared_count, &f->shared_capacity,
			  definition->shared_index);
	}
}

static void mention_func(struct sg_link *link, struct sg_link_func *f, struct sg_ast_func *func,
			 uint32_t line)
{
	if (func->definition == NULL && func->builtin == SG_BUILTIN_NONE)
		fail_undefined(link, f->func, line, func->name);
	if (func->definition != NULL)
		add_index(link->load, &f->callees, &f->callee_count, &f->callee_capacity,
			  func->definition->index);
}

static void take_address(struct sg_link *link, const struct sg_ast_func *in, uint32_t line,
			 struct sg_ast_func *func)
{
	if (func->definition == NULL) {
		if (func->builtin == SG_BUILTIN_NONE)
			fail_undefined(link, in, line, func->name);
		link->load->source = in->source;
		sg_load_fail(link->load, -ENOTSUP, line, 0,
			     "the address of '%.80s' is not supported by softgpu", func->name);
	}
	func->definition->address_taken = true;
}

static void mention_operand(struct sg_link *link, struct sg_link_func *f,
			    const struct sg_operand *op, uint32_t line)
{
	switch (op->kind) {
	case SG_OPERAND_VAR:
	case SG_OPERAND_ADDRESS:
		if (op->var != NULL)
			mention_var(link, f, op->var, line);
		break;
	case SG_OPERAND_FUNC:
		take_address(link, f->func, line, op->func);
		break;
	default:
		break;
	}
}

static void mention_all(struct sg_link *link, struct sg_link_func *f)
{
	for (size_t i = 0; i < f->func->insn_count; i++) {
		const struct sg_ast_insn *insn = &f->func->insns[i];

		for (unsigned o = 0; o < insn->count; o++)
			mention_operand(link, f, &insn->operands[o], insn->line);
		if (insn->call == NULL)
			continue;
		if (insn->call->func != NULL)
			mention_func(link, f, insn->call->func, insn->line);
		else
			f->indirect = true;
	}
}

/* Addresses of functions that stand in variables' values. */
static void mention_values(struct sg_link *link)
{
	for (size_t i = 0; i < link->var_count; i++) {
		const struct sg_ast_var *var = link->vars[i];

		for (size_t k = 0; k < var->init_count; k++) {
			const struct sg_ast_init *init = &var->init[k];

			if (init->func != NULL && init->func->definition != NULL)
				init->func->definition->address_taken = true;
			if ((init->func != NULL && init->func->definition == NULL) ||
			    (init->var != NULL && init->var->definition == NULL))
				sg_load_fail(
					link->load, -ENOENT, var->line, 0,
					"'%.100s', of which '%.60s' has the address, is not defined",
					init->func != NULL ? init->func->name : init->var->name,
					var->name);
		}
	}
}

/* --- kernels and their shared memory ---------------------------------------------------------- */

struct walk {
	struct sg_link *link;
	uint32_t *stack; /* functions to be looked at */
	uint32_t depth;
	uint32_t *mark; /* of each function: the walk in which it was seen */
	uint32_t round;
	uint32_t *taken; /* functions whose address is taken */
	uint32_t taken_count;
	bool taken_pushed; /* in this round */
	uint64_t steps;	   /* of all rounds: what hostile call graphs would make too many */
};

static void step(struct walk *walk, uint64_t count)
{
	walk->steps += count;
	if (walk->steps > STEPS_MAX)
		sg_load_fail(walk->link->load, -E2BIG, 0, 0,
			     "kernels reach too many functions and variables in .shared");
}

static void push(struct walk *walk, uint32_t index)
{
	if (walk->mark[index] == walk->round)
		return;
	walk->mark[index] = walk->round;
	walk->stack[walk->depth++] = index;
}

/* Calls visit for each function that is reached from one. */
static void each_reached(struct walk *walk, uint32_t from,
			 void (*visit)(struct walk *walk, struct sg_link_func *f, void *arg),
			 void *arg)
{
	walk->round++;
	walk->depth = 0;
	walk->taken_pushed = false;
	push(walk, from);
	while (walk->depth > 0) {
		struct sg_link_func *f = &walk->link->funcs[walk->stack[--walk->depth]];

		visit(walk, f, arg);
		step(walk, 1 + f->callee_count + f->shared_count);
		for (size_t i = 0; i < f->callee_count; i++)
			push(walk, f->callees[i]);
		if (!f->indirect || walk->taken_pushed)
			continue;
		walk->taken_pushed = true;
		step(walk, walk->taken_count);
		for (uint32_t i = 0; i < walk->taken_count; i++)
			push(walk, walk->taken[i]);
	}
}

/* The shared variables of one kernel, each once. */
struct kernel_shared {
	uint32_t *vars;
	size_t count, capacity;
	uint32_t *var_mark;
	struct sg_link_func *kernel;
};

static void gather(struct walk *walk, struct sg_link_func *f, void *arg)
{
	struct kernel_shared *shared = arg;

	shared->kernel->reaches_indirect |= f->indirect;
	if (f->dynamic && f->dynamic_align > shared->kernel->shared_align)
		shared->kernel->shared_align = f->dynamic_align;
	for (size_t i = 0; i < f->shared_count; i++) {
		uint32_t index = f->shared[i];

		if (shared->var_mark[index] == walk->round)
			continue;
		shared->var_mark[index] = walk->round;
		shared->vars = sg_load_grow(walk->link->load, shared->vars, shared->count,
					    &shared->capacity, sizeof(*shared->vars));
		shared->vars[shared->count++] = index;
	}
}

/* Which kernels reach a variable, so that its place suits them all. */
struct users {
	uint32_t *kernels;
	size_t count, capacity;
};

/* What a kernel has already: the end of the highest place. Simple, and tight where kernels are
 * alike. */
static uint64_t place_after(const struct sg_link *link, const struct users *users)
{
	uint64_t at = 0;

	for (size_t i = 0; i < users->count; i++)
		if (link->funcs[users->kernels[i]].shared_bytes > at)
			at = link->funcs[users->kernels[i]].shared_bytes;
	return at;
}

static void place_shared(struct sg_link *link, struct sg_ast_var *var, const struct users *users)
{
	uint64_t at = place_after(link, users);

	at = (at + var->align - 1) & ~(uint64_t)(var->align - 1);
	var->offset = at;
	for (size_t i = 0; i < users->count; i++) {
		struct sg_link_func *kernel = &link->funcs[users->kernels[i]];

		if (at + var->bytes > link->load->limits.shared_bytes) {
			link->load->source = kernel->func->source;
			sg_load_fail(link->load, -E2BIG, kernel->func->line, 0,
				     "'%.80s' uses more than %u bytes of .shared memory",
				     kernel->func->name, link->load->limits.shared_bytes);
		}
		kernel->shared_bytes = (uint32_t)(at + var->bytes);
		if (var->align > kernel->shared_align)
			kernel->shared_align = var->align;
	}
}

static struct users *find_users(struct sg_link *link, struct walk *walk)
{
	struct users *users = sg_load_array(link->load, link->shared_count, sizeof(*users));
	struct kernel_shared shared = { .var_mark = sg_load_array(link->load, link->shared_count,
								  sizeof(uint32_t)) };

	for (uint32_t k = 0; k < link->func_count; k++) {
		if (!link->funcs[k].func->entry)
			continue;
		shared.count = 0;
		shared.kernel = &link->funcs[k];
		shared.kernel->shared_align = 16;
		each_reached(walk, k, gather, &shared);
		for (size_t i = 0; i < shared.count; i++) {
			struct users *u = &users[shared.vars[i]];

			u->kernels = sg_load_grow(link->load, u->kernels, u->count, &u->capacity,
						  sizeof(*u->kernels));
			u->kernels[u->count++] = k;
		}
	}
	return users;
}

static void find_taken(struct sg_link *link, struct walk *walk)
{
	for (uint32_t i = 0; i < link->func_count; i++)
		if (link->funcs[i].func->address_taken)
			walk->taken[walk->taken_count++] = i;
}

void sg_link_reach(struct sg_link *link)
{
	struct walk walk = { .link = link };
	struct users *users;

	walk.stack = sg_load_array(link->load, link->func_count, sizeof(uint32_t));
	walk.mark = sg_load_array(link->load, link->func_count, sizeof(uint32_t));
	walk.taken = sg_load_array(link->load, link->func_count, sizeof(uint32_t));
	mention_values(link);
	for (uint32_t i = 0; i < link->func_count; i++)
		mention_all(link, &link->funcs[i]);
	find_taken(link, &walk);
	users = find_users(link, &walk);
	for (size_t i = 0; i < link->shared_count; i++)
		place_shared(link, link->shared[i], &users[i]);
	for (uint32_t i = 0; i < link->func_count; i++) {
		struct sg_link_func *f = &link->funcs[i];
		uint32_t align = f->shared_align > 0 ? f->shared_align : 1;

		f->shared_bytes = (f->shared_bytes + align - 1) & ~(align - 1);
	}
}

/* --- stacks ---------------------------------------------------------------------------------- */

/*
 * The deepest chain of frames below each function, by a walk in depth with its own stack: a text
 * may nest calls as deep as it has functions.
 */
struct deep {
	uint32_t func;
	size_t next; /* callee to be looked at */
};

enum { DEEP_NEW, DEEP_OPEN, DEEP_DONE };

static void finish(struct sg_link *link, struct sg_link_func *f)
{
	uint32_t below = 0;

	for (size_t i = 0; i < f->callee_count; i++) {
		const struct sg_link_func *callee = &link->funcs[f->callees[i]];

		if (callee->stack_bytes > below)
			below = callee->stack_bytes;
		f->recursive |= callee->recursive;
	}
	f->recursive |= f->indirect;
	if (__builtin_add_overflow(below, f->frame_bytes, &f->stack_bytes))
		f->stack_bytes = UINT32_MAX;
}

void sg_link_stacks(struct sg_link *link)
{
	struct deep *stack = sg_load_array(link->load, link->func_count, sizeof(*stack));
	uint8_t *state = sg_load_alloc(link->load, link->func_count);

	for (uint32_t i = 0; i < link->func_count; i++) {
		uint32_t depth = 0;

		if (state[i] != DEEP_NEW)
			continue;
		stack[depth++] = (struct deep){ .func = i };
		state[i] = DEEP_OPEN;
		while (depth > 0) {
			struct deep *top = &stack[depth - 1];
			struct sg_link_func *f = &link->funcs[top->func];

			if (top->next == f->callee_count) {
				finish(link, f);
				state[top->func] = DEEP_DONE;
				depth--;
				continue;
			}

			uint32_t callee = f->callees[top->next++];

			if (state[callee] == DEEP_OPEN)
				f->recursive = true;
			if (state[callee] != DEEP_NEW)
				continue;
			state[callee] = DEEP_OPEN;
			stack[depth++] = (struct deep){ .func = callee };
		}
	}
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exec_memory.c - where the addresses of a kernel lead, in every space */

/*
 * An access of a whole warp is checked as one range, from the lowest address to the end of the
 * highest, when all of that lies in one allocation; that is the usual case, and exact. Otherwise
 * each lane is checked by itself, and the first that fails is reported.
 */

#include <string.h>

#include "softgpu/machine/exec.h"
#include "softgpu/machine/exec_lanes.h"

static unsigned first_lane(uint32_t mask)
{
	return (unsigned)__builtin_ctz(mask);
}

static unsigned char *fail(struct sg_exec_warp *w, const struct sg_code_insn *insn, unsigned lane,
			   enum sg_fault_code code, uint64_t addr, uint32_t bytes, bool write)
{
	sg_exec_fault_access(w, insn, lane, code, addr, bytes, write ? "write" : "read");
	return NULL;
}

/* One of the three windows' memory, by offset. Return: NULL outside of it. */
static unsigned char *in_shared(struct sg_exec_warp *w, uint64_t offset, uint64_t bytes)
{
	const struct sg_cta *cta = w->cta;

	if (offset <= cta->shared_bytes && bytes <= cta->shared_bytes - offset)
		return cta->shared + offset;
	offset -= SG_EXEC_RESERVED_AT;
	return offset <= SG_EXEC_RESERVED_BYTES && bytes <= SG_EXEC_RESERVED_BYTES - offset
		       ? cta->shared + cta->reserved + offset
		       : NULL;
}

static unsigned char *in_local(struct sg_exec_warp *w, unsigned lane, uint64_t offset,
			       uint64_t bytes)
{
	uint32_t top = sg_exec_group(w)->call->local_top;

	return offset <= top && bytes <= top - offset
		       ? w->local + (size_t)lane * w->local_capacity + offset
		       : NULL;
}

static unsigned char *in_params(struct sg_exec_warp *w, uint64_t offset, uint64_t bytes)
{
	uint32_t end = w->cta->launch->params_bytes;

	/* Read-only: every writer is refused before it gets here. */
	return offset <= end && bytes <= end - offset
		       ? (unsigned char *)(uintptr_t)w->cta->launch->params + offset
		       : NULL;
}

static unsigned char *generic_at(struct sg_exec_warp *w, unsigned lane, uint64_t addr,
				 uint64_t bytes, bool write)
{
	uint64_t window = addr & ~(SG_MEMORY_WINDOW_BYTES - 1);
	uint64_t offset = addr & (SG_MEMORY_WINDOW_BYTES - 1);

	if (window == SG_MEMORY_SHARED_BASE)
		return in_shared(w, offset, bytes);
	if (window == SG_MEMORY_LOCAL_BASE)
		return in_local(w, lane, offset, bytes);
	if (window == SG_MEMORY_PARAM_BASE)
		return write ? NULL : in_params(w, offset, bytes);
	return sg_memory_at(&w->cta->cache, addr, bytes, write);
}

unsigned char *sg_exec_generic(struct sg_exec_warp *w, const struct sg_code_insn *insn,
			       unsigned lane, uint64_t addr, uint64_t bytes, bool write,
			       bool faults)
{
	unsigned char *host = bytes ? generic_at(w, lane, addr, bytes, write) : NULL;

	if (!host && faults)
		return fail(w, insn, lane, SG_FAULT_ILLEGAL_ADDRESS, addr, (uint32_t)bytes, write);
	return host;
}

static void note_race(struct sg_exec_warp *w, const struct sg_code_insn *insn, unsigned lane,
		      const unsigned char *host, uint32_t bytes, bool write)
{
	uintptr_t offset = (uintptr_t)host - (uintptr_t)w->cta->shared;

	if (w->cta->race && offset < w->cta->shared_bytes)
		sg_exec_race_access(w, insn, lane, (uint32_t)offset, bytes, write,
				    insn->op == SG_OP_ATOM || insn->op == SG_OP_RED);
}

unsigned char *sg_exec_at(struct sg_exec_warp *w, const struct sg_code_insn *insn, unsigned lane,
			  uint64_t addr, uint32_t bytes, bool write)
{
	unsigned char *host;

	switch (insn->space) {
	case SG_SPACE_SHARED:
		host = in_shared(w, addr, bytes);
		break;
	case SG_SPACE_LOCAL:
		host = in_local(w, lane, addr, bytes);
		break;
	case SG_SPACE_FRAME:
		addr += sg_exec_group(w)->call->local_base;
		host = in_local(w, lane, addr, bytes);
		break;
	case SG_SPACE_PARAM:
		host = write ? NULL : in_params(w, addr, bytes);
		break;
	case SG_SPACE_GLOBAL:
		host = sg_memory_at(&w->cta->cache, addr, bytes, write);
		break;
	case SG_SPACE_CONST:
		host = sg_memory_at(&w->cta->cache, addr, bytes, write);
		if (host && sg_memory_cached_kind(&w->cta->cache, addr) != SG_MEMORY_CONST)
			host = NULL;
		break;
	default:
		host = generic_at(w, lane, addr, bytes, write);
		break;
	}
	if (addr % bytes)
		return fail(w, insn, lane, SG_FAULT_MISALIGNED_ADDRESS, addr, bytes, write);
	if (!host)
		return fail(w, insn, lane, SG_FAULT_ILLEGAL_ADDRESS, addr, bytes, write);
	note_race(w, insn, lane, host, bytes, write);
	return host;
}

bool sg_exec_aim_each(struct sg_exec_warp *w, const struct sg_code_insn *insn, uint32_t mask,
		      const uint64_t addr[SG_LANES], uint32_t bytes, bool write,
		      uintptr_t at[SG_LANES])
{
	uintptr_t any = 0;

	for (uint32_t left = mask; left; left &= left - 1) {
		unsigned l = first_lane(left);
		unsigned char *host = sg_exec_at(w, insn, l, addr[l], bytes, write);

		if (!host)
			return false;
		at[l] = (uintptr_t)host;
		any = at[l];
	}
	for (uint32_t left = ~mask; left; left &= left - 1)
		at[first_lane(left)] = any;
	return true;
}

unsigned char *sg_exec_aim_range(struct sg_exec_warp *w, const struct sg_code_insn *insn,
				 uint64_t low, uint64_t bytes, bool write)
{
	switch (insn->space) {
	case SG_SPACE_SHARED:
		return in_shared(w, low, bytes);
	case SG_SPACE_PARAM:
		return write ? NULL : in_params(w, low, bytes);
	case SG_SPACE_GLOBAL:
		return sg_memory_at(&w->cta->cache, low, bytes, write);
	case SG_SPACE_GENERIC: {
		uint64_t window = low & ~(SG_MEMORY_WINDOW_BYTES - 1);

		if (window == SG_MEMORY_SHARED_BASE)
			return in_shared(w, low & (SG_MEMORY_WINDOW_BYTES - 1), bytes);
		if (window == SG_MEMORY_LOCAL_BASE || window == SG_MEMORY_PARAM_BASE)
			return NULL;
		return sg_memory_at(&w->cta->cache, low, bytes, write);
	}
	case SG_SPACE_CONST: {
		unsigned char *host = sg_memory_at(&w->cta->cache, low, bytes, write);

		return host && sg_memory_cached_kind(&w->cta->cache, low) == SG_MEMORY_CONST ? host
											     : NULL;
	}
	default:
		return NULL;
	}
}

/* prefetch, applypriority, discard: hints. A bad address does no harm on hardware either. */
static int hint(struct sg_exec_warp *w, const struct sg_code_insn *insn, unsigned char *frame,
		uint32_t mask)
{
	(void)w;
	(void)insn;
	(void)frame;
	(void)mask;
	return SG_EXEC_GO;
}

sg_exec_handler *sg_exec_memory_bind(const struct sg_code_insn *insn)
{
	return insn->op == SG_OP_PREFETCH ? hint : NULL;
}

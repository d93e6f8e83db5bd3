/* SPDX-License-Identifier: GPL-2.0-or-later */
/* code.h - flat code: what lowering makes of PTX and the machine runs */

/*
 * Theory of operation
 *
 * A function's registers live in a *frame*: a block of bytes, once for each warp that runs it. A
 * register's *slot* is a byte offset into the frame, aligned to 64, where its 32 lanes follow each
 * other:
 * - a predicate: one uint32_t, bit i for lane i (aligned to 4 only)
 * - 8 and 16 bits: 32 times uint16_t
 * - 32, 64, 128 bits: 32 times 4, 8, 16 bytes
 * Several registers share a slot where their lives do not overlap.
 *
 * Constants have slots, too: function->constants[] says which value every lane of which slot holds
 * from the frame's birth on; no instruction writes there. So a handler needs no case for
 * immediates: every operand is an array of lanes in the frame.
 *
 * Widths: an operand has the width of the instruction's type for it, but where PTX lets a register
 * be wider than the type: the destination of LD (dst_bytes), the value of ST (src_bytes), both of
 * CVT. What is written into a wider register is extended to all of its bits, with the sign for
 * signed types, with zeros for others; what is read from one are its low bits. An 8-bit type's
 * value stands in the low half of a 16-bit lane and is extended in it the same way. In all other
 * instructions lowering inserts SG_OP_WIDEN and SG_OP_TRUNCATE.
 *
 * A memory operand is src[0] (its base, 64 bits wide in every space; SG_SLOT_NONE: none) plus imm.
 * What the sum means, by `space`:
 * - SG_SPACE_GENERIC: a generic address, with the windows that memory.h has
 * - SG_SPACE_GLOBAL: an address of device memory (equal to its generic address)
 * - SG_SPACE_CONST: the same, and the memory is the module's constants
 * - SG_SPACE_SHARED: an offset into the block's shared memory
 * - SG_SPACE_LOCAL: an offset into the thread's local memory
 * - SG_SPACE_PARAM: an offset into the launch's parameters; in kernels only
 * - SG_SPACE_FRAME: an offset from the thread's current call frame in its local memory; no base
 *
 * Each active call has a call frame of frame_bytes in the thread's local memory, aligned to
 * frame_align. It holds the function's .local variables, its .param variables and its own formal
 * parameters.
 */

#ifndef VGPU_SOFTGPU_PTX_CODE_H
#define VGPU_SOFTGPU_PTX_CODE_H

#include "softgpu/ptx/isa.h"

#define SG_LANES 32
#define SG_SLOT_NONE UINT32_MAX
#define SG_SLOT_ALIGN 64u

/* A space of code that PTX does not have, beside isa.h's SG_SPACE_... */
#define SG_SPACE_FRAME SG_WORD_NUM

/* What mov of a function's name gives and an indirect call takes. No memory lies there. */
#define SG_CODE_ADDRESS_BASE 0x00f0000000000000ull
#define SG_CODE_ADDRESS_STEP 16u

#define SG_CODE_SRC_MAX 5

/*
 * One instruction, decoded. Fields that an instruction does not have are 0, slots SG_SLOT_NONE.
 * dst and src[] are in the order of the manual's syntax, with these exceptions:
 *
 * - LD: src[0] is the base. ST, RED: src[0] is the base, src[1] the value.
 * - ATOM: src[0] is the base, src[1] is b, src[2] is c; cas compares b and stores c.
 * - MOV_SREG: imm is the component (0 for .x to 3 for .w) or the number of an envreg or pm.
 * - MOV_SREG of FRAME: dst is the address in .local of the call frame, plus imm; of DYNAMIC_SHARED:
 *   the address in .shared of the dynamic part, plus imm. Both are 64 bits wide.
 * - BAR_...: src[0] is the barrier, src[1] the count of threads (SG_SLOT_NONE: all), src[2] the
 *   predicate.
 * - SHFL: src[0] a, src[1] b, src[2] c, src[3] member mask. SG_SLOT_NONE: the old form without one.
 * - VOTE, MATCH, REDUX: src[0] value, src[1] mask. SG_SLOT_NONE: the old form without one.
 * - MIN, MAX of f32: src[2] is the third input, or SG_SLOT_NONE.
 * - LOP3: imm is the table, 0 to 255. src[3] is the predicate of the form with bool_op.
 * - CVT with two sources: src[0] becomes the upper half, as the manual has it.
 * - CVTA: flag TO says that the way is into `space`. All operands are 64 bits wide.
 * - ISSPACEP: src[0] is 64 bits wide.
 * - ALLOCA: src[0] bytes, imm the alignment, 8 if none was written. Its dst, STACKSAVE's dst and
 *   STACKRESTORE's src[0] are addresses in .local. All are 64 bits wide.
 * - CP_ASYNC: src[0] + imm is the destination in shared, src[1] the whole source address in global,
 *   src[2] a constant 4, 8 or 16, src[3] how many bytes to read; others are zero. SG_SLOT_NONE:
 * all.
 * - MBARRIER_...: src[0] + imm is the address, other operands follow from src[1] on: a count or
 *   tx-count, a state or parity, a time limit in ns. PENDING_COUNT: src[0] is the state.
 * - PACK: type is the whole's, stype an element's; the first of vec elements in extra is the
 * lowest.
 * - UNPACK: the same with slots that are written, SG_SLOT_NONE for '_'; src[0] is the whole.
 * - Video: imm holds selectors, 16 bits for each of d, a, b, c from the lowest up; 0: none written.
 *   Scalar forms have 0x8000 | n for .bn, 0xc000 | n for .hn; 0x2000 in vmad negates that operand.
 *   SIMD forms have, for sources, 0x8000 | three bits for each digit, the last digit of the text
 *   lowest (.b3210: 0x8000 | 3 << 9 | 2 << 6 | 1 << 3 | 0); for d 0x8000 | a bit for each element.
 *
 * Cache policies, prefetches and what else says nothing here is dropped. A written '_' has a
 * register of its own, so dst is SG_SLOT_NONE only where the instruction has no destination; dst2
 * is SG_SLOT_NONE where none was asked for. A predicate that is read as !p was turned round by an
 * instruction before; only guards have guard_not.
 */
struct sg_code_insn {
	const void *handler; /* for the machine's own use; lowering leaves NULL and 0 */
	uint32_t handler_data[2];

	uint64_t flags; /* SG_BIT(...) */
	int64_t imm;
	uint8_t op;			  /* enum sg_op */
	uint8_t type, stype, type3;	  /* enum sg_type, in the order of the text */
	uint8_t round, cmp, bool_op, sub; /* enum sg_word, or 0 */
	uint8_t space;	    /* enum sg_word: one of those listed above; shared::cta is SHARED */
	uint8_t vec;	    /* elements of a vector operand: 1, 2, 4, 8 */
	uint8_t sem, scope; /* enum sg_word, or 0 */
	uint8_t sreg;	    /* MOV_SREG: enum sg_sreg */
	uint8_t guard_not;  /* 1: runs where the guard is 0 */
	uint8_t dst_bytes;  /* LD, CVT: bytes of the destination register: 2, 4, 8, 16 */
	uint8_t src_bytes;  /* ST, CVT: of the source register */
	uint32_t guard;	    /* predicate's slot; SG_SLOT_NONE: runs always */
	uint32_t dst;
	uint32_t dst2; /* setp's q; predicate of shfl, match.all, lop3, elect */
	uint32_t src[SG_CODE_SRC_MAX];

	/*
	 * BRA: index of the instruction it goes to. BRX: extra[target] is a count n, n indices
	 * follow. CALL: index into calls[]. LD, ST, RED with vec > 1: extra[target] is the first of
	 * vec slots; ATOM: of vec for dst, then vec for the value. PACK, UNPACK: of vec slots.
	 */
	uint32_t target;
	uint32_t line;	  /* in the text, from 1 */
	const char *name; /* as the text spells it, "ld.global.u32"; of the module's memory */
};

/* What all lanes of a slot hold from the frame's birth on. */
struct sg_code_constant {
	uint32_t slot;
	uint8_t bytes; /* of a lane: 2, 4, 8, 16; 0: a predicate, value is 0 or 1 for all lanes */
	uint64_t value;
	uint64_t value_high; /* of 16 bytes */
};

/* Where an argument or a parameter of a function lies. */
struct sg_code_place {
	bool in_frame;	/* in the call frame, at a byte offset; else in a register's slot */
	uint8_t lane;	/* of a register: bytes of a lane, as in struct sg_code_constant */
	uint32_t at;	/* offset, or slot (an actual argument may be a constant's) */
	uint32_t bytes; /* of the value */
};

/* Functions that the machine has in itself. Their addresses cannot be taken. */
enum sg_builtin {
	SG_BUILTIN_NONE,
	SG_BUILTIN_VPRINTF,    /* (b64 format, b64 arguments) -> b32 */
	SG_BUILTIN_ASSERTFAIL, /* (b64 message, b64 file, b32 line, b64 function, b64 char size) */
	SG_BUILTIN_MALLOC,     /* (b64) -> b64 */
	SG_BUILTIN_FREE,       /* (b64) */
	SG_BUILTIN_NUM
};

/*
 * One call of the text: actual arguments, and where its results go, in the caller's frames.
 * CALL copies args one by one into the callee's params, RET copies the callee's rets into the
 * call's rets. Lowering has checked counts and sizes of direct calls and builtins; of indirect ones
 * (src[0]: an address from SG_CODE_ADDRESS_BASE on) the machine checks function, counts and sizes.
 */
struct sg_code_call {
	const struct sg_code_function *function; /* NULL: a builtin, or indirect */
	uint8_t builtin;			 /* enum sg_builtin */
	uint16_t arg_count;
	uint16_t ret_count; /* 0 or 1 */
	struct sg_code_place *args;
	struct sg_code_place *rets;
};

struct sg_code_param {
	const char *name;
	uint32_t offset; /* in the launch's parameters */
	uint32_t bytes;
	uint32_t align;
};

struct sg_code_function {
	const char *name;
	bool entry;
	uint32_t index; /* in module->functions */
	uint32_t line;

	struct sg_code_insn *insns; /* never runs over the end: the last one is EXIT, RET, BRA... */
	uint32_t insn_count;
	uint32_t register_bytes; /* of the frame, constants included; a multiple of 64 */
	struct sg_code_constant *constants;
	uint32_t constant_count;
	uint32_t *extra;
	uint32_t extra_count;
	struct sg_code_call *calls;
	uint32_t call_count;

	uint32_t frame_bytes;	      /* of local memory, for each active call */
	uint32_t frame_align;	      /* a power of two, 16 at least */
	struct sg_code_place *params; /* formal ones of a device function */
	uint32_t param_count;
	struct sg_code_place *rets;
	uint32_t ret_count;
	uint32_t reg_count; /* what NUM_REGS may say: 32-bit registers alive at once, 16 to 255 */

	/* of a kernel */
	struct sg_code_param *kernel_params;
	uint32_t kernel_param_count;
	uint32_t kernel_param_bytes; /* of all, up to 32,764 */
	uint32_t shared_bytes; /* static, with what the functions that it may call use; the dynamic
				  part starts here */
	uint32_t shared_align; /* of the dynamic part; shared_bytes is a multiple of it */
	uint32_t max_ntid[3];  /* .maxntid, else 0 0 0; their product is the bound */
	uint32_t req_ntid[3];  /* .reqntid, else 0 0 0 */
	uint32_t min_ncta_per_sm; /* .minnctapersm, else 0 */
	uint32_t max_nreg;	  /* .maxnreg, else 0 */
	bool calls_indirect;	  /* it, or a function that it may call, calls through an address */
	bool recursive;		  /* its call graph has a circle: no bound on the stack is known */
	uint32_t stack_bytes; /* of local memory if not recursive: frames of the deepest chain */
};

/* A variable of the module in global or constant memory. */
struct sg_code_global {
	const char *name;
	bool constant;	 /* .const */
	bool visible;	 /* cuModuleGetGlobal finds it */
	uint64_t offset; /* in the image of its space */
	uint64_t bytes;
	uint32_t align;
	uint64_t address; /* once placed */
};

struct sg_module_private;

/* A module, linked and lowered; made by module.h. */
struct sg_module {
	struct sg_code_function *functions; /* those that have a body, kernels and others */
	uint32_t function_count;
	struct sg_code_global *globals;
	uint32_t global_count;

	/*
	 * What global and constant variables hold at first; sg_module_place() fills in addresses.
	 * The caller allocates device memory for both, places, and copies these bytes there.
	 */
	uint8_t *global_image;
	uint64_t global_image_bytes;
	uint64_t global_bytes; /* of all variables; what the image does not hold is zero */
	uint32_t global_align; /* 1 at least */
	uint8_t *constant_image;
	uint64_t constant_image_bytes;
	uint64_t constant_bytes;
	uint32_t constant_align;

	uint16_t ptx_version;		   /* times ten, the highest of its texts */
	uint16_t target;		   /* 75 for sm_75, the highest of its texts */
	struct sg_module_private *private; /* owns all of this */
};

/* Return: the function at an address that mov of its name gave, NULL if there is none. */
static inline const struct sg_code_function *sg_code_function_at(const struct sg_module *module,
								 uint64_t address)
{
	uint64_t index = (address - SG_CODE_ADDRESS_BASE) / SG_CODE_ADDRESS_STEP;

	if (address < SG_CODE_ADDRESS_BASE || index >= module->function_count ||
	    address % SG_CODE_ADDRESS_STEP != 0)
		return NULL;
	return &module->functions[index];
}

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* code.h - flat code: what lowering makes of PTX and the machine runs */

/*
 * Theory of operation
 *
 * A function's registers live in a *frame* of slots, once for each warp that runs it. A slot is 32
 *lanes of 32 bits (128 bytes). A register of 8, 16 or 32 bits and a predicate takes one slot, one
 *of 64 bits takes two that follow each other and are read as 32 lanes of 64 bits, one of 128 bits
 *four. A slot number >= 0 counts slots from the frame's start; several registers share a slot where
 *their lives do not overlap.
 *
 * Constants are operands like registers: a negative slot number n means slot ~n of the function's
 * constants, which hold every value once for each lane in the same layout. So a handler needs no
 *case for immediates: an operand is always an array of 32 lanes.
 *
 * Widths: operands have the instruction's types' widths, lowering inserts SG_OP_WIDEN and
 *SG_OP_TRUNCATE where PTX lets a register be wider than the type. An instruction with a type
 *narrower than 32 bits reads the low bits of its 32-bit lanes, whatever stands above, and writes
 *results extended to 32 bits: with the sign for signed types, with zeros for others. A predicate's
 *lane is 0 or 1.
 *
 * Memory operands are src[0] (base address; SG_SLOT_NONE: none) plus imm. Spaces as `space` says:
 *	SG_SPACE_GENERIC	generic address, windows as memory.h has them
 *	SG_SPACE_GLOBAL		address of device memory (equal to its generic address)
 *	SG_SPACE_CONST		the same, in the module's constants; generic addresses, too
 *	SG_SPACE_SHARED		offset into the block's shared memory
 *	SG_SPACE_LOCAL		offset into the thread's local memory
 *	SG_SPACE_PARAM		offset into the launch's parameters (kernels only)
 *	SG_SPACE_FRAME		offset from the thread's current call frame in its local memory; no
 *base An address without any base in SG_SPACE_GENERIC, GLOBAL and SHARED is imm alone. Base
 *registers are 64 bits wide in all spaces (lowering widens).
 *
 * Local memory: a call frame of `frame_bytes` for each active call. It holds the function's .local
 * variables, its .param variables and its own formal parameters. Frames are aligned to 16 bytes, or
 *to frame_align where that is more.
 */

#ifndef VGPU_SOFTGPU_CODE_H
#define VGPU_SOFTGPU_CODE_H

#include "softgpu/isa.h"

#define SG_LANES 32
#define SG_SLOT_BYTES (SG_LANES * 4)

#define SG_SLOT_NONE INT32_MIN

/* Spaces of code that PTX does not have; beside SG_SPACE_... of isa.h. */
#define SG_SPACE_FRAME SG_WORD_NUM

/* Function addresses: what mov of a function's name gives, and an indirect call takes. Never
 * memory. */
#define SG_CODE_ADDRESS_BASE 0x00f0000000000000ull
#define SG_CODE_ADDRESS_STEP 16u

struct sg_code_insn;

#define SG_CODE_SRC_MAX 5

/* One instruction, decoded. Fields that an instruction does not have are 0, slots SG_SLOT_NONE. */
struct sg_code_insn {
	const void *handler; /* for the machine's own use; lowering leaves NULL */
	uint64_t flags;	     /* SG_BIT(...) */
	int64_t imm;   /* offset of an address; component of MOV_SREG; selectors; lop3's table */
	uint8_t op;    /* enum sg_op */
	uint8_t type;  /* enum sg_type: first type of the text */
	uint8_t stype; /* second */
	uint8_t type3; /* third */
	uint8_t round, cmp, bool_op, sub; /* enum sg_word, or 0 */
	uint8_t space; /* enum sg_word of class SPACE, SG_SPACE_GENERIC when none was written; or
			  SG_SPACE_FRAME */
	uint8_t vec;   /* 1, 2, 4, 8: elements of a vector operand */
	uint8_t sem, scope; /* enum sg_word, or 0 */
	uint8_t sreg;	    /* MOV_SREG: enum sg_sreg */
	uint8_t guard_not;  /* runs where the guard is 0 */
	uint8_t src_count;  /* of src[] */
	int32_t guard;	    /* predicate's slot, SG_SLOT_NONE: runs always */
	int32_t dst;
	int32_t dst2; /* setp's q; predicate of shfl, match.all, lop3, elect */
	int32_t src[SG_CODE_SRC_MAX];
	/*
	 * BRA: index of the instruction it goes to. BRX: function->extra[target] is a count n, n
	 * indices follow. CALL: index into function->calls. LD, ST, ATOM, RED with vec > 1:
	 * function->extra[target] is the first of vec slots of dst (LD), of the value (ST, RED);
	 * ATOM: vec of dst, then vec of value. PACK: stype is an element's type, type the whole's,
	 * vec elements in extra. UNPACK: the same, the slots are written, SG_SLOT_NONE for '_'.
	 */
	uint32_t target;
	uint32_t line; /* in the text */
};

/*
 * Operands by instruction: dst and src are in the order of the manual's syntax with these
 *exceptions. LD	dst, src[0] base. A vector's elements are extra. ST	src[0] base, src[1]
 *value. ATOM	dst, src[0] base, src[1] b, src[2] c (cas: b is compared, c is stored). RED
 *src[0] base, src[1] value. Cache policies, evictions and prefetch sizes are dropped. MOV_SREG
 *sreg, imm is the component (0 x to 3 w) or the number of an envreg or pm.
 *	BAR_*	src[0] barrier, src[1] thread count (SG_SLOT_NONE: all), BAR_RED: src[2] the
 *predicate.
 *	SHFL	dst, dst2, src[0] a, src[1] b, src[2] c, src[3] member mask (SG_SLOT_NONE: old form,
 *active). VOTE, MATCH, REDUX	src[0] value, src[1] mask (SG_SLOT_NONE: old form). ELECT	dst,
 *dst2, src[0] mask. CP_ASYNC src[0] + imm: destination in shared; src[1]: source address, complete
 *(no offset); src[2]: bytes to copy (u32 constant: 4, 8, 16); src[3]: bytes to read, the others are
 *zero; SG_SLOT_NONE: all. (ignore-src has been turned into src[3].) MBARRIER_*	address in src[0] +
 *imm, other operands from src[1] on. ARRIVE: src[1] count or tx. WAIT: src[1] state or parity,
 *src[2] time limit in ns. CVTA	dst, src[0]; space; FLAG TO for the way into the space. type and
 *operands are 64 bit. ISSPACEP dst, src[0], space.
 *	LOP3	imm is the table (0 to 255); src[3] is the predicate of the form with bool_op.
 *	Video: selectors in imm, 16 bits for each of d, a, b, c from the lowest up; 0: none was
 *written. Scalar: 0x8000 | n for .bn, 0x8000 | 0x4000 | n for .hn. vmad: 0x2000 negates that
 *operand. SIMD: 0x8000 | three bits for each digit, the last digit of the text lowest (.b3210:
 *		0x8000 | 3 << 9 | 2 << 6 | 1 << 3 | 0). The destination's: 0x8000 | bit set for each
 *element. NANOSLEEP src[0]. ALLOCA dst, src[0] size, imm alignment (8 if none). A written '_' has a
 *register of its own, so that dst is never SG_SLOT_NONE where one is needed; dst2 is SG_SLOT_NONE
 *where none was asked for. A predicate that is read as !p was turned round by an instruction
 *before. Predicates as guards are not.
 */

/* Where an argument or a parameter of a function lies. */
struct sg_code_place {
	bool in_frame;	/* in the call frame of local memory at `at`, else register slot `at` */
	int32_t at;	/* byte offset, or slot (negative: constant, actual arguments only) */
	uint32_t bytes; /* 1 to ...; of a register 1 (predicate and .b8 too), 2, 4, 8 or 16 */
};

/* Functions that the machine has in itself. Their addresses cannot be taken. */
enum sg_builtin {
	SG_BUILTIN_NONE,
	SG_BUILTIN_VPRINTF,    /* (b64 format, b64 arguments) -> b32, as nvcc's vprintf */
	SG_BUILTIN_ASSERTFAIL, /* (b64 message, b64 file, b32 line, b64 function, b64 char bytes) */
	SG_BUILTIN_MALLOC,     /* (b64) -> b64 */
	SG_BUILTIN_FREE,       /* (b64) */
	SG_BUILTIN_NUM
};

/* One call in the text: actual arguments and where the results go, in the caller's frame. */
struct sg_code_call {
	int32_t function; /* index into module->functions, -1: builtin, or indirect through src[0]
			   */
	uint8_t builtin;  /* enum sg_builtin */
	uint16_t arg_count;
	uint16_t ret_count; /* 0 or 1 */
	struct sg_code_place *args;
	struct sg_code_place *rets;
};
/*
 * CALL copies args into the callee's params one by one, RET copies the callee's rets into the
 * call's rets. For direct calls lowering has checked that counts and sizes agree; for indirect ones
 * (src[0]: address, from SG_CODE_ADDRESS_BASE on) the machine checks function, counts and sizes,
 * and faults.
 */

struct sg_code_param {
	char *name;
	uint32_t offset; /* of a kernel: in the launch's parameters */
	uint32_t bytes;
	uint32_t align;
};

struct sg_code_function {
	char *name;
	bool entry;
	uint32_t index; /* in module->functions */
	uint32_t line;

	struct sg_code_insn *insns; /* the last one is always EXIT (kernels), RET, BRA or TRAP */
	uint32_t insn_count;
	uint32_t slot_count; /* of the frame */
	uint32_t *constants; /* constant_slots * SG_LANES words, aligned to 64 bytes */
	uint32_t constant_slots;
	int32_t *extra;
	uint32_t extra_count;
	struct sg_code_call *calls;
	uint32_t call_count;

	uint32_t frame_bytes; /* of local memory for each active call */
	uint32_t frame_align;
	struct sg_code_place *params; /* of a device function */
	uint32_t param_count;
	struct sg_code_place *rets;
	uint32_t ret_count;

	/* of a kernel */
	struct sg_code_param *kernel_params;
	uint32_t kernel_param_count;
	uint32_t kernel_param_bytes; /* of all: up to 32,764 */
	uint32_t shared_bytes; /* static, of the functions it may call, too; dynamic memory starts
				  here */
	uint32_t shared_align; /* alignment of the dynamic part; shared_bytes is a multiple of it */
	uint32_t max_ntid[3];  /* .maxntid, else 0 0 0; a product counts, see the manual */
	uint32_t req_ntid[3];  /* .reqntid, else 0 0 0 */
	uint32_t min_ncta_per_sm; /* .minnctapersm, else 0 */
	uint32_t max_nreg;	  /* .maxnreg, else 0 */
	uint32_t reg_count; /* what cuFuncGetAttribute(NUM_REGS) may say: 32-bit registers alive at
			       once */
	uint32_t barrier_count; /* named barriers used by constant number: highest + 1; 16 if
				   unknown */
	bool uses_calls_indirect;
};

/* A variable of the module in global or constant memory that has a name for its users. */
struct sg_code_global {
	char *name;
	bool constant;	 /* .const */
	bool visible;	 /* cuModuleGetGlobal finds it */
	uint64_t offset; /* in the image of its space */
	uint64_t bytes;
	uint32_t align;
	uint64_t address; /* once placed */
};

struct sg_code_relocation;

/* A module, linked and lowered. Made by module.h. Functions refer to each other by index. */
struct sg_module {
	struct sg_code_function *functions;
	uint32_t function_count;
	struct sg_code_global *globals;
	uint32_t global_count;

	/*
	 * Bytes that global and constant variables start with, addresses filled in by
	 * sg_module_place(). The caller has two allocations made for them and copies these there,
	 * after placing.
	 */
	uint8_t *global_image;
	uint64_t global_bytes;
	uint32_t global_align;
	uint8_t *constant_image;
	uint64_t constant_bytes;
	uint32_t constant_align;

	struct sg_code_relocation *relocations;
	uint32_t relocation_count;

	uint16_t ptx_version; /* times ten, the highest of its texts */
	uint16_t target;      /* sm times ten: sm_75 is 75 */
	void *arena;	      /* owns everything above */
};

#endif

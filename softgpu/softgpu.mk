# SPDX-License-Identifier: GPL-2.0-or-later
# softgpu.mk - the CUDA device in software: what the library and softgpu-run are made of

# Reads PTX text to flat code.
SOFTGPU_ISA_SRC := $(addprefix softgpu/ptx/,isa.c isa_match.c isa_operand.c isa_variant.c)
SOFTGPU_FRONT_SRC := $(SOFTGPU_ISA_SRC) $(addprefix softgpu/ptx/,link.c link_reach.c load.c lower.c lower_call.c lower_lives.c \
	lower_memory.c lower_operand.c lower_slots.c module.c module_keep.c check.c check_own.c expr.c func.c \
	init.c insn.c lex.c parse.c print.c print_operand.c scope.c var.c table.c)

# Memory and resident blocks: runs flat code.
SOFTGPU_MACHINE_SRC := $(addprefix softgpu/machine/,arith_soft.c bind.c cta.c exec_atomic.c exec_barrier.c \
	exec_call.c exec_convert.c exec_fault.c exec_float.c exec_group.c exec_mbarrier.c exec_memory.c exec_move.c \
	exec_print.c exec_race.c exec_slow.c exec_test.c exec_video.c exec_warp.c lanes_base.c lanes_v3.c memory.c \
	range.c)

# Streams, events, launches, the public interface (softgpu/softgpu.h).
SOFTGPU_DEVICE_SRC := $(addprefix softgpu/device/,allocate.c attribute.c callback.c command.c copier.c \
	copy.c device.c engine.c event.c function.c grid.c handle.c heap.c launch.c mark.c occupancy.c open.c \
	pool.c print_buffer.c program.c result.c stream.c stream_calls.c switches.c transfer.c watch.c)

# The ready surroundings: clock, output, threads.
SOFTGPU_HOST_SRC := softgpu/host.c

SOFTGPU_RUN_SRC := $(addprefix softgpu/run/,fail.c main.c options.c show.c)

SOFTGPU_SRC := $(SOFTGPU_FRONT_SRC) $(SOFTGPU_MACHINE_SRC) $(SOFTGPU_DEVICE_SRC) $(SOFTGPU_HOST_SRC)
SOFTGPU_LIBS := -lpthread -lm

# Every product and sum is rounded by itself, as the PTX manual has it.
$(B)/softgpu/%.o: CFLAGS_ALL += -ffp-contract=off -fno-fast-math

# Loops over lanes become vectors. Nothing reads errno of a square root, nor the processor's exception flags.
$(addprefix $(B)/softgpu/machine/,lanes_base.o lanes_v3.o): CFLAGS_ALL += -O3 -fno-math-errno -fno-trapping-math

ifneq ($(SOFTGPU_RUN_SRC),)
PROGRAMS += $(B)/bin/softgpu-run
$(B)/bin/softgpu-run: $(call obj,$(SOFTGPU_RUN_SRC) $(SOFTGPU_SRC) common/kernel_argument.c common/util.c)
$(B)/bin/softgpu-run: LDLIBS := $(SOFTGPU_LIBS)
endif

# The benchmark: kernels as nvcc wrote them, beside the same C on one processor.
$(B)/bin/bench-softgpu: $(call obj,bench/softgpu.c bench/softgpu_native.c $(SOFTGPU_SRC) common/util.c) \
	$(B)/bench/softgpu_kernels.o
$(B)/bin/bench-softgpu: LDLIBS := $(SOFTGPU_LIBS)
$(B)/bench/softgpu_kernels.o: bench/softgpu_kernels.S bench/softgpu_kernels.ptx
	@mkdir -p $(@D)
	@$(CC) -c -I. -o $@ $<

# Needs nvcc; its output is in the tree.
.PHONY: softgpu-bench-ptx
softgpu-bench-ptx:
	$(NVCC) -ptx -arch=compute_75 -o bench/softgpu_kernels.ptx bench/softgpu_kernels.cu

# The table of instructions in docs/softgpu.md, written anew.
.PHONY: softgpu-table
softgpu-table: $(B)/bin/softgpu-run
	@sed -i -e '/^<!-- table: begin -->/,/^<!-- table: end -->/{//!d}' \
		-e '/^<!-- table: begin -->/r '<($< --table) docs/softgpu.md

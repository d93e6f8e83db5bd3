# SPDX-License-Identifier: GPL-2.0-or-later
# tests.mk - softgpu's unit tests, each with the files that it links: $(eval $(call unit-test,softgpu/NAME,FILES,LIBRARIES))
# The whole device, with kernels' machinery linked but idle.
$(eval $(call unit-test,softgpu/test_streams,$(SOFTGPU_SRC) common/util.c,$(SOFTGPU_LIBS)))
$(eval $(call unit-test,softgpu/test_copies,$(SOFTGPU_SRC) common/util.c,$(SOFTGPU_LIBS)))

# Arithmetic, against rounding by search and bit-by-bit loops; the two sets of handlers against each other.
$(eval $(call unit-test,softgpu/test_arith_int,softgpu/machine/arith_soft.c,-lm))
$(eval $(call unit-test,softgpu/test_arith_round,softgpu/machine/arith_soft.c,-lm))
$(eval $(call unit-test,softgpu/test_lanes,$(SOFTGPU_FRONT_SRC) $(SOFTGPU_MACHINE_SRC),$(SOFTGPU_LIBS)))
$(B)/tests/unit/softgpu/%.o: CFLAGS_ALL += -ffp-contract=off
$(eval $(call unit-test,softgpu/test_kernels,$(SOFTGPU_SRC) common/util.c $(B)/tests/unit/softgpu/kernels.o,$(SOFTGPU_LIBS)))
$(eval $(call unit-test,softgpu/test_storm,$(SOFTGPU_SRC) common/util.c $(B)/tests/unit/softgpu/kernels.o,$(SOFTGPU_LIBS)))
$(B)/tests/unit/softgpu/kernels.o: tests/unit/softgpu/kernels.S tests/unit/softgpu/kernels.ptx
	@mkdir -p $(@D)
	@$(CC) -c -I. -o $@ $<

# PTX texts to code: the parser's and the linker's parts alone.
$(eval $(call unit-test,softgpu/test_isa,$(SOFTGPU_ISA_SRC) softgpu/ptx/table.c))
$(eval $(call unit-test,softgpu/test_ptx,$(SOFTGPU_FRONT_SRC)))
$(eval $(call unit-test,softgpu/test_module,$(SOFTGPU_FRONT_SRC)))

# Device memory; blocks of kernels without device, streams or engine.
$(eval $(call unit-test,softgpu/test_memory,softgpu/machine/memory.c softgpu/machine/range.c,-lpthread))
$(eval $(call unit-test,softgpu/test_machine,$(SOFTGPU_FRONT_SRC) $(SOFTGPU_MACHINE_SRC),$(SOFTGPU_LIBS)))
$(eval $(call unit-test,softgpu/test_nan,$(SOFTGPU_FRONT_SRC) $(SOFTGPU_MACHINE_SRC),$(SOFTGPU_LIBS)))

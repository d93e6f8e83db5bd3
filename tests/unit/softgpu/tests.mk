# SPDX-License-Identifier: GPL-2.0-or-later
# tests.mk - softgpu's unit tests, each with the files that it links: $(eval $(call unit-test,softgpu/NAME,FILES,LIBRARIES))
# The whole device, with kernels' machinery linked but idle.
$(eval $(call unit-test,softgpu/test_streams,$(SOFTGPU_SRC) common/util.c,$(SOFTGPU_LIBS)))
$(eval $(call unit-test,softgpu/test_copies,$(SOFTGPU_SRC) common/util.c,$(SOFTGPU_LIBS)))

# Arithmetic, against rounding by search and bit-by-bit loops; the two sets of handlers against each other.
$(eval $(call unit-test,softgpu/test_arith_int,softgpu/arith_soft.c,-lm))
$(eval $(call unit-test,softgpu/test_arith_round,softgpu/arith_soft.c,-lm))
$(eval $(call unit-test,softgpu/test_lanes,softgpu/lanes_base.c softgpu/lanes_v3.c softgpu/isa.c,-lm))
$(B)/tests/unit/softgpu/%.o: CFLAGS_ALL += -ffp-contract=off
$(eval $(call unit-test,softgpu/test_kernels,$(SOFTGPU_SRC) common/util.c $(B)/tests/unit/softgpu/kernels.o,$(SOFTGPU_LIBS)))
$(B)/tests/unit/softgpu/kernels.o: tests/unit/softgpu/kernels.S tests/unit/softgpu/kernels.ptx
	@mkdir -p $(@D)
	@$(CC) -c -I. -o $@ $<

# PTX texts to code: the parser's and the linker's parts alone.
$(eval $(call unit-test,softgpu/test_ptx,$(SOFTGPU_FRONT_SRC)))

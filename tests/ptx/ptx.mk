# SPDX-License-Identifier: GPL-2.0-or-later
# ptx.mk - ptx-suite: kernels with known results, on softgpu or on a real GPU; its bundle; its PTX made anew

PTX_SUITE_SRC := $(addprefix tests/ptx/,suite.c trial.c trial_check.c trial_file.c trial_keep.c cases.c cases_atomics.c \
	cases_control.c cases_crypto.c cases_elementary.c cases_faults.c cases_foreign.c cases_forms.c cases_graphs.c \
	cases_halves.c cases_integers.c cases_mathematics.c cases_matrix.c cases_memory.c cases_numeric.c \
	cases_sorting.c cases_structs.c cases_text.c cases_triton.c cases_warps.c form.c memory_form.c inputs.c oracle.c \
	oracle_approximations.c oracle_bits.c oracle_comparisons.c oracle_conversions.c oracle_floats.c \
	oracle_format.c oracle_integers.c oracle_videos.c gpu_cuda.c)

# Expected values are rounded one by one.
$(B)/tests/ptx/%.o: CFLAGS_ALL += -ffp-contract=off
$(B)/tests/ptx/suite.o: CFLAGS_ALL += -DPTX_SUITE_SOFTGPU

$(B)/bin/ptx-suite: $(call obj,$(PTX_SUITE_SRC) tests/ptx/gpu_soft.c $(SOFTGPU_SRC) common/util.c)
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	@$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) $(SOFTGPU_LIBS) -ldl

# For machines with a GPU: no softgpu in it but the table of instructions.
$(B)/tests/ptx/suite_cuda.o: tests/ptx/suite.c | $(PREREQ)
	@mkdir -p $(@D)
	@echo "  CC    $< (cuda)"
	@$(CC) $(filter-out -DPTX_SUITE_SOFTGPU,$(CFLAGS_ALL)) -c -o $@ $<
$(B)/bin/ptx-suite-cuda: $(filter-out %/suite.o,$(call obj,$(PTX_SUITE_SRC) $(SOFTGPU_ISA_SRC))) \
		$(B)/tests/ptx/suite_cuda.o
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	@$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) -ldl -lm

.PHONY: ptx-suite ptx-bundle ptx-anew
ptx-suite: $(B)/bin/ptx-suite

# A folder that runs on a machine with a GPU and nothing installed: ptx-bundle/run.sh.
ptx-bundle: $(B)/bin/ptx-suite-cuda
	@rm -rf $(B)/ptx-bundle && mkdir -p $(B)/ptx-bundle
	@cp $(B)/bin/ptx-suite-cuda $(B)/ptx-bundle/ptx-suite
	@cp tests/ptx/bundle_run.sh $(B)/ptx-bundle/run.sh
	@cp -r tests/ptx/kernels tests/ptx/numba tests/ptx/triton tests/ptx/nvrtc tests/ptx/emit_ptx.py $(B)/ptx-bundle
	@echo "  DIR   $(B)/ptx-bundle"

# The checked-in PTX once more, by nvcc 13; a head of a kernel's file may name arch: and flags:.
ptx-anew:
	@set -e; for cu in tests/ptx/kernels/*.cu; do \
		arch=$$(sed -n 's|^// arch: ||p' $$cu); flags=$$(sed -n 's|^// flags: ||p' $$cu); \
		echo "  PTX   $$cu"; $(NVCC) -ptx -arch=$${arch:-sm_75} $$flags -o $${cu%.cu}.ptx $$cu; done

# SPDX-License-Identifier: GPL-2.0-or-later
# ptx.mk - ptx-suite: kernels with known results, on softgpu or on a real GPU; its bundle; its PTX made anew

PTX_SUITE_SRC := $(addprefix tests/ptx/,suite.c trial.c trial_check.c trial_file.c trial_keep.c cases.c cases_atomics.c \
	cases_control.c cases_crypto.c cases_elementary.c cases_faults.c cases_foreign.c cases_forms.c cases_graphs.c \
	cases_halves.c cases_hand.c cases_integers.c cases_mathematics.c cases_matrix.c cases_memory.c cases_numeric.c cases_refused.c \
	cases_samples.c cases_sorting.c cases_structs.c cases_text.c cases_triton.c cases_warps.c form.c memory_form.c writer.c inputs.c oracle.c \
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
	@cp -r tests/ptx/kernels tests/ptx/numba tests/ptx/triton tests/ptx/nvrtc tests/ptx/hand tests/ptx/clang tests/ptx/emit_ptx.py $(B)/ptx-bundle
	@echo "  DIR   $(B)/ptx-bundle"

# The checked-in PTX once more. A kernel's file may name arch: and flags: of nvcc 13 in its head; clang 14 makes
# older forms of some; paths of this machine do not belong into the tree. What NVRTC, numba and Triton
# write comes from emit_ptx.py on a machine that has them.
PTX_CLANG := elementary:70:65 sorting:70:63 control:70:65 crypto:60:60 matrix:60:60 graphs:70:75
ptx-anew:
	@set -e; dir=$$(mktemp -d); trap 'rm -rf $$dir' EXIT; cp -r tests/ptx/kernels $$dir; \
	for cu in tests/ptx/kernels/*.cu; do name=kernels/$$(basename $$cu .cu); \
		arch=$$(sed -n 's|^// arch: ||p' $$cu); flags=$$(sed -n 's|^// flags: ||p' $$cu); \
		echo "  PTX   $$cu"; \
		(cd $$dir && $(NVCC) -ptx -arch=$${arch:-sm_75} $$flags -o $$name.ptx $$name.cu); \
		sed "s|\"$$dir/kernels/|\"kernels/|" $$dir/$$name.ptx > tests/ptx/$$name.ptx; done
	@set -e; for entry in $(PTX_CLANG); do IFS=: read -r name sm ptx <<<"$$entry"; \
		echo "  PTX   tests/ptx/clang/$$name.ptx"; \
		$(CLANG) -x cuda --cuda-device-only -nocudainc -nocudalib -O2 -S --cuda-gpu-arch=sm_$$sm \
			-D__CUDACC__ -Wno-unknown-cuda-version -Xclang -target-feature -Xclang +ptx$$ptx -Itests/ptx/kernels \
			-include tests/ptx/kernels/clang_cuda.h tests/ptx/kernels/$$name.cu \
			-o tests/ptx/clang/$$name.ptx; done

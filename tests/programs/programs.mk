# SPDX-License-Identifier: GPL-2.0-or-later
# programs.mk - the suite that judges a libcuda.so.1

SUITE_FILES := suite case_device case_context case_memory case_host case_pointer case_copy case_box case_set case_module case_link \
	case_library case_function case_launch case_limit case_stream case_event case_order case_threads case_block \
	case_fault case_lookup case_fork case_wrong case_alike
SUITE := $(B)/tests/programs/suite
VICTIM := $(B)/tests/programs/victim
HOLDER := $(B)/tests/programs/holder

ifneq ($(CUDA_HEADER),)
check-programs: $(SUITE) $(VICTIM) $(HOLDER) examples
endif

$(B)/tests/programs/%.o: CFLAGS_ALL += $(CUDA_PROGRAM_CFLAGS)
$(B)/tests/programs/suite.o $(VICTIM).o: tests/programs/kernels.ptx
$(SUITE): $(call obj,$(patsubst %,tests/programs/%.c,$(SUITE_FILES))) | $(CUDA_LIBRARY)
	@echo "  LINK  $@"
	@$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) $(CUDA_LIBRARY) -lpthread -ldl

$(VICTIM): $(VICTIM).o | $(CUDA_LIBRARY)
	@echo "  LINK  $@"
	@$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) $(CUDA_LIBRARY)

$(HOLDER): $(HOLDER).o | $(CUDA_LIBRARY)
	@echo "  LINK  $@"
	@$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) $(CUDA_LIBRARY)

# Needs nvcc; its output is in the tree.
.PHONY: suite suite-ptx
suite: $(SUITE) $(VICTIM) $(HOLDER)
suite-ptx:
	$(NVCC) -ptx -arch=compute_75 -o tests/programs/kernels.ptx tests/programs/kernels.cu

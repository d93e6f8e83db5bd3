# SPDX-License-Identifier: GPL-2.0-or-later
# guest.mk - CUDA programs that the tests run in a guest, besides the examples

ROUNDS := $(B)/tests/guest/rounds
CUDA_TRY := $(B)/tests/guest/cuda-try

$(B)/tests/guest/rounds.o $(B)/tests/guest/cuda_try.o: CFLAGS_ALL += $(CUDA_PROGRAM_CFLAGS)
$(B)/tests/guest/rounds.o $(B)/tests/guest/cuda_try.o: tests/programs/kernels.ptx
$(CUDA_TRY): $(B)/tests/guest/cuda_try.o | $(CUDA_LIBRARY)
	@echo "  LINK  $@"
	@$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) $(CUDA_LIBRARY)
$(ROUNDS): $(B)/tests/guest/rounds.o | $(CUDA_LIBRARY)
	@echo "  LINK  $@"
	@$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) $(CUDA_LIBRARY)

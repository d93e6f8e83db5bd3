# SPDX-License-Identifier: GPL-2.0-or-later
# guest.mk - CUDA programs that the tests run in a guest, besides the examples

ROUNDS := $(B)/tests/guest/rounds

$(B)/tests/guest/rounds.o: CFLAGS_ALL += $(CUDA_PROGRAM_CFLAGS)
$(B)/tests/guest/rounds.o: tests/programs/kernels.ptx
$(ROUNDS): $(B)/tests/guest/rounds.o
	@echo "  LINK  $@"
	@$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) $(CUDA_LIBRARY)

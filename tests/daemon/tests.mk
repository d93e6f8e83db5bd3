# SPDX-License-Identifier: GPL-2.0-or-later
# tests.mk - what tests of the daemon put in the place of the driver's libraries

FAKE_NVML := $(B)/tests/daemon/fake_nvml.so
check-programs: $(FAKE_NVML)
$(B)/tests/daemon/fake_nvml.o: CFLAGS_ALL += -fPIC
$(FAKE_NVML): $(B)/tests/daemon/fake_nvml.o
	@echo "  LINK  $@"
	@$(CC) $(LDFLAGS_ALL) -shared -Wl,-soname,libnvidia-ml.so.1 -o $@ $^ -ldl

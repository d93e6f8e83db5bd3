# SPDX-License-Identifier: GPL-2.0-or-later
# tests.mk - programs that tests of the device are made of: one beside QEMU, one in a guest

STORM := $(B)/tests/device/device-storm
$(STORM): $(call obj,$(wildcard tests/device/storm/*.c))

$(STORM):
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	@$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^)

# In the guest of the tests, beside the product's own tools.
RACE := $(B)/tests/guest/race
$(RACE): $(call obj,tests/guest/race.c common/util.c)
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	@$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) -lpthread

# For tests/guest/live_move.py.
SWEEP := $(B)/tests/guest/sweep
$(SWEEP): $(B)/tests/guest/sweep.o
	@echo "  LINK  $@"
	@$(CC) $(LDFLAGS_ALL) -o $@ $^

# For tests/guest/test_sandbox.py.
GROUP_TRY := $(B)/tests/guest/group-try
$(GROUP_TRY): $(B)/tests/guest/group_try.o $(B)/proc/sandbox_cgroup.o
	@echo "  LINK  $@"
	@$(CC) $(LDFLAGS_ALL) -o $@ $^

# Calls of /dev/vgpuN: those that a test names, and random ones.
KMOD_TRY := $(B)/tests/guest/kmod-try $(B)/tests/guest/kmod-storm $(B)/tests/guest/kmod-race
$(B)/tests/guest/kmod-try: $(B)/tests/guest/kmod_try.o
$(B)/tests/guest/kmod-storm: $(B)/tests/guest/kmod_storm.o
$(B)/tests/guest/kmod-race: $(B)/tests/guest/kmod_race.o
$(KMOD_TRY):
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	@$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) -lpthread

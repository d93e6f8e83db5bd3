# SPDX-License-Identifier: GPL-2.0-or-later
# tests.mk - programs that ill-treat the ledger; tests/crash/ledger.sh runs them. LEDGER: tests/unit/tests.mk

CRASH := $(B)/tests/crash/ledger_kill $(B)/tests/crash/ledger_full
$(CRASH): $(B)/%: $(B)/%.o $(call obj,$(LEDGER) common/util.c)
	@echo "  LINK  $@"
	@$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) -lcmocka -lsqlite3

.PHONY: crash
crash: $(CRASH)
unit: crash

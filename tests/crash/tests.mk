# SPDX-License-Identifier: GPL-2.0-or-later
# tests.mk - programs that ill-treat the ledger; tests/crash/ledger.sh runs them. LEDGER: tests/unit/tests.mk

CRASH := $(B)/tests/crash/ledger_kill $(B)/tests/crash/ledger_full
$(CRASH): $(B)/%: $(B)/%.o $(call obj,$(LEDGER) common/util.c)
	@echo "  LINK  $@"
	@$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) -lcmocka -lsqlite3

SUBMISSION_KILL := $(B)/tests/crash/submission_kill
$(SUBMISSION_KILL): $(B)/%: $(B)/%.o $(call obj,$(LEDGER) vgpud/programs/bill.c vgpud/programs/harvest.c vgpud/programs/held.c worker/report.c worker/trace.c common/wire/cmds_check.c common/log.c)
	@echo "  LINK  $@"
	@$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) -lsqlite3

.PHONY: crash
crash: $(CRASH) $(SUBMISSION_KILL)
unit: crash

# SPDX-License-Identifier: GPL-2.0-or-later
# ledger.mk - the ledger by itself: make bench-ledger ROWS=10000000. LEDGER: tests/unit/tests.mk

ROWS ?= 1000000
$(B)/bin/bench-ledger: $(call obj,bench/ledger.c common/util.c vgpud/store_null.c $(LEDGER) $(LEDGER_QUERY))
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	@$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) -lsqlite3

.PHONY: bench-ledger
bench-ledger: $(B)/bin/bench-ledger
	@$< $(ROWS)

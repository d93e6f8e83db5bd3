# SPDX-License-Identifier: GPL-2.0-or-later
# Makefile - builds, tries, tests and installs vgpu. `make help` lists the targets.

SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all
MAKEFLAGS += --no-builtin-rules

VERSION := 0.1.0

PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
DESTDIR ?=
SAN ?= 0

# Builds with instruments live beside the plain one: SAN=1 has the address and undefined-behaviour sanitizers,
# SAN=thread the thread sanitizer, SAN=coverage counts which lines ran.
B_0 := build
B_1 := build-san
B_thread := build-tsan
B_coverage := build-cov
B := $(or $(B_$(SAN)),$(error SAN=$(SAN): it is 0, 1, thread or coverage))

CC := gcc
CLANG ?= clang
OPT ?= -O2
CFLAGS_ALL := -std=gnu11 -g $(OPT) -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wpointer-arith -Wwrite-strings -Wformat=2 -Wvla -Wundef -Wimplicit-fallthrough \
	-fstack-protector-strong -D_FORTIFY_SOURCE=2 -D_GNU_SOURCE -I. -I$(B) \
	-DVGPU_VERSION='"$(VERSION)"' -MMD -MP $(CFLAGS)
LDFLAGS_ALL := -Wl,-z,relro,-z,now -Wl,--as-needed $(LDFLAGS)
ifeq ($(SAN),1)
CFLAGS_ALL := $(filter-out -D_FORTIFY_SOURCE=2,$(CFLAGS_ALL)) -fsanitize=address,undefined \
	-fno-sanitize-recover=undefined -fno-omit-frame-pointer
LDFLAGS_ALL += -fsanitize=address,undefined
else ifeq ($(SAN),thread)
CFLAGS_ALL := $(filter-out -D_FORTIFY_SOURCE=2,$(CFLAGS_ALL)) -fsanitize=thread -fno-omit-frame-pointer
LDFLAGS_ALL += -fsanitize=thread
export TSAN_OPTIONS ?= halt_on_error=1 # a race ends the process, and so the test
else ifeq ($(SAN),coverage)
CFLAGS_ALL := $(filter-out -D_FORTIFY_SOURCE=2 -O2,$(CFLAGS_ALL)) -O0 --coverage -DVGPU_COVERAGE
LDFLAGS_ALL += --coverage
endif

# Targets that need no package of ours decide for themselves; all others check first what is missing
# (and install it when they may). The answer is kept until the list of packages changes.
PREREQ := $(B)/.prerequisites
$(PREREQ): packaging/prerequisites.sh packaging/debian-packages
	@mkdir -p $(@D)
	@packaging/prerequisites.sh build
	@touch $@

# CUDA: with nvcc the daemon can run the cuda executor; without, only cpu. No CUDA library is linked.
NVCC ?= $(firstword $(wildcard /usr/local/cuda/bin/nvcc) $(shell command -v nvcc))
CUDA ?= $(if $(NVCC),1,0)
ifeq ($(CUDA),1)
CUDA_INC := -isystem $(patsubst %/bin/nvcc,%/include,$(realpath $(NVCC)))
# One image for every generation that CUDA 13 compiles for: machine code of the common ones, and PTX for the rest.
CUDA_ARCHS ?= 75 80 86 89 90 100 120
CUDA_GENCODE := $(foreach a,$(CUDA_ARCHS),-gencode arch=compute_$a,code=sm_$a) \
	-gencode arch=compute_75,code=compute_75
endif

# --- what is made of what -------------------------------------------------------------------------

COMMON_SRC := $(wildcard common/*.c)
VGPUD_SRC := $(filter-out vgpud/exec_cuda.c,$(wildcard vgpud/*.c))
VGPUADM_SRC := $(wildcard vgpuadm/*.c)
GUESTLIB_SRC := $(wildcard guest/lib/*.c)
PROBE_SRC := $(wildcard guest/vgpu-probe/*.c)
RUN_SRC := $(wildcard guest/vgpu-run/*.c)

obj = $(patsubst %.c,$(B)/%.o,$(1))

COMMON_OBJ := $(call obj,$(COMMON_SRC))
VGPUD_OBJ := $(call obj,$(VGPUD_SRC)) $(B)/vgpud/schema.o
ifeq ($(CUDA),1)
VGPUD_OBJ += $(B)/vgpud/exec_cuda.o $(B)/vgpud/exec_cuda_kernels.o
$(B)/vgpud/%.o: CFLAGS_ALL += -DVGPU_WITH_CUDA
$(B)/vgpud/exec_cuda.o: CFLAGS_ALL += $(CUDA_INC)
endif

PROGRAMS := $(B)/bin/vgpud $(if $(VGPUADM_SRC),$(B)/bin/vgpuadm) $(B)/bin/vgpu-probe $(B)/bin/vgpu-run
include softgpu/softgpu.mk

all: $(PROGRAMS) compile_commands.json

$(B)/bin/vgpud: $(VGPUD_OBJ) $(COMMON_OBJ)
$(B)/bin/vgpud: LDLIBS := -lsystemd -lsqlite3 -ljansson -linih -lseccomp -lpthread -ldl -lm
$(B)/bin/vgpuadm: $(call obj,$(VGPUADM_SRC)) $(COMMON_OBJ)
$(B)/bin/vgpuadm: LDLIBS := -ljansson -lreadline -lsmartcols -lm
$(B)/bin/vgpu-probe: $(call obj,$(PROBE_SRC) $(GUESTLIB_SRC)) $(COMMON_OBJ)
$(B)/bin/vgpu-run: $(call obj,$(RUN_SRC) $(GUESTLIB_SRC)) $(COMMON_OBJ)
$(B)/bin/vgpu-probe $(B)/bin/vgpu-run: LDLIBS := -lpci -lpthread

$(PROGRAMS):
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	@$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) $(LDLIBS)

$(B)/%.o: %.c | $(PREREQ)
	@mkdir -p $(@D)
	@echo "  CC    $<"
	@$(CC) $(CFLAGS_ALL) -c -o $@ $<

# Texts that a program carries in itself: the schema, and the kernels as nvcc made them.
$(B)/vgpud/schema.o: vgpud/schema.S schema.sql | $(PREREQ)
	@mkdir -p $(@D)
	@echo "  AS    $<"
	@$(CC) -c -I. -o $@ $<
$(B)/%.fatbin: %.cu | $(PREREQ)
	@mkdir -p $(@D)
	@echo "  NVCC  $<"
	@$(NVCC) -fatbin $(CUDA_GENCODE) -I. -o $@ $<
.PRECIOUS: $(B)/%.fatbin
$(B)/%_kernels.o: %_kernels.S $(B)/%_kernels.fatbin
	@echo "  AS    $<"
	@$(CC) -c -I$(B) -o $@ $<

# --- tests ----------------------------------------------------------------------------------------

# A unit test names the few files that it links.
UNIT :=
define unit-test
UNIT += $(B)/tests/unit/$(1)
$(B)/tests/unit/$(1): $(call obj,tests/unit/$(1).c $(2))
	@echo "  LINK  $$@"
	@$$(CC) $$(LDFLAGS_ALL) -o $$@ $$(filter %.o,$$^) -lcmocka $(3)
endef
include tests/unit/tests.mk
include tests/unit/softgpu/tests.mk

.PHONY: unit
unit: $(UNIT)

include tests/device/tests.mk
include tests/ptx/ptx.mk
include tests/fuzz/fuzz.mk

# Every test is a program that prints TAP; prove adds them up. Exit 77 or a plan of 0 is a skip.
# TESTS=... runs just those.
TESTS ?= $(UNIT) $(wildcard tests/cli/test_*.py tests/cli/*.bats tests/crash/*.sh tests/daemon/test_*.py \
	tests/device/test_*.py tests/guest/test_*.py tests/torture/test_*.py) tests/fuzz/run.sh tests/ptx/test_ptx.sh
JOBS ?= 2

.PHONY: check check-programs
check:
	@packaging/prerequisites.sh build qemu guest test
	@qemu/build.sh
	@$(MAKE) --no-print-directory -j$(JOBS) check-programs
	@$(MAKE) --no-print-directory SAN=0 guest-image
	@VGPU_BIN_DIR=$(CURDIR)/$(B)/bin VGPU_BUILD_DIR=$(CURDIR)/$(B) CMOCKA_MESSAGE_OUTPUT=TAP \
		prove -j$(JOBS) --timer --exec '' $(TESTS)
check-programs: all unit fuzz crash ptx-suite $(STORM)

# Which lines and branches the tests ran. What runs inside of a guest, and what is killed, does not count.
.PHONY: coverage
coverage:
	@packaging/prerequisites.sh coverage
	@find build-cov -name '*.gcda' -delete 2>/dev/null || true
	@$(MAKE) --no-print-directory check SAN=coverage || echo 'Not every test passed; what ran counts all the same.'
	@for branches in '' --branches; do gcovr --root . --object-directory build-cov $$branches \
		--exclude tests/ --exclude bench/ --exclude-throw-branches --print-summary; done

# The unit tests once more, each access to memory looked at; but for test_spawn, where the descriptors run out that valgrind
# needs, and test_confine: what a process is denied is denied to valgrind in it. Then the torture table's short form, with
# vgpud and all its processes under valgrind: about 5 minutes.
.PHONY: valgrind
valgrind: all unit $(STORM)
	@packaging/prerequisites.sh valgrind
	@qemu/build.sh
	@$(MAKE) --no-print-directory guest-image
	@REPLAY_LEDGERS=3 CMOCKA_MESSAGE_OUTPUT=TAP prove -j$(JOBS) --timer --exec 'valgrind --quiet --leak-check=full --show-leak-kinds=definite --error-exitcode=99' \
		$(filter-out %/test_spawn %/test_confine,$(UNIT))
	@prove --timer tests/torture/valgrind.sh

# The long form: many minutes. TORTURE_ARGS='--only broker --rounds 100' for a part of it.
.PHONY: torture
torture: all $(STORM)
	@qemu/build.sh
	@[[ "$(TORTURE_ARGS)" == *--short* ]] || qemu/build.sh --san
	@$(MAKE) --no-print-directory SAN=0 guest-image
	@[[ "$(TORTURE_ARGS)" == *--short* ]] || $(MAKE) --no-print-directory SAN=1 build-san/bin/vgpud
	@VGPU_BIN_DIR=$(CURDIR)/$(B)/bin python3 tests/torture/torture.py $(TORTURE_ARGS)

# --- benchmarks --------------------------------------------------------------------------------------

BENCH := $(B)/bin/bench-pingpong $(B)/bin/bench-native $(B)/bin/bench-load $(B)/bin/bench-ledger \
	$(B)/bin/bench-echo $(B)/bin/bench-softgpu
check-programs: $(BENCH)
$(B)/bin/bench-ledger: $(call obj,bench/ledger.c common/util.c vgpud/store_null.c $(LEDGER) $(LEDGER_QUERY))
$(B)/bin/bench-ledger: LDLIBS := -lsqlite3
$(B)/bin/bench-echo: $(call obj,bench/echo.c common/proto_check.c common/crc32c.c common/sock.c)
$(B)/bin/bench-load: $(call obj,bench/load.c common/names.c common/proto_check.c common/crc32c.c common/util.c)
$(B)/bin/bench-pingpong: $(call obj,bench/pingpong.c common/util.c)
$(B)/bin/bench-native: $(call obj,bench/native.c vgpud/exec.c vgpud/exec_cpu.c common/proto_check.c \
	common/crc32c.c common/util.c common/log.c)
ifeq ($(CUDA),1)
$(B)/bench/native.o: CFLAGS_ALL += -DVGPU_WITH_CUDA
$(B)/bench/native_cuda.o: CFLAGS_ALL += $(CUDA_INC)
$(B)/bench/native_kernels.fatbin: bench/native_mailbox.h
$(B)/bin/bench-native: $(B)/vgpud/exec_cuda.o $(B)/vgpud/exec_cuda_kernels.o $(B)/bench/native_cuda.o \
	$(B)/bench/native_kernels.o
endif
$(BENCH):
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	@$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) $(LDLIBS) -ldl

# Another guest, since the tests' guests need not load what NFS needs. The NFS server needs root; bench.py tells what it
# does without.
NFS_GUEST := $(B)/nfs-guest/initramfs.cpio
$(NFS_GUEST): packaging/guest-image.sh packaging/guest/init packaging/guest/agent $(B)/bin/vgpu-run
	@packaging/prerequisites.sh guest
	@echo "  GUEST $(@D)"
	@packaging/guest-image.sh --modules nfsv4,virtio_net,virtio_pci $(@D) $(B)/bin/vgpu-run

# BENCH_ARGS='--short', '--only ledger --rows 1000000'; python3 bench/bench.py --help lists them.
.PHONY: bench
bench: all guest-image $(NFS_GUEST) $(BENCH)
	@qemu/build.sh
	@[ "$$(id -u)" -ne 0 ] || packaging/prerequisites.sh bench
	@VGPU_BIN_DIR=$(CURDIR)/$(B)/bin VGPU_GUEST_DIR=$(CURDIR)/$(B)/guest VGPU_EXECUTOR=$${VGPU_EXECUTOR:-auto} \
		python3 bench/bench.py $(BENCH_ARGS)

# --- guest, demo, bundle ---------------------------------------------------------------------------

GUEST_TOOLS := $(B)/bin/vgpu-probe $(B)/bin/vgpu-run $(RACE)
$(B)/guest/initramfs.cpio: packaging/guest-image.sh packaging/guest/init packaging/guest/agent $(GUEST_TOOLS)
	@packaging/prerequisites.sh guest
	@echo "  GUEST $(@D)"
	@packaging/guest-image.sh $(@D) $(GUEST_TOOLS)

.PHONY: guest-image demo bundle qemu
qemu:
	@qemu/build.sh

guest-image: $(B)/guest/initramfs.cpio

demo:
	@packaging/demo.sh

bundle: all guest-image $(BENCH)
	@qemu/build.sh
	@packaging/bundle.sh $(B) $(B)/bundle

-include $(shell find $(B) -name '*.d' 2>/dev/null)

# --- lint ------------------------------------------------------------------------------------------

.PHONY: lint format
lint: compile_commands.json
	@packaging/prerequisites.sh build test lint
	@packaging/lint.sh

format:
	@packaging/prerequisites.sh lint
	@packaging/lint.sh format

# --- the rest --------------------------------------------------------------------------------------

.PHONY: install help
install: all
	install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/vgpu \
		$(DESTDIR)$(PREFIX)/share/man/man{1,5,7,8} $(DESTDIR)$(PREFIX)/lib/systemd/system \
		$(DESTDIR)$(PREFIX)/lib/sysusers.d $(DESTDIR)$(SYSCONFDIR)/vgpud
	install -m 755 $(B)/bin/vgpud $(B)/bin/vgpuadm $(DESTDIR)$(PREFIX)/sbin
	install -m 755 $(B)/bin/vgpu-probe $(B)/bin/vgpu-run $(B)/bin/softgpu-run $(DESTDIR)$(PREFIX)/bin
	install -m 644 schema.sql packaging/60-vgpu.rules $(DESTDIR)$(PREFIX)/share/vgpu
	sed 's|/usr/local/sbin|$(PREFIX)/sbin|' packaging/vgpud.service \
		>$(DESTDIR)$(PREFIX)/lib/systemd/system/vgpud.service
	install -m 644 packaging/vgpud.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/vgpud.conf
	for page in man/*.[1578]; do \
		install -m 644 $$page $(DESTDIR)$(PREFIX)/share/man/man$${page##*.} || exit 1; done
	[ -e $(DESTDIR)$(SYSCONFDIR)/vgpud/vgpud.conf ] || \
		install -m 644 packaging/vgpud.conf $(DESTDIR)$(SYSCONFDIR)/vgpud/vgpud.conf

help:
	@echo 'make            build the programs in build/bin'
	@echo 'make demo       build all, QEMU too, and show a job of a guest running on this host'
	@echo 'make check      every test that needs no GPU   (SAN=1: with sanitizers, TESTS=...: just these)'
	@echo 'make coverage   the tests again, and which lines and branches they ran'
	@echo 'make valgrind   the unit tests and the short torture table under valgrind'
	@echo 'make torture    faults and attacks by the thousand, as a table (TORTURE_ARGS=--short: fewer; SAN=1)'
	@echo 'make bench      measure, beside a baseline from the same run   (BENCH_ARGS=--short: a minute of it)'
	@echo 'make bundle     one directory to take to a host with a GPU'
	@echo 'make qemu       QEMU with the device           (QEMU_SRC=DIR: from that source tree)'
	@echo 'make lint       format, static analysis, include rules, manual pages'
	@echo 'make format     put the sources into the form of .clang-format'
	@echo 'make install    install                        (DESTDIR=, PREFIX=, SYSCONFDIR=)'
	@echo 'make clean      remove what was built'

compile_commands.json: Makefile $(COMMON_SRC) $(VGPUD_SRC) $(VGPUADM_SRC) $(GUESTLIB_SRC) $(PROBE_SRC) $(RUN_SRC) \
		$(SOFTGPU_SRC) $(SOFTGPU_RUN_SRC)
	@{ echo '['; sep=''; for f in $(filter %.c,$^) $(if $(filter 1,$(CUDA)),vgpud/exec_cuda.c); do \
		printf '%s{"directory":"%s","file":"%s","command":"%s"}' "$$sep" "$(CURDIR)" "$$f" \
		"$$(printf '%s' "$(CC) $(filter-out -MMD -MP,$(subst ",\",$(CFLAGS_ALL))) $(CUDA_INC) -c $$f" | sed 's/"/\\"/g')"; \
		sep=$$',\n'; done; echo; echo ']'; } >$@.$$$$ && mv $@.$$$$ $@

clean:
	rm -rf build build-san compile_commands.json

.PHONY: all clean

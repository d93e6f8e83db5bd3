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
WERROR ?= 0

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
	-DVGPU_VERSION='"$(VERSION)"' -MMD -MP $(if $(filter 1,$(WERROR)),-Werror) $(CFLAGS)
LDFLAGS_ALL := -Wl,-z,relro,-z,now -Wl,--as-needed $(LDFLAGS)
ifeq ($(SAN),1)
CFLAGS_ALL := $(filter-out -D_FORTIFY_SOURCE=2,$(CFLAGS_ALL)) -fsanitize=address,undefined \
	-fno-sanitize-recover=undefined -fno-omit-frame-pointer
LDFLAGS_ALL += -fsanitize=address,undefined
else ifeq ($(SAN),thread)
CFLAGS_ALL := $(filter-out -D_FORTIFY_SOURCE=2,$(CFLAGS_ALL)) -fsanitize=thread -fno-omit-frame-pointer \
	-Wno-tsan # it knows no fences, which only mapped devices need
LDFLAGS_ALL += -fsanitize=thread
export TSAN_OPTIONS ?= halt_on_error=1 # a race ends the process, and so the test
else ifeq ($(SAN),coverage)
CFLAGS_ALL := $(filter-out -D_FORTIFY_SOURCE=2 -O2,$(CFLAGS_ALL)) -O0 --coverage -DVGPU_COVERAGE
LDFLAGS_ALL += --coverage
endif

# Targets that need no package of ours decide for themselves; all others check first what is missing
# (and install it when they may). The answer is kept until the list of packages changes.
PREREQ := $(if $(MAKECMDGOALS),$(if $(filter-out %install-guest %install-kmod examples,$(MAKECMDGOALS)),$(B)/.prerequisites),$(B)/.prerequisites)
$(PREREQ): tools/prerequisites.sh tools/debian-packages
	@mkdir -p $(@D)
	@tools/prerequisites.sh build
	@touch $@

# CUDA: with nvcc the daemon has kernels, and can run the cuda executor; without, only cpu. All C compiles without a
# toolkit, and no CUDA library is linked.
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

# Each folder with its files, each program with its folders. They are written down, not searched for: a file
# that is left behind is not built in.
common := accounts busy_poll crc32c hist kernel_argument library log names sock timeexpr units util vm_name vm_settings
common/wire := cmds_check proto_check
common/cmd := admin pattern pattern_items pattern_types pattern_why qemu_options suggest
vgpud := aside daemon daemon_clock daemon_drain daemon_ledger daemon_log daemon_owner daemon_process \
	daemon_reload daemon_settings daemon_vm main
vgpud/admin := access ask budget call checks checks_memory checks_nvml client daemon figures handlers job line metrics metrics_daemon metrics_gpus metrics_text owner programs query query_list query_out query_programs query_rows query_stats query_submissions server set trace turn vm
vgpud/conf := conf file names options reload settings
vgpud/exec := describe executors nvml output pool process program seat spares
vgpud/files := dir format scan server server_slot
vgpud/ledger := batch book changes clock db db_open events health history migrate names notes null programs query \
	query_blame query_exact query_groups query_programs query_rows query_stats query_submission_rows query_submissions query_usage query_waits remains retention ring ring_file ring_format_1 \
	ring_program room set_aside settle sqlite start submissions vms waits wake watch writer
vgpud/lease := arbiter arbiter_next arbiter_page arbiter_turn arbiter_view
vgpud/link := access attached foreign frames peer port port_log refuse session
vgpud/programs := allowance bill channel gate gears harvest harvest_now held left module_cache modules overuse programs record share tenant tracing underbill waited wall window
vgpud/request := broker broker_arrival broker_run broker_start broker_vm life
vgpud/sched := cap lease lease_count lease_order limit sched share
vgpud/vm := recording stats vm
proc := child confine confine_calls confine_driver confine_files descriptors identity inherit memory sandbox sandbox_cgroup spawn spawn_wire starter
worker := budget bundle channel charge claims commands cuda_driver dirty drain exec exec_cpu exec_cuda flight gpu gpu_cuda gpu_cuda_image gpu_cuda_open gpu_soft gpu_soft_open handles held helpers lease main memory module_client module_file module_key modules orders \
	nvml output program quota report role_describe role_nvml role_program run_context run_copy run_memory run_module run_stream serve trace waits window
vgpuadm := client complete fail history_file main options refusal screen shell times words
vgpuadm/out := block chrome csv field json output table text
vgpuadm/view := completion doctor doctor_files doctor_mps doctor_qemu doctor_sockets help qemu say shape shape_programs show snippet \
	sparkline status story story_program top top_rows trace view
guest/libvgpu := bar device fail find irq lock slot submit sysfs wait
guest/tool := exit_code gone json
guest/vgpu-probe := channels check cuda list main regs view watch
guest/vgpu-run := file_transport job kernel kernel_cuda kernel_files kernel_options main options report run samples

src = $(foreach d,$(1),$(patsubst %,$d/%.c,$($d)))
COMMON_SRC := $(call src,common common/wire common/cmd)
VGPUD_SRC := $(call src,vgpud vgpud/admin vgpud/conf vgpud/exec vgpud/files vgpud/lease vgpud/ledger vgpud/link \
	vgpud/programs vgpud/request vgpud/sched vgpud/vm proc worker)
VGPUADM_SRC := $(call src,vgpuadm vgpuadm/out vgpuadm/view)
# A program's own way to the GPU: what is in libcuda.so.1. It needs no libpci.
CHANNEL_SRC := $(addprefix guest/libvgpu/,door_device.c door_socket.c link.c missing.c park.c ranges.c ring.c slot.c vgpu.c window.c) \
	common/sock.c
guest/libcuda := box callback context context_calls copier copy core declared device entry event event_calls function hostmem image launch link managed memory \
	module module_calls occupancy pointer pool refuse say settings staged staging stream stream_attribute stream_calls sync table text thread transfer value
LIBCUDA_SRC := $(call src,guest/libcuda) $(CHANNEL_SRC)
LIBVGPU_SRC := $(call src,guest/libvgpu guest/tool)
PROBE_SRC := $(call src,guest/vgpu-probe)
RUN_SRC := $(call src,guest/vgpu-run)
# end of the lists

obj = $(patsubst %.c,$(B)/%.o,$(1))

COMMON_OBJ := $(call obj,$(COMMON_SRC))
VGPUD_OBJ := $(call obj,$(VGPUD_SRC)) $(B)/vgpud/ledger/schema.o $(B)/worker/exec_cuda_kernels.o

PROGRAMS := $(B)/bin/vgpud $(B)/bin/vgpuadm $(B)/bin/vgpu-probe $(B)/bin/vgpu-run
include softgpu/softgpu.mk

all: $(PROGRAMS) $(B)/lib/libcuda.so.1 $(B)/lib/vgpu/libvgpu.so.0 compile_commands.json

# The one library that a program of the guest loads. What it exports is in guest/libcuda/exports.
$(B)/lib/libcuda.so.1: $(call obj,$(LIBCUDA_SRC)) guest/libcuda/exports
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	@{ echo '{ global:'; sed 's/$$/;/' guest/libcuda/exports; echo 'local: *; };'; } >$(@D)/libcuda.map
	@$(CC) $(LDFLAGS_ALL) -shared -Wl,--version-script=$(@D)/libcuda.map -Wl,-soname,libcuda.so.1 -Wl,-Bsymbolic -Wl,-z,nodelete -o $@ $(filter %.o,$^) -lpthread
	@ln -sf libcuda.so.1 $(@D)/libcuda.so

# The channel alone, for programs that speak its commands (common/wire/vgpu_cmds.h) instead of CUDA.
$(B)/lib/vgpu/libvgpu.so.0: $(call obj,$(CHANNEL_SRC)) guest/libvgpu/exports
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	@{ echo '{ global:'; sed 's/$$/;/' guest/libvgpu/exports; echo 'local: *; };'; } >$(@D)/libvgpu.map
	@$(CC) $(LDFLAGS_ALL) -shared -Wl,--version-script=$(@D)/libvgpu.map -Wl,-soname,libvgpu.so.0 -Wl,-Bsymbolic -o $@ $(filter %.o,$^) -lpthread

$(B)/bin/vgpud: $(VGPUD_OBJ) $(COMMON_OBJ) $(call obj,$(SOFTGPU_SRC))
$(B)/bin/vgpud: LDLIBS := -lsystemd -lsqlite3 -ljansson -lnettle -lseccomp -lpthread -ldl -lm
$(B)/bin/vgpuadm: $(call obj,$(VGPUADM_SRC)) $(COMMON_OBJ)
$(B)/bin/vgpuadm: LDLIBS := -ljansson -lreadline -lsmartcols -lm
$(B)/bin/vgpu-probe: $(call obj,$(PROBE_SRC) $(LIBVGPU_SRC)) $(COMMON_OBJ)
$(B)/bin/vgpu-run: $(call obj,$(RUN_SRC) $(LIBVGPU_SRC)) $(COMMON_OBJ)
$(B)/bin/vgpu-probe $(B)/bin/vgpu-run: LDLIBS := -lpci -lpthread -ldl

$(PROGRAMS):
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	@$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) $(LDLIBS)

# The one path that is compiled in; what was built for another is built anew.
$(B)/vgpud/conf/%.o: CFLAGS_ALL += -DVGPU_SYSCONFDIR='"$(SYSCONFDIR)"'
$(call obj,$(call src,vgpud/conf)): $(B)/.sysconfdir
$(B)/.sysconfdir: force
	@mkdir -p $(@D)
	@echo '$(SYSCONFDIR)' | cmp -s - $@ || echo '$(SYSCONFDIR)' >$@
.PHONY: force

# What a shared library is made of. It shows no name that it does not say.
$(call obj,$(LIBCUDA_SRC)): CFLAGS_ALL += -fPIC -fvisibility=hidden -fno-semantic-interposition

$(B)/%.o: %.c | $(PREREQ)
	@mkdir -p $(@D)
	@echo "  CC    $<"
	@$(CC) $(CFLAGS_ALL) -c -o $@ $<

# Texts that a program carries in itself: the schema, and the kernels as nvcc made them.
$(B)/vgpud/ledger/schema.o: vgpud/ledger/schema.S schema.sql | $(PREREQ)
	@mkdir -p $(@D)
	@echo "  AS    $<"
	@$(CC) -c -I. -o $@ $<
$(B)/%.fatbin: %.cu | $(PREREQ)
	@mkdir -p $(@D)
	@echo "  NVCC  $<"
	@$(NVCC) -fatbin $(CUDA_GENCODE) -I. -o $@ $<
.PRECIOUS: $(B)/%.fatbin
$(B)/%_kernels.o: %_kernels.S $(if $(filter 1,$(CUDA)),$(B)/%_kernels.fatbin) | $(PREREQ)
	@mkdir -p $(@D)
	@echo "  AS    $<"
	@$(CC) -c -I$(B) $(if $(filter 1,$(CUDA)),-DVGPU_WITH_NVCC) -o $@ $<

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
include tests/unit/worker/tests.mk

.PHONY: unit
unit: $(UNIT)

include tests/daemon/tests.mk
include tests/device/tests.mk
include tests/ptx/ptx.mk
include tests/fuzz/fuzz.mk
include examples/examples.mk
include tests/programs/programs.mk
include tests/guest/guest.mk

# Every test is a program that prints TAP; prove adds them up. Exit 77 or a plan of 0 is a skip.
# TESTS=... runs just those. The longest come first, so that none is left to run alone.
TESTS ?= $(wildcard tests/torture/test_*.py) tests/ptx/test_ptx.sh tests/fuzz/run.sh $(wildcard tests/guest/test_*.py tests/programs/test_*.py \
	tests/daemon/test_*.py tests/cli/*.bats tests/cli/test_*.py tests/device/test_*.py tests/crash/*.sh) $(UNIT)
JOBS ?= 2
# As many as processors: a test waits with deadlines, which more of them at a time would miss.
TEST_JOBS ?= $(JOBS)

.PHONY: check check-programs
check:
	@tools/prerequisites.sh build qemu guest test
	@$(MAKE) --no-print-directory -j$(JOBS) qemu check-programs $(if $(filter 0,$(SAN)),guest-image)
	@$(MAKE) --no-print-directory SAN=0 guest-image
	@VGPU_BIN_DIR=$(CURDIR)/$(B)/bin VGPU_BUILD_DIR=$(CURDIR)/$(B) CMOCKA_MESSAGE_OUTPUT=TAP \
		prove -j$(TEST_JOBS) --timer --exec '' $(TESTS)
check-programs: all unit fuzz crash ptx-suite $(STORM)

# Which lines and branches the tests ran. What runs inside of a guest, and what is killed, does not count.
.PHONY: coverage
coverage:
	@tools/prerequisites.sh coverage
	@find build-cov -name '*.gcda' -delete 2>/dev/null || true
	@$(MAKE) --no-print-directory check SAN=coverage || echo 'Not every test passed; what ran counts all the same.'
	@for branches in '' --branches; do gcovr --root . --object-directory build-cov $$branches \
		--exclude tests/ --exclude bench/ --exclude-throw-branches --print-summary; done

# The unit tests once more, each access to memory looked at; but for test_spawn, where the descriptors run out that valgrind
# needs, and test_confine: what a process is denied is denied to valgrind in it. Then the torture table's short form, with
# vgpud and all its processes under valgrind: about 5 minutes.
.PHONY: valgrind
valgrind: all unit $(STORM)
	@tools/prerequisites.sh valgrind
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

# The counts that take hours: SOAK_PARTS='fuzz_frame replay' for some, SOAK_PERCENT=1 for a hundredth.
.PHONY: soak
soak: all unit fuzz fuzz-drive $(STORM) $(HOLDER)
	@tools/prerequisites.sh test
	@[[ -n "$(SOAK_PARTS)" && "$(SOAK_PARTS)" != *kmod* && "$(SOAK_PARTS)" != *kills* ]] || { qemu/build.sh && $(MAKE) --no-print-directory SAN=0 guest-image; }
	@[[ -n "$(SOAK_PARTS)" && "$(SOAK_PARTS)" != *torture* ]] || { qemu/build.sh && qemu/build.sh --san && \
		$(MAKE) --no-print-directory SAN=0 guest-image && $(MAKE) --no-print-directory SAN=1 build-san/bin/vgpud; }
	@VGPU_BIN_DIR=$(CURDIR)/$(B)/bin tools/soak.sh $(SOAK_PARTS)

# --- benchmarks --------------------------------------------------------------------------------------

BENCH := $(B)/bin/bench-pingpong $(B)/bin/bench-native $(B)/bin/bench-load $(B)/bin/bench-ledger \
	$(B)/bin/bench-echo $(B)/bin/bench-softgpu $(B)/bin/bench-channel $(B)/bin/bench-submit
check-programs: $(BENCH)
$(B)/bin/bench-ledger: $(call obj,bench/ledger.c common/util.c vgpud/ledger/null.c $(LEDGER) $(LEDGER_QUERY))
$(B)/bin/bench-ledger: LDLIBS := -lsqlite3
$(B)/bin/bench-echo: $(call obj,bench/echo.c common/wire/proto_check.c common/crc32c.c common/sock.c)
$(B)/bin/bench-load: $(call obj,bench/load.c common/names.c common/wire/proto_check.c common/crc32c.c common/util.c)
$(B)/bin/bench-pingpong: $(call obj,bench/pingpong.c common/util.c)
# The role of a program's worker as vgpud has it, but nothing of vgpud.
$(B)/bin/bench-channel: $(call obj,bench/channel.c bench/channel_guest.c $(filter-out worker/exec% worker/main.c \
	worker/role_describe.c worker/role_nvml.c worker/nvml.c,$(call src,worker)) $(SOFTGPU_SRC) common/wire/cmds_check.c common/hist.c common/library.c common/log.c common/units.c common/util.c \
	proc/confine.c proc/confine_calls.c proc/confine_driver.c proc/confine_files.c proc/inherit.c proc/spawn_wire.c)
$(B)/bin/bench-channel: LDLIBS := -lnettle -lseccomp $(SOFTGPU_LIBS)
# libcuda.so.1's code beside a double of vgpud and worker: what the program's half of a call costs.
$(B)/bin/bench-submit: $(call obj,bench/submit.c tests/unit/libcuda/fake_gpu.c tests/unit/libvgpu/double.c common/util.c $(LIBCUDA_SRC))
$(B)/bin/bench-submit: LDLIBS := -lpthread
$(B)/bench/native_kernels.fatbin: bench/native_mailbox.h
$(B)/bin/bench-native: $(call obj,bench/native.c bench/native_cuda.c worker/cuda_driver.c common/library.c worker/exec.c worker/exec_cpu.c \
	worker/exec_cuda.c common/wire/proto_check.c common/crc32c.c common/util.c common/log.c) \
	$(B)/worker/exec_cuda_kernels.o $(B)/bench/native_kernels.o
ifneq ($(CUDA_HEADER),)
PROGRAM_BENCH := $(B)/bin/bench-programs $(B)/bin/bench-programs-softgpu $(B)/bin/bench-turns $(B)/bin/bench-modules
check-programs: $(PROGRAM_BENCH)
$(B)/bench/programs.o $(B)/bench/programs_softgpu.o $(B)/bench/turns.o $(B)/bench/modules.o: CFLAGS_ALL += $(CUDA_PROGRAM_CFLAGS)
$(B)/bench/programs.o $(B)/bench/turns.o: bench/programs.ptx
$(B)/bin/bench-programs $(B)/bin/bench-turns $(B)/bin/bench-modules: $(B)/bin/bench-%: $(B)/bench/%.o $(B)/common/util.o | $(CUDA_LIBRARY)
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	@$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) $(CUDA_LIBRARY)
$(B)/bin/bench-programs-softgpu: $(call obj,bench/programs.c bench/programs_softgpu.c $(SOFTGPU_SRC) common/util.c)
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	@$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) $(SOFTGPU_LIBS)
endif
.PHONY: programs-ptx
programs-ptx:
	$(NVCC) -ptx -arch=compute_75 -o bench/programs.ptx bench/programs.cu
$(BENCH):
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	@$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) $(LDLIBS) -ldl

# Runs commands in each guest. Static, so that it runs whatever C library a test puts into one, and with no instruments.
AGENT := $(B)/guest-tools/agent
$(AGENT): tools/guest/agent.c
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	@$(CC) -std=gnu11 -O2 -D_GNU_SOURCE -Wall -Wextra $(if $(filter 1,$(WERROR)),-Werror) -static -o $@ $< -lresolv

# Another guest, since the tests' guests need not load what NFS needs. The NFS server needs root; bench.py tells what it
# does without.
NFS_GUEST := $(B)/nfs-guest/initramfs.cpio
$(NFS_GUEST): tools/guest-image.sh tools/guest/init $(AGENT) $(B)/bin/vgpu-run
	@tools/prerequisites.sh guest
	@echo "  GUEST $(@D)"
	@tools/guest-image.sh --modules nfsv4,virtio_net,virtio_pci $(@D) $(AGENT) $(B)/bin/vgpu-run

# BENCH_ARGS='--short', '--only ledger --rows 1000000'; python3 bench/bench.py --help lists them.
.PHONY: bench
bench: all guest-image $(NFS_GUEST) $(BENCH) $(PROGRAM_BENCH)
	@qemu/build.sh
	@[ "$$(id -u)" -ne 0 ] || tools/prerequisites.sh bench
	@VGPU_BIN_DIR=$(CURDIR)/$(B)/bin VGPU_GUEST_DIR=$(CURDIR)/$(B)/guest VGPU_EXECUTOR=$${VGPU_EXECUTOR:-auto} \
		python3 bench/bench.py $(BENCH_ARGS)

# --- guest, demo, bundle ---------------------------------------------------------------------------

include guest/kmod/kmod.mk

# Without cuda.h it has no CUDA program.
GUEST_TOOLS := $(AGENT) $(B)/bin/vgpu-probe $(B)/bin/vgpu-run $(RACE) $(SWEEP) $(GROUP_TRY) $(KMOD_TRY) $(if $(CUDA_HEADER),$(EXAMPLES) $(VICTIM) $(ROUNDS) $(CUDA_TRY) $(B)/bin/bench-programs)
$(B)/guest/initramfs.cpio: tools/guest-image.sh tools/guest/init $(GUEST_TOOLS) $(B)/lib/libcuda.so.1 $(KMOD)
	@tools/prerequisites.sh guest
	@echo "  GUEST $(@D)"
	@tools/guest-image.sh --kmod $(KMOD) --libcuda $(B)/lib/libcuda.so.1 $(addprefix --doc ,$(wildcard examples/*.cu)) $(@D) $(GUEST_TOOLS)

.PHONY: guest-image demo bundle qemu
qemu:
	@qemu/build.sh

guest-image: $(B)/guest/initramfs.cpio
	@:

demo:
	@tools/demo.sh

bundle: all guest-image examples $(BENCH) $(PROGRAM_BENCH) $(SUITE) $(VICTIM) $(HOLDER) $(FUZZ_B)/drive_fuzz_channel
	@qemu/build.sh
	@tools/bundle.sh $(B) $(B)/bundle

-include $(shell find $(B) -name '*.d' 2>/dev/null)

# --- lint ------------------------------------------------------------------------------------------

.PHONY: lint format
lint: compile_commands.json
	@tools/prerequisites.sh build test lint
	@tools/lint.sh

format:
	@tools/prerequisites.sh lint
	@tools/lint.sh format

# --- the rest --------------------------------------------------------------------------------------

.PHONY: install uninstall install-guest uninstall-guest help

# Where what is installed lies; uninstall takes away the same.
SBIN := $(DESTDIR)$(PREFIX)/sbin
BIN := $(DESTDIR)$(PREFIX)/bin
SHARE := $(DESTDIR)$(PREFIX)/share
LIB := $(DESTDIR)$(PREFIX)/lib
INCLUDE := $(DESTDIR)$(PREFIX)/include
# Those that vgpu.h needs, in one folder; and the commands.
VGPU_HEADERS := guest/libvgpu/vgpu.h guest/libvgpu/options.h guest/libvgpu/slot.h common/wire/vgpu_channel.h \
	common/wire/vgpu_regs.h common/wire/vgpu_ring.h common/wire/vgpu_ends.h common/wire/vgpu_cmds.h
UNITS := $(DESTDIR)$(PREFIX)/lib/systemd/system
USERS := $(DESTDIR)$(PREFIX)/lib/sysusers.d
ETC := $(DESTDIR)$(SYSCONFDIR)/vgpud
HOST_PAGES := softgpu-run.1 vgpuadm-output.7 vgpuadm.8 vgpud.8 vgpud.conf.5 vgpu-protocol.7
GUEST_PAGES := vgpu-probe.1 vgpu-run.1 vgpu-stub.7

# install-pages PAGES
install-pages = for page in $(1); do dir=$(SHARE)/man/man$${page\#\#*.}; \
	install -d $$dir && install -m 644 man/$$page $$dir || exit 1; done

install: all install-guest
	install -d $(SBIN) $(BIN) $(UNITS) $(USERS) $(ETC) $(SHARE)/vgpu $(SHARE)/doc/vgpu/docs \
		$(SHARE)/bash-completion/completions $(SHARE)/zsh/site-functions
	install -m 755 $(B)/bin/vgpud $(SBIN)
	install -m 755 $(B)/bin/vgpuadm $(B)/bin/softgpu-run $(BIN)
	install -m 644 schema.sql $(SHARE)/vgpu
	install -m 644 README.md SECURITY.md HACKING.md COPYING packaging/vgpud.conf $(SHARE)/doc/vgpu
	install -m 644 docs/*.md $(SHARE)/doc/vgpu/docs
	$(B)/bin/vgpuadm completion bash >$(SHARE)/bash-completion/completions/vgpuadm
	$(B)/bin/vgpuadm completion zsh >$(SHARE)/zsh/site-functions/_vgpuadm
	sed 's|/usr/local/|$(PREFIX)/|' packaging/vgpud.service >$(UNITS)/vgpud.service
	install -m 644 packaging/vgpud.sysusers $(USERS)/vgpud.conf
	@$(call install-pages,$(HOST_PAGES))
	[ -e $(ETC)/vgpud.conf ] || install -m 644 packaging/vgpud.conf $(ETC)/vgpud.conf

# Configuration, ledger, user and groups stay: they are the administrator's.
uninstall: uninstall-guest
	rm -f $(SBIN)/vgpud $(BIN)/vgpuadm $(BIN)/softgpu-run $(UNITS)/vgpud.service $(USERS)/vgpud.conf \
		$(SHARE)/bash-completion/completions/vgpuadm $(SHARE)/zsh/site-functions/_vgpuadm \
		$(foreach page,$(HOST_PAGES),$(SHARE)/man/man$(subst .,,$(suffix $(page)))/$(page))
	rm -rf $(SHARE)/vgpu $(SHARE)/doc/vgpu

# In a guest. This takes a C compiler and libpci, nothing else. vgpu-ld.conf is for /etc/ld.so.conf.d
# of a guest, where every program shall find our libcuda.so.1; on a host it would hide the driver's from the workers.
install-guest: $(B)/bin/vgpu-probe $(B)/bin/vgpu-run $(B)/lib/libcuda.so.1 $(B)/lib/vgpu/libvgpu.so.0
	install -d $(BIN) $(SHARE)/vgpu $(LIB)/vgpu $(LIB)/pkgconfig $(INCLUDE)/vgpu
	install -m 755 $(B)/bin/vgpu-probe $(B)/bin/vgpu-run $(BIN)
	install -m 755 $(B)/lib/libcuda.so.1 $(LIB)/vgpu
	ln -sf libcuda.so.1 $(LIB)/vgpu/libcuda.so
	install -m 755 $(B)/lib/vgpu/libvgpu.so.0 $(LIB)/vgpu
	ln -sf libvgpu.so.0 $(LIB)/vgpu/libvgpu.so
	for header in $(VGPU_HEADERS); do \
		sed 's|^#include ".*/|#include "|' $$header >$(INCLUDE)/vgpu/$$(basename $$header); done
	for name in vgpu vgpu-cuda; do \
		sed 's|/usr/local|$(PREFIX)|' packaging/$$name.pc >$(LIB)/pkgconfig/$$name.pc; done
	echo '$(PREFIX)/lib/vgpu' >$(SHARE)/vgpu/vgpu-ld.conf
	install -m 644 packaging/60-vgpu.rules $(SHARE)/vgpu
	@$(call install-pages,$(GUEST_PAGES))

uninstall-guest:
	rm -rf $(LIB)/vgpu $(INCLUDE)/vgpu
	rm -f $(LIB)/pkgconfig/vgpu.pc $(BIN)/vgpu-probe $(BIN)/vgpu-run $(SHARE)/vgpu/60-vgpu.rules $(LIB)/pkgconfig/vgpu-cuda.pc $(SHARE)/vgpu/vgpu-ld.conf \
		$(foreach page,$(GUEST_PAGES),$(SHARE)/man/man$(subst .,,$(suffix $(page)))/$(page))

help:
	@echo 'make            build the programs in build/bin'
	@echo 'make examples   build the CUDA programs of examples/ in build/examples'
	@echo 'make demo       build all, QEMU too, and show a job of a guest running on this host'
	@echo 'make check      every test that needs no GPU   (SAN=1: with sanitizers, TESTS=...: just these)'
	@echo 'make coverage   the tests again, and which lines and branches they ran'
	@echo 'make valgrind   the unit tests and the short torture table under valgrind'
	@echo 'make torture    faults and attacks by the thousand, as a table (TORTURE_ARGS=--short: fewer; SAN=1)'
	@echo 'make soak       the counts that take hours: fuzzers, replay, kmod, torture (SOAK_PARTS=..., SOAK_PERCENT=1)'
	@echo 'make bench      measure, beside a baseline from the same run   (BENCH_ARGS=--short: a minute of it)'
	@echo 'make bundle     one directory to take to a host with a GPU'
	@echo 'make qemu       QEMU with the device           (QEMU_SRC=DIR: from that source tree)'
	@echo 'make lint       format, static analysis, include rules, manual pages'
	@echo 'make format     put the sources into the form of .clang-format'
	@echo 'make install    install                        (DESTDIR=, PREFIX=, SYSCONFDIR=); make uninstall takes it away'
	@echo 'make install-guest  in a guest: the tools; it takes a C compiler and libpci'
	@echo 'make kmod       vgpu.ko for the test guest     (make kmod-suites: also against 5.10 and 6.12)'
	@echo 'make install-kmod   in a guest: the sources of vgpu.ko for DKMS (docs/guest.md)'
	@echo 'make clean      remove what was built'

compile_commands.json: Makefile $(COMMON_SRC) $(VGPUD_SRC) $(VGPUADM_SRC) $(LIBVGPU_SRC) $(LIBCUDA_SRC) $(PROBE_SRC) $(RUN_SRC) \
		$(SOFTGPU_SRC) $(SOFTGPU_RUN_SRC)
	@{ echo '['; sep=''; for f in $(filter %.c,$^); do \
		printf '%s{"directory":"%s","file":"%s","command":"%s"}' "$$sep" "$(CURDIR)" "$$f" \
		"$$(printf '%s' "$(CC) $(filter-out -MMD -MP,$(subst ",\",$(CFLAGS_ALL))) -c $$f" | sed 's/"/\\"/g')"; \
		sep=$$',\n'; done; echo; echo ']'; } >$@.$$$$ && mv $@.$$$$ $@

clean:
	rm -rf build build-san build-tsan build-cov compile_commands.json
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: all clean

# SPDX-License-Identifier: GPL-2.0-or-later
# fuzz.mk - the fuzzers, each with the files of the product that it tries; `make fuzz` builds them

# They have their own compiler and sanitizers, hence their own directory, whatever SAN says.
FUZZ_B := build/fuzz
FUZZ_CFLAGS := -std=gnu11 -g -O2 -Wall -Wextra -D_GNU_SOURCE -I. -fno-omit-frame-pointer \
	-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined -MMD -MP

FUZZ :=
define fuzzer
FUZZ += $(FUZZ_B)/$(1)
$(FUZZ_B)/$(1): $(patsubst %.c,$(FUZZ_B)/obj/%.o,tests/fuzz/$(1).c $(2))
	@echo "  LINK  $$@"
	@$$(CLANG) $(FUZZ_CFLAGS) -o $$@ $$^ $(3)
endef

$(eval $(call fuzzer,fuzz_frame,common/crc32c.c vgpud/link/session.c))
$(eval $(call fuzzer,fuzz_request,common/crc32c.c common/names.c common/wire/proto_check.c common/util.c \
	worker/exec.c worker/exec_cpu.c))
$(eval $(call fuzzer,fuzz_response,common/crc32c.c common/wire/proto_check.c))
$(eval $(call fuzzer,fuzz_pattern,$(PATTERN)))
$(eval $(call fuzzer,fuzz_timeexpr,common/timeexpr.c common/units.c common/util.c))
$(eval $(call fuzzer,fuzz_conf,$(CONF)))
$(eval $(call fuzzer,fuzz_file_request,vgpud/files/format.c common/names.c common/crc32c.c))
$(eval $(call fuzzer,fuzz_admin_line,vgpud/admin/line.c $(PATTERN),-ljansson))
$(eval $(call fuzzer,fuzz_admin_reply,$(PATTERN) vgpuadm/fail.c vgpuadm/times.c vgpuadm/words.c $(call src,vgpuadm/out) \
	$(addprefix vgpuadm/view/,say.c shape.c shape_programs.c story.c story_program.c), \
	-ljansson -lsmartcols))

$(eval $(call fuzzer,fuzz_ptx,tests/fuzz/ptx_mutate.c tests/fuzz/ptx_program.c $(SOFTGPU_FRONT_SRC)))
$(eval $(call fuzzer,fuzz_ptx_run,tests/fuzz/ptx_program.c $(SOFTGPU_FRONT_SRC) $(SOFTGPU_MACHINE_SRC),-lpthread -lm))

$(eval $(call fuzzer,fuzz_channel,$(addprefix tests/fuzz/channel_,guest.c record.c) $(GUEST_OF_WORKER),-lnettle -lpthread -lm))

# The same without libFuzzer, for the counts of `make soak`: built by GCC or another C compiler that has the sanitizers.
DRIVE_CFLAGS := -std=gnu11 -g -O2 -Wall -Wextra -D_GNU_SOURCE -I. -fno-omit-frame-pointer -ffp-contract=off \
	-fsanitize=address,undefined -fno-sanitize-recover=undefined -MMD -MP
# They run where there is no compiler, too.
DRIVE_LDFLAGS := -static-libasan -static-libubsan

DRIVE :=
define driver
DRIVE += $(FUZZ_B)/drive_$(1)
$(FUZZ_B)/drive_$(1): $(patsubst %.c,$(FUZZ_B)/drive/%.o,tests/fuzz/drive.c tests/fuzz/$(1).c $(2))
	@echo "  LINK  $$@"
	@$$(CC) $(DRIVE_CFLAGS) $(DRIVE_LDFLAGS) -o $$@ $$^ $(3)
endef

$(eval $(call driver,fuzz_ptx,tests/fuzz/ptx_mutate.c tests/fuzz/ptx_program.c $(SOFTGPU_FRONT_SRC)))
$(eval $(call driver,fuzz_ptx_run,tests/fuzz/ptx_program.c $(SOFTGPU_FRONT_SRC) $(SOFTGPU_MACHINE_SRC),-lpthread -lm))

$(eval $(call driver,fuzz_channel,$(addprefix tests/fuzz/channel_,guest.c record.c) $(GUEST_OF_WORKER),-lnettle -lpthread -lm))

$(FUZZ_B)/drive/%.o: %.c
	@mkdir -p $(@D)
	@echo "  DRIVE $<"
	@$(CC) $(DRIVE_CFLAGS) -c -o $@ $<

$(FUZZ_B)/.prerequisites: tools/prerequisites.sh tools/debian-packages
	@mkdir -p $(@D)
	@tools/prerequisites.sh test
	@touch $@

$(FUZZ_B)/obj/%.o: %.c | $(FUZZ_B)/.prerequisites
	@mkdir -p $(@D)
	@echo "  FUZZ  $<"
	@$(CLANG) $(FUZZ_CFLAGS) -c -o $@ $<

# An edit distance is nothing but comparisons: traced, they take most of the time of a fuzzer that gets
# a word wrong, and teach it nothing.
$(FUZZ_B)/obj/common/suggest.o: FUZZ_CFLAGS += -fno-sanitize-coverage=trace-cmp
# The same of loops over lanes.
$(patsubst %.c,$(FUZZ_B)/obj/%.o,$(SOFTGPU_FRONT_SRC) $(SOFTGPU_MACHINE_SRC)): FUZZ_CFLAGS += -fno-sanitize-coverage=trace-cmp \
	-ffp-contract=off

# What makes inputs is not what they are to reach.
$(addprefix $(FUZZ_B)/obj/tests/fuzz/,ptx_mutate.o ptx_program.o channel_guest.o channel_record.o): \
	FUZZ_CFLAGS += -fno-sanitize-coverage=inline-8bit-counters,indirect-calls,trace-cmp,pc-table

-include $(shell find $(FUZZ_B)/obj $(FUZZ_B)/drive -name '*.d' 2>/dev/null)

.PHONY: fuzz fuzz-drive
fuzz: $(FUZZ)
fuzz-drive: $(DRIVE)

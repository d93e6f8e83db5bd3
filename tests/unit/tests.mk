# SPDX-License-Identifier: GPL-2.0-or-later
# tests.mk - each unit test with the files of the product that it links, and libraries if any:
# $(eval $(call unit-test,NAME,FILES,LIBRARIES))
$(eval $(call unit-test,daemon/test_aside,vgpud/aside.c,-lsystemd -lpthread))
$(eval $(call unit-test,admin/test_budget,vgpud/admin/budget.c))
$(eval $(call unit-test,admin/test_server,vgpud/admin/server.c vgpud/admin/turn.c vgpud/link/attached.c vgpud/link/foreign.c proc/descriptors.c common/log.c common/sock.c common/util.c,\
	-lsystemd -lpthread $(foreach f,accept4 sd_event_add_time_relative,-Xlinker --wrap=$f)))
$(eval $(call unit-test,admin/test_trace,vgpud/admin/trace.c common/wire/cmds_check.c common/log.c common/units.c common/util.c,-lsystemd -ljansson))
$(eval $(call unit-test,admin/test_turn,vgpud/admin/turn.c,-lsystemd))
$(eval $(call unit-test,common/test_guest_names,common/names.c common/crc32c.c))
$(eval $(call unit-test,guest/test_guest_submit,$(call src,guest/libvgpu),-lpci -lpthread -Xlinker --wrap=bar_read -Xlinker --wrap=bar_read_bytes))
$(eval $(call unit-test,libvgpu/test_channel,tests/unit/libvgpu/double.c $(CHANNEL_SRC),-lpthread))
$(eval $(call unit-test,libvgpu/test_device,tests/unit/libvgpu/double.c tests/unit/libvgpu/device_double.c $(CHANNEL_SRC),\
	$(foreach f,open close ioctl poll read,-Xlinker --wrap=$f) -lpthread))
$(eval $(call unit-test,libvgpu/test_missing,guest/libvgpu/missing.c))
$(eval $(call unit-test,libcuda/test_image,$(LIBCUDA_SRC),-lpthread))
$(eval $(call unit-test,libcuda/test_libcuda,tests/unit/libcuda/fake_gpu.c tests/unit/libvgpu/double.c $(LIBCUDA_SRC),-lpthread))
$(eval $(call unit-test,guest/test_guest_job,guest/vgpu-run/job.c guest/vgpu-run/samples.c guest/vgpu-probe/regs.c \
	guest/libvgpu/bar.c guest/tool/exit_code.c guest/libvgpu/slot.c common/names.c common/wire/proto_check.c common/crc32c.c))
$(eval $(call unit-test,common/test_proto_check,common/wire/proto_check.c common/crc32c.c))
$(eval $(call unit-test,common/test_frame,))
$(eval $(call unit-test,common/test_log,common/log.c))
$(eval $(call unit-test,sched/test_limit,vgpud/sched/limit.c))
$(eval $(call unit-test,sched/test_lease,vgpud/sched/lease.c vgpud/sched/lease_count.c vgpud/sched/lease_order.c vgpud/sched/cap.c))
$(eval $(call unit-test,sched/test_lease_model,vgpud/sched/lease.c vgpud/sched/lease_count.c vgpud/sched/lease_order.c vgpud/sched/cap.c))
$(eval $(call unit-test,sched/test_sched,vgpud/sched/sched.c vgpud/sched/limit.c))
$(eval $(call unit-test,request/test_life,vgpud/request/life.c))
$(eval $(call unit-test,link/test_session,vgpud/link/session.c))
PEER := vgpud/link/attached.c vgpud/link/foreign.c vgpud/link/frames.c vgpud/link/peer.c vgpud/link/refuse.c vgpud/link/session.c
$(eval $(call unit-test,link/test_peer,$(PEER) common/log.c,-lsystemd -lpthread -Xlinker --wrap=sd_event_add_time_relative))
$(eval $(call unit-test,link/test_port,$(PEER) vgpud/link/port.c vgpud/link/port_log.c proc/descriptors.c common/log.c common/sock.c common/util.c,\
	-lsystemd -lpthread $(foreach f,pthread_create sd_event_add_time_relative,-Xlinker --wrap=$f)))
$(eval $(call unit-test,common/test_busy_poll,common/busy_poll.c))
$(eval $(call unit-test,files/test_file_format,vgpud/files/format.c common/names.c))

PATTERN := common/cmd/pattern.c common/cmd/pattern_items.c common/cmd/pattern_types.c common/cmd/pattern_why.c common/cmd/admin.c \
	common/names.c common/cmd/suggest.c common/timeexpr.c common/units.c common/util.c common/vm_name.c common/vm_settings.c
$(eval $(call unit-test,common/test_pattern,$(PATTERN)))
$(eval $(call unit-test,common/test_suggest,common/cmd/suggest.c))
$(eval $(call unit-test,common/test_timeexpr,common/timeexpr.c))
$(eval $(call unit-test,common/test_units,common/units.c common/util.c))

CONF := vgpud/conf/conf.c vgpud/conf/file.c vgpud/conf/options.c vgpud/conf/reload.c vgpud/conf/settings.c vgpud/vm/vm.c \
	vgpud/sched/sched.c vgpud/sched/limit.c vgpud/vm/stats.c common/hist.c common/names.c common/cmd/suggest.c common/units.c common/util.c common/vm_name.c
$(eval $(call unit-test,conf/test_conf,$(CONF)))

$(eval $(call unit-test,common/test_vm_name,common/vm_name.c common/util.c))
$(eval $(call unit-test,common/test_vm_settings,common/names.c common/units.c common/util.c))
$(eval $(call unit-test,vm/test_recording,vgpud/vm/recording.c vgpud/vm/vm.c vgpud/vm/stats.c vgpud/sched/sched.c vgpud/sched/limit.c \
	common/log.c common/names.c common/units.c common/util.c common/vm_name.c common/vm_settings.c))
$(eval $(call unit-test,sched/test_share,vgpud/sched/share.c))
LEDGER := vgpud/ledger/batch.c vgpud/ledger/book.c vgpud/ledger/changes.c vgpud/ledger/clock.c vgpud/ledger/db.c \
	vgpud/ledger/db_open.c vgpud/ledger/events.c vgpud/ledger/health.c common/hist.c vgpud/ledger/history.c \
	vgpud/ledger/migrate.c vgpud/ledger/names.c vgpud/ledger/notes.c vgpud/ledger/programs.c vgpud/ledger/remains.c vgpud/ledger/retention.c \
	vgpud/ledger/ring.c vgpud/ledger/ring_file.c vgpud/ledger/ring_format_1.c vgpud/ledger/ring_program.c vgpud/ledger/room.c vgpud/ledger/set_aside.c \
	vgpud/ledger/settle.c vgpud/ledger/sqlite.c vgpud/ledger/start.c vgpud/ledger/submissions.c vgpud/ledger/vms.c vgpud/ledger/waits.c vgpud/ledger/wake.c \
	vgpud/ledger/watch.c vgpud/ledger/writer.c vgpud/sched/share.c common/crc32c.c common/names.c common/units.c \
	common/util.c common/vm_settings.c $(B)/vgpud/ledger/schema.o
$(eval $(call unit-test,ledger/test_hist,common/hist.c))
$(eval $(call unit-test,ledger/test_ring,vgpud/ledger/ring.c vgpud/ledger/ring_file.c vgpud/ledger/ring_format_1.c vgpud/ledger/ring_program.c vgpud/ledger/set_aside.c common/crc32c.c))
$(eval $(call unit-test,ledger/test_batch,tests/unit/ledger/fixture.c $(LEDGER),-lsqlite3))
$(eval $(call unit-test,ledger/test_changes,tests/unit/ledger/fixture.c $(LEDGER),-lsqlite3))
$(eval $(call unit-test,ledger/test_ledger,tests/unit/ledger/fixture.c $(LEDGER),-lsqlite3))
$(eval $(call unit-test,ledger/test_null,tests/unit/ledger/fixture.c $(LEDGER) vgpud/ledger/null.c,-lsqlite3))
$(eval $(call unit-test,ledger/test_programs,tests/unit/ledger/fixture.c $(LEDGER),-lsqlite3))
$(eval $(call unit-test,ledger/test_retention,tests/unit/ledger/fixture.c $(LEDGER),-lsqlite3))
$(eval $(call unit-test,ledger/test_settle,tests/unit/ledger/fixture.c $(LEDGER),-lsqlite3))
$(eval $(call unit-test,ledger/test_upgrade,tests/unit/ledger/fixture.c $(LEDGER),-lsqlite3))
$(eval $(call unit-test,ledger/test_watch,tests/unit/ledger/fixture.c $(LEDGER),-lsqlite3))
$(eval $(call unit-test,ledger/test_start,tests/unit/ledger/fixture.c $(LEDGER),-lsqlite3))
$(eval $(call unit-test,ledger/test_replay,$(LEDGER),-lsqlite3))
LEDGER_QUERY := vgpud/ledger/query.c vgpud/ledger/query_rows.c vgpud/ledger/query_groups.c \
	vgpud/ledger/query_programs.c vgpud/ledger/query_submissions.c vgpud/ledger/query_usage.c vgpud/ledger/query_submission_rows.c vgpud/ledger/query_stats.c vgpud/ledger/query_exact.c vgpud/ledger/query_waits.c vgpud/ledger/query_blame.c
$(eval $(call unit-test,ledger/test_query,$(LEDGER) $(LEDGER_QUERY),-lsqlite3))
$(eval $(call unit-test,ledger/test_usage,tests/unit/ledger/fixture.c $(LEDGER) $(LEDGER_QUERY),-lsqlite3))
$(eval $(call unit-test,ledger/test_waits,tests/unit/ledger/fixture.c $(LEDGER) $(LEDGER_QUERY),-lsqlite3))
$(eval $(call unit-test,ledger/test_submissions,tests/unit/ledger/fixture.c $(LEDGER) $(LEDGER_QUERY),-lsqlite3))
$(eval $(call unit-test,ledger/test_scans,tests/unit/ledger/fixture.c $(LEDGER) $(LEDGER_QUERY),-Xlinker --wrap=sqlite3_prepare_v2 -lsqlite3))
$(eval $(call unit-test,programs/test_harvest,tests/unit/ledger/fixture.c vgpud/programs/bill.c vgpud/programs/harvest.c vgpud/programs/held.c common/log.c $(LEDGER),-lsqlite3))
$(eval $(call unit-test,programs/test_used,tests/unit/ledger/fixture.c vgpud/programs/bill.c vgpud/programs/harvest.c vgpud/programs/held.c vgpud/programs/record.c common/log.c $(LEDGER),-lsqlite3))
$(eval $(call unit-test,programs/test_waited,vgpud/programs/waited.c common/util.c))
$(eval $(call unit-test,programs/test_tracing,vgpud/programs/tracing.c worker/trace.c common/wire/cmds_check.c common/util.c,-lpthread))
include tests/crash/tests.mk

$(eval $(call unit-test,exec/test_pool,vgpud/exec/pool.c))
EXEC := vgpud/exec/executors.c vgpud/exec/output.c vgpud/exec/pool.c vgpud/exec/process.c vgpud/exec/seat.c proc/descriptors.c proc/inherit.c proc/spawn.c \
	proc/child.c proc/identity.c proc/sandbox.c proc/sandbox_cgroup.c proc/spawn_wire.c proc/starter.c common/library.c common/log.c common/names.c common/util.c
$(eval $(call unit-test,exec/test_process,$(EXEC),-lsystemd))
$(eval $(call unit-test,lease/test_arbiter,$(call src,vgpud/lease) vgpud/sched/lease.c vgpud/sched/lease_count.c vgpud/sched/lease_order.c vgpud/sched/cap.c \
	common/util.c,-lsystemd))
$(eval $(call unit-test,exec/test_program,$(EXEC) vgpud/exec/describe.c vgpud/exec/program.c vgpud/exec/spares.c,-lsystemd))
$(eval $(call unit-test,exec/test_seat,$(EXEC),-lsystemd))
$(eval $(call unit-test,exec/test_nvml,$(EXEC) vgpud/exec/nvml.c,-lsystemd))
$(eval $(call unit-test,programs/test_programs,tests/unit/programs/doubles.c $(call src,vgpud/programs) vgpud/link/foreign.c \
	common/log.c common/vm_settings.c proc/sandbox_cgroup.c $(filter-out vgpud/vm/%,$(CONF)),-lpthread))
$(eval $(call unit-test,programs/test_underbill,vgpud/programs/underbill.c))
$(eval $(call unit-test,worker/test_nvml,worker/nvml.c,-ldl))
$(eval $(call unit-test,programs/test_left,vgpud/programs/left.c proc/child.c proc/sandbox_cgroup.c common/log.c common/util.c,-lsystemd))
$(eval $(call unit-test,programs/test_module_cache,vgpud/programs/module_cache.c))
$(eval $(call unit-test,programs/test_allowance,vgpud/programs/allowance.c vgpud/programs/overuse.c worker/claims.c))
$(eval $(call unit-test,common/test_cuda_abi,))
$(B)/tests/unit/common/test_cuda_abi.o: CFLAGS_ALL += $(CUDA_INC)

$(eval $(call unit-test,proc/test_spawn,proc/identity.c proc/inherit.c proc/spawn.c common/log.c proc/sandbox.c proc/sandbox_cgroup.c proc/spawn_wire.c proc/starter.c common/util.c))
$(eval $(call unit-test,proc/test_confine,proc/confine.c proc/confine_calls.c proc/confine_driver.c proc/confine_files.c,-lseccomp -lpthread))

# All of vgpuadm but what talks to vgpud, to readline and to the shell: the test answers in vgpud's place.
VGPUADM_VIEWS := $(filter-out vgpuadm/client.c vgpuadm/main.c vgpuadm/shell.c vgpuadm/complete.c vgpuadm/history_file.c,$(VGPUADM_SRC))
$(eval $(call unit-test,vgpuadm/test_view,$(VGPUADM_VIEWS) $(COMMON_SRC),-ljansson -lsmartcols -lm))

# SPDX-License-Identifier: GPL-2.0-or-later
# tests.mk - the unit tests of a program's worker, as ../tests.mk has them

# The worker of a program, without its roles and without NVIDIA's driver: the tests bring what stands for it.
WORKER_OF_PROGRAM := $(addprefix worker/,budget.c bundle.c channel.c charge.c claims.c commands.c dirty.c drain.c flight.c gpu.c gpu_soft.c gpu_soft_open.c handles.c held.c helpers.c lease.c memory.c module_client.c module_file.c module_key.c modules.c output.c \
	program.c quota.c report.c run_context.c run_copy.c run_memory.c run_module.c run_stream.c serve.c trace.c waits.c window.c) \
	common/hist.c common/library.c common/wire/cmds_check.c common/units.c common/util.c
WORKER_LIBS := $(SOFTGPU_LIBS) -lnettle
GUEST_OF_WORKER := tests/unit/worker/guest.c tests/unit/worker/no_cuda.c $(WORKER_OF_PROGRAM) $(SOFTGPU_SRC)
$(eval $(call unit-test,worker/test_report,worker/report.c worker/trace.c common/hist.c common/wire/cmds_check.c common/util.c,-lpthread))
$(eval $(call unit-test,worker/test_lease,$(GUEST_OF_WORKER),$(WORKER_LIBS)))
$(eval $(call unit-test,worker/test_program,$(GUEST_OF_WORKER),$(WORKER_LIBS)))
$(eval $(call unit-test,worker/test_program_input,$(GUEST_OF_WORKER),$(WORKER_LIBS)))
$(eval $(call unit-test,worker/test_program_window,$(GUEST_OF_WORKER),$(WORKER_LIBS)))
$(eval $(call unit-test,wire/test_cmds,common/wire/cmds_check.c))
$(eval $(call unit-test,worker/test_bundle,worker/bundle.c))
$(eval $(call unit-test,worker/test_handles,worker/handles.c))
$(eval $(call unit-test,worker/test_memory,worker/memory.c))
$(eval $(call unit-test,worker/test_charge,$(GUEST_OF_WORKER),$(WORKER_LIBS)))
$(eval $(call unit-test,worker/test_claims,worker/claims.c,-lpthread))
$(eval $(call unit-test,worker/test_quota,worker/budget.c worker/claims.c worker/quota.c common/util.c,-lpthread))
$(eval $(call unit-test,worker/test_modules,tests/unit/worker/no_cuda.c $(WORKER_OF_PROGRAM) $(SOFTGPU_SRC),$(WORKER_LIBS)))
$(eval $(call unit-test,worker/test_output,worker/output.c,-lpthread))
# It has worker/channel.c in itself, with another memory below.
$(eval $(call unit-test,worker/test_ring_model,,-lpthread))
$(eval $(call unit-test,worker/test_ring_code,))

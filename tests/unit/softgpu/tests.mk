# SPDX-License-Identifier: GPL-2.0-or-later
# tests.mk - softgpu's unit tests, each with the files that it links: $(eval $(call unit-test,softgpu/NAME,FILES,LIBRARIES))
# The whole device, with kernels' machinery linked but idle.
$(eval $(call unit-test,softgpu/test_streams,$(SOFTGPU_SRC) common/util.c,$(SOFTGPU_LIBS)))
$(eval $(call unit-test,softgpu/test_copies,$(SOFTGPU_SRC) common/util.c,$(SOFTGPU_LIBS)))

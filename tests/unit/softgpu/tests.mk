# SPDX-License-Identifier: GPL-2.0-or-later
# tests.mk - softgpu's unit tests, each with the files that it links: $(eval $(call unit-test,softgpu/NAME,FILES,LIBRARIES))

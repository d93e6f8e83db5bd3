# SPDX-License-Identifier: GPL-2.0-or-later
# kmod.mk - vgpu.ko: for the test guest, against other kernels, and as a source package for DKMS

KMOD_SRC := $(wildcard guest/kmod/*.[ch] guest/kmod/include/*.h) guest/kmod/Kbuild guest/kmod/Makefile \
	guest/kmod/dkms.conf $(patsubst %,common/wire/vgpu_%.h,channel ioctl proto regs ring) tools/kmod.sh tools/guest-kernel.sh

# The same for every SAN.
KMOD := build/kmod/vgpu.ko
$(KMOD): $(KMOD_SRC)
	@tools/prerequisites.sh guest
	@echo "  KMOD  $@"
	@tools/kmod.sh build $(@D)

# Against the headers of Debian's other releases: KMOD_SUITES=bullseye for one of them.
KMOD_SUITES ?= bullseye bookworm bookworm-backports
.PHONY: kmod kmod-suites install-kmod uninstall-kmod
kmod: $(KMOD)
kmod-suites: $(KMOD_SRC)
	@tools/prerequisites.sh guest
	@for suite in $(KMOD_SUITES); do echo "  KMOD  build/kmod-$$suite/vgpu.ko"; \
		tools/kmod.sh build build/kmod-$$suite $$suite || exit 1; done

# In a guest: then `dkms install vgpu/$(VERSION)` builds it for the kernels that are there.
KMOD_DIR = $(DESTDIR)/usr/src/vgpu-$(VERSION)
install-kmod:
	@tools/kmod.sh copy $(KMOD_DIR) $(VERSION)
	@echo "$(KMOD_DIR) is ready: dkms install vgpu/$(VERSION)"

uninstall-kmod:
	rm -rf $(KMOD_DIR)

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# guest-image.sh - makes the guest that demo and tests boot: Debian's cloud kernel, busybox and our tools
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
PATH=$PATH:/usr/sbin:/sbin # depmod, modprobe and ldconfig, which need no root for what they do here

usage() {
    echo "usage: tools/guest-image.sh [--modules NAME,...] [--kmod FILE] [--libcuda FILE] [--doc FILE] OUTDIR PROGRAM..." >&2
    echo "  OUTDIR    gets vmlinuz and initramfs.cpio" >&2
    echo "  PROGRAM   goes to the guest's /usr/bin, with the shared libraries it needs; the one called agent is started" >&2
    echo "  --modules kernel modules to load besides those that vgpu-stub needs" >&2
    echo "  --kmod    vgpu.ko, as make kmod builds it, to load after those" >&2
    echo "  --libcuda our libcuda.so.1, for the guest's /usr/lib/vgpu, where its loader finds it" >&2
    echo "  --doc     a file to read, for the guest's /usr/share/vgpu; may be given again" >&2
    exit 2
}

die() {
    echo "guest-image: $*" >&2
    exit 1
}

modules=uio_pci_generic kmod='' libcuda='' docs=()
while [ $# -ge 2 ]; do
    case $1 in
    --modules) modules+=,$2 ;;
    --kmod) kmod=$2 ;;
    --libcuda) libcuda=$2 ;;
    --doc) docs+=("$2") ;;
    *) break ;;
    esac
    shift 2
done
[ $# -ge 2 ] || usage
case $1 in -*) usage ;; esac
out=$1
shift

for tool in apt-get dpkg depmod modprobe ldconfig strip cpio xz busybox; do
    command -v "$tool" >/dev/null || die "$tool is missing; tools/prerequisites.sh guest names its package"
done
busybox=$(command -v busybox)
ldd "$busybox" >/dev/null 2>&1 && die "$busybox is not static; apt-get install busybox-static"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

kernel=$("$root/tools/guest-kernel.sh")
version=$(basename "$kernel"/lib/modules/*)

tree=$work/tree
mkdir -p "$tree"/{bin,dev,etc,lib/modules,proc,root,run,sys,tmp,usr/bin}
cp "$root/tools/guest/init" "$tree/init"
cp "$busybox" "$tree/bin/busybox"
"$busybox" --list | while read -r applet; do
    [ -e "$tree/bin/$applet" ] || ln -s busybox "$tree/bin/$applet"
done

# In the order in which they must be loaded, each once.
for module in ${modules//,/ }; do
    modprobe -d "$kernel" -S "$version" --show-depends "$module" >"$work/depends" 2>/dev/null ||
        die "Debian's kernel $version has no module $module"
    awk '$1 == "insmod" {print $2}' "$work/depends"
done | awk '!seen[$0]++' >"$work/modules"
[ -s "$work/modules" ] || die "no module was found for $modules"
while read -r file; do
    name=$(basename "$file" .xz)
    case $file in
    *.xz) xz -dc "$file" >"$tree/lib/modules/$name" ;;
    *) cp "$file" "$tree/lib/modules/$name" ;;
    esac
    echo "$name" >>"$tree/lib/modules/order"
done <"$work/modules"
if [ -n "$kmod" ]; then
    strip --strip-debug -o "$tree/lib/modules/vgpu.ko" "$kmod"
    echo vgpu.ko >>"$tree/lib/modules/order"
fi

# What a program of this host needs of its libraries: nothing if it is static. A CUDA program's is the guest's own, never this host's driver.
libraries_of() { # libraries_of FILE
    { ldd "$1" 2>/dev/null || true; } | awk '$1 ~ /^libcuda\.so/ {next} $2 == "=>" && $3 ~ /^\// {print $3} $1 ~ /^\// {print $1}'
}

put() { # put FILE DIRECTORY: without what only a debugger reads
    [ -e "$1" ] || die "$1 is not there; build it first: make all"
    mkdir -p "$tree/$2"
    strip -o "$tree/$2/$(basename "$1")" "$1"
    libraries_of "$1" >>"$work/libraries"
}

for program in "$@"; do
    put "$program" usr/bin
done
if [ -n "$libcuda" ]; then
    # As docs/guest.md installs it.
    put "$libcuda" usr/lib/vgpu
    mkdir "$tree/etc/ld.so.conf.d"
    echo /usr/lib/vgpu >"$tree/etc/ld.so.conf.d/vgpu.conf"
    echo 'include /etc/ld.so.conf.d/*.conf' >"$tree/etc/ld.so.conf"
fi
sort -u "$work/libraries" | while read -r library; do
    mkdir -p "$tree$(dirname "$library")"
    cp -L "$library" "$tree$library"
done
[ -z "$libcuda" ] || ldconfig -r "$tree"
if [ ${#docs[@]} -gt 0 ]; then
    mkdir -p "$tree/usr/share/vgpu"
    cp "${docs[@]}" "$tree/usr/share/vgpu"
fi

# Uncompressed: the guest's emulated processor would take longer to inflate it than QEMU to read it.
mkdir -p "$out"
chmod 755 "$tree/init"
(cd "$tree" && find . | LC_ALL=C sort | cpio -o -H newc -R 0:0 --quiet) >"$work/initramfs.cpio"
cp "$kernel/vmlinuz" "$work/vmlinuz"
mv "$work/vmlinuz" "$out/vmlinuz"
mv "$work/initramfs.cpio" "$out/initramfs.cpio"

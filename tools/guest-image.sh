#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# guest-image.sh - makes the guest that demo and tests boot: Debian's cloud kernel, busybox and our tools
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
PATH=$PATH:/usr/sbin:/sbin # depmod and modprobe, which need no root for what they do here

usage() {
    echo "usage: tools/guest-image.sh [--modules NAME,...] [--kmod FILE] OUTDIR PROGRAM..." >&2
    echo "  OUTDIR    gets vmlinuz and initramfs.cpio" >&2
    echo "  PROGRAM   goes to the guest's /usr/bin, with the shared libraries it needs" >&2
    echo "  --modules kernel modules to load besides those that vgpu-stub needs" >&2
    echo "  --kmod    vgpu.ko, as make kmod builds it, to load after those" >&2
    exit 2
}

die() {
    echo "guest-image: $*" >&2
    exit 1
}

modules=uio_pci_generic kmod=
while [ $# -ge 2 ]; do
    case $1 in
    --modules) modules+=,$2 ;;
    --kmod) kmod=$2 ;;
    *) break ;;
    esac
    shift 2
done
[ $# -ge 2 ] || usage
case $1 in -*) usage ;; esac
out=$1
shift

for tool in apt-get dpkg depmod modprobe cpio xz busybox; do
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
cp "$root/tools/guest/agent" "$tree/bin/agent"
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
    cp "$kmod" "$tree/lib/modules/vgpu.ko"
    echo vgpu.ko >>"$tree/lib/modules/order"
fi

for program in "$@"; do
    [ -x "$program" ] || die "$program is not there; build it first: make all"
    cp "$program" "$tree/usr/bin/"
    ldd "$program" | awk '$2 == "=>" && $3 ~ /^\// {print $3} $1 ~ /^\// {print $1}'
done | sort -u >"$work/libraries"
while read -r library; do
    mkdir -p "$tree$(dirname "$library")"
    cp -L "$library" "$tree$library"
done <"$work/libraries"

# Uncompressed: the guest's emulated processor would take longer to inflate it than QEMU to read it.
mkdir -p "$out"
chmod 755 "$tree/init" "$tree/bin/agent"
(cd "$tree" && find . | LC_ALL=C sort | cpio -o -H newc -R 0:0 --quiet) >"$work/initramfs.cpio"
cp "$kernel/vmlinuz" "$work/vmlinuz"
mv "$work/vmlinuz" "$out/vmlinuz"
mv "$work/initramfs.cpio" "$out/initramfs.cpio"

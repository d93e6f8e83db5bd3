#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# guest-image.sh - makes the guest that demo and tests boot: Debian's cloud kernel, busybox and our tools
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
PATH=$PATH:/usr/sbin:/sbin # depmod and modprobe, which need no root for what they do here

usage() {
    echo "usage: tools/guest-image.sh [--modules NAME,...] OUTDIR PROGRAM..." >&2
    echo "  OUTDIR    gets vmlinuz and initramfs.cpio" >&2
    echo "  PROGRAM   goes to the guest's /usr/bin, with the shared libraries it needs" >&2
    echo "  --modules kernel modules to load besides those that vgpu-stub needs" >&2
    exit 2
}

die() {
    echo "guest-image: $*" >&2
    exit 1
}

modules=uio_pci_generic
if [ "${1-}" = --modules ] && [ $# -ge 2 ]; then
    modules+=,$2
    shift 2
fi
[ $# -ge 2 ] || usage
case $1 in -*) usage ;; esac
out=$1
shift

for tool in apt-get dpkg depmod modprobe cpio xz busybox; do
    command -v "$tool" >/dev/null || die "$tool is missing; tools/prerequisites.sh guest names its package"
done
busybox=$(command -v busybox)
ldd "$busybox" >/dev/null 2>&1 && die "$busybox is not static; apt-get install busybox-static"

# shellcheck source=/dev/null
release=$(. /etc/os-release && echo "${VERSION_CODENAME:-$VERSION_ID}")
cache=${XDG_CACHE_HOME:-$HOME/.cache}/vgpu
kernel=$cache/kernel/$release

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Prints the name of the package that holds the kernel, or fails where the lists do not know it.
kernel_package() {
    apt-cache "$@" show --no-all-versions linux-image-cloud-amd64 2>/dev/null |
        sed -n 's/^Depends: \(linux-image-[^ ,]*\).*/\1/p' | grep .
}

# Downloads that package into $work by the lists that the options name.
download() {
    local package
    package=$(kernel_package "$@") || return
    echo "Downloading $package (about 30 MB, kept in $cache)" >&2
    (cd "$work" && apt-get "$@" -qq download "$package") >>"$work/log" 2>&1
}

# Puts kernel and modules into the cache, by one rename: it is there whole or not at all.
fetch_kernel() {
    local own=(-o "Dir::State::Lists=$work/lists" -o "Dir::Cache=$work/cache")
    local sandbox=()

    [ "$(id -u)" -ne 0 ] || sandbox=(-o APT::Sandbox::User=root)
    : >"$work/log"
    # The system's lists may be absent or too old to name a version that still exists: then our own.
    if ! download "${sandbox[@]}"; then
        mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
        if ! apt-get "${own[@]}" "${sandbox[@]}" -qq update >>"$work/log" 2>&1 ||
            ! download "${own[@]}" "${sandbox[@]}"; then
            tail -n 20 "$work/log" >&2
            die "cannot download Debian's linux-image-cloud-amd64; check the network and the apt sources, then run this again"
        fi
    fi
    dpkg -x "$work"/linux-image-*.deb "$work/kernel"
    [ -d "$work/kernel/lib" ] || mv "$work/kernel/usr/lib" "$work/kernel/lib" # where Debian 13 has it
    version=$(basename "$work"/kernel/lib/modules/*)
    depmod -b "$work/kernel" "$version"
    mkdir -p "$cache/kernel"
    local staged
    staged=$(mktemp -d "$cache/kernel/.$release.XXXXXX")
    cp "$work/kernel/boot/vmlinuz-$version" "$staged/vmlinuz"
    mv "$work/kernel/lib" "$staged/lib"
    mv -T "$staged" "$kernel" 2>/dev/null || rm -rf "$staged" # another run was faster
}

[ -e "$kernel/vmlinuz" ] || fetch_kernel
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

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# overlay.sh - puts the vgpu-stub device into a QEMU source tree (7.2 or later), as hw/vgpu
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
sources=(vgpu-stub.c vgpu-bar0.c vgpu-link.c vgpu-out.c vgpu-window.c vgpu-channels.c
    vgpu-eventfds.c vgpu-state.c)
files=("$here"/{vgpu-*.[ch],Kconfig,trace-events}
    "$here"/../common/wire/{vgpu_regs.h,vgpu_proto.h,vgpu_frame.h,vgpu_ends.h})

fail() {
    echo "overlay.sh: $*" >&2
    exit 1
}

# A file is written only when it changes: ninja goes by its time.
put() { # put FILE: its new contents come on stdin
    local new
    new=$(mktemp "$1.XXXXXX")
    cat >"$new"
    if cmp -s "$new" "$1"; then
        rm -f "$new"
    else
        chmod 644 "$new"
        mv -f "$new" "$1"
    fi
}

# hook FILE LINE AFTER: LINE stands once in FILE, right after the line AFTER.
hook() {
    local file=$tree/$1 line=$2 after=$3
    if grep -qxF -- "$line" "$file"; then
        return
    fi
    grep -qxF -- "$after" "$file" || fail "$1 of this tree has no line '$after'; add '$line' to it by hand"
    awk -v line="$line" -v after="$after" '{ print } $0 == after { print line }' "$file" | put "$file"
}

[ $# -eq 1 ] || { echo "usage: qemu/overlay.sh QEMU_SRC" >&2; exit 2; }
tree=$1
for f in VERSION configure meson.build hw/meson.build hw/Kconfig; do
    [ -f "$tree/$f" ] || fail "$tree is not the source tree of QEMU 5.2 or later: it has no $f"
done

mkdir -p "$tree/hw/vgpu"
for f in "${files[@]}"; do
    put "$tree/hw/vgpu/${f##*/}" <"$f"
done
put "$tree/hw/vgpu/trace.h" <<<'#include "trace/trace-hw_vgpu.h"'

# The set that system emulation builds from changed its name in 8.1.
system_set=softmmu_ss
if grep -q '^system_ss = ' "$tree/meson.build"; then
    system_set=system_ss
fi
put "$tree/hw/vgpu/meson.build" <<<"$system_set.add(when: 'CONFIG_VGPU_STUB', if_true: files($(printf "'%s', " "${sources[@]}")))"

hook hw/meson.build "subdir('vgpu')" "subdir('usb')"
hook hw/Kconfig "source vgpu/Kconfig" "source usb/Kconfig"
hook meson.build "    'hw/vgpu'," "    'hw/usb',"

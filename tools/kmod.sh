#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# kmod.sh - vgpu.ko for the test guest's kernel, and its sources in the form that DKMS wants
#
# usage: tools/kmod.sh build OUTDIR [SUITE]   OUTDIR/vgpu.ko for Debian's cloud kernel of SUITE (this machine's release)
#        tools/kmod.sh check OUTDIR [SUITE]   the same sources under sparse and gcc -fanalyzer: every finding is an error
#        tools/kmod.sh copy OUTDIR VERSION    the sources alone, for DKMS
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
    sed -n '5,7s/^# //p' "$0" >&2
    exit 2
}

copy() { # copy OUTDIR VERSION
    mkdir -p "$1/guest/kmod/include" "$1/common/wire"
    install -m 644 guest/kmod/{Kbuild,Makefile,*.c,*.h} "$1/guest/kmod"
    install -m 644 guest/kmod/include/*.h "$1/guest/kmod/include"
    install -m 644 common/wire/vgpu_{channel,ioctl,proto,regs,ring}.h "$1/common/wire"
    sed "s/@VERSION@/$2/" guest/kmod/dkms.conf >"$1/dkms.conf"
}

# compile OUTDIR SUITE MAKE-ARGUMENT...
compile() {
    local out kernel log
    kernel=$(tools/guest-kernel.sh "$2")
    mkdir -p "$1"
    out=$(cd "$1" && pwd)
    log=$out/log
    shift 2
    MAKEFLAGS='' make -s -j"$(nproc)" -C "$kernel/headers" M="$out/guest/kmod" CC=gcc CONFIG_DEBUG_INFO_BTF_MODULES= "$@" modules >"$log" 2>&1 || {
        cat "$log" >&2
        echo "kmod: vgpu.ko does not compile for $(readlink "$kernel/headers")" >&2
        exit 1
    }
    # Without BTF, which takes pahole and the kernel image. The version of gcc may differ within its release.
    grep -vE '^(Skipping BTF generation|warning: the compiler differs|  (The kernel was built|You are using))' "$log" || true
}

[ $# -ge 2 ] || usage
# shellcheck source=/dev/null
suite=${3:-$(. /etc/os-release && echo "${VERSION_CODENAME:-$VERSION_ID}")}
case $1 in
build)
    copy "$2" 0
    compile "$2" "$suite" KCFLAGS=-Werror
    mv "$2/guest/kmod/vgpu.ko" "$2"
    ;;
check)
    rm -rf "$2"
    copy "$2" 0
    found=$(compile "$2" "$suite" C=2 KCFLAGS="-fanalyzer -fdiagnostics-plain-output")
    [ -z "$found" ] || { echo "${found//$(cd "$2" && pwd)\//}"; exit 1; }
    ;;
copy)
    [ $# -eq 3 ] || usage
    copy "$2" "$3"
    ;;
*) usage ;;
esac

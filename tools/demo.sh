#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# demo.sh - builds what is missing and shows a guest's job running on the host
set -euo pipefail
cd "$(dirname "$0")/.."

child=
stop() {
    trap - INT TERM
    [ -z "$child" ] || kill "$child" 2>/dev/null || true
    [ -z "$child" ] || wait "$child" 2>/dev/null || true
    echo "demo: stopped" >&2
    exit 130
}
trap stop INT TERM

# bounded SECONDS WHAT COMMAND...: runs it; past its time, or at ^C, ends all that it started.
bounded() {
    local limit_s=$1 what=$2 status=0
    shift 2
    timeout --kill-after=10 "$limit_s" "$@" &
    child=$!
    wait "$child" || status=$?
    child=
    case $status in
    0) ;;
    124) echo "demo: $what took more than $limit_s s and was stopped" >&2 ;;
    *) echo "demo: $what failed; the reason stands above" >&2 ;;
    esac
    return "$status"
}

heading() {
    printf '\n=== %s\n' "$*"
}

cache=${XDG_CACHE_HOME:-$HOME/.cache}/vgpu
slow=()
[ -x build/qemu/bin/qemu-system-x86_64 ] || [ -n "$(compgen -G "$cache/qemu/*/out-*")" ] ||
    slow+=("building QEMU with the device from Debian's source: 2 to 5 minutes on two cores")
[ -n "$(compgen -G "$cache/kernel/*/vmlinuz")" ] ||
    slow+=("downloading Debian's kernel for the guest: 30 MB")
[ -x build/bin/vgpud ] || slow+=("compiling vgpud and the tools: half a minute")
if [ ${#slow[@]} -gt 0 ]; then
    echo "This is a first run. It does these things once, and the next run takes seconds:"
    printf '  - %s\n' "${slow[@]}"
fi

heading "Packages, programs, QEMU, guest"
bounded 1800 "installing packages" tools/prerequisites.sh build qemu guest
bounded 3600 "building QEMU" qemu/build.sh
bounded 1800 "the build" make --no-print-directory -j"$(nproc)" all guest-image
echo "everything is built"

bounded 600 "the demo" python3 tools/demo.py build/demo

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# prerequisites.sh - checks that the Debian packages of the named steps are there; installs them when root
set -euo pipefail
cd "$(dirname "$0")"

if [ $# -eq 0 ]; then
    echo "usage: tools/prerequisites.sh STEP... (steps: $(awk '!/^#/{print $1}' debian-packages | sort -u | tr '\n' ' '))" >&2
    exit 2
fi
command -v dpkg-query >/dev/null || exit 0 # another distribution: its packager knows the names

missing=()
for step in "$@"; do
    while read -r package; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
    done < <(awk -v s="$step" '$1 == s {print $2}' debian-packages)
done
[ ${#missing[@]} -gt 0 ] || exit 0

mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)
if [ "$(id -u)" -ne 0 ]; then
    echo "These Debian packages are missing. As root, type:" >&2
    echo "  apt-get install ${missing[*]}" >&2
    exit 1
fi
echo "Installing ${#missing[@]} Debian packages: ${missing[*]}" >&2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# Two steps of one make may be here at once, and apt-get does not wait for another one's lock.
exec 9>"${TMPDIR:-/tmp}/vgpu-prerequisites.lock"
flock 9
export DEBIAN_FRONTEND=noninteractive
if ! { apt-get update && apt-get install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "apt-get failed, its last lines stand above. Mend that, then run this again." >&2
    exit 1
fi

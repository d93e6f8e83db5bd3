#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# valgrind.sh - the torture table's short form with vgpud and each process of its own under valgrind; prints TAP
#
# Ends with 1 when a line did not hold, or valgrind had something to say, leaks at an end among them. What it
# says is in build/valgrind/, a file for each process.
set -euo pipefail
cd "$(dirname "$0")/../.."

logs=$PWD/build/valgrind
rm -rf "$logs"
mkdir -p "$logs"

# Only what we run is looked at, not the captive command's shell.
export VGPU_LAUNCHER="valgrind --quiet --vgdb=no --trace-children=yes --trace-children-skip=/bin/sh --leak-check=full \
    --suppressions=$PWD/tools/valgrind.suppress --error-markers=FINDING,END --log-file=$logs/%p"

held=true
python3 tests/torture/test_torture.py "$@" || held=false
found=$(grep -lw FINDING "$logs"/* || true)
echo "# $(find "$logs" -type f | wc -l) processes under valgrind, findings in: ${found:-none}"
for log in $found; do
    sed -n '/FINDING/,/END/s/^/# /p' "$log" | head -n 40
done
$held && [ -z "$found" ]

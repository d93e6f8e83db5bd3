#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# drive.sh - runs one fuzzer on very many inputs without libFuzzer, on several processors; prints TAP
#
# usage: drive.sh FUZZER    fuzz_ptx, fuzz_ptx_run or fuzz_channel; `make fuzz-drive` builds what it runs
# FUZZ_RUNS=N inputs (default 1000000), FUZZ_SECONDS=N time at most (default: no bound), FUZZ_SEED=N,
# FUZZ_JOBS=N processes that share them (default 1). It passes when all inputs were run and none fails.
# An input that fails is kept in build/fuzz/.
set -euo pipefail
cd "$(dirname "$0")/../.."

name=$1
runs=${FUZZ_RUNS:-1000000}
seconds=${FUZZ_SECONDS:-1000000}
seed=${FUZZ_SEED:-1}
jobs=${FUZZ_JOBS:-1}
program=build/fuzz/drive_$name

[ -x "$program" ] || { echo "Bail out! build it first: make fuzz-drive"; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# What was freed stays unused for 1 MiB, longer than any input lives; less of it stays in the processor's caches.
export ASAN_OPTIONS=quarantine_size_mb=1:thread_local_quarantine_size_kb=64${ASAN_OPTIONS:+:$ASAN_OPTIONS}
# The sanitizers of GCC before 14 do not start where the kernel places mappings too randomly.
fixed=(setarch -R)
"${fixed[@]}" true 2>/dev/null || fixed=()

pids=()
for ((job = 0; job < jobs; job++)); do
    "${fixed[@]}" "$program" $(((runs + jobs - 1) / jobs)) "$seconds" $((seed * 1000 + job)) "build/fuzz/$name-failed.$seed.$job" \
        "tests/fuzz/corpus/$name" >"$work/$job" 2>&1 &
    pids+=($!)
done
ok=true
for job in "${!pids[@]}"; do
    wait "${pids[job]}" || { ok=false && tail -n 40 "$work/$job" | sed 's/^/# /'; }
done
executed=$(cat "$work"/* | awk '$1 == "inputs:" { n += $2 } END { print n + 0 }')
echo "1..1"
if $ok && [ "$executed" -ge "$runs" ]; then
    echo "ok 1 - $name: $executed inputs"
else
    echo "not ok 1 - $name: $executed inputs of $runs"
    exit 1
fi

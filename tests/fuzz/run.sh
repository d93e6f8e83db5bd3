#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# run.sh - runs each fuzzer for a bounded number of inputs, starting from its corpus; prints TAP
#
# usage: run.sh [FUZZER...]    default: all
# FUZZ_RUNS=N inputs for each (default 30000), FUZZ_SEED=N other ones than last time (default 1, the
# same each time), FUZZ_JOBS=N processes that share them (default 1), each with a seed and a corpus of
# its own. An input that fails is kept in build/fuzz/, and how to see it again is printed.
set -euo pipefail
cd "$(dirname "$0")/../.."

runs=${FUZZ_RUNS:-30000}
seed=${FUZZ_SEED:-1}
jobs=${FUZZ_JOBS:-1}
built=build/fuzz
fuzzers=(fuzz_frame fuzz_request fuzz_response fuzz_pattern fuzz_timeexpr fuzz_conf fuzz_admin_line fuzz_admin_reply
    fuzz_file_request fuzz_ptx fuzz_ptx_run fuzz_channel)
[ $# -eq 0 ] || fuzzers=("$@")

# What was freed stays unused for 8 MiB, longer than any input lives, instead of 256: much quicker.
export ASAN_OPTIONS=quarantine_size_mb=8${ASAN_OPTIONS:+:$ASAN_OPTIONS}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The last number that stands behind a word in the log: `cov: 123`, `stat::number_of_executed_units: 99`.
figure() {
    grep -o "$1: *[0-9]*" "$2" | tail -n 1 | grep -o '[0-9]*$' || echo 0
}

# What the compiler put into the fuzzer to count: `Loaded 1 modules   (1234 inline 8-bit counters)`.
counters() {
    sed -nE 's/.*Loaded [0-9]+ modules +\(([0-9]+) .*/\1/p' "$1" | head -n 1
}

# The greatest of the numbers on standard input.
greatest() {
    sort -n | tail -n 1
}

# The words that an input is made of, where there is a table of them.
write_dictionary() {
    [ "$1" = fuzz_ptx ] || return 0
    sed -nE -e 's/^(TYPE|WORD)\([^"]*"([^"]+)".*/"\2"/p' -e 's/^SREG\([^"]*"([^"]+)".*/"%\1"/p' \
        -e 's/^INSN\([A-Z0-9_]+, *"([a-z0-9_]+).*/"\1."/p' softgpu/ptx/isa.def | sort -u >"$work/$1.dict"
    echo "-dict=$work/$1.dict"
}

# What one process does; its log says how it ended.
run_job() {
    local name=$1 job=$2 dictionary

    mapfile -t dictionary < <(write_dictionary "$name")

    # A copy: what the fuzzer finds on its way is not the repository's.
    cp -r "tests/fuzz/corpus/$name" "$work/$name.$job"
    "$built/$name" -runs=$(((runs + jobs - 1) / jobs)) -seed=$((seed + job)) -max_len=4096 -timeout=10 \
        -rss_limit_mb=1024 -print_final_stats=1 -artifact_prefix="$built/$name-" "${dictionary[@]}" "$work/$name.$job" \
        >"$work/$name.$job.log" 2>&1
}

run_one() {
    local name=$1 ok=true executed=0 job log pids=() logs=() runs=$runs

    # Each input is commands for several threads, which take ten times longer.
    [ "$name" != fuzz_channel ] || runs=$(((runs + 5) / 6))

    for ((job = 0; job < jobs; job++)); do
        run_job "$name" "$job" &
        pids+=($!)
        logs+=("$work/$name.$job.log")
    done
    for job in "${!pids[@]}"; do
        log=${logs[job]}
        wait "${pids[job]}" || { ok=false && tail -n 30 "$log" | sed 's/^/# /'; }
        executed=$((executed + $(figure stat::number_of_executed_units "$log")))
    done
    [ "$executed" -ge "$runs" ] || ok=false

    if $ok; then
        echo "ok $2 - $name: $executed inputs"
    else
        echo "not ok $2 - $name: $executed inputs of $runs"
        echo "# see it again: $built/$name $built/$name-..., the file named above"
    fi
    echo "# $name: coverage $(for log in "${logs[@]}"; do figure cov "$log"; done | greatest) of" \
        "$(counters "${logs[0]}") edges, $(for log in "${logs[@]}"; do figure ft "$log"; done | greatest) features"
    rm -rf "$work/$name".*
    $ok
}

echo "1..${#fuzzers[@]}"
[ -x "$built/${fuzzers[0]}" ] || { echo "Bail out! build the fuzzers first: make fuzz"; exit 1; }
failed=0
for i in "${!fuzzers[@]}"; do
    run_one "${fuzzers[i]}" $((i + 1)) || failed=1
done
exit $failed

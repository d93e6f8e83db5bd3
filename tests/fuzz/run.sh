#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# run.sh - runs each fuzzer for a bounded number of inputs, starting from its corpus; prints TAP
#
# FUZZ_RUNS=N inputs for each (default 30000), FUZZ_SEED=N other ones than last time (default 1, the
# same each time). An input that fails is kept in build/fuzz/, and how to see it again is printed.
set -euo pipefail
cd "$(dirname "$0")/../.."

runs=${FUZZ_RUNS:-30000}
seed=${FUZZ_SEED:-1}
built=build/fuzz
fuzzers=(fuzz_frame fuzz_request fuzz_response fuzz_pattern fuzz_timeexpr fuzz_conf fuzz_admin_line fuzz_admin_reply
    fuzz_file_request)

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

run_one() {
    local name=$1 log=$work/$1.log ok=true executed

    # A copy: what the fuzzer finds on its way is not the repository's.
    cp -r "tests/fuzz/corpus/$name" "$work/$name"
    "$built/$name" -runs="$runs" -seed="$seed" -max_len=4096 -timeout=10 -rss_limit_mb=1024 \
        -print_final_stats=1 -artifact_prefix="$built/$name-" "$work/$name" >"$log" 2>&1 || ok=false
    executed=$(figure stat::number_of_executed_units "$log")
    [ "$executed" -ge "$runs" ] || ok=false

    if $ok; then
        echo "ok $2 - $name: $executed inputs"
    else
        echo "not ok $2 - $name: $executed inputs of $runs"
        tail -n 30 "$log" | sed 's/^/# /'
        echo "# see it again: $built/$name $built/$name-..., the file named above"
    fi
    echo "# $name: coverage $(figure cov "$log") of $(counters "$log") edges, $(figure ft "$log") features;" \
        "corpus $(find "tests/fuzz/corpus/$name" -type f | wc -l) -> $(find "$work/$name" -type f | wc -l) inputs"
    $ok
}

echo "1..${#fuzzers[@]}"
[ -x "$built/${fuzzers[0]}" ] || { echo "Bail out! build the fuzzers first: make fuzz"; exit 1; }
failed=0
for i in "${!fuzzers[@]}"; do
    run_one "${fuzzers[i]}" $((i + 1)) || failed=1
done
exit $failed

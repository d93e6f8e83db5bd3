#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# soak.sh - the counts that take hours: each fuzzer, the ledger's replay, vgpu.ko, killed programs, the whole torture table; `make soak` runs it
#
# usage: tools/soak.sh [PART...]      parts: fuzz, one fuzzer's name, ring, replay, kmod, kills, quota, torture; default: all of them
#        SOAK_PERCENT=N    so many percent of each count (100); CI runs about one with `make check`
#        SOAK_JOBS=N       processes for each fuzzer (all processors)
#        SOAK_SECONDS=N    time at most for fuzz_ptx, fuzz_ptx_run and fuzz_channel, each; they then say how many they ran
# Prints a line for each part as it ends, and keeps all of them with their output in build/soak/.
set -euo pipefail
cd "$(dirname "$0")/.."

percent=${SOAK_PERCENT:-100}
jobs=${SOAK_JOBS:-$(nproc)}
kept=build/soak
fuzzers=()
for file in tests/fuzz/fuzz_*.c; do fuzzers+=("$(basename "$file" .c)"); done

# Inputs for one fuzzer. One that runs what it was given takes longer for each.
inputs_of() {
    case $1 in
    fuzz_ptx_run) echo 10000000 ;;
    *) echo 100000000 ;;
    esac
}

part() { # part NAME COUNT COMMAND...
    local name=$1 count=$(($2 * percent / 100)) start=$SECONDS result=passed
    shift 2
    [ "$count" -gt 0 ] || count=1
    "$@" "$count" >"$kept/$name.log" 2>&1 || { result=FAILED; failed=1; }
    printf '%-22s %12s %8s s  %s\n' "$name" "$count" $((SECONDS - start)) "$result" | tee -a "$kept/table"
    grep ' inputs' "$kept/$name.log" | sed 's/^/    /' || true
    [ "$result" = passed ] || tail -n 20 "$kept/$name.log" | sed 's/^/    /'
}

# What a part runs; the count is the last argument. shellcheck does not see that part() calls them.
# shellcheck disable=SC2317
run_fuzzer() {
    case $1 in
    fuzz_ptx | fuzz_ptx_run | fuzz_channel)
        FUZZ_RUNS=$2 FUZZ_JOBS=$jobs FUZZ_SEED=$(date +%s) FUZZ_SECONDS=${SOAK_SECONDS:-1000000} tests/fuzz/drive.sh "$1" ;;
    *) run_guided "$@" ;;
    esac
}
# shellcheck disable=SC2317
run_guided() { FUZZ_RUNS=$2 FUZZ_JOBS=$jobs FUZZ_SEED=$(date +%s) tests/fuzz/run.sh "$1"; }
# shellcheck disable=SC2317
run_replay() { REPLAY_LEDGERS=$1 REPLAY_SEED=$(date +%s) build/tests/unit/ledger/test_replay; }
# shellcheck disable=SC2317
run_ring() { RING_STEPS=$1 RING_SEED=$(date +%s) build/tests/unit/worker/test_ring_model; }
# shellcheck disable=SC2317
run_kmod() { VGPU_KMOD_CALLS=$1 VGPU_KMOD_SEED=$(date +%s) python3 -m unittest tests/guest/test_kmod.py -k Storm; }
# shellcheck disable=SC2317
run_quota() { PROGRAM_MOMENTS=$1 PROGRAM_SEED=$(date +%s) PYTHONPATH=tests:tests/programs python3 -m unittest tests/programs/test_quota.py -k among_a_thousand; }
# shellcheck disable=SC2317
run_kills() { VGPU_PROGRAM_KILLS=$1 VGPU_PROGRAM_SEED=$(date +%s) PYTHONPATH=tests/guest python3 -m unittest tests/guest/test_programs.py -k Killed; }
# shellcheck disable=SC2317
run_torture() { python3 tests/torture/torture.py --times; }

[ $# -gt 0 ] || set -- fuzz ring replay kmod kills quota torture
rm -rf "$kept"
mkdir -p "$kept"
failed=0
for wanted in "$@"; do
    case $wanted in
    fuzz) for name in "${fuzzers[@]}"; do part "$name" "$(inputs_of "$name")" run_fuzzer "$name"; done ;;
    fuzz_*) part "$wanted" "$(inputs_of "$wanted")" run_fuzzer "$wanted" ;;
    ring) part ring 100000000 run_ring ;;
    replay) part replay 10000 run_replay ;;
    kmod) part kmod 1000000 run_kmod ;;
    kills) part kills 200 run_kills ;;
    quota) part quota 1000 run_quota ;;
    torture) part torture 1 run_torture ;;
    *) echo "soak.sh: no part $wanted (fuzz, a fuzzer's name, ring, replay, kmod, kills, quota, torture)" >&2; exit 2 ;;
    esac
done
echo "what each printed: $kept/"
exit $failed

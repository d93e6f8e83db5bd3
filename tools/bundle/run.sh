#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# run.sh - runs demo, tests, faults and bench of this bundle on a GPU host, and writes a report
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

usage() {
    echo "usage: run.sh demo|test|programs|torture|bench|fuzz|requests|all [REPORTDIR]" >&2
    echo "  programs   CUDA programs of tenants by socket; test and demo have them in guests" >&2
    echo "  test       tests with guests (TESTS=PATTERN: those files, of programs too)" >&2
    echo "  bench      (BENCH_ARGS: for bench.py, as --only programs --guest)" >&2
    echo "  fuzz       random commands for a program's worker, on all processors (FUZZ_RUNS, FUZZ_SECONDS)" >&2
    echo "  requests   prints what this driver is asked by ioctl(), for proc/confine_driver.c" >&2
    echo "  all        demo, test, programs, torture and bench" >&2
    echo "  torture    kills and hangs workers, kernels and vgpud, some minutes long (TORTURE_ARGS: more for torture.py)" >&2
    echo "  REPORTDIR  gets report.txt, what each step printed, bench's report.jsonl and report.svg (default: report, beside run.sh)" >&2
    exit 2
}

case $# in 1 | 2) ;; *) usage ;; esac
report=${2:-$here/report}
case $1 in
demo | test | programs | torture | bench | fuzz | requests) steps=("$1") ;;
all) steps=(demo test programs torture bench) ;;
*) usage ;;
esac
command -v python3 >/dev/null || {
    echo "run.sh: python3 is missing on this host, and is all that it needs besides bash" >&2
    exit 1
}
mkdir -p "$report"

# What the driver's library asks while the same programs run without vgpud, and a worker's own code.
if [ "$1" = requests ]; then
    export VGPU_REQUESTS=$report/requests
    rm -f "$VGPU_REQUESTS"
    for program in tests/programs/suite examples/{reduction,matmul,print}; do
        LD_PRELOAD=$here/lib/requests.so "$here/$program" >/dev/null || true
    done
    LD_LIBRARY_PATH=$here/deps LD_PRELOAD=$here/lib/requests.so "$here/bin/bench-channel" --gpu cuda:0 --rounds 200 >/dev/null
    cat /proc/driver/nvidia/version
    sort -u "$VGPU_REQUESTS"
    exit
fi

export VGPU_BIN_DIR=$here/bin
export VGPU_LIB_DIR=$here/deps # the tests give it to our programs alone, as LD_LIBRARY_PATH
export VGPU_QEMU=$here/qemu/bin/qemu-system-x86_64
export VGPU_GUEST_DIR=$here/guest
if command -v nvidia-smi >/dev/null; then
    export VGPU_EXECUTOR=cuda:0 # the tests' daemons use the GPU, or fail
fi
export PYTHONDONTWRITEBYTECODE=1
export FUZZ_JOBS=${FUZZ_JOBS:-$(nproc)} FUZZ_SEED=${FUZZ_SEED:-$(date +%s)}
LIMIT_S=900

# The programs of a step, one a line.
programs() {
    case $1 in
    demo) echo "$here/demo.py" ;;
    test) find "$here/tests/guest" -name "${TESTS:-test_*.py}" | sort ;;
    programs) find "$here/tests/programs" -name "${TESTS:-test_*.py}" | sort ;;
    fuzz) echo "$here/tests/fuzz/drive.sh" ;;
    torture) echo "$here/tests/torture/torture.py" ;;
    bench) [ ! -e "$here/bench/bench.py" ] || echo "$here/bench/bench.py" ;;
    esac
}

# Runs one program, shows its output and keeps it. Prints nothing of its own but the result line.
failed=0
run_program() {
    local step=$1 program=$2 name log status=0 result more
    name=$step-$(basename "$program" .py)
    log=$report/$name.log
    case $step in
    demo) set -- "$report/demo" ;;
    bench)
        read -ra more <<<"${BENCH_ARGS:-}"
        set -- --out "$report" "${more[@]}"
        ;;
    torture)
        read -ra more <<<"${TORTURE_ARGS:-}"
        set -- --bundle --times "${more[@]}"
        ;;
    fuzz) set -- fuzz_channel ;;
    *) set -- ;;
    esac
    timeout --foreground --kill-after=10 "$LIMIT_S" "$program" "$@" 2>&1 | tee "$log" || status=${PIPESTATUS[0]}
    case $status in
    0) result=passed ;;
    124) result="FAILED: stopped after $LIMIT_S s" ;;
    *) result="FAILED: status $status" ;;
    esac
    [ "$status" -eq 0 ] || failed=1
    if [[ $step =~ ^(test|programs)$ ]]; then
        result+=$(awk '/^ok .*# SKIP/ {s++; next} /^ok / {o++} /^not ok / {n++}
            END {printf ", %d ok, %d not ok, %d skipped", o, n, s}' "$log")
    elif [ "$step" = torture ]; then
        result+=$(awk '/^! / {n++} END {printf ", %d lines not as expected", n}' "$log")
    fi
    echo "$name: $result" >>"$report/results"
}

hardware() {
    uname -srvm
    sed -n 's/^PRETTY_NAME=//p' /etc/os-release 2>/dev/null || true
    awk -F': ' '/^model name/ {print $2; exit}' /proc/cpuinfo
    echo "$(nproc) processors, $(awk '/^MemTotal/ {print int($2 / 1024)}' /proc/meminfo) MiB of memory"
    ldd --version 2>/dev/null | sed -n 1p
    if command -v nvidia-smi >/dev/null; then
        timeout 60 nvidia-smi --query-gpu=name,driver_version,memory.total,compute_cap --format=csv ||
            echo "nvidia-smi does not answer"
    else
        echo "no nvidia-smi: no NVIDIA driver on this host"
    fi
}

rm -f "$report"/*.log
: >"$report/results"
for step in "${steps[@]}"; do
    mapfile -t list < <(programs "$step")
    if [ ${#list[@]} -eq 0 ] && [[ $step =~ ^(test|programs)$ && -n ${TESTS:-} ]]; then
        echo "$step: none of its files is called $TESTS (TESTS is one pattern)" >>"$report/results"
        [ ${#steps[@]} -gt 1 ] || failed=1 # of several steps another one may have it
    elif [ ${#list[@]} -eq 0 ]; then
        echo "$step: skipped, this bundle has none" >>"$report/results"
    fi
    for program in "${list[@]}"; do
        printf '\n=== %s: %s\n' "$step" "$(basename "$program")"
        run_program "$step" "$program"
    done
done

{
    date -u '+%Y-%m-%d %H:%M:%S UTC'
    hardware
    echo
    cat "$report/results"
    for log in "$report"/*.log; do
        [ -e "$log" ] || continue
        printf '\n=== %s\n' "$(basename "$log")"
        cat "$log"
    done
} >"$report/report.txt"
printf '\n=== Results, also in %s/report.txt\n' "$report"
cat "$report/results"
exit "$failed"

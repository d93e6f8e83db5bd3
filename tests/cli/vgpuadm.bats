#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# vgpuadm.bats - each command in every format, against a real daemon whose VMs are at work

bats_require_minimum_version 1.5.0

setup_file() {
    here=$BATS_TEST_DIRNAME
    PATH=${VGPU_BIN_DIR:-$here/../../build/bin}:$PATH
    export PATH LC_ALL=C.UTF-8 TZ=UTC NO_COLOR=1
    [ -z "${VGPU_LIB_DIR:-}" ] || export LD_LIBRARY_PATH=$VGPU_LIB_DIR
    mkfifo "$BATS_FILE_TMPDIR/hold"
    "$here/vgpuadm_daemon.py" "$BATS_FILE_TMPDIR/socket" <"$BATS_FILE_TMPDIR/hold" 3>&- &
    export DAEMON=$!
    exec 9>"$BATS_FILE_TMPDIR/hold" # it ends when this does
    for _ in $(seq 600); do
        [ ! -e "$BATS_FILE_TMPDIR/socket" ] || break
        kill -0 "$DAEMON"
        sleep 0.1
    done
    VGPUADM_SOCKET=$(cat "$BATS_FILE_TMPDIR/socket")
    export VGPUADM_SOCKET
}

teardown_file() {
    exec 9>&-
    kill "$DAEMON" 2>/dev/null || true
    wait "$DAEMON" 2>/dev/null || true
}

# What a Python expression makes of a command's JSON: `json 'd["rows"][0]["vm"]' list`.
json() {
    local expression=$1
    shift
    vgpuadm --json "$@" | python3 -c "import json, sys; d = json.load(sys.stdin); r = d['rows']; print($expression)"
}

# A command in each format: a table without escapes, JSON with its head and CSV with as many rows.
formats() {
    local rows
    vgpuadm "$@" >"$BATS_TEST_TMPDIR/table"
    [ -z "$(grep $'\033' "$BATS_TEST_TMPDIR/table")" ]
    rows=$(json 'len(r) if (d["schema"], d["command"]) == (1, "'"$1"'") else None' "$@")
    vgpuadm --csv "$@" | python3 -c "
import csv, sys
head, *rows = csv.reader(open(0, newline=''), strict=True)
assert all(len(row) == len(head) for row in rows) and abs(len(rows) - $rows) <= 5, (len(rows), $rows)"
}

# Tries a command until it succeeds: for what the ledger's writer brings in its own time.
soon() {
    for _ in $(seq 100); do
        if "$@"; then return 0; fi
        sleep 0.1
    done
    return 1
}

is() {
    [ "$1" = "$2" ] || { echo "is '$1', should be '$2'"; return 1; }
}

# Whether the last change of a VM's priority is this one.
recorded() {
    [ "$(json '[" ".join((e["old"], e["new"], str(e["uid"]))) for e in r if e["kind"] == "set-priority"][0]' \
        events --subject "$1")" = "$2" ]
}

# The id of vm2's request that waits.
waiting() {
    id=$(json '([w["id"] for w in r if w["state"] == "waiting"] or [""])[0]' queue --vm vm2)
    [ -n "$id" ]
}

@test "status" {
    formats status
    vgpuadm status | grep -q '^ledger  *ok$'
    is "$(json 'd["pools"][0]["executor"]' status)" cpu
}

@test "list: names in the order of their numbers" {
    formats list
    is "$(vgpuadm list --no-headings | awk '{ print $1 }' | xargs)" "vm1 vm2 vm10"
    is "$(json '[v["connected"] for v in r]' list)" "[True, True, False]"
}

@test "pools" {
    formats pools
    is "$(json '[p["pool"] for p in r]' pools)" "['A', 'B']"
}

@test "show VM" {
    formats show vm1
    json 'd["stats"][0]["count"] >= 50 and len(d["rates"]) > 0 or 1/0' show vm1
}

@test "show ID, request" {
    formats request 3
    formats show 3
    vgpuadm show 3 | grep -q '^Request 3 is of vm[12] '
}

@test "set-priority vm3 high, to the letter" {
    vgpuadm add-vm vm3
    vgpuadm set-priority vm3 high
    is "$(json 'r[0]["priority"]' show vm3)" high
    is "$(vgpuadm set-priority vm3 high)" "vm3: priority is high already"
    formats set-priority vm3 high
    soon recorded vm3 "medium high $(id -u)"
    vgpuadm remove-vm vm3
}

@test "stats --since 1h, to the letter" {
    vgpuadm stats --since 1h >"$BATS_TEST_TMPDIR/stats"
    head -n 1 "$BATS_TEST_TMPDIR/stats" | grep -q ' to .* (1h00m), from histograms'
    formats stats --since 1h
    json 'r[0]["count"] >= 100 and r[0]["errors"] >= 30 and (d["until_unix_ns"] - d["since_unix_ns"]) // 10**9 == 3600 or 1/0' \
        stats --since 1h
}

@test "stats: groups, filters, exact" {
    for by in vm pool priority opcode; do
        formats stats --since 1h --by $by
        json 'abs(sum(g["gpu_share"] or 0 for g in r) - 1) < 1e-6 or 1/0' stats --by $by
    done
    is "$(json '[g["group"] for g in r]' stats --by vm)" "['vm1', 'vm2']"
    is "$(json '[g["group"] for g in r]' stats --by vm --vm vm2)" "['vm2']"
    is "$(json '[g["group"] for g in r]' stats --by pool --pool B)" "['B']"
    is "$(json 'd["exact"]' stats --exact --since 1h)" True
}

@test "stats --blame" {
    formats stats --blame vm2
    is "$(json 'd["vm"]' stats --blame vm2)" vm2
}

@test "time expressions, and an error that lists them" {
    for time in 1h 90m 1h30m 2d today boot start 2026-01-01 @1700000000; do
        vgpuadm stats --since $time >/dev/null
    done
    run -2 --separate-stderr vgpuadm stats --since whenever
    [[ $stderr == *1h30m*yesterday*boot* ]]
    is "$output" ""
}

@test "requests" {
    formats requests --limit 10
    is "$(json '{q["status"] for q in r}' requests --limit 5 --status BAD_OPCODE)" "{'BAD_OPCODE'}"
    is "$(json '{q["opcode"] for q in r}' requests --limit 5 --opcode nop)" "{'nop'}"
    is "$(json '{(q["vm"], q["pool"]) for q in r}' requests --limit 5 --vm vm2)" "{('vm2', 'B')}"
}

@test "requests --follow, an object a line as they come" {
    timeout 20 vgpuadm requests --follow --json | head -n 30 |
        python3 -c "import json, sys; ids = [json.loads(line)['id'] for line in sys.stdin]
assert len(ids) == 30 and ids == sorted(set(ids)), ids"
}

@test "rates, events, checks" {
    formats rates --since 1h
    formats events
    formats checks
    is "$(json 'r[0]["kind"]' events)" start
}

@test "metrics: Prometheus text" {
    vgpuadm metrics >"$BATS_TEST_TMPDIR/metrics"
    run -1 grep -Ev '^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? [-+0-9.eInfNa]+)$' \
        "$BATS_TEST_TMPDIR/metrics"
    grep -q '^vgpu_requests_total{.*vm="vm1"' "$BATS_TEST_TMPDIR/metrics"
    formats metrics
}

@test "set-pool" {
    is "$(vgpuadm set-pool vm10 B)" "vm10: pool was A, is B now"
    is "$(json 'r[0]["pool"]' show vm10)" B
    run -5 vgpuadm set-pool vm10 C
    formats set-pool vm10 A
}

@test "add-vm, snippet, remove-vm" {
    vgpuadm add-vm web.1 --pool B --priority low --id 77 | tail -n 1 | grep -q -- '^-chardev socket,.*-device vgpu-stub,'
    [ -S "$(json 'r[0]["socket"]' show web.1)" ]
    is "$(json '(r[0]["vm_id"], r[0]["pool"], r[0]["priority"])' show web.1)" "(77, 'B', 'low')"
    for hypervisor in qemu libvirt proxmox xl; do formats snippet $hypervisor web.1; done
    run -1 vgpuadm add-vm web.1
    is "$(vgpuadm remove-vm web.1)" "web.1: removed; its records stay"
    run -5 vgpuadm show web.1
    run -1 vgpuadm add-vm web.1 # 1 is the number of vm1
    is "$(json 'r[0]["vm"]' add-vm web.1 --id 77)" web.1
    is "$(json 'r[0]["cancelled"]' remove-vm web.1)" 0
}

@test "add-vm --connect: QEMU listens" {
    vgpuadm add-vm guest9 --connect "$BATS_TEST_TMPDIR/qemu.sock" | grep -q 'server=on,wait=off'
    vgpuadm snippet qemu guest9 | grep -q "path=$BATS_TEST_TMPDIR/qemu.sock,server=on,wait=off"
    vgpuadm remove-vm guest9
}

@test "pause, queue, cancel, resume" {
    local id
    is "$(vgpuadm pause vm2)" "vm2: state was running, is paused now"
    soon waiting
    formats queue
    is "$(json 'r[0]["held"]' queue --vm vm2)" paused
    waiting
    vgpuadm show "$id" | grep -q 'has not ended'
    is "$(vgpuadm cancel "$id")" "request $id of vm2: cancelled; it was waiting"
    soon vgpuadm request "$id"
    is "$(json 'r[0]["status"]' request "$id")" CANCELLED
    run -5 vgpuadm cancel "$id"
    formats pause vm2
    is "$(json 'r[0]["changed"]' resume vm2)" True
    formats resume vm2
}

@test "drain" {
    formats drain --timeout 10
    is "$(json 'r[0]["draining"]' status)" True
    is "$(vgpuadm drain --off)" "takes new requests again"
}

@test "doctor" {
    [[ ${VGPU_BIN_DIR:-} != *build-* ]] || skip "a build with instruments is not confined, and doctor says so"
    printf '#!/bin/sh\necho "name \\"vgpu-stub\\", bus PCI"\n' >"$BATS_TEST_TMPDIR/qemu"
    chmod +x "$BATS_TEST_TMPDIR/qemu"
    # 8: warnings alone, as where this runs as root or the groups are missing.
    run vgpuadm doctor --qemu "$BATS_TEST_TMPDIR/qemu"
    [ "$status" -eq 0 ] || [ "$status" -eq 8 ]
    formats doctor --qemu "$BATS_TEST_TMPDIR/qemu" || [ $? -eq 8 ]
    run -8 vgpuadm doctor --qemu /bin/true
    touch "$(dirname "$VGPUADM_SOCKET")/vm/left.sock"
    run -8 vgpuadm doctor --qemu "$BATS_TEST_TMPDIR/qemu"
    [[ $output == *left.sock* ]]
    rm "$(dirname "$VGPUADM_SOCKET")/vm/left.sock"
}

@test "help, completion" {
    formats help
    formats completion bash
    formats completion zsh
    is "$(vgpuadm --complete pause vm1 | xargs)" "vm1 vm10"
}

@test "top, not on a terminal" {
    timeout 20 vgpuadm top --interval 0.2 --json | head -n 6 |
        python3 -c "import json, sys; rows = [json.loads(line) for line in sys.stdin]
assert [row['vm'] for row in rows] == ['vm1', 'vm2', 'vm10'] * 2 and rows[3]['rate_per_s'] > 0, rows"
}

@test "names that are not there get a suggestion" {
    run -5 vgpuadm pause wm1
    [[ $output == *"did you mean vm1?"* ]]
}

@test "commands from standard input" {
    run -5 vgpuadm --no-headings <<<$'list --csv\nshow nobody\nlist --csv # still here'
    is "$(grep -c '^vm10,10,' <<<"$output")" 2
    [[ $output == *"line 2 of standard input"* ]]
}

@test "remove-vm refuses while it is connected, unless --force" {
    run -1 vgpuadm remove-vm vm2
    [[ $output == *--force* ]]
    vgpuadm remove-vm vm2 --force
    is "$(json '[v["vm"] for v in r]' list)" "['vm1', 'vm10']"
    is "$(json '{q["vm"] for q in r}' requests --limit 5 --vm vm2)" "{'vm2'}"
}

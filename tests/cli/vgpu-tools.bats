#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# vgpu-tools.bats - command line and exit codes of vgpu-run and vgpu-probe, without a device

bats_require_minimum_version 1.5.0

setup() {
    root=$BATS_TEST_DIRNAME/../..
    PATH=${VGPU_BIN_DIR:-$root/build/bin}:$PATH
    bar=$BATS_TEST_TMPDIR/bar
    fake_pid=
}

teardown() {
    [ -z "$fake_pid" ] || kill "$fake_pid" || true
}

# Starts a process that plays the device in $bar; see fake_device.py for its answers.
fake() {
    : >"$BATS_TEST_TMPDIR/fake.out"
    "$BATS_TEST_DIRNAME/fake_device.py" "$bar" "$1" >"$BATS_TEST_TMPDIR/fake.out" 3>&- &
    fake_pid=$!
    wait_for grep -q ready "$BATS_TEST_TMPDIR/fake.out"
}

# Runs a command until it succeeds, at most 20 s.
wait_for() {
    local i
    for ((i = 0; i < 400; i++)); do
        ! "$@" || return 0
        sleep 0.05
    done
    echo "in vain: $*" >&2
    return 1
}

has_device() {
    vgpu-probe --list >/dev/null 2>&1
}

is_busy() {
    vgpu-probe --device-file "$bar" --json | grep -q '"status":"busy"'
}

# The command must end with this status and say these words on stderr, and nothing on stdout.
refuses() {
    local status=$1 words=$2
    shift 2
    run "-$status" --separate-stderr "$@"
    [ -z "$output" ]
    [[ "$stderr" == *"$words"* ]] || { echo "$* said: $stderr" >&2; return 1; }
}

json() {
    python3 -c "import json, sys; o = json.load(sys.stdin); print(($1))"
}

@test "vgpu-run: usage errors end with 2 and name the thing" {
    refuses 2 "takes two operands, not 0" vgpu-run
    refuses 2 "takes two operands, not 1" vgpu-run 1
    refuses 2 "takes two operands, not 3" vgpu-run 1 2 3
    refuses 2 "too many operands" vgpu-run 1 2 3 4 5 6 7 8 9
    refuses 2 "2147483648 is out of range" vgpu-run 2147483648 1
    refuses 2 "-2147483649 is out of range" vgpu-run 1 -2147483649
    refuses 2 "'one' is not a number" vgpu-run one 1
    refuses 2 "'-5x' is not a number" vgpu-run -5x 1
    refuses 2 "differ in length" vgpu-run --op vector-add 1,2 1
    refuses 2 "--op dance" vgpu-run --op dance 1 2
    refuses 2 "nop takes no operands" vgpu-run --op nop 1
    refuses 2 "--count 0" vgpu-run --count 0 1 2
    refuses 2 "--count 10000001" vgpu-run --count 10000001 1 2
    refuses 2 "--count -1" vgpu-run --count -1 1 2
    refuses 2 "--timeout 0" vgpu-run --timeout 0 1 2
    refuses 2 "--timeout nan" vgpu-run --timeout nan 1 2
    refuses 2 "--wait hope" vgpu-run --wait hope 1 2
    refuses 2 "--device 4" vgpu-run -d 4 1 2
    refuses 2 "/nowhere" vgpu-run --raw /nowhere
    refuses 2 "--raw sends a file as it is" vgpu-run --raw /dev/null --crc
    refuses 2 "--raw sends a file as it is" vgpu-run --raw /dev/null 1 2
    refuses 2 "exclude each other" vgpu-run -d 00:04.0 --device-file "$bar" 1 2
    refuses 2 "vgpu-run: unrecognized option" vgpu-run --dance
    refuses 2 "vgpu-run: option requires an argument" vgpu-run -c
}

@test "vgpu-probe: usage errors end with 2 and name the thing" {
    refuses 2 "takes no operands" vgpu-probe 1
    refuses 2 "exclude each other" vgpu-probe --watch --check
    refuses 2 "exclude each other" vgpu-probe -d 00:04.0 --device-file "$bar"
    refuses 2 "--list shows all" vgpu-probe --list -d 00:04.0
    refuses 2 "exclude each other" vgpu-probe --programs --cuda
    refuses 2 "--cuda does as a program would" vgpu-probe --cuda -d 00:04.0
    refuses 2 "not a PCI slot" vgpu-probe -d 4
    refuses 2 "vgpu-probe: unrecognized option" vgpu-probe --dance
}

@test "help and version go to stdout and end with 0" {
    local tool
    for tool in vgpu-run vgpu-probe; do
        run -0 --separate-stderr "$tool" --help
        [[ "$output" == "usage: $tool "* ]]
        [ -z "$stderr" ]
        [ "$("$tool" -h)" = "$output" ]
        [[ "$("$tool" --version)" == "$tool "[0-9]* ]]
        [ "$("$tool" -V)" = "$("$tool" --version)" ]
    done
}

@test "the man pages have each option that --help has" {
    local tool option
    for tool in vgpu-run vgpu-probe; do
        for option in $("$tool" --help | grep -oE -- '--[a-z-]+' | sort -u); do
            grep -qE -- "^\.It .* -${option#--}( |$)" "$root/man/$tool.1" || {
                echo "$tool.1 lacks $option" >&2
                return 1
            }
        done
    done
}

@test "without a device both end with 10" {
    ! has_device || skip "this machine has a device"
    refuses 10 "no vgpu device" vgpu-run 1 2
    refuses 10 "no vgpu device" vgpu-probe
    refuses 10 "no vgpu device" vgpu-probe --list
    refuses 10 "no vgpu device" vgpu-probe --check
    run -10 --separate-stderr vgpu-run --json 1 2
    [ "$(json 'o["ok"], o["exit_code"], o["device"], o["status"]' <<<"$output")" = "(False, 10, None, None)" ]
}

@test "a device file that is missing or short ends with 10" {
    refuses 10 "$bar" vgpu-run --device-file "$bar" 1 2
    truncate -s 4095 "$bar"
    refuses 10 "$bar" vgpu-run --device-file "$bar" 1 2
    refuses 10 "$bar" vgpu-probe --device-file "$bar"
}

@test "a device of another version ends with 10, but can be looked at" {
    truncate -s 4096 "$bar"
    refuses 10 "speaks version 0x00000000" vgpu-run --device-file "$bar" 1 2
    run -0 vgpu-probe --device-file "$bar"
    [[ "$output" == *PROTOCOL_VER* ]]
}

@test "answers: add, negative numbers, vectors, nop, info, with and without a checksum" {
    local crc
    fake right
    for crc in "" --crc; do
        [ "$(vgpu-run --device-file "$bar" $crc 100 200)" = 300 ]
        [ "$(vgpu-run --device-file "$bar" $crc -5 7)" = 2 ]
        [ "$(vgpu-run -5 $crc 7 --device-file "$bar")" = 2 ]
        [ "$(vgpu-run --device-file "$bar" $crc -- -5 -7)" = -12 ]
        [ "$(vgpu-run --device-file "$bar" $crc 2147483647 1)" = -2147483648 ]
        [ "$(vgpu-run --device-file "$bar" $crc --op vector-add 1,2,3 10,20,-30)" = "11 22 -27" ]
        [ -z "$(vgpu-run --device-file "$bar" $crc --op nop)" ]
    done
    # An escape that a host puts into its name does not reach the terminal.
    run -0 vgpu-run --device-file "$bar" --op info
    [[ "$output" == *'a "fake"?'* ]]
}

@test "stdout is the answer alone; -v and --count report on stderr" {
    fake right
    run -0 --separate-stderr vgpu-run --device-file "$bar" 1 2
    [ "$output" = 3 ]
    [ -z "$stderr" ]
    run -0 --separate-stderr vgpu-run --device-file "$bar" -v 1 2
    [ "$output" = 3 ]
    [[ "$stderr" == *"execution 7 us"*" accesses"* ]]
    run -0 --separate-stderr vgpu-run --device-file "$bar" --count 5 1 2
    [ "$output" = 3 ]
    [[ "$stderr" == "5 requests, latency p50 "*" p99 "* ]]
}

@test "json of vgpu-run" {
    fake right
    vgpu-run --device-file "$bar" --json --count 3 1 2 |
        json '[o[k] for k in ("schema", "ok", "exit_code", "status", "results", "count", "done")]' |
        grep -Fx "[1, True, 0, 'OK', [3], 3, 3]"
    vgpu-run --device-file "$bar" --json --op info | json 'o["info"]["name"], o["info"]["memory_mib"]' |
        grep -Fx "('a \"fake\"?', 2048)"
}

@test "a wrong or malformed answer ends with 13" {
    fake wrong
    refuses 13 "the sum is wrong" vgpu-run --device-file "$bar" 1 2
    refuses 13 "the sum is wrong" vgpu-run --device-file "$bar" --op vector-add 1,2 3,4
    refuses 13 "[after 0 of 5 requests]" vgpu-run --device-file "$bar" --count 5 1 2
    kill "$fake_pid"
    fake garbled
    refuses 13 "its version is another" vgpu-run --device-file "$bar" 1 2
}

@test "each error code has its name and its exit code" {
    local row code name status
    for row in 1:BAD_REQUEST:12 2:BAD_VERSION:12 3:BAD_OPCODE:12 4:BAD_LENGTH:12 5:BAD_CRC:12 6:NO_BACKEND:11 \
        7:BACKEND_LOST:11 8:TIMEOUT:14 9:QUEUE_FULL:12 10:PAUSED:12 11:DENIED:12 12:CANCELLED:13 13:GPU_FAULT:13 \
        14:GPU_HUNG:13 15:NO_DEVICE:13 16:LEDGER_FULL:12 17:INTERNAL:13; do
        IFS=: read -r code name status <<<"$row"
        fake "$code"
        refuses "$status" "vgpu-run: failed: $name: " vgpu-run --device-file "$bar" 1 2
        # The table of the man page is the same: the name is in the row of the code, or the one after.
        grep -A1 "^\.It $status " "$root/man/vgpu-run.1" | grep -qw "$name"
        kill "$fake_pid"
    done
    fake 99
    refuses 13 "unknown to this version" vgpu-run --device-file "$bar" 1 2
}

@test "--raw sends any bytes and prints the error code's name" {
    fake 5
    head -c 40 /dev/zero >"$BATS_TEST_TMPDIR/raw"
    run -12 --separate-stderr vgpu-run --device-file "$bar" --raw "$BATS_TEST_TMPDIR/raw"
    [ "$output" = BAD_CRC ]
    [[ "$stderr" == *"BAD_CRC: "* ]]
    for size in 0 1025; do
        truncate -s "$size" "$BATS_TEST_TMPDIR/raw"
        run -12 --separate-stderr vgpu-run --device-file "$bar" --raw "$BATS_TEST_TMPDIR/raw"
        [ "$output" = BAD_LENGTH ]
    done
}

@test "a device that never answers: time-out 14, then busy 14" {
    fake silent
    refuses 14 "no answer within --timeout" vgpu-run --device-file "$bar" --timeout 0.05 1 2
    refuses 14 "busy with an earlier request" vgpu-run --device-file "$bar" --timeout 0.05 1 2
}

@test "a late answer is not taken for the next request's" {
    fake late
    [ "$(vgpu-run --device-file "$bar" 1 2)" = 3 ]
}

@test "a device file without a process that plays the device ends with 14" {
    fake right
    kill "$fake_pid"
    wait "$fake_pid" || true
    fake_pid=
    refuses 14 "no process plays the device" vgpu-run --device-file "$bar" 1 2
}

@test "a signal ends vgpu-run as a signal does" {
    fake silent
    vgpu-run --device-file "$bar" 1 2 2>"$BATS_TEST_TMPDIR/err" 3>&- &
    local pid=$! status=0
    wait_for is_busy
    kill -TERM "$pid"
    wait "$pid" || status=$?
    [ "$status" -eq $((128 + 15)) ]
    grep -q interrupted "$BATS_TEST_TMPDIR/err"
}

@test "a second user is told who the first is; looking is free" {
    fake silent
    vgpu-run --device-file "$bar" 1 2 2>/dev/null 3>&- &
    local pid=$!
    wait_for is_busy
    refuses 15 "process $pid (vgpu-run) uses it" vgpu-run --device-file "$bar" 1 2
    refuses 15 "process $pid (vgpu-run) uses it" vgpu-probe --device-file "$bar" --check
    kill "$pid"
}

@test "--wait-turn waits for a first user, for as long as it says" {
    fake silent
    vgpu-run --device-file "$bar" 1 2 2>/dev/null 3>&- &
    local pid=$! status=0
    wait_for is_busy
    refuses 15 "did not end within --wait-turn" vgpu-run --wait-turn 0.05 --device-file "$bar" 1 2
    refuses 2 "--wait-turn 0: must be seconds" vgpu-run --wait-turn 0 --device-file "$bar" 1 2
    refuses 2 "for --transport device or auto" vgpu-run --wait-turn 1 --transport file --dir / 1 2
    vgpu-run --wait-turn 60 --timeout 0.1 --device-file "$bar" 1 2 2>"$BATS_TEST_TMPDIR/err" 3>&- &
    local second=$!
    kill "$pid"
    wait "$second" || status=$?
    [ "$status" -eq 14 ] # its turn came, and the device is silent
    grep -q "earlier request" "$BATS_TEST_TMPDIR/err"
}

@test "a wait for one's turn ends by a signal" {
    fake silent
    vgpu-run --device-file "$bar" 1 2 2>/dev/null 3>&- &
    local pid=$! status=0
    wait_for is_busy
    vgpu-run --wait-turn 600 --device-file "$bar" 1 2 2>"$BATS_TEST_TMPDIR/err" 3>&- &
    local second=$!
    # Until its handlers are set, a signal ends it as well, with fewer words.
    wait_for grep -qE '^SigCgt:.*[1-9a-f]' "/proc/$second/status"
    kill -TERM "$second"
    wait "$second" || status=$?
    [ "$status" -eq $((128 + 15)) ]
    kill "$pid"
}

@test "a device that reads as nothing is gone" {
    fake right
    vgpu-probe --device-file "$bar" --watch >"$BATS_TEST_TMPDIR/watch" 2>"$BATS_TEST_TMPDIR/err" 3>&- &
    local pid=$! status=0
    wait_for grep -q watching "$BATS_TEST_TMPDIR/watch"
    dd if=/dev/zero of="$bar" bs=4096 count=1 conv=notrunc status=none
    wait "$pid" || status=$?
    [ "$status" -eq 10 ]
    grep -q "is gone" "$BATS_TEST_TMPDIR/err"
    run ! grep -q "PRIORITY .* low" "$BATS_TEST_TMPDIR/watch"
}

@test "vgpu-probe --watch ends when its reader has seen enough" {
    fake right
    vgpu-probe --device-file "$bar" --watch 3>&- | grep -m 1 watching
}

@test "vgpu-probe shows sixteen registers, as a table and as json" {
    fake right
    vgpu-run --device-file "$bar" 1 2
    run -0 vgpu-probe --device-file "$bar"
    [ "$(grep -cE '^  0x0[0-3][048c] ' <<<"$output")" -eq 16 ]
    [[ "$output" == *"0x00c   PRIORITY          RO      0x00000001  medium"* ]]
    vgpu-probe --device-file "$bar" --json |
        json '[o[k] for k in ("schema", "vm_id", "pool", "priority", "status", "link_up")] + [len(o["registers"])]' |
        grep -Fx "[1, 3, 'A', 'medium', 'done', True, 16]"
}

@test "vgpu-probe --watch writes each change at once" {
    local out=$BATS_TEST_TMPDIR/watch status=0
    fake right
    vgpu-probe --device-file "$bar" --watch >"$out" 3>&- &
    local pid=$!
    wait_for grep -q "Z watching $bar: STATUS idle, POOL_ID A, PRIORITY medium" "$out"
    printf '\002' | dd of="$bar" bs=1 seek=12 conv=notrunc status=none
    wait_for grep -q "Z PRIORITY medium -> high" "$out"
    printf 'B' | dd of="$bar" bs=1 seek=8 conv=notrunc status=none
    wait_for grep -q "Z POOL_ID A -> B" "$out"
    kill "$pid"
    wait "$pid" || status=$?
    [ "$status" -eq 0 ]
}

@test "vgpu-probe --check names what is wrong and ends with 13" {
    fake right
    run -13 vgpu-probe --device-file "$bar" --check
    [[ "$output" == *"ok      scratch register holds what is written"* ]]
    [[ "$output" == *"FAILED  reserved space reads 0 and ignores writes: 0x840 "* ]]
    [[ "$output" == *"ok      doorbell: link up: a nop went"* ]]
    run -13 --separate-stderr vgpu-probe --device-file "$bar" --check --json
    [ "$(json 'o["ok"], len(o["checks"])' <<<"$output")" = "(False, 10)" ]
}

# --- vgpu-probe: what CUDA programs find ------------------------------------------------------------

# put OFFSET VALUE: a register of the device file
put() {
    python3 -c "import struct, sys; f = open('$bar', 'r+b'); f.seek($1); f.write(struct.pack('<I', $2))"
}

@test "vgpu-probe --programs: a device without a window" {
    fake right
    run -10 vgpu-probe --device-file "$bar" --programs
    [[ "$output" == *"programs  no window: it takes requests alone"* ]]
    [[ "$output" != *WINDOW_MAGIC* ]]
    run -10 vgpu-probe --device-file "$bar" --programs --json
    [ "$(json 'o["ready"], o["window"], o["channels"]' <<<"$output")" = "(False, None, [])" ]
}

@test "vgpu-probe --programs: window, registers and channels" {
    fake right
    put 0x24 0x80010000
    put 0x840 0x32555047
    put 0x844 0x20000
    put 0x848 7
    put 0x850 0x40000000
    put 0x858 48
    put 0x84c $((18 << 8))
    run -10 vgpu-probe --device-file "$bar" --programs
    [[ "$output" == *"programs  not ready: programs are off for this VM"* ]]
    [[ "$output" == *"0x840   WINDOW_MAGIC        RO      0x32555047  GPU2"* ]]
    [[ "$output" == *"WINDOW_SIZE_LO      RO      0x40000000  1024 MiB"* ]]
    [[ "$output" == *"0 of 48 channels in use"* ]]
    put 0x84c 1
    put $((0x900 + 16 * 5)) 0x200
    put $((0x908 + 16 * 5)) 2
    put $((0x908 + 16 * 9)) 3
    put $((0x90c + 16 * 9)) 29
    run -0 vgpu-probe --device-file "$bar" --programs
    [[ "$output" == *"programs  ready"* ]]
    put 0x844 0x30000
    run -10 vgpu-probe --device-file "$bar" --programs
    [[ "$output" == *"programs  the window's layout is 0x30000, the guest's tools know 0x20000: "* ]]
    put 0x844 0x20000
    run -0 vgpu-probe --device-file "$bar" --programs
    [[ "$output" == *"2 of 48 channels in use"* ]]
    [[ "$output" == *"  5        open     0x000200"* ]]
    [[ "$output" == *"  9        lost "*"the administrator has ended the program"* ]]
    run -0 vgpu-probe --device-file "$bar" --programs --json
    [ "$(json 'o["window"]["bytes"], [(c["channel"], c["state"], c["error"]) for c in o["channels"]]' <<<"$output")" = \
        "(1073741824, [(5, 'open', None), (9, 'lost', 'killed')])" ]
}

@test "vgpu-probe --cuda: which library, and what a program would be told" {
    has_device && skip "this machine has a vgpu device"
    local library
    library=$(dirname "$(command -v vgpu-probe)")/../lib
    [ -e "$library/libcuda.so.1" ] || skip "libcuda.so.1 is not built"
    LD_LIBRARY_PATH=$library VGPU_SOCKET=/nonexistent/socket run -10 --separate-stderr vgpu-probe --cuda
    [ -z "$stderr" ]
    [[ "$output" == *"libcuda.so.1, found by LD_LIBRARY_PATH"* ]]
    [[ "$output" == *"ours      yes, version "* ]]
    [[ "$output" == *"cuInit    CUDA_ERROR_NO_DEVICE"* ]]
    [[ "$output" == *"no vgpud answers at VGPU_SOCKET=/nonexistent/socket: No such file"* ]]
    LD_LIBRARY_PATH=$library VGPU_QUIET=1 run -10 --separate-stderr vgpu-probe --cuda --json
    [ "$(json 'o["ours"], o["works"], o["carrier"], o["why"][:21]' <<<"$output")" = \
        "(True, False, '/dev/vgpu0', 'there is no vgpu here')" ]
    mkdir "$BATS_TEST_TMPDIR/other"
    echo 'int cuInit(unsigned flags) { __builtin_trap(); return flags; }' |
        cc -shared -fPIC -x c -o "$BATS_TEST_TMPDIR/other/libcuda.so.1" -
    LD_LIBRARY_PATH=$BATS_TEST_TMPDIR/other run -10 vgpu-probe --cuda
    [[ "$output" == *"ours      no: it is another driver's"* ]]
}

# --- vgpu-run --kernel: what is wrong without a GPU ------------------------------------------------

@test "vgpu-run --kernel: usage errors end with 2 and name the thing" {
    cd "$BATS_TEST_TMPDIR"
    echo '.version 7.0' >k.ptx
    : >empty
    local run=(vgpu-run --kernel k.ptx --grid 1 --block 1)
    refuses 2 "requires an argument" vgpu-run --kernel
    refuses 2 "give --grid X[,Y,Z]" vgpu-run --kernel k.ptx --block 1
    refuses 2 "give --block X[,Y,Z]" vgpu-run --kernel k.ptx --grid 1
    refuses 2 "--grid 1,2,3,4: not one to three numbers" vgpu-run --kernel k.ptx --grid 1,2,3,4
    refuses 2 "--grid 8,0,1: not" vgpu-run --kernel k.ptx --grid 8,0,1
    refuses 2 "--block x: not" vgpu-run --kernel k.ptx --grid 1 --block x
    refuses 2 "--shared 2M: not a size" "${run[@]}" --shared 2M
    refuses 2 "word: not an argument" "${run[@]}" word
    refuses 2 "i32:x: not a whole number" "${run[@]}" i32:x
    refuses 2 "u32:-1: does not fit" "${run[@]}" u32:-1
    refuses 2 "i64:9223372036854775808: does not fit" "${run[@]}" i64:9223372036854775808
    refuses 2 "f32:one: not a number" "${run[@]}" f32:one
    refuses 2 "out:x: needs a file and a size" "${run[@]}" out:x
    refuses 2 "out:x:0: 0 is not a size" "${run[@]}" out:x:0
    refuses 2 "zero:0: 0 is not a size" "${run[@]}" zero:0
    refuses 2 "in:: needs a file's name" "${run[@]}" in:
    refuses 2 "missing.ptx: No such file" vgpu-run --kernel missing.ptx --grid 1 --block 1
    refuses 2 "empty: is empty (a PTX text" vgpu-run --kernel empty --grid 1 --block 1
    refuses 2 "missing: No such file" "${run[@]}" in:missing
    refuses 2 "empty: is empty, and memory" "${run[@]}" inout:empty
    refuses 2 "vgpu-run --kernel FILE --help" "${run[@]}" --nonsense
    # shellcheck disable=SC2046 # words are wanted
    refuses 2 "more than 1024 arguments" "${run[@]}" $(printf 'i32:1 %.0s' {1..1025})
}

@test "vgpu-run --kernel: a library that is not there or no CUDA ends with 10" {
    cd "$BATS_TEST_TMPDIR"
    echo '.version 7.0' >k.ptx
    export VGPU_LIBCUDA=$BATS_TEST_TMPDIR/none.so
    refuses 10 "VGPU_LIBCUDA=$VGPU_LIBCUDA: " vgpu-run --kernel k.ptx --grid 1 --block 1
    VGPU_LIBCUDA=libm.so.6 refuses 10 "has no cuInit" vgpu-run --kernel k.ptx --grid 1 --block 1
}

@test "vgpu-run --kernel: --help says what an argument is" {
    run -0 vgpu-run --kernel k.ptx --help
    [[ "$output" == *"out:FILE:BYTES"* && "$output" == *"VGPU_LIBCUDA"* ]]
}

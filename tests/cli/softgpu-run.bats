#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# softgpu-run.bats - command line, messages and exit statuses of softgpu-run

bats_require_minimum_version 1.5.0

setup() {
    root=$BATS_TEST_DIRNAME/../..
    PATH=${VGPU_BIN_DIR:-$root/build/bin}:$PATH
    ptx=$root/tests/unit/softgpu/kernels.ptx
    scale=$BATS_TEST_TMPDIR/scale.ptx
    cd "$BATS_TEST_TMPDIR" || return 1
    # data[i] *= factor for i < n
    cat >"$scale" <<'END'
.version 7.0
.target sm_75
.address_size 64
.visible .entry scale(.param .u64 data, .param .f32 factor, .param .u32 n)
{
	.reg .pred %p;
	.reg .u32 %i, %n, %t;
	.reg .u64 %at;
	.reg .f32 %x, %factor;

	ld.param.u64 %at, [data];
	ld.param.f32 %factor, [factor];
	ld.param.u32 %n, [n];
	mov.u32 %i, %ctaid.x;
	mov.u32 %t, %ntid.x;
	mul.lo.u32 %i, %i, %t;
	mov.u32 %t, %tid.x;
	add.u32 %i, %i, %t;
	setp.ge.u32 %p, %i, %n;
	@%p ret;
	mad.wide.u32 %at, %i, 4, %at;
	ld.global.f32 %x, [%at];
	mul.f32 %x, %x, %factor;
	st.global.f32 [%at], %x;
	ret;
}
END
    python3 -c 'import struct; open("in.bin", "wb").write(struct.pack("<100f", *range(100)))'
}

# refused STATUS TEXT ARGS...: softgpu-run ends with that status and says that.
refused() {
    local status=$1 text=$2
    shift 2
    run -"$status" --separate-stderr softgpu-run "$@"
    [ -z "$output" ]
    [[ $stderr == *"$text"* ]] || { echo "said: $stderr"; return 1; }
    [ "$(wc -l <<<"$stderr")" -eq 1 ] || [ "$status" -eq 2 ]
}

@test "a kernel runs, and its memory comes back" {
    cp in.bin data.bin
    softgpu-run "$scale" --grid 4 --block 32 inout:data.bin f32:2.5 u32:99
    python3 - <<'END'
import struct
data = struct.unpack("<100f", open("data.bin", "rb").read())
assert data == tuple(2.5 * i if i < 99 else float(i) for i in range(100)), data
END
}

@test "out: is zeroed memory, in: is not written" {
    softgpu-run "$ptx" --entry count -g 3 -b 64 out:out.bin:8
    [ "$(od -An -tu4 out.bin | tr -s ' ')" = " 192 0" ]
    before=$(sha256sum <in.bin)
    softgpu-run "$ptx" --entry count -g 3 -b 64 in:in.bin
    [ "$(sha256sum <in.bin)" = "$before" ]
}

@test "values of each type, decimal and hexadecimal" {
    softgpu-run "$ptx" --entry sizes -g 1 -b 1 out:out.bin:16 u8:0xff i16:-2 f64:-2.5
    [ "$(od -An -tu4 -N8 out.bin | tr -s ' ')" = " 255 65534" ]
    [ "$(od -An -tf8 -j8 out.bin | tr -d ' ')" = -2.5 ]
}

@test "printf comes out on standard output" {
    run -0 --separate-stderr softgpu-run "$ptx" --entry print -g 2 -b 32
    [[ $output == *"block 0 so"* && $output == *"block 1 so"* ]]
    [ -z "$stderr" ]
}

@test "--list, --check, --print and --table" {
    run -0 softgpu-run --list "$ptx"
    [ "${#lines[@]}" -eq 13 ]
    [[ $output == *"sizes(8, 1, 2, 8) threads=64 shared=1024 "* ]]
    run -0 softgpu-run --check "$ptx" "$scale"
    [ -z "$output" ]
    softgpu-run --print "$ptx" >printed.ptx
    softgpu-run --list printed.ptx >again
    softgpu-run --list "$ptx" | diff - again
    run -0 softgpu-run --table
    [ "${#lines[@]}" -gt 100 ]
    [[ $output == *wgmma* ]]
}

@test "--stats counts instructions" {
    run -0 --separate-stderr softgpu-run --stats "$ptx" --entry count -g 10 -b 32 out:out.bin:4
    [[ $stderr == *" s, 10 blocks, "*" instructions, "*" million a second" ]]
}

@test "a fault names kernel, instruction and address, and no file is written" {
    printf '\1\0\0\0' >one.bin
    refused 1 "stray: ILLEGAL_ADDRESS: " "$ptx" --entry stray -g 1 -b 1 inout:one.bin u64:16
    [[ $stderr == *st.global.u32* && $stderr == *0x10* ]]
    [ "$(od -An -tu4 one.bin | tr -d ' ')" = 1 ]
}

@test "a trap ends with status 1" {
    refused 1 "stop: LAUNCH_FAILED: " "$ptx" -e stop -g 1 -b 1
}

@test "what is wrong on the command line is told with a remedy" {
    refused 2 "no PTX file is given" --grid 1 --block 1
    refused 2 "give --grid" "$ptx" --block 1
    refused 2 "give --block" "$ptx" --grid 1
    refused 2 "--grid 1,2,3,4: not one to three numbers" "$ptx" --grid 1,2,3,4
    refused 2 "--grid 0: " "$ptx" --grid 0
    refused 2 "--block x: " "$ptx" --block x
    refused 2 "--shared 228K: not a size" "$ptx" --shared 228K
    refused 2 "--memory 1K: not a size" "$ptx" --memory 1K
    refused 2 "--processors 257: " "$ptx" --processors 257
    refused 2 "--switch quick: no such switch" "$ptx" --switch quick
    refused 2 "--switch queue=0: the number is out of bounds" "$ptx" --switch queue=0
    refused 2 "there are 13 kernels: name one with --entry" "$ptx" -g 1 -b 1
    refused 2 "--entry missing: no such kernel" "$ptx" -g 1 -b 1 --entry missing
    refused 2 "the kernel has 3 parameters, and 1 arguments are given" "$scale" -g 1 -b 1 i32:1
    refused 2 "i32:1: has 4 bytes, and parameter 1 of the kernel has 8" "$scale" -g 1 -b 1 i32:1 f32:1 i32:1
    refused 2 "u8:256: does not fit" "$scale" -g 1 -b 1 u8:256
    refused 2 "i8:-129: does not fit" "$scale" -g 1 -b 1 i8:-129
    refused 2 "u32:-1: does not fit" "$scale" -g 1 -b 1 u32:-1
    refused 2 "i32:1.5: not a whole number" "$scale" -g 1 -b 1 i32:1.5
    refused 2 "f32:one: not a number" "$scale" -g 1 -b 1 f32:one
    refused 2 "f64:1e999: too large" "$scale" -g 1 -b 1 f64:1e999
    refused 2 "out:x: needs a file and a size" "$scale" -g 1 -b 1 out:x
    refused 2 "out:x:0: 0 is not a size" "$scale" -g 1 -b 1 out:x:0
    refused 2 "in:: needs a file's name" "$scale" -g 1 -b 1 in:
    refused 2 "word: not an argument" "$scale" -g 1 -b 1 i32:1 word
    refused 2 "exclude one another" --list --check "$ptx"
    refused 2 "--table takes no files" --table "$ptx"
    refused 2 "no kernel runs, so it takes no arguments" --check "$ptx" i32:1
    refused 2 "softgpu-run --help" --nonsense
}

@test "files that cannot be read or written end with status 3" {
    refused 3 "missing.ptx: No such file" --check missing.ptx
    refused 3 "missing.bin: No such file" "$ptx" -e count -g 1 -b 1 in:missing.bin
    : >empty.bin
    refused 3 "empty.bin: is empty" "$ptx" -e count -g 1 -b 1 in:empty.bin
    refused 3 "no/dir: No such file" "$ptx" -e count -g 1 -b 1 out:no/dir:4
}

@test "PTX that is refused ends with status 4 and names the line" {
    printf '.version 7.0\n.target sm_75\n.address_size 64\n.entry k() {\n frob.u32 %%r1;\n ret; }\n' >bad.ptx
    refused 4 "bad.ptx: line 5: " --check bad.ptx
    printf '\177ELF and so on' >k.cubin
    refused 4 "k.cubin: image 1 holds machine code, which softgpu cannot run: compile to PTX" --check k.cubin
    refused 4 "the PTX texts: " --check "$ptx" "$ptx"
}

@test "a device that is too small or a launch that it refuses end with status 5" {
    refused 5 "give it more with --memory" "$ptx" -e count -g 1 -b 1 --memory 1M out:x:2M
    refused 5 "at most 64 together" "$ptx" -e sizes -g 1 -b 65 out:x:16 u8:1 u16:1 f64:1
    refused 5 "demands another size of block" "$ptx" -e exact -g 1 -b 32
    refused 5 "a cooperative grid must be resident at once" "$ptx" -e meet --cooperative -p 1 -g 999 -b 1024 out:x:4
    refused 5 "at most 2147483647,65535,65535" "$ptx" -e stop -g 1,65536 -b 1
}

@test "--help and --version" {
    run -0 softgpu-run --help
    [[ $output == "usage: softgpu-run "* ]]
    run -0 softgpu-run --version
    [[ $output == "softgpu-run "[0-9]* ]]
}

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# test_ptx.sh - ptx-suite on softgpu: all cases, then those whose PTX other compilers wrote, too; TAP
#
# Each pass becomes one line; why one failed stands in front of it as comments.

suite=${VGPU_BIN_DIR:-build/bin}/ptx-suite
here=$(cd "$(dirname "$0")" && pwd)
number=0
failed=0

# pass NAME ARGUMENT...: one run of the suite
pass() {
	local name=$1 output

	shift
	number=$((number + 1))
	if output=$("$suite" "$@" 2>&1); then
		echo "ok $number - $name ($(grep -c '^ok' <<<"$output") cases)"
	else
		grep -v '^ok\|^TAP\|^1\.\.' <<<"$output" | sed 's/^[^#]/# &/'
		echo "not ok $number - $name"
		failed=1
	fi
}

echo 1..14
for group in programs forms; do
	pattern='[!f]*.*'
	[ $group = forms ] && pattern='forms.*'
	pass "$group" --ptx "$here/kernels" --only "$pattern"
done
pass faults --ptx "$here/kernels" --only 'faults.*'
for cases in elementary sorting graphs atomics numeric; do
	pass "nvrtc $cases" --ptx "$here/nvrtc" --only "$cases.*"
done
for cases in elementary control crypto; do
	pass "clang $cases" --ptx "$here/clang" --only "$cases.*"
done
pass "clang matrix" --ptx "$here/clang" --only 'matrix.*'
# clang 14 takes a barrier for something that leaves a static shared variable alone: no look-back.
pass "clang sorting" --ptx "$here/clang" --only 'sorting.[!s]*'
pass "clang graphs" --ptx "$here/clang" --only 'graphs.*'
exit $failed

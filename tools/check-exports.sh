#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# check-exports.sh - names that a file exports and no other file of the product uses
#
# usage: tools/check-exports.sh [BUILD]    BUILD: the directory with the objects of `make all unit`, build
# A name that only its own file uses should be static; one that nothing uses, or only a test, should go. The few that are
# exported for tests on purpose stand in tools/exports.known; what libcuda.so.1 exports is in guest/libcuda/exports. A library's public header is for callers outside of this tree
# as well: what it declares needs no caller in the product, but a test.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-build}
public=(softgpu/softgpu.h softgpu/softgpu_memory.h)

# An object whose source has gone stays until the next `make clean`.
objects() {
    local object source
    find "$build" -name '*.o' | sort | while read -r object; do
        source=${object#"$build"/}
        source=${source%.o}
        if [ -e "$source.c" ] || [ -e "$source.S" ]; then echo "$object"; fi
    done
}

# declared HEADER...: the names of the functions that headers declare
declared() {
    sed -E '/^[a-z].*[ *][a-z_0-9]+\(/!d; s/^[^(]*[ *]([a-z_0-9]+)\(.*/\1/' "$@"
}

# shellcheck disable=SC2016 # the dollars are awk's
objects | xargs -r nm -A --format=posix | awk -v build="$build/" -v declared="$(declared "${public[@]}" | tr '\n' ' ')" '
	BEGIN {
		count = split(declared, names, " ")
		for (i = 1; i <= count; i++)
			public[names[i]] = 1
	}
	NR == FNR { if ($0 !~ /^(#|$)/) known[$1] = 1; next }
	# build/vgpud/sched/sched.o: sched_push T 0 4f
	{
		file = substr($1, length(build) + 1)
		sub(/\.o:$/, "", file)
		product = file !~ /^(tests|bench)\//
	}
	$3 ~ /^[TDBRC]$/ && product { home[$2] = file }
	$3 == "U" { if (product) used[$2] = 1; else tried[$2] = 1 }
	END {
		for (name in home)
			if (name != "main" && !(name in used) && !(name in known) && !(name in public && name in tried))
				print home[name] ".c:1: " name (name in tried ? ": only tests use it" : ": no other file uses it")
	}' <(cat tools/exports.known guest/libcuda/exports) - | sort

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# bundle_run.sh - runs the bundle of ptx-suite on a machine with a GPU; nothing has to be installed there
#
# Results are TAP on standard output. With OUT set, the TAP and the dumped memory go there too, for
# `ptx-suite --gpu softgpu --compare` on another machine. LIMIT_S bounds the whole run (270).

cd "$(dirname "$0")" || exit 2
out=${OUT:-$(mktemp -d)}
mkdir -p "$out/dump"
nvidia-smi --query-gpu=name,driver_version --format=csv,noheader 2>/dev/null | sed 's/^/# /'
timeout -k 5 "${LIMIT_S:-270}" ./ptx-suite --gpu cuda --ptx kernels \
	--dump "$out/dump" "$@" 2>&1 | tee "$out/tap.txt"
status=${PIPESTATUS[0]}
tar -C "$out" -czf "$out/dump.tar.gz" dump && rm -rf "$out/dump"
echo "# ptx-suite ended with $status after $SECONDS s"
exit "$status"

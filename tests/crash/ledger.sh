#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ledger.sh - kill -9 and a full disk against the ledger, as TAP; ROUNDS=100 for more kills
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
programs=${VGPU_BUILD_DIR:-$top/build}/tests/crash

for program in ledger_kill ledger_full submission_kill; do
    if [ ! -x "$programs/$program" ]; then
        echo "1..0 # SKIP $programs/$program is not built (make crash)"
        exit 77
    fi
done
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT

case ${1-all} in
kill) "$programs/ledger_kill" "$directory" "${ROUNDS:-20}" ;;
submissions) "$programs/submission_kill" "$directory" "${ROUNDS:-20}" ;;
full) CMOCKA_MESSAGE_OUTPUT=TAP "$programs/ledger_full" ;;
all)
    # Three plans cannot stand in one stream: each program is one line here, its own output a comment.
    echo 1..3
    failed=0
    number=0
    for part in kill submissions full; do
        number=$((number + 1))
        if output=$("$0" "$part" 2>&1); then word=ok; else word="not ok"; failed=1; fi
        while IFS= read -r line; do echo "# $line"; done <<<"$output"
        echo "$word $number - ledger: $part"
    done
    exit $failed
    ;;
*)
    echo "usage: ledger.sh [kill|submissions|full]" >&2
    exit 2
    ;;
esac

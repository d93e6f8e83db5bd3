#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# lint.sh - reads the sources as a strict colleague would; `make lint` runs it, `make format` puts form right
#
# usage: tools/lint.sh [STEP...]      all steps, or form heads banned includes exports tidy cppcheck analyzer kmod shell man
#        tools/lint.sh format
# It says what each step does and what it found, and ends with a count.
# LINT_JOBS=N: N files at a time. LINT_SECONDS=N: tidy and analyzer begin no file after N seconds each, and say how
# many they left unread; the files that a commit changed last come first. A file that passed one of these two is not read again while it, all that it includes and the
# tool's settings stay as they are (~/.cache/vgpu/lint).
set -euo pipefail
cd "$(dirname "$0")/.."

declare -A what=(
    [form]="clang-format: layout of our C (make format puts it right)"
    [heads]="heads: the licence, and 'file - what it is'"
    [banned]="banned functions: those that cannot know how long their target is, or whether they read a number"
    [includes]="includes: which folder may include which (tools/check-includes.py has the table)"
    [tidy]="clang-tidy: likely bugs and long functions (.clang-tidy says which; the slowest step)"
    [cppcheck]="cppcheck: likely bugs, less those that tools/cppcheck.suppress explains"
    [analyzer]="gcc -fanalyzer: likely bugs along paths, less those that tools/analyzer.suppress explains"
    [exports]="exports: names that no other file uses, less those that tools/exports.known explains"
    [kmod]="vgpu.ko: sparse, and gcc -fanalyzer as the kernel's own build runs it"
    [shell]="shellcheck: shell scripts"
    [man]="mandoc: manual pages"
)
steps=(form heads banned includes exports tidy cppcheck analyzer kmod shell man)
jobs=${LINT_JOBS:-$(nproc)}
rooms=() # qemu/ follows QEMU's style, and QEMU's build judges it
for room in common proc softgpu worker vgpud vgpuadm guest examples tests bench; do [ ! -d $room ] || rooms+=("$room"); done

# Files of our folders with one of these names, as find(1) spells them.
files() {
    local names=() pattern
    for pattern in "$@"; do names+=(-o -name "$pattern"); done
    find "${rooms[@]}" -type f \( "${names[@]:1}" \) -not -path '*/corpus/*' | sort
}

# Shell scripts by their name or their first line, wherever they are.
scripts() {
    find "${rooms[@]}" packaging tools qemu -type f -not -path '*/corpus/*' -print0 | sort -z |
        LC_ALL=C xargs -r -0 awk 'FNR == 1 && (FILENAME ~ /\.(sh|bash)$/ || /^#!.*[\/ ](ba|da)?sh( |$)/) { print FILENAME }
            { nextfile }'
    if [ -f .ci/run ]; then echo .ci/run; fi
}

# --- the steps --------------------------------------------------------------------------------------
#
# Each prints findings as `file:line: what` or `file:line:column: what`; other lines explain the one
# above. A step that fails without a finding counts as one: a tool that broke is not a clean tree.

step_form() {
    files '*.[ch]' | xargs -r -n 20 -P "$jobs" clang-format --dry-run -Werror 2>&1 |
        sed -nE 's/^([^:]+:[0-9]+:)[0-9]+: error: code should be clang-formatted.*/\1 not as .clang-format has it/p; t; /(error|warning): |^[A-Z]/p' |
        sort -t : -k 1,1 -k 2,2n -u | awk -F : '!seen[$1]++' # one for each file
}

step_heads() {
    # shellcheck disable=SC2016 # the dollars are awk's
    files '*.[ch]' | xargs -r awk '
        FNR == 1 && !/^\/\* SPDX-License-Identifier: / { print FILENAME ":1: no SPDX-License-Identifier" }
        FNR == 2 { name = FILENAME; sub(/.*\//, "", name)
                   if (index($0, "/* " name " - ") != 1) print FILENAME ":2: does not begin with \"/* " name " - \"" }
        FNR == 2 { nextfile }'
    # shellcheck disable=SC2016
    { scripts && files '*.py' '*.mk'; } | sort -u | xargs -r awk '
        FNR == 1 { found = 0 }
        /SPDX-License-Identifier: / { found = 1 }
        FNR == 3 { if (!found) print FILENAME ":1: no SPDX-License-Identifier"; nextfile }'
}

step_banned() {
    local never='strcpy|strcat|stpcpy|sprintf|vsprintf|gets|atoi|atol|atoll|atof|alloca|strtok|tmpnam|mktemp'
    # shellcheck disable=SC2016 # the dollars are awk's
    files '*.[ch]' | xargs -r awk -v never="(^|[^a-zA-Z0-9_])($never) *[(]" \
        '$0 ~ never && $0 !~ /^[ \t]*(\/?\*|\/\/)/ { print FILENAME ":" FNR ": " $0 }'
}

step_includes() {
    tools/check-includes.py | sed '$d'
}

# Files are read in processes of their own: lint.sh read-one STEP FILE WORK. What passed is kept by content.
cache=${XDG_CACHE_HOME:-$HOME/.cache}/vgpu/lint

# What decides besides a file's text whether it passes STEP. Once for all files: asking takes as long as reading a small one.
settings_of() {
    case $1 in
    tidy) echo "$(clang-tidy --version) $(cat .clang-tidy)" ;;
    analyzer) echo "$(gcc --version) $(cat tools/analyzer.suppress)" ;;
    esac
}

# Return: on standard output, what decides whether FILE passes, as one number.
key_of() {
    # The files of the tree that it includes; the system's headers change with the tools.
    { echo "$LINT_SETTINGS" && gcc -MM -MG -D_GNU_SOURCE -I. -Ibuild "$1" | sed 's,[\\],,; s,^[^ ]*: *,,' | xargs -r cat --; } 2>/dev/null |
        sha256sum | cut -c 1-40
}

read_one() {
    local step=$1 file=$2 work=$3 key out
    if [ -n "${LINT_UNTIL:-}" ] && [ "$(date +%s)" -ge "$LINT_UNTIL" ]; then
        echo "$file" >>"$work/unread"
        return
    fi
    key=$step-$(key_of "$file")
    if [ -e "$cache/$key" ]; then
        touch "$cache/$key"
        return
    fi
    out=$("${step}_one" "$file" "$work")
    if [ -n "$out" ]; then echo "$out"; else mkdir -p "$cache" && touch "$cache/$key"; fi
}

# Files on standard input, those first that a commit changed last: where time is short, they matter most.
newest_first() {
    cat >"$work/files"
    { git log --format= --name-only 2>/dev/null || true; cat "$work/files"; } |
        awk 'NR == FNR { wanted[$0] = 1; next } wanted[$0] && !seen[$0]++' "$work/files" -
}

# read_all STEP: the files on standard input. Prints what is found.
read_all() {
    [ -z "${LINT_SECONDS:-}" ] || export LINT_UNTIL=$(($(date +%s) + LINT_SECONDS))
    rm -f "$work/unread"
    LINT_SETTINGS=$(settings_of "$1")
    export LINT_SETTINGS
    newest_first | xargs -r -P "$jobs" -I FILE "$0" read-one "$1" FILE "$work"
    [ ! -e "$work/unread" ] || echo "$(wc -l <"$work/unread") files were not read within ${LINT_SECONDS} s (LINT_SECONDS)" >&3
}

# What is compiled says it: make has nothing to do where all is built.
step_exports() {
    make --no-print-directory -s -j "$jobs" all unit >&2 && tools/check-exports.sh build
}

# One file, with the commands in directory $2. Prints findings without the paths that lead to them:
# `clang-tidy FILE` tells those.
tidy_one() {
    local out status=0
    out=$(clang-tidy --quiet -p "$2" --extra-arg=-mavx512fp16 --extra-arg=-isystem/usr/local/cuda/include "$1" 2>&1) || status=$?
    sed -nE "s|^$PWD/||; s|^\./||; /^[^ ]+:[0-9]+:[0-9]+: (error|warning): /p" <<<"$out"
    [ $status -eq 0 ] || grep -qE ':[0-9]+: (error|warning): ' <<<"$out" ||
        echo "$1:1: error: clang-tidy failed: $(tail -n 1 <<<"$out")"
}

step_tidy() {
    # A copy: the next make writes it anew. Tests are not in it; they are read like their neighbours.
    # channel.c is a program of a user's: it is compiled against what is installed.
    cp compile_commands.json "$work" && {
        python3 -c 'import json, sys; print(*(c["file"] for c in json.load(sys.stdin)), sep="\n")' \
            <"$work/compile_commands.json" && files '*.c' | sed -nE '/^tests\/programs\/channel\.c$/d; /^(tests|bench)\//p'
    } | sort -u | while read -r file; do if [ -f "$file" ]; then echo "$file"; fi; done |
        read_all tidy |
        sort -u # what is found in a header comes once for each file that includes it
}

step_cppcheck() {
    # Tests are left to clang-tidy: this one stumbles over their tables and macros. Without these
    # two headers it takes TAILQ_FOREACH and json_array_foreach for syntax errors.
    local headers
    mkdir -p "$cache/cppcheck"
    mapfile -t headers < <(printf '#include <%s>\n' sys/queue.h jansson.h | cc -E -x c - |
        sed -nE 's/^# [0-9]+ "(.*\/(sys\/queue|jansson)\.h)".*/--include=\1/p' | sort -u)
    files '*.c' | sed -E '/^(tests|bench|guest\/kmod)\//d' | xargs -r cppcheck --quiet -j "$jobs" --cppcheck-build-dir="$cache/cppcheck" \
        --enable=warning,performance,portability --suppressions-list=tools/cppcheck.suppress \
        --inline-suppr --std=c11 --library=posix --library=gnu "${headers[@]}" -I. -D_GNU_SOURCE \
        -DVGPU_VERSION='"0"' --template='{file}:{line}: {severity}: {message} [{id}]' 2>&1
}

# One file. Prints findings as `file:line:column: warning: ... [-Wanalyzer-what]`.
analyzer_one() {
    local out status=0
    out=$(gcc -std=gnu11 -O2 -fanalyzer -fdiagnostics-plain-output -D_GNU_SOURCE -DVGPU_VERSION='"0"' -I. -Ibuild \
        -isystem /usr/local/cuda/include -c "$1" -o /dev/null 2>&1) || status=$?
    grep -E '^[^ ]+:[0-9]+:[0-9]+: warning: .*-Wanalyzer' <<<"$out" || true
    [ $status -eq 0 ] || echo "$1:1: error: gcc failed: $(tail -n 1 <<<"$out")"
}

step_analyzer() {
    # Form of a line there: file: what. Each is for as many findings as there are.
    files '*.c' | sed -E '/^(tests|guest\/kmod)\//d' | read_all analyzer | sort -u |
        awk 'NR == FNR { if ($0 !~ /^(#|$)/) known[$1 " " $2]; next }
            { split($0, part, ":"); match($0, /-Wanalyzer-[a-z-]+/)
              if (!((part[1] ": " substr($0, RSTART, RLENGTH)) in known)) print }' tools/analyzer.suppress -
}

step_kmod() {
    tools/kmod.sh check build/kmod-check
}

step_shell() {
    scripts | xargs -r shellcheck -x -f gcc | sed 's/: note: /: style: /'
}

step_man() {
    [ -d man ] || return 0
    find man -name '*.[1-8]' | sort | xargs -r mandoc -T lint -W warning | sed 's/^mandoc: //'
}

# --- the run ----------------------------------------------------------------------------------------

case ${1:-} in
format)
    files '*.[ch]' | xargs -r clang-format -i
    exit
    ;;
read-one)
    read_one "$2" "$3" "$4"
    exit
    ;;
esac

exec 3>&2
find "$cache" -type f -mtime +60 -delete 2>/dev/null || true
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
found=$work/found
[ $# -eq 0 ] || steps=("$@")
total=0 unclean=0
for step in "${steps[@]}"; do
    [ -n "${what[$step]:-}" ] || { echo "lint.sh: no step $step" >&2; exit 2; }
    echo "${what[$step]}"
    status=0
    "step_$step" >"$found" || status=$?
    count=$(grep -cE '^[^ ]+:[0-9]+(:[0-9]+)?: ' "$found" || true)
    if [ "$status" -ne 0 ] && [ "$count" -eq 0 ]; then
        echo "the step itself failed (status $status)" >>"$found"
        count=1
    fi
    sed 's/^/  /' "$found"
    echo "  $count found"
    total=$((total + count))
    [ "$count" -eq 0 ] || unclean=$((unclean + 1))
done
echo "lint: ${#steps[@]} steps, $total findings in $unclean of them"
[ "$total" -eq 0 ]

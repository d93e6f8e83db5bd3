#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# build.sh - makes build/qemu: a small QEMU with the vgpu-stub device, built once for a machine and user
#
# What it keeps lies in ${XDG_CACHE_HOME:-~/.cache}/vgpu/qemu, for each source TREE:
#   TREE/src             the source, with the device put into it
#   TREE/build-CONFIG    the build directory of one configuration, where a changed device is a few objects to compile
#   TREE/out-CONFIG-DEVICE  what is installed: build/qemu is a copy of it
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
top=$(dirname "$here")
cache=${XDG_CACHE_HOME:-$HOME/.cache}/vgpu/qemu
outs_kept=6

usage() {
    cat <<USAGE
usage: qemu/build.sh [--san] [--update] [--suite NAME]
  --san         build with address and undefined-behaviour sanitizers, into build-san/qemu
  --update      look for a newer source of the distribution's QEMU first
  --suite NAME  take the QEMU of another Debian release (and the meson it wants), into build/qemu-NAME
With QEMU_SRC=DIR in the environment, that QEMU source tree is built instead of the distribution's (a copy of it:
DIR stays as it is).
USAGE
}

say() {
    echo "qemu: $*" >&2
}

fail() {
    say "$@"
    exit 1
}

os_release() { # os_release NAME: that field of /etc/os-release
    sed -n "s/^$1=\"\{0,1\}\([^\"]*\)\"\{0,1\}$/\1/p" /etc/os-release
}

san=0 update=0 codename=$(os_release VERSION_CODENAME)
suite=$codename dest=build/qemu
while [ $# -gt 0 ]; do
    case $1 in
    --san) san=1 dest=build-san/qemu ;;
    --update) update=1 ;;
    --suite) [ $# -ge 2 ] || { usage >&2; exit 2; }; suite=$2; shift ;;
    --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
    esac
    shift
done
[ "$suite" = "$codename" ] || dest=$dest-$suite
dest=$top/$dest

hash_of() { # hash_of FILE...
    cat "$@" | sha256sum | cut -c 1-12
}

# --- what is to be built --------------------------------------------------------------------------

options=(
    --target-list=x86_64-softmmu --without-default-features --without-default-devices
    --with-devices-x86_64=vgpu --enable-tcg --enable-kvm --enable-vhost-user --enable-slirp --enable-fdt=system
    --enable-pie --enable-malloc-trim --enable-trace-backends=log --disable-docs --disable-install-blobs
)

# Options whose name differs from release to release.
version_options() {
    local help
    help=$(cd "$build" && "$tree/src/configure" --help) # it leaves files where it is called
    # Up to 8.0 a meson may be named, which knows its python; then the python, which knows its meson.
    if [[ $help == *--meson=* ]]; then
        echo "--meson=$(command -v meson)"
    elif [ -x /usr/bin/python3 ]; then
        echo --python=/usr/bin/python3
    fi
    [[ $help != *--disable-download* ]] || echo --disable-download
    if [ $san = 0 ]; then
        echo --disable-debug-info
    elif [[ $help == *--enable-sanitizers* ]]; then
        echo --enable-sanitizers
    else
        echo --enable-asan
        echo --enable-ubsan
    fi
}

device_hash=$(hash_of "$here"/{vgpu-*.[ch],Kconfig,trace-events,overlay.sh} \
    "$top"/common/wire/{vgpu_regs.h,vgpu_proto.h,vgpu_frame.h,vgpu_ends.h})
config_hash=$(hash_of "$here/devices.mak" - <<<"${options[*]} $(declare -f version_options) san=$san")
distro_tree=$cache/distro-$suite # holds the name of the tree that was fetched last

# Sets tree: the directory in the cache; empty when the distribution's source was never fetched.
name_tree() {
    if [ -n "${QEMU_SRC:-}" ]; then
        [ -f "$QEMU_SRC/VERSION" ] || fail "QEMU_SRC=$QEMU_SRC is not a QEMU source tree"
        QEMU_SRC=$(cd "$QEMU_SRC" && pwd)
        tree=$cache/own-$(cat "$QEMU_SRC/VERSION")-$(hash_of <(echo "$QEMU_SRC"))
    elif [ -s "$distro_tree" ] && [ -d "$cache/$(cat "$distro_tree")/src" ]; then
        tree=$cache/$(cat "$distro_tree")
    else
        tree=
    fi
}

own_tree_changed() {
    [ -n "${QEMU_SRC:-}" ] && { [ ! -e "$tree/copied" ] ||
        [ -n "$(find "$QEMU_SRC" \( -name .git -o -path "$QEMU_SRC/build" \) -prune -o -newer "$tree/copied" -print -quit)" ]; }
}

# Names what this configuration and device make of the tree. Return: whether the destination has it.
is_current() {
    [ -n "$tree" ] && ! own_tree_changed || return 1
    out=$tree/out-$config_hash-$device_hash
    key="${tree##*/} $config_hash $device_hash"
    [ -x "$dest/bin/qemu-system-x86_64" ] && [ "$(cat "$dest/key" 2>/dev/null)" = "$key" ]
}

is_cached() {
    [ -n "$out" ] && [ -d "$out" ]
}

# Makes the copy beside the old one, then changes the names: a QEMU that runs keeps its file.
deliver() {
    mkdir -p "$(dirname "$dest")"
    exec 8>"$dest.lock"
    flock 8
    rm -rf "$dest.new"
    cp -r "$out" "$dest.new"
    echo "$key" >"$dest.new/key"
    rm -rf "$dest"
    mv -T "$dest.new" "$dest"
    touch "$out" # the least recently used go first
    say "${dest#"$top"/} is ready (QEMU $(cat "$tree/src/VERSION"), from $out)"
}

# Ends the script when nothing is to be built; then no package is needed either.
use_built() {
    if [ $update = 1 ]; then
        return
    fi
    name_tree
    if is_current; then
        exit 0
    fi
    if is_cached; then
        deliver
        exit 0
    fi
}

# --- the source -----------------------------------------------------------------------------------

# Sets apt: apt-get with the system's own settings, mirrors and keys, but with a list (of the suite, and with sources)
# and directories of our own in apt_dir.
prepare_apt() {
    local keyring signed=""
    command -v apt-get >/dev/null || fail "there is no apt-get here to fetch QEMU's source with;" \
        "unpack a QEMU source tree and give QEMU_SRC=DIR"
    apt_dir=$(mktemp -d)
    chmod 755 "$apt_dir"
    mkdir -p "$apt_dir"/{lists,cache,get}
    keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    [ "$(os_release ID)" != debian ] || [ ! -r $keyring ] || signed="[signed-by=$keyring]"
    # shellcheck disable=SC2016 # apt-get fills these in
    apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
        awk -v c="$codename" -v suite="$suite" -v s="$signed" \
            '$2 ~ "^" c "(-updates|-security)?$" && $3 == "main" {
                sub(c, suite, $2)
                print "deb-src", s, $1, $2, $3
                if (suite != c)
                    print "deb", s, $1, $2, $3
            }' | sort -u >"$apt_dir/sources.list"
    [ -s "$apt_dir/sources.list" ] || fail "apt's configuration names no mirror for '$codename';" \
        "add one, or unpack a QEMU source tree and give QEMU_SRC=DIR"
    apt=(apt-get -q -o "Dir::Etc::SourceList=$apt_dir/sources.list" -o Dir::Etc::SourceParts=/dev/null
        -o "Dir::State::Lists=$apt_dir/lists" -o "Dir::Cache=$apt_dir/cache"
        -o APT::Get::AllowUnauthenticated=false -o Acquire::AllowInsecureRepositories=false)
}

# Another release's QEMU wants that release's meson; it runs from where it is unpacked.
fetch_tools() {
    [ "$suite" != "$codename" ] || return 0
    (cd "$apt_dir/get" && "${apt[@]}" download meson python3-distlib && mkdir -p "$tree/tools" &&
        for deb in *.deb; do dpkg-deb -x "$deb" "$tree/tools"; done) >>"$log" 2>&1 ||
        fail_with_log "the meson of $suite could not be fetched"
}

fetch_distro_source() {
    local src
    prepare_apt
    say "fetching the source of the distribution's QEMU (20 to 40 MB)"
    log=$cache/fetch.log
    ("${apt[@]}" update && cd "$apt_dir/get" && "${apt[@]}" --download-only source qemu) >"$log" 2>&1 ||
        fail_with_log "the source could not be fetched"
    src=$(basename "$apt_dir"/get/*.dsc .dsc)
    tree=$cache/$src
    if [ ! -d "$tree/src" ]; then
        mkdir -p "$tree"
        rm -rf "$tree/src.new"
        dpkg-source --no-copy --extract "$apt_dir/get/$src.dsc" "$tree/src.new" >>"$log" 2>&1 ||
            fail_with_log "the source could not be unpacked"
        mv -T "$tree/src.new" "$tree/src"
    fi
    fetch_tools
    echo "$src" >"$distro_tree"
}

copy_own_source() {
    say "copying $QEMU_SRC"
    mkdir -p "$tree"
    touch "$tree/copying"
    rm -rf "$tree/src.new"
    mkdir "$tree/src.new"
    # The times come along, so that ninja sees only what changed.
    tar -C "$QEMU_SRC" --exclude=.git --exclude=./build -cf - . | tar -C "$tree/src.new" -xf -
    rm -rf "$tree/src"
    mv -T "$tree/src.new" "$tree/src"
    mv -T "$tree/copying" "$tree/copied"
}

# --- the build ------------------------------------------------------------------------------------

fail_with_log() {
    tail -n 25 "$log" >&2
    fail "$1; its last lines stand above, all of it in $log"
}

# Reads ninja's output: one line that moves on a terminal, else a line for each tenth.
progress() {
    local line done_ total tenth=0
    while IFS= read -r line; do
        [[ $line =~ ^\[([0-9]+)/([0-9]+)\] ]] || continue
        done_=${BASH_REMATCH[1]} total=${BASH_REMATCH[2]}
        if [ -t 2 ]; then
            printf '\rqemu: [%4d/%d] %-60.60s' "$done_" "$total" "${line#*] }" >&2
        elif [ $((done_ * 10 / total)) -gt $tenth ]; then
            tenth=$((done_ * 10 / total))
            say "[$done_/$total]"
        fi
    done
    [ ! -t 2 ] || printf '\r%-80s\r' "" >&2
}

configure_qemu() {
    local extra
    rm -rf "$build"
    mkdir -p "$build"
    mapfile -t extra < <(version_options)
    (cd "$build" && "$tree/src/configure" "${options[@]}" "${extra[@]}") >"$log" 2>&1 ||
        fail_with_log "QEMU's configure failed"
    touch "$build/configured"
}

compile_qemu() {
    local steps
    steps=$(ninja -C "$build" -n qemu-system-x86_64 | sed -n 's|^\[[0-9]*/\([0-9]*\)\].*|\1|p' | tail -n 1)
    if [ "${steps:-0}" -gt 100 ]; then
        say "compiling QEMU $(cat "$tree/src/VERSION"), $steps steps: 1 to 3 minutes on two processors." \
            "This happens once; the result is kept in $tree"
    fi
    ninja -C "$build" -j "$(nproc)" qemu-system-x86_64 2>&1 | tee "$log" | progress ||
        fail_with_log "compiling QEMU failed"
}

# Two option ROMs come with an upstream tree, ready made; Debian's has their source only.
install_rom() { # install_rom NAME DIR
    local rom=$build/vgpu-roms
    if [ -f "$tree/src/pc-bios/$1" ]; then
        cp "$tree/src/pc-bios/$1" "$2"
        return
    fi
    mkdir -p "$rom"
    printf '%s\n' "TOPSRC_DIR=$tree/src" CC=gcc OBJCOPY=objcopy PYTHON=python3 >"$rom/config.mak"
    make -C "$rom" -f "$tree/src/pc-bios/optionrom/Makefile" "$1" >>"$log" 2>&1 ||
        fail_with_log "making the option ROM $1 failed"
    cp "$rom/$1" "$2"
}

install_bios() { # install_bios DIR
    local f
    for f in "$tree/src/pc-bios/bios-256k.bin" /usr/share/seabios/bios-256k.bin; do
        [ ! -f "$f" ] || { cp "$f" "$1"; return; }
    done
    fail "there is no bios-256k.bin: install the package seabios"
}

install_out() {
    rm -rf "$out.new"
    mkdir -p "$out.new"/{bin,share/qemu}
    cp "$build/qemu-system-x86_64" "$out.new/bin"
    [ $san = 1 ] || strip "$out.new/bin/qemu-system-x86_64"
    install_bios "$out.new/share/qemu"
    install_rom kvmvapic.bin "$out.new/share/qemu"
    install_rom linuxboot_dma.bin "$out.new/share/qemu"
    rm -rf "$out"
    mv -T "$out.new" "$out"
    # Each change of the device leaves one.
    find "$tree" -maxdepth 1 -name 'out-*' -printf '%T@ %p\n' | sort -rn | tail -n +$((outs_kept + 1)) |
        cut -d' ' -f 2- | xargs -r rm -rf
}

build_qemu() {
    "$top/tools/prerequisites.sh" qemu
    if [ -n "${QEMU_SRC:-}" ]; then
        ! own_tree_changed || copy_own_source
    elif [ -z "$tree" ] || [ $update = 1 ]; then
        fetch_distro_source
    fi
    out=$tree/out-$config_hash-$device_hash
    build=$tree/build-$config_hash
    log=$build.log
    if [ -d "$tree/tools" ]; then
        export PATH=$tree/tools/usr/bin:$PATH PYTHONPATH=$tree/tools/usr/lib/python3/dist-packages
    fi
    "$here/overlay.sh" "$tree/src"
    # The name tells one configuration's devices from another's: san and plain builds share the source.
    cmp -s "$here/devices.mak" "$tree/src/configs/devices/x86_64-softmmu/vgpu.mak" ||
        cp "$here/devices.mak" "$tree/src/configs/devices/x86_64-softmmu/vgpu.mak"
    [ -e "$build/configured" ] || configure_qemu
    compile_qemu
    install_out
}

tree='' out='' build='' log='' key='' apt_dir='' apt=()
trap '[ -z "$apt_dir" ] || rm -rf "$apt_dir"' EXIT
use_built
mkdir -p "$cache"
exec 9>"$cache/lock"
if ! flock -n 9; then
    say "another build of QEMU is at work; waiting for it"
    flock 9
fi
use_built
name_tree
build_qemu
is_current || deliver

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# guest-kernel.sh - Debian's cloud kernel for test guests, its modules, and the headers that vgpu.ko is built against
#
# usage: tools/guest-kernel.sh [SUITE]     this machine's release, or bullseye, bookworm-backports, ...
# Prints a directory that holds vmlinuz, lib/modules/VERSION and headers/ (of another SUITE: headers/ alone). What was
# downloaded is kept in ${XDG_CACHE_HOME:-~/.cache}/vgpu/guest-kernel. Root is not needed.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin # depmod, which needs no root for what it does here

die() {
    echo "guest-kernel: $*" >&2
    exit 1
}

# shellcheck source=/dev/null
release=$(. /etc/os-release && echo "${VERSION_CODENAME:-$VERSION_ID}")
suite=${1:-$release}
case $suite in -* | */*) sed -n '5,7s/^# //p' "$0" >&2; exit 2 ;; esac
cache=${XDG_CACHE_HOME:-$HOME/.cache}/vgpu/guest-kernel
kept=$cache/$suite
if [ -e "$kept/headers" ]; then
    echo "$kept"
    exit 0
fi
for tool in apt-get dpkg depmod; do
    command -v "$tool" >/dev/null || die "$tool is missing; tools/prerequisites.sh guest names its package"
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
: >"$work/log"
options=()
[ "$(id -u)" -ne 0 ] || options=(-o APT::Sandbox::User=root)

# What a package depends on and whose name matches, or fails where the lists do not know it.
needs() { # needs PACKAGE PATTERN
    apt-cache "${options[@]}" show --no-all-versions "$1" 2>/dev/null | sed -n 's/^Depends: //p' | tr ',' '\n' |
        sed 's/^ *//; s/ .*//' | grep -E "^$2$"
}

# Downloads all packages into $work by the lists that the options name.
download() {
    local image headers packages
    image=$(needs linux-image-cloud-amd64 'linux-image-.*') && headers=${image/image/headers} || return
    headers=${headers%-unsigned}
    mapfile -t packages < <(needs "$headers" 'linux-(headers-.*-common|kbuild-.*)')
    [ ${#packages[@]} -eq 2 ] || return
    packages+=("$headers")
    [ "$suite" != "$release" ] || packages+=("$image")
    echo "Downloading ${packages[*]} (kept in $cache)" >&2
    (cd "$work" && apt-get "${options[@]}" -qq download "${packages[@]}") >>"$work/log" 2>&1
}

# Lists of our own: the system's may be absent, too old to name a version that still exists, or of another release.
use_own_lists() {
    mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
    options+=(-o "Dir::State::Lists=$work/lists" -o "Dir::Cache=$work/cache")
    if [ "$suite" != "$release" ]; then
        # shellcheck disable=SC2016 # apt-get fills these in
        apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
            awk -v r="$release" -v s="$suite" '$2 == r && $3 == "main" {
                print "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]", $1, s, $3 }' >"$work/sources.list"
        options+=(-o "Dir::Etc::SourceList=$work/sources.list" -o Dir::Etc::SourceParts=/dev/null)
    fi
    apt-get "${options[@]}" -qq update >>"$work/log" 2>&1
}

fetch() {
    [ "$suite" != "$release" ] || ! download || return 0
    use_own_lists && download && return
    tail -n 20 "$work/log" >&2
    die "cannot download the kernel of $suite; check the network and the apt sources, then run this again"
}

# Puts all of it into the cache by one rename: it is there whole or not at all.
unpack() {
    local deb tree=$work/tree version staged
    for deb in "$work"/*.deb; do dpkg -x "$deb" "$tree"; done
    mkdir -p "$cache"
    staged=$(mktemp -d "$cache/.$suite.XXXXXX")
    chmod 755 "$staged"
    if [ "$suite" = "$release" ]; then
        [ -d "$tree/lib" ] || { mkdir "$tree/lib" && mv "$tree/usr/lib/modules" "$tree/lib"; } # where Debian 13 has it
        version=$(basename "$tree"/lib/modules/*)
        depmod -b "$tree" "$version"
        mv "$tree/boot/vmlinuz-$version" "$staged/vmlinuz"
        mv "$tree/lib" "$staged/lib"
    fi
    # The headers' makefile names the other package by where it would be installed.
    sed -i "s|/usr/src/|$kept/usr/src/|" "$tree"/usr/src/linux-headers-*-cloud-amd64/Makefile
    mkdir "$staged/usr"
    mv "$tree/usr/src" "$tree/usr/lib" "$staged/usr/"
    ln -s "$(cd "$staged" && echo usr/src/linux-headers-*-cloud-amd64)" "$staged/headers"
    mv -T "$staged" "$kept" 2>/dev/null || rm -rf "$staged" # another run was faster
}

fetch
unpack
echo "$kept"

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# bundle.sh - gathers in one directory all that a GPU host without packages needs: demo, tests, bench
set -euo pipefail
cd "$(dirname "$0")/.."

LIMIT_MIB=60

die() {
    echo "bundle: $*" >&2
    exit 1
}

if [ $# -ne 2 ]; then
    echo "usage: tools/bundle.sh BUILDDIR OUTDIR (BUILDDIR has bin, qemu and guest; OUTDIR is made anew)" >&2
    exit 2
fi
build=$1
out=$2
programs=(tests/programs/{suite,victim,holder})
for source in examples/*.cu; do programs+=("${source%.cu}"); done
for part in bin/vgpud qemu/bin/qemu-system-x86_64 guest/vmlinuz guest/initramfs.cpio lib/libcuda.so.1 "${programs[@]}"; do
    [ -e "$build/$part" ] || die "$build/$part is not there; make bundle builds it"
done
case $out in */bundle) ;; *) die "$out: the directory must be called bundle, as it is removed first" ;; esac
rm -rf "$out"
mkdir -p "$out"/{bin,lib,deps,guest,qemu/bin,qemu/share/qemu,tests,examples,common/cmd}

# Symbols are for debuggers, and a third of the size.
for program in vgpud vgpuadm vgpu-run softgpu-run bench-{pingpong,native,load,echo,ledger,softgpu,channel,submit,programs,turns,modules}; do
    [ ! -x "$build/bin/$program" ] || strip -o "$out/bin/$program" "$build/bin/$program"
done
# CUDA programs, which find our libcuda.so.1 in lib/: vgpud itself must not.
cp examples/*.ptx "$out/examples/"
for program in lib/libcuda.so.1 "${programs[@]}"; do
    mkdir -p "$out/$(dirname "$program")"
    strip -o "$out/$program" "$build/$program"
done
strip -o "$out/qemu/bin/qemu-system-x86_64" "$build/qemu/bin/qemu-system-x86_64"
ln -s libcuda.so.1 "$out/lib/libcuda.so" # numba asks for that name first
# What the test guests' machines load; a guest boots its kernel directly, with no disk or network boot.
for file in bios-256k.bin kvmvapic.bin linuxboot_dma.bin; do
    cp -L "$build/qemu/share/qemu/$file" "$out/qemu/share/qemu/"
done
cp "$build"/guest/{vmlinuz,initramfs.cpio} "$out/guest/"

# The host's own C library runs our programs: it is the newer one. libcuda.so.1 is ours or the driver's. All else comes along.
core='^(libcuda|libc|libm|libpthread|libdl|librt|libresolv|libutil|ld-linux-x86-64|libgcc_s|libstdc\+\+)\.so\.'
for program in "$out"/bin/* "$out/qemu/bin/qemu-system-x86_64"; do
    missing=$(ldd "$program" | awk '/not found/ && $1 != "libcuda.so.1" {print $1}')
    [ -z "$missing" ] || die "$program needs $missing, which this machine does not have"
    ldd "$program" | awk '$2 == "=>" && $3 ~ /^\// {print $3}'
done | sort -u | while read -r library; do
    [[ $(basename "$library") =~ $core ]] || cp -L "$library" "$out/deps/"
done

cp tools/bundle/run.sh "$out/"
read -ra compiler <<<"${CC:-cc}" # ccache gcc is two words
"${compiler[@]}" -O2 -Wall -Wextra -Werror -D_GNU_SOURCE -shared -fPIC -o "$out/lib/requests.so" tools/bundle/requests.c
cp tools/demo.py "$out/"
for part in lib device guest programs torture; do
    mkdir -p "$out/tests/$part"
    find tests/"$part" -maxdepth 1 -type f -exec cp -t "$out/tests/$part/" {} +
done
cp common/cmd/admin_cmds.def "$out/common/cmd/"
cp common/vm_settings.h "$out/common/"
# The one fuzzer whose count needs many processors.
mkdir -p "$out/build/fuzz" "$out/tests/fuzz/corpus"
strip --strip-debug -o "$out/build/fuzz/drive_fuzz_channel" build/fuzz/drive_fuzz_channel
cp tests/fuzz/drive.sh "$out/tests/fuzz/"
cp -r tests/fuzz/corpus/fuzz_channel "$out/tests/fuzz/corpus/"
if [ -n "$(compgen -G 'bench/*.py')" ]; then
    mkdir "$out/bench"
    cp bench/*.py "$out/bench/"
fi

size_mib=$(du -sm --apparent-size "$out" | cut -f1)
[ "$size_mib" -lt "$LIMIT_MIB" ] || die "$out has $size_mib MiB, and must stay under $LIMIT_MIB"
echo "bundle: $out is ready, $size_mib MiB; copy it to a GPU host and type: bundle/run.sh all"
if ! grep -q cuLaunchKernel "$out/bin/vgpud"; then
    echo "bundle: its vgpud runs jobs on the CPU only, as this machine has no nvcc (NVCC=/path/to/nvcc make bundle)"
fi

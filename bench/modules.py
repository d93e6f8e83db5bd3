# SPDX-License-Identifier: GPL-2.0-or-later
# modules.py - programs that load PTX, one after the other: through vgpud, and on the driver with its cache and without

import json
import os
import shutil
import statistics
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path

import rig
from lib import paths, process
from lib.adminclient import AdminClient
from lib.tenant import LIBRARY_DIR, Tenant
from lib.vgpud import Vgpud

PROGRAM = "bench-modules"
KERNEL = "work0"
BYTES = 95_000
WAYS = (("load", "a program that loads 95 KB of PTX"), ("numba", "a program that links them first, as numba does"))


def missing():
    """Return: why there is nothing to measure with, or None."""
    if not (paths.BIN_DIR / PROGRAM).exists():
        return f"{PROGRAM} is not built (it needs cuda.h)"
    return None if (LIBRARY_DIR / "libcuda.so.1").exists() else "build/lib/libcuda.so.1 is not built"


def text():
    """Return: PTX of about BYTES, of kernels that take one pointer and call no function."""
    parts = [".version 7.0\n.target sm_75\n.address_size 64\n"]
    size, number = 0, 0
    while size < BYTES:
        steps = "".join(f"\tfma.rn.f32 %f{i % 7}, %f{(i + 3) % 7}, %f{(i + 5) % 7}, 0f{0x3F000000 + 977 * i + number:08X};\n"
                        f"\txor.b32 %r{i % 5}, %r{(i + 2) % 5}, {i * 40503 + number};\n" for i in range(60))
        parts.append(f".visible .entry work{number}(.param .u64 out)\n{{\n\t.reg .b64 %rd<3>;\n\t.reg .b32 %r<5>;\n\t.reg .f32 %f<7>;\n"
                     "\tld.param.u64 %rd0, [out];\n\tcvta.to.global.u64 %rd0, %rd0;\n\tmov.u32 %r0, %tid.x;\n"
                     + "".join(f"\tmov.u32 %r{i}, %r0;\n" for i in range(1, 5))
                     + "".join(f"\tcvt.rn.f32.u32 %f{i}, %r0;\n" for i in range(7)) + steps
                     + "\tcvt.rzi.s32.f32 %r1, %f0;\n\tadd.s32 %r0, %r0, %r1;\n\tmul.wide.u32 %rd1, %r2, 0;\n\tadd.s64 %rd1, %rd1, %rd0;\n"
                     "\tst.global.u32 [%rd1], %r0;\n\tret;\n}\n")
        size += len(parts[-1])
        number += 1
    return "".join(parts)


def _native(**environment):
    def spawn(*arguments):
        return process.spawn([paths.program(PROGRAM), *arguments], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    return spawn


def _through(tenant):
    def spawn(*arguments):
        return tenant.spawn(paths.program(PROGRAM), *arguments)
    return spawn


def _times(spawn, way, path, rounds):
    """Return: the rows of so many programs, one after the other."""
    rows = []
    for _ in range(rounds):
        child = spawn(way, path, KERNEL)
        out, err = child.communicate(timeout=120)
        process.end(child)
        if child.returncode != 0:
            raise rig.Failed(f"{PROGRAM} {way}: {err}")
        rows.append(json.loads(out))
    return rows


def _of(figure, rows):
    return statistics.median(row[figure] for row in rows)


def measure(options, rounds):
    """Return: rows. The first program of each side compiles; it is told apart from those after it."""
    rows = []
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        path = directory / "modules.ptx"
        path.write_text(text())
        vgpud = stack.enter_context(Vgpud(executor=options.executor, settings=f"{rig.settings(options) or '[vgpud]'}\nprograms_unconfined = yes\n"))
        admin = stack.enter_context(AdminClient(vgpud.admin_socket))
        sides = {"vgpud": _through(Tenant(vgpud, admin))}
        if admin.rows("pools")[0]["executor"] != "cpu":
            sides["the driver, its cache"] = _native(CUDA_CACHE_PATH=str(directory / "cache"))
            sides["the driver, no cache"] = _native(CUDA_CACHE_DISABLE="1")
        for way, name in WAYS:
            shutil.rmtree(directory / "cache", ignore_errors=True)
            found = {side: _times(spawn, way, path, rounds) for side, spawn in sides.items()}
            for side, times in found.items():
                row = {"section": "modules", "name": f"{name}: {side}", "count": rounds, "first_ns": times[0]["ns"],
                       "p50_ns": _of("ns", times[1:]), "all_ns": sum(each["all_ns"] for each in times)}
                if side == "vgpud" and "the driver, its cache" in found:
                    row.update(baseline="the driver, its cache", ratio=row["p50_ns"] / _of("ns", found["the driver, its cache"][1:]))
                rows.append(row)
        shown = admin.row("list", vm="t1")
        rows.append({"section": "modules", "name": "modules kept", "hits": shown["module_hits"], "misses": shown["module_misses"],
                     "bytes": shown["modules_bytes"]})
    return rows


def main():
    class Options:
        executor = paths.EXECUTOR
        busy_poll_us = None

    rounds = int(os.environ.get("MODULES_ROUNDS", "20"))
    for row in measure(Options, rounds):
        print(json.dumps(row))


if __name__ == "__main__":
    main()

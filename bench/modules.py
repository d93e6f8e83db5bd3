# SPDX-License-Identifier: GPL-2.0-or-later
# modules.py - programs that load PTX, one after the other: through vgpud, and on the driver with its cache and without

import json
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
CACHED = "the driver with its cache"
WAYS = (("load", "loaded"), ("numba", "linked, then loaded"))


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


def _rows(way, name, found):
    """found: what each side's programs have printed. Return: a row for each side; its first program is told apart."""
    rows = []
    for side, times in found.items():
        p50_ns = _of("ns", times[1:])
        baseline_ns = _of("ns", found[CACHED][1:]) if CACHED in found else times[0]["ns"]
        rows.append({"section": "modules", "name": f"{name}, {side}", "count": len(times), "first_ns": times[0]["ns"], "p50_ns": p50_ns,
                     "all_p50_ns": _of("all_ns", times[1:]), "baseline": CACHED if CACHED in found else "its first program",
                     "ratio": p50_ns / baseline_ns})
    return rows


def measure(options, rounds):
    """Return: rows of programs that load the same text one after the other."""
    rows = []
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        path = directory / "modules.ptx"
        path.write_text(text())
        vgpud = stack.enter_context(Vgpud(executor=options.executor, settings=f"{rig.settings(options) or '[vgpud]'}\nprograms_unconfined = yes\n"))
        admin = stack.enter_context(AdminClient(vgpud.admin_socket))
        sides = {"vgpud": _through(Tenant(vgpud, admin))}
        if admin.rows("pools")[0]["executor"] != "cpu":
            sides[CACHED] = _native(CUDA_CACHE_PATH=str(directory / "cache"))
            sides["the driver without"] = _native(CUDA_CACHE_DISABLE="1")
        for way, name in WAYS:
            shutil.rmtree(directory / "cache", ignore_errors=True)
            rows += _rows(way, name, {side: _times(spawn, way, path, rounds) for side, spawn in sides.items()})
        kept = admin.row("list", vm="t1")
        rows[0].update(kept_bytes=kept["modules_bytes"], hits=kept["module_hits"], misses=kept["module_misses"])
    return rows

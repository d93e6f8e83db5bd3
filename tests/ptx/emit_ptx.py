#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""emit_ptx.py - PTX as NVRTC, numba and Triton write it, on a machine that has them

Writes $OUT/nvrtc/NAME.ptx from kernels/NAME.cu, $OUT/numba/NAME.ptx and $OUT/triton/NAME.ptx from the
functions below, and $OUT/emitted.txt: what was written, with versions, and why anything was not.
Needs no GPU but for Triton. What is not installed is told and left out.
"""

import os
import sys
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.environ.get("OUT", os.path.join(HERE, "emitted"))
LOG = []


def say(text):
    print(text, flush=True)
    LOG.append(text)


def write(folder, name, text):
    path = os.path.join(OUT, folder)
    os.makedirs(path, exist_ok=True)
    with open(os.path.join(path, name + ".ptx"), "w", encoding="utf-8") as file:
        file.write(text)
    version = next((line for line in text.splitlines() if line.startswith(".version")), "?")
    target = next((line for line in text.splitlines() if line.startswith(".target")), "?")
    say(f"{folder}/{name}.ptx {len(text)} bytes {version} {target}")


def attempt(what, function):
    try:
        function()
    except Exception as error:  # a tool that is missing or refuses is told, and the others go on
        say(f"{what}: not done: {type(error).__name__}: {str(error).splitlines()[:1]}")
        if os.environ.get("VERBOSE"):
            traceback.print_exc()


# --- NVRTC -----------------------------------------------------------------------------------------

EMPTY_HEADERS = ("assert.h", "stdio.h")


def nvrtc_compile(nvrtc, name):
    kernels = os.path.join(HERE, "kernels")
    with open(os.path.join(kernels, name), encoding="utf-8") as file:
        source = file.read()
    for header in EMPTY_HEADERS:
        source = source.replace(f"#include <{header}>", "")
    source = "#ifndef assert\n#define assert(x) ((void)0)\n#endif\n" + source
    options = [b"-arch=compute_90", ("-I" + kernels).encode(), b"-default-device", b"--device-int128",
               b"-D__builtin_alloca=alloca"]
    for line in source.splitlines():
        if line.startswith("// flags: -fmad=false"):
            options.append(b"--fmad=false")
    for folder in include_folders():
        options.append(("-I" + folder).encode())

    def call(result, *values):
        if int(result) != 0:
            raise RuntimeError(f"NVRTC result {int(result)}")
        return values[0] if len(values) == 1 else values

    program = call(*nvrtc.nvrtcCreateProgram(source.encode(), name.encode(), 0, [], []))
    result = nvrtc.nvrtcCompileProgram(program, len(options), options)[0]
    if int(result) != 0:
        size = call(*nvrtc.nvrtcGetProgramLogSize(program))
        log = b" " * size
        nvrtc.nvrtcGetProgramLog(program, log)
        raise RuntimeError(log.decode(errors="replace").strip()[:300])
    size = call(*nvrtc.nvrtcGetPTXSize(program))
    text = b" " * size
    call(*nvrtc.nvrtcGetPTX(program, text))
    write("nvrtc", name[:-3], text.rstrip(b"\0 ").decode())


def include_folders():
    found = [os.path.join(HERE, "include")]
    for root in sys.path:
        for tail in ("nvidia/cu13/include", "nvidia/cuda_runtime/include", "nvidia/cuda_cccl/include",
                     "nvidia/cu13/include/cccl"):
            path = os.path.join(root, tail)
            if os.path.isdir(path):
                found.append(path)
    return found


def emit_nvrtc():
    from cuda.bindings import nvrtc

    say(f"NVRTC {nvrtc.nvrtcVersion()[1:]}")
    for name in sorted(os.listdir(os.path.join(HERE, "kernels"))):
        if name.endswith(".cu"):
            attempt("nvrtc/" + name, lambda name=name: nvrtc_compile(nvrtc, name))


# --- numba -----------------------------------------------------------------------------------------


def emit_numba():
    import math

    import numpy

    # An older numba's stubs name what numpy 2 has dropped.
    for gone, there in (("row_stack", "vstack"), ("in1d", "isin"), ("trapz", "trapezoid")):
        if not hasattr(numpy, gone):
            setattr(numpy, gone, getattr(numpy, there))
    import numba
    from numba import cuda, float32, float64, int32, int64, complex128, uint32, types

    say(f"numba {numba.__version__}, numba-cuda {getattr(sys.modules.get('numba_cuda'), '__version__', '?')}")

    def vector_add(a, b, c):
        i = cuda.grid(1)
        if i < c.size:
            c[i] = a[i] + b[i]

    def stride_saxpy(factor, x, y):
        for i in range(cuda.grid(1), y.size, cuda.gridsize(1)):
            y[i] = factor * x[i] + y[i]

    def block_sum(a, out):
        part = cuda.shared.array(128, float32)
        t = cuda.threadIdx.x
        i = cuda.grid(1)
        part[t] = a[i] if i < a.size else 0
        cuda.syncthreads()
        half = 64
        while half > 0:
            if t < half:
                part[t] += part[t + half]
            cuda.syncthreads()
            half //= 2
        if t == 0:
            cuda.atomic.add(out, 0, part[0])

    def histogram(a, bins):
        i = cuda.grid(1)
        if i < a.size:
            cuda.atomic.add(bins, a[i] & 15, 1)

    def matmul(a, b, c):
        ta = cuda.shared.array((8, 8), float64)
        tb = cuda.shared.array((8, 8), float64)
        x, y = cuda.grid(2)
        total = 0.0
        for k in range(a.shape[1] // 8):
            ta[cuda.threadIdx.x, cuda.threadIdx.y] = a[x, k * 8 + cuda.threadIdx.y]
            tb[cuda.threadIdx.x, cuda.threadIdx.y] = b[k * 8 + cuda.threadIdx.x, y]
            cuda.syncthreads()
            for j in range(8):
                total += ta[cuda.threadIdx.x, j] * tb[j, cuda.threadIdx.y]
            cuda.syncthreads()
        c[x, y] = total

    def mandelbrot(out, width, limit):
        i = cuda.grid(1)
        if i < out.size:
            c = complex(-2.0 + 3.0 * (i % width) / width, -1.5 + 3.0 * (i // width) / width)
            z = 0j
            n = 0
            while n < limit and (z.real * z.real + z.imag * z.imag) <= 4.0:
                z = z * z + c
                n += 1
            out[i] = n

    def mathematics(x, out):
        i = cuda.grid(1)
        if i < x.size:
            v = x[i]
            out[0, i] = math.sin(v)
            out[1, i] = math.exp(v)
            out[2, i] = math.sqrt(abs(v))
            out[3, i] = math.pow(abs(v), 1.5)
            out[4, i] = math.atan2(v, 2.0)
            out[5, i] = math.floor(v)

    def integers(a, b, out):
        i = cuda.grid(1)
        if i < a.size:
            out[0, i] = a[i] // b[i]
            out[1, i] = a[i] % b[i]
            out[2, i] = cuda.popc(a[i])
            out[3, i] = cuda.clz(a[i])
            out[4, i] = cuda.brev(a[i])
            out[5, i] = cuda.ffs(a[i])
            out[6, i] = a[i] ** 3

    def warp(a, out):
        i = cuda.grid(1)
        v = a[i]
        mask = 0xFFFFFFFF
        out[0, i] = cuda.shfl_xor_sync(mask, v, 5)
        out[1, i] = cuda.ballot_sync(mask, v > 0)
        out[2, i] = cuda.match_any_sync(mask, v & 3)
        out[3, i] = cuda.shfl_down_sync(mask, v, 3)
        out[4, i] = cuda.all_sync(mask, v > -1000)

    def local_array(a, out):
        kept = cuda.local.array(16, int32)
        i = cuda.grid(1)
        for k in range(16):
            kept[k] = a[i] * k
        total = 0
        for k in range(16):
            total = total * 3 + kept[(a[i] + k) & 15]
        out[i] = total

    def prints(a):
        i = cuda.grid(1)
        if i < a.size:
            print("element", i, "is", a[i])

    def compare_swap(a, out):
        i = cuda.grid(1)
        cuda.atomic.max(out, 0, a[i])
        cuda.atomic.min(out, 1, a[i])
        cuda.atomic.cas(out, 2, 0, i + 1)
        cuda.atomic.exch(out, 3, a[i])

    def raises(a, b):
        i = cuda.grid(1)
        if b[i] == 0:
            raise ValueError("zero")
        a[i] = a[i] // b[i]

    @cuda.jit(device=True)
    def fibonacci(n):
        a, b = 0, 1
        for _ in range(n):
            a, b = b, a + b
        return a

    def device_call(a, out):
        i = cuda.grid(1)
        out[i] = fibonacci(a[i])

    def constant_table(out):
        table = cuda.const.array_like(CONSTANTS)
        i = cuda.grid(1)
        if i < out.size:
            out[i] = table[i % 8] * 2.0

    def half(a, b, out):
        i = cuda.grid(1)
        out[i] = cuda.fp16.hfma(a[i], b[i], a[i])

    global CONSTANTS
    CONSTANTS = numpy.arange(8, dtype=numpy.float64)
    one = lambda t: t[::1]
    kernels = [
        (vector_add, (one(float32),) * 3, {}), (stride_saxpy, (float32, one(float32), one(float32)), {}),
        (block_sum, (one(float32), one(float32)), {}), (histogram, (one(int32), one(int32)), {}),
        (matmul, (float64[:, ::1],) * 3, {}), (mandelbrot, (one(int32), int32, int32), {}),
        (mathematics, (one(float64), float64[:, ::1]), {}),
        (integers, (one(int64), one(int64), int64[:, ::1]), {}), (warp, (one(int32), int32[:, ::1]), {}),
        (local_array, (one(int32), one(int32)), {}), (prints, (one(int32),), {}),
        (compare_swap, (one(int64), one(int64)), {}),
        (raises, (one(int64), one(int64)), {"debug": True, "opt": False}),
        (device_call, (one(int32), one(int64)), {}), (constant_table, (one(float64),), {}),
        (half, (one(types.float16),) * 3, {}), (vector_add, (one(float64),) * 3, {"lineinfo": True}),
        (vector_add, (float32[:], float32[:], float32[:]), {"fastmath": True}),
    ]
    seen = {}
    for function, signature, options in kernels:
        number = seen[function.__name__] = seen.get(function.__name__, 0) + 1
        name = function.__name__ + ("" if number == 1 else str(number))

        def one_kernel(function=function, signature=signature, options=options, name=name):
            text, _ = cuda.compile_ptx(function, types.void(*signature), cc=(9, 0), **options)
            write("numba", name, text)

        attempt("numba/" + name, one_kernel)


# --- Triton ----------------------------------------------------------------------------------------


def emit_triton():
    import triton
    import triton.language as tl
    from triton.compiler import ASTSource
    from triton.backends.compiler import GPUTarget

    say(f"triton {triton.__version__}")

    @triton.jit
    def add(x, y, out, n, BLOCK: tl.constexpr):
        at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
        mask = at < n
        tl.store(out + at, tl.load(x + at, mask=mask) + tl.load(y + at, mask=mask), mask=mask)

    @triton.jit
    def softmax(x, out, n, BLOCK: tl.constexpr):
        row = tl.program_id(0)
        at = tl.arange(0, BLOCK)
        v = tl.load(x + row * n + at, mask=at < n, other=-float("inf"))
        e = tl.exp(v - tl.max(v, axis=0))
        tl.store(out + row * n + at, e / tl.sum(e, axis=0), mask=at < n)

    @triton.jit
    def total(x, out, n, BLOCK: tl.constexpr):
        at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
        tl.atomic_add(out, tl.sum(tl.load(x + at, mask=at < n, other=0), axis=0))

    @triton.jit
    def scan(x, out, BLOCK: tl.constexpr):
        at = tl.arange(0, BLOCK)
        tl.store(out + at, tl.cumsum(tl.load(x + at), axis=0))

    shapes = [(add, {"x": "*fp32", "y": "*fp32", "out": "*fp32", "n": "i32", "BLOCK": "constexpr"}, 256),
              (softmax, {"x": "*fp32", "out": "*fp32", "n": "i32", "BLOCK": "constexpr"}, 128),
              (total, {"x": "*i32", "out": "*i32", "n": "i32", "BLOCK": "constexpr"}, 256),
              (scan, {"x": "*i32", "out": "*i32", "BLOCK": "constexpr"}, 256)]
    for function, signature, block in shapes:

        def one_kernel(function=function, signature=signature, block=block):
            source = ASTSource(fn=function, signature=signature, constexprs={"BLOCK": block})
            compiled = triton.compile(source, target=GPUTarget("cuda", 90, 32))
            write("triton", function.__name__, compiled.asm["ptx"])
            say(f"  {function.__name__}: {compiled.metadata}")

        attempt("triton/" + function.__name__, one_kernel)


def main():
    os.makedirs(OUT, exist_ok=True)
    say(f"python {sys.version.split()[0]}")
    attempt("NVRTC", emit_nvrtc)
    attempt("numba", emit_numba)
    attempt("Triton", emit_triton)
    with open(os.path.join(OUT, "emitted.txt"), "w", encoding="utf-8") as file:
        file.write("\n".join(LOG) + "\n")


main()

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""check-includes.py - the include lint: which folder may include which

usage: check-includes.py [--table] [DIRECTORY]     default: the tree that this script lies in
  --table    print the folders as the table that HACKING.md shows

Prints each violation with its file, line, rule and remedy. Exit: 0 none, 1 some, 2 usage.
"""

import pathlib
import re
import sys
from fnmatch import fnmatchcase

# --- the folders ----------------------------------------------------------------------------------

# Folder: (layer, the other folders that it may include, what it is). Includes go to a lower layer, or
# beside it where the row says so. A folder that is not here may not hold C.
FOLDERS = {
    "common/wire":      (0, "common", "messages between guest, device and host"),
    "common/cuda":      (0, "", "the CUDA types and numbers that are called or exported"),
    "common":           (0, "common/wire", "small things for every program"),
    "common/cmd":       (0, "common common/wire", "the administrator's commands, for vgpud and vgpuadm"),
    "proc":             (1, "common", "starts processes and takes rights from them"),
    "softgpu":          (1, "common", "a CUDA device in software: its public header, its surroundings"),
    "softgpu/ptx":      (2, "common softgpu", "PTX text to flat code: one table of instructions"),
    "softgpu/machine":  (3, "common softgpu softgpu/ptx", "runs flat code: blocks, lanes, memory"),
    "softgpu/device":   (4, "common softgpu softgpu/ptx softgpu/machine", "streams, events, launches: the public calls"),
    "softgpu/run":      (5, "common softgpu softgpu/*", "the command softgpu-run"),
    "worker":           (5, "common common/wire common/cuda proc softgpu", "what runs in a worker process"),
    "vgpud/sched":      (1, "common common/wire", "pure: which request runs next"),
    "vgpud/ledger":     (2, "common common/wire vgpud/sched", "ring, database, their reading side"),
    "vgpud/vm":         (3, "common common/wire common/cmd vgpud/sched vgpud/ledger", "a VM, its settings, their recording"),
    "vgpud/conf":       (4, "common common/wire common/cmd vgpud/sched vgpud/ledger vgpud/vm", "the configuration"),
    "vgpud/link":       (4, "common common/wire proc vgpud/vm", "the VMs' sockets and the frames on them"),
    "vgpud/exec":       (4, "common common/wire proc", "the worker processes, seen from the broker"),
    "vgpud/lease":      (5, "common common/wire vgpud/sched", "the programs of a GPU and their leases"),
    "vgpud/request":    (5, "common common/wire vgpud/sched vgpud/ledger vgpud/vm vgpud/conf vgpud/link vgpud/exec",
                         "a request's way through the daemon"),
    "vgpud/programs":   (6, "common common/wire proc vgpud/vm vgpud/conf vgpud/ledger vgpud/link vgpud/exec vgpud/request "
                         "vgpud/sched vgpud/lease",
                         "the guests' programs: windows, channels, who may"),
    "vgpud/files":      (6, "common common/wire proc vgpud/vm vgpud/request", "the file transport"),
    "vgpud":            (7, "common common/wire common/cmd proc vgpud/*", "the daemon: sets its parts up and runs them"),
    "vgpud/admin":      (7, "common common/wire common/cmd proc vgpud vgpud/*", "the administrator's socket and its answers"),
    "vgpuadm":          (1, "common common/wire common/cmd vgpuadm/*", "administration: shell, client, options"),
    "vgpuadm/out":      (1, "common vgpuadm", "how rows are written: table, JSON, CSV"),
    "vgpuadm/view":     (1, "common common/wire common/cmd vgpuadm vgpuadm/out", "what each command shows"),
    "guest/libvgpu":    (1, "common common/wire", "finds, maps and drives the device"),
    "guest/libcuda":    (2, "common common/wire common/cuda guest/libvgpu", "libcuda.so.1, the CUDA driver API"),
    "guest/tool":       (1, "common common/wire guest/libvgpu", "what the guest's commands share"),
    "guest/vgpu-probe": (2, "common common/wire guest/libvgpu guest/tool", "shows the device"),
    "guest/kmod":       (1, "common/wire", "vgpu.ko, the guest's kernel module"),
    "guest/kmod/include": (1, "", "what the kernel has in place of C's headers"),
    "guest/vgpu-run":   (2, "common common/wire common/cuda guest/libvgpu guest/tool", "submits a job, runs a kernel"),
    "qemu":             (1, "common/wire", "the device"),
    "tests":            (9, "*", "may look into everything"),
    "bench":            (9, "*", "may look into everything"),
}

# Headers of libraries: the only files that may include them, and what others do instead. Except for the last
# three, they may not come along with a header of ours either.
BOUND = {
    "sqlite3.h":      ("vgpud/ledger/*", "ask the ledger"),
    "readline/*":     ("vgpuadm/shell*.c", "only the shell links readline's licence in"),
    "dlfcn.h":        ("worker/cuda_driver.c worker/gpu_*.c worker/nvml*.c guest/vgpu-run/kernel_cuda.c guest/vgpu-probe/cuda.c", "only a worker loads the driver, and vgpu-run and vgpu-probe the library of their VM"),
    "link.h":         ("worker/cuda_driver.c", "as dlfcn.h"),
    "nettle/*":       ("worker/module_key.c", "keys of compiled modules are made there"),
    "pci/*":          ("guest/libvgpu/*", "ask guest/libvgpu"),
    "libsmartcols/*": ("vgpuadm/out/*", "say what to show; vgpuadm/out decides how"),
    "seccomp.h":      ("proc/confine*", "say what a role may in proc/confine_calls.c"),
    "ini.h":          ("vgpud/conf/*", "ask vgpud/conf"),
    "cuda*.h":        ("", "use common/cuda/cuda_abi.h: every line compiles without a toolkit"),
    "jansson.h":      ("vgpud/admin/* vgpuadm/*", "JSON is the administrator's side alone"),
    "systemd/*":      ("proc/child.* vgpud/link/* vgpud/exec/* vgpud/request/* vgpud/programs/* vgpud/lease/* vgpud/files/* vgpud/admin/* vgpud/aside* vgpud/daemon* vgpud/main.c",
                       "events belong to servers and daemon: take what happened as a parameter"),
    "linux/ioctl.h":  ("common/wire/vgpu_ioctl.h", "include that one"),
}

# No I/O, clock, threads or log in these.
PURE = "vgpud/sched/* vgpud/vm/stats.* common/hist.* vgpud/link/session.* vgpud/request/life.* " \
       "vgpud/exec/pool.* vgpud/programs/overuse.* vgpud/files/format.* common/busy_poll.*".split()
IMPURE = "unistd.h fcntl.h poll.h time.h pthread.h threads.h signal.h dirent.h spawn.h syslog.h sys/socket.h " \
         "sys/stat.h sys/mman.h sys/time.h sys/epoll.h systemd/* common/log.h common/sock.h".split()
WIRE = "common/wire/vgpu_*.h"  # compile in QEMU, in a kernel module's shims and in any guest
WIRE_SYSTEM = "stdint.h stdbool.h string.h".split()
SYSTEM = """alloca assert cpuid ctype dirent elf emmintrin endian err errno fcntl fenv float fnmatch getopt glob grp immintrin
    inttypes langinfo libgen limits locale malloc math netdb poll pthread pwd sched search semaphore setjmp signal
    spawn stdalign stdarg stdatomic stdbool stddef stdint stdio stdio_ext stdlib stdnoreturn string strings syslog
    termios threads time uchar unistd wchar wctype wordexp sys/* linux/* asm/* net/* netinet/* arpa/*""".split()

# --- the inspection -------------------------------------------------------------------------------

INCLUDE = re.compile(r'\s*#\s*include\s*([<"])([^>"]+)[>"]')


def fits(path, patterns):
    return any(fnmatchcase(path, pattern) for pattern in patterns)


def module(path):
    return path.rsplit(".", 1)[0].removesuffix("_private")


def folder(path):
    """Return: the folder of the table that a file lies in, or None. Below tests and bench all is one."""
    top = path.split("/")[0]
    name = top if top in ("tests", "bench") else path.rpartition("/")[0]
    return name if name in FOLDERS else None


class Lint:
    def __init__(self, top):
        self.top, self.found, self.includes = top, [], {}
        for name in sorted({name.split("/")[0] for name in FOLDERS}):
            for file in sorted((top / name).rglob("*.[ch]")):
                path = file.relative_to(top).as_posix()
                lines = enumerate(file.read_text(errors="replace").splitlines(), 1)
                matches = [(number, INCLUDE.match(line)) for number, line in lines]
                self.includes[path] = [(n, m[1] == "<", m[2], self.find(path, m)) for n, m in matches if m]

    def report(self, path, line, rule, what, remedy):
        self.found.append((path, line, f"{path}:{line}: [{rule}] {what}\n    remedy: {remedy}"))

    def find(self, path, match):
        """Return: the file of this tree that a quoted include means, or None."""
        if match[1] == "<":
            return None
        name, beside = match[2], [match[2], (pathlib.PurePosixPath(path).parent / match[2]).as_posix()]
        if folder(path) == "qemu":  # the wire headers lie beside its files when QEMU is built
            beside = [f"common/wire/{name}" if fnmatchcase(name, "vgpu_*.h") else f"qemu/{name}", f"qemu/{name}"]
        return next((file for file in beside if (self.top / file).is_file()), None)

    def check(self):
        for path, includes in self.includes.items():
            here = folder(path)
            if here is None:
                self.report(path, 1, "unknown folder", "the table has no such folder",
                            "give it a line in FOLDERS of tools/check-includes.py")
                continue
            for line, system, name, target in includes:
                if fits(path, PURE) and fits(name, IMPURE):
                    self.report(path, line, "pure", f"{name} brings I/O, clock, threads or log into a pure file",
                                "take the value as a parameter")
                elif system:
                    self.check_system(path, here, line, name)
                elif target:
                    self.check_project(path, here, line, name, target)
                elif here not in ("tests", "bench") and (here != "qemu" or name.startswith(("common/", "vgpu"))):
                    self.report(path, line, "no such file", f'"{name}" is not in the tree',
                                "write its path from the top of the tree")
            if here not in ("tests", "bench", "qemu"):
                self.check_carried(path)
        self.check_circles()
        return [text for _, _, text in sorted(self.found)]

    def check_system(self, path, here, line, name):
        if here in ("tests", "bench", "qemu"):
            return
        bound = next((pattern for pattern in BOUND if fnmatchcase(name, pattern)), None)
        if fnmatchcase(path, WIRE) and name not in WIRE_SYSTEM and not (bound and fits(path, BOUND[bound][0].split())):
            self.report(path, line, "wire", f"<{name}> in a header that QEMU and guests include",
                        f"use {', '.join(WIRE_SYSTEM)} alone")
        elif bound and not fits(path, BOUND[bound][0].split()):
            self.report(path, line, "bound header", f"<{name}> belongs to {BOUND[bound][0]}", BOUND[bound][1])
        elif not bound and not fits(name.removesuffix(".h"), SYSTEM):
            self.report(path, line, "unknown header", f"<{name}> is bound to no folder",
                        "give it a line in BOUND of tools/check-includes.py")

    def check_project(self, path, here, line, name, target):
        there = folder(target)
        if name != target and here not in ("qemu", "tests", "bench") and not fnmatchcase(path, WIRE):
            self.report(path, line, "by path", f'"{name}" is not written with its path', f'write "{target}"')
        if there and here != there and not fits(there, FOLDERS[here][1].split()):
            self.report(path, line, "folder", f"{here} may not include {there} ({target})",
                        "move what both need below them, or pass it in as a parameter")

    def check_carried(self, path):
        """A header must not bring a library's into a file that may not include it."""
        seen, todo = {path}, [(line, target, target) for line, _, _, target in self.includes[path]]
        for line, target, chain in todo:
            if target is None or target in seen:
                continue
            seen.add(target)
            for _, system, name, deeper in self.includes.get(target, ()):
                for bound in list(BOUND)[:-3]:
                    if system and fnmatchcase(name, bound) and not fits(path, BOUND[bound][0].split()):
                        self.report(path, line, "bound header", f"{chain} brings <{name}> in, which belongs to "
                                    f"{BOUND[bound][0]}", BOUND[bound][1])
                todo.append((line, deeper, f"{chain} > {deeper}"))

    def check_circles(self):
        """No file needs one that needs it (x.c, x.h and x_private.h count as one), no row points up."""
        for name, (layer, may, _) in FOLDERS.items():
            for other in FOLDERS:
                if other not in (name, "tests", "bench") and fits(other, may.split()) and FOLDERS[other][0] > layer:
                    self.report("tools/check-includes.py", 1, "layer", f"{name} lies below {other}", "turn it round")
        needs, done, trail = {}, set(), []
        for path, includes in self.includes.items():
            for line, _, _, target in includes:
                if target and module(target) != module(path) and folder(path) not in ("tests", "bench"):
                    needs.setdefault(module(path), {}).setdefault(module(target), (path, line))

        def visit(at):
            trail.append(at)
            for to, (path, line) in sorted(needs.get(at, {}).items()):
                if to in trail:
                    ring = " > ".join(trail[trail.index(to):] + [to])
                    self.report(path, line, "circle", f"files include each other: {ring}", "move what both need below them")
                elif to not in done:
                    visit(to)
            trail.pop()
            done.add(at)

        for start in sorted(needs):
            if start not in done:
                visit(start)


def table():
    yield "| layer | folder | what it is | may include |"
    yield "|---|---|---|---|"
    for name, (layer, may, what) in sorted(FOLDERS.items(), key=lambda row: (row[1][0], row[0])):
        yield f"| {layer} | `{name}/` | {what} | {'all' if may == '*' else ', '.join(may.split())} |"


def main(words):
    if words == ["--table"]:
        print(*table(), sep="\n")
        return 0
    if len(words) > 1 or any(word.startswith("-") for word in words):
        print(__doc__, file=sys.stderr)
        return 2
    lint = Lint(pathlib.Path(words[0]) if words else pathlib.Path(__file__).resolve().parents[1])
    found = lint.check()
    print(*found, sep="\n" if found else "", end="\n" if found else "")
    lines = sum(len(includes) for includes in lint.includes.values())
    print(f"{len(lint.includes)} files, {lines} includes: {len(found)} violations")
    return 1 if found or not lint.includes else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

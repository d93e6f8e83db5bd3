#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""check-includes.py - the include lint: who may include whom

usage: check-includes.py [DIRECTORY]     default: the tree that this script lies in

Prints each violation with its file, line, rule and remedy. Exit: 0 none, 1 some, 2 usage.
"""

import pathlib
import re
import sys
from fnmatch import fnmatchcase

# --- the house ------------------------------------------------------------------------------------

# One line for each room or part of a room: pattern of paths, room, layer, and what it is. The first
# pattern that fits counts, so exceptions stand before the rule. Includes go to the same layer or
# down, and to other rooms only as ROOMS says. Layer 1 of vgpud is pure.
LAYERS = [
    ("common/vgpu_*.h",             "wire",   0, "what QEMU, daemon and guest include alike"),
    ("common/*",                    "common", 0, "what every program may use"),

    ("vgpud/request.h",             "vgpud",  1, "pure: one request"),
    ("vgpud/request_life.[ch]",     "vgpud",  1, "pure: what becomes of a request"),
    ("vgpud/limit.[ch]",            "vgpud",  1, "pure: a token bucket"),
    ("vgpud/share.[ch]",            "vgpud",  1, "pure: what one VM takes of what is scarce"),
    ("vgpud/sched.[ch]",            "vgpud",  1, "pure: which request runs next"),
    ("vgpud/session.[ch]",          "vgpud",  1, "pure: the link as a state machine"),
    ("vgpud/busy_poll.[ch]",        "vgpud",  1, "pure: to look or to sleep"),
    ("vgpud/stats.[ch]",            "vgpud",  1, "pure: figures"),
    ("vgpud/hist.[ch]",             "vgpud",  1, "pure: histograms"),
    ("vgpud/vm.[ch]",               "vgpud",  1, "pure: one VM"),
    ("vgpud/exec.[ch]",             "vgpud",  1, "the executor's door"),
    ("vgpud/store.h",               "vgpud",  1, "the ledger's door"),

    ("vgpud/exec_*",                "vgpud",  2, "adapter: runs requests"),
    ("vgpud/executors*",            "vgpud",  2, "adapter: the worker processes' seats"),
    ("vgpud/spawn*",                "vgpud",  2, "adapter: has processes started"),
    ("vgpud/descriptors.[ch]",      "vgpud",  2, "adapter: who may take the last descriptors"),
    ("vgpud/identity.[ch]",         "vgpud",  2, "adapter: whom the daemon runs as"),
    ("vgpud/confine*",              "vgpud",  2, "adapter: takes from a process what it never needs"),
    ("vgpud/worker*",               "vgpud",  2, "adapter: a worker process, both ends"),
    ("vgpud/ring*",                 "vgpud",  2, "adapter: the ledger's file ring"),
    ("vgpud/set_aside.[ch]",        "vgpud",  2, "adapter: damaged files"),
    ("vgpud/store_*",               "vgpud",  2, "adapter: what keeps the ledger"),
    ("vgpud/dev_door.[ch]",         "vgpud",  2, "adapter: sockets without descriptors"),
    ("vgpud/dev_refuse.[ch]",       "vgpud",  2, "adapter: connections turned away"),
    ("vgpud/file_format.[ch]",      "vgpud",  1, "pure: the texts of the file transport"),
    ("vgpud/file_server*",          "vgpud",  3, "assembler: requests that come as files"),
    ("vgpud/file_*",                "vgpud",  2, "adapter: the file transport's files"),
    ("vgpud/admin_line.[ch]",       "vgpud",  2, "adapter: the admin socket's lines"),
    ("vgpud/*_server*",             "vgpud",  2, "adapter: sockets"),
    ("vgpud/conf*",                 "vgpud",  2, "adapter: the configuration"),

    ("vgpud/admin_*",               "vgpud",  3, "assembler: the administrator's commands"),
    ("vgpud/query*",                "vgpud",  3, "assembler: the process that answers one query"),
    ("vgpud/broker*",               "vgpud",  3, "assembler: a request's life"),
    ("vgpud/daemon*",               "vgpud",  3, "assembler: the whole"),
    ("vgpud/main.c",                "vgpud",  4, "the program"),

    ("vgpuadm/main.c",              "vgpuadm", 4, "the program"),
    ("vgpuadm/shell*",              "vgpuadm", 3, "the interactive one"),
    ("vgpuadm/view*",               "vgpuadm", 2, "what is shown"),
    ("vgpuadm/*",                   "vgpuadm", 1, "client, output and their parts"),

    ("guest/lib/*",                 "guest/lib", 1, "finds, maps, submits, waits"),
    ("guest/vgpu-probe/main.c",     "guest/vgpu-probe", 3, "the program"),
    ("guest/vgpu-probe/*",          "guest/vgpu-probe", 2, "its parts"),
    ("guest/vgpu-run/main.c",       "guest/vgpu-run", 3, "the program"),
    ("guest/vgpu-run/*",            "guest/vgpu-run", 2, "its parts"),

    ("softgpu/run/main.c",          "softgpu/run", 3, "the program"),
    ("softgpu/run/*",               "softgpu/run", 2, "its parts"),
    ("softgpu/*",                   "softgpu", 1, "a CUDA device in software"),

    ("qemu/*",                      "qemu",   1, "the device"),
    ("tests/*",                     "tests",  9, "may look into everything"),
    ("bench/*",                     "bench",  9, "may look into everything"),
]

# Which other rooms a room may include.
ROOMS = {
    "wire": [],
    "common": ["wire"],
    "vgpud": ["wire", "common"],
    "vgpuadm": ["wire", "common"],
    "guest/lib": ["wire", "common"],
    "guest/vgpu-probe": ["wire", "common", "guest/lib"],
    "guest/vgpu-run": ["wire", "common", "guest/lib"],
    "softgpu": ["common"],
    "softgpu/run": ["common", "softgpu"],
    "qemu": ["wire"],
    "tests": ["wire", "common", "vgpud", "vgpuadm", "guest/lib", "guest/vgpu-probe", "guest/vgpu-run",
              "softgpu"],
    "bench": ["wire", "common", "vgpud", "vgpuadm", "guest/lib", "softgpu"],
}

# Headers of libraries: which files may include them, whether they must not come along with a
# project header either, and what to do instead.
BOUND = [
    ("sqlite3.h",       ["vgpud/store_*"], True, "ask through vgpud/store.h"),
    ("readline/*",      ["vgpuadm/shell*.c"], True, "only the shell links readline's licence in"),
    ("cuda*.h",         ["vgpud/exec_cuda*"], True, "ask through vgpud/exec.h"),
    ("dlfcn.h",         ["vgpud/exec_cuda*"], True, "only the CUDA driver is loaded at run time"),
    ("pci/*",           ["guest/lib/*"], True, "ask through guest/lib/find.h or device.h"),
    ("jansson.h",       ["vgpud/admin_*", "vgpud/query*", "vgpuadm/*"], False, "JSON is the administrator's side alone"),
    ("libsmartcols/*",  ["vgpuadm/output*"], True, "say what to show; output decides how"),
    ("seccomp.h",       ["vgpud/confine.c", "vgpud/confine_*"], True, "say what a role may in vgpud/confine.c"),
    ("ini.h",           ["vgpud/conf*"], True, "ask through vgpud/conf.h"),
    ("systemd/*",       ["vgpud/*_server*", "vgpud/dev_door*", "vgpud/dev_refuse*", "vgpud/executors*", "vgpud/worker*", "vgpud/broker*",
                         "vgpud/daemon*", "vgpud/main.c"], False,
     "events belong to servers, workers and daemon: take what happened as a parameter"),
]
UNBOUND_ROOMS = ["tests", "bench"]  # rooms that may include any library

# The C library's and the kernel's headers; any other in <> needs a line in BOUND.
SYSTEM = """assert ctype dirent endian err errno fcntl fnmatch getopt glob grp inttypes langinfo libgen
    fenv limits locale malloc math netdb poll pthread pwd sched search semaphore setjmp signal spawn
    stdalign stdarg stdatomic stdbool stddef stdint stdio stdio_ext stdlib stdnoreturn string strings
    emmintrin immintrin syslog termios threads time uchar unistd wchar wctype wordexp""".split()
SYSTEM_DIRS = ["sys/*", "linux/*", "asm/*", "net/*", "netinet/*", "arpa/*"]

# What the wire headers may use: they compile in QEMU and in any guest.
WIRE_SYSTEM = ["stdint.h", "stdbool.h", "string.h"]

# What pure rooms (layer 1 of vgpud) must not see: I/O, clocks, threads, the log. Not stdio.h, which
# has snprintf.
IMPURE = ["unistd.h", "fcntl.h", "poll.h", "time.h", "pthread.h", "threads.h", "signal.h",
          "dirent.h", "spawn.h", "syslog.h", "sys/socket.h", "sys/stat.h", "sys/mman.h", "sys/time.h",
          "sys/epoll.h", "systemd/*", "common/log.h", "common/sock.h"]

# --- the inspection -------------------------------------------------------------------------------

INCLUDE = re.compile(r'\s*#\s*include\s*([<"])([^>"]+)[>"]')


def fits(path, patterns):
    return any(fnmatchcase(path, pattern) for pattern in patterns)


def place(path):
    """Return: (room, layer) of a file, or None."""
    for pattern, room, layer, _ in LAYERS:
        if fnmatchcase(path, pattern):
            return room, layer
    return None


def module(path):
    """x.c, x.h and x_private.h are one module."""
    return path.rsplit(".", 1)[0].removesuffix("_private")


class Lint:
    def __init__(self, top):
        self.top = top
        self.includes = {}  # path -> [(line, is_system, what is written, path in the tree or None)]
        self.found = []

    def report(self, path, line, rule, what, remedy):
        self.found.append((path, line, f"{path}:{line}: [{rule}] {what}\n    remedy: {remedy}"))

    def read(self):
        rooms = sorted({pattern.split("/")[0] for pattern, *_ in LAYERS})
        for room in rooms:
            for file in sorted((self.top / room).rglob("*.[ch]")):
                self.read_file(file)

    def read_file(self, file):
        path = file.relative_to(self.top).as_posix()
        self.includes[path] = []
        for number, text in enumerate(file.read_text(errors="replace").splitlines(), 1):
            match = INCLUDE.match(text)
            if match:
                name = match.group(2)
                system = match.group(1) == "<"
                self.includes[path].append((number, system, name, None if system else self.find(path, name)))

    def find(self, path, name):
        """Return: the file of this tree that a quoted name means, or None."""
        room = place(path)
        if room and room[0] == "qemu":  # its files lie beside the wire headers when QEMU is built
            beside = [f"common/{name}" if fnmatchcase(name, "vgpu_*.h") else f"qemu/{name}"]
        else:
            beside = [name, (pathlib.PurePosixPath(path).parent / name).as_posix()]
        return next((p for p in beside if (self.top / p).is_file()), None)

    def check(self):
        for path, includes in self.includes.items():
            here = place(path)
            if here is None:
                self.report(path, 1, "unknown file", "it stands in no room of the table",
                            "give it a line in LAYERS of packaging/check-includes.py")
                continue
            for line, system, name, target in includes:
                if system:
                    self.check_system(path, here, line, name)
                elif target is None:
                    self.check_missing(path, here, line, name)
                else:
                    self.check_project(path, here, line, name, target)
                self.check_pure(path, here, line, name)
        self.check_leaks()
        self.check_cycles()
        return [text for _, _, text in sorted(self.found)]

    def check_pure(self, path, here, line, name):
        if here == ("vgpud", 1) and fits(name, IMPURE):
            self.report(path, line, "pure", f"{name} brings I/O, clock, threads or log into a pure room",
                        "take the value as a parameter, or do it in an adapter (layer 2)")

    def check_system(self, path, here, line, name):
        room = here[0]
        if room == "wire":
            if name not in WIRE_SYSTEM:
                self.report(path, line, "wire", f"<{name}> in a header that QEMU and guests include",
                            f"use {', '.join(WIRE_SYSTEM)} alone")
            return
        if room in UNBOUND_ROOMS or room == "qemu":
            return
        for pattern, allowed, _, remedy in BOUND:
            if fnmatchcase(name, pattern):
                if not fits(path, allowed):
                    self.report(path, line, "bound header", f"<{name}> belongs to {', '.join(allowed)}", remedy)
                return
        if name.removesuffix(".h") not in SYSTEM and not fits(name, SYSTEM_DIRS):
            self.report(path, line, "unknown header", f"<{name}> is bound to no room",
                        "give it a line in BOUND of packaging/check-includes.py")

    def check_missing(self, path, here, line, name):
        if here[0] == "qemu" and not name.startswith(("common/", "vgpud/", "guest/")):
            return  # QEMU's own headers are not here
        if here[0] in UNBOUND_ROOMS and "/" not in name:
            return  # made when the test is built
        self.report(path, line, "no such file", f'"{name}" is not in the tree',
                    "write its path from the top of the tree")

    def check_project(self, path, here, line, name, target):
        there = place(target)
        if there is None:
            return  # reported as an unknown file already
        if name != target and here[0] not in ("qemu", "wire", "tests", "bench"):
            self.report(path, line, "by path", f'"{name}" is not written with its path', f'write "{target}"')
        if here[0] != there[0]:
            if there[0] not in ROOMS[here[0]]:
                self.report(path, line, "room", f"{here[0]} may not include {there[0]} ({target})",
                            f"it may include {', '.join([here[0]] + ROOMS[here[0]])}: "
                            "move what both need to common/, or pass it in")
        elif there[1] > here[1]:
            self.report(path, line, "layer", f"layer {here[1]} includes layer {there[1]} ({target})",
                        "includes point down: pass it in as a parameter or a struct of functions")

    def check_leaks(self):
        """A header must not carry a strictly bound one into a file that may not include it."""
        for path, includes in self.includes.items():
            here = place(path)
            if here is None or here[0] in UNBOUND_ROOMS:
                continue
            for line, _, _, target in includes:
                for name, chain in self.carried(target, {path}):
                    for pattern, allowed, strict, remedy in BOUND:
                        if strict and fnmatchcase(name, pattern) and not fits(path, allowed):
                            self.report(path, line, "bound header", f"{chain} brings <{name}> in, "
                                        f"which belongs to {', '.join(allowed)}", remedy)

    def carried(self, path, seen):
        """Return: (system header, chain of project headers) for all that including path brings in."""
        if path is None or path in seen:
            return
        seen.add(path)
        for _, system, name, target in self.includes.get(path, ()):
            if system:
                yield name, path
            else:
                for deeper, chain in self.carried(target, seen):
                    yield deeper, f"{path} > {chain}"

    def family(self, path):
        """A module and the files of its layer that carry its name on may need each other: x.c, x_part.c."""
        words = module(path).split("_")
        names = ["_".join(words[:n]) for n in range(1, len(words))]
        return next((name for name in names if self.modules.get(name) == place(path)), module(path))

    def check_cycles(self):
        """No module needs, by whatever way, one that needs it."""
        self.modules = {module(path): place(path) for path in self.includes}
        needs = {}
        for path, includes in self.includes.items():
            for line, _, _, target in includes:
                # Headers of QEMU's tree are in no family of ours.
                if target in self.includes and self.family(target) != self.family(path):
                    needs.setdefault(self.family(path), {}).setdefault(self.family(target), (path, line))
        done, trail = set(), []

        def visit(at):
            trail.append(at)
            for to, (path, line) in sorted(needs.get(at, {}).items()):
                if to in trail:
                    ring = " > ".join(trail[trail.index(to):] + [to])
                    self.report(path, line, "circle", f"modules include each other: {ring}",
                                "move what both need into a third, below them")
                elif to not in done:
                    visit(to)
            trail.pop()
            done.add(at)

        for start in sorted(needs):
            if start not in done:
                visit(start)


def main():
    if len(sys.argv) > 2 or any(word.startswith("-") for word in sys.argv[1:]):
        print(__doc__, file=sys.stderr)
        return 2
    top = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[1])
    lint = Lint(top)
    lint.read()
    found = lint.check()
    for text in found:
        print(text)
    lines = sum(len(includes) for includes in lint.includes.values())
    print(f"{len(lint.includes)} files, {lines} includes: {len(found)} violations")
    return 1 if found or not lint.includes else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_libcuda_exports.py - what libcuda.so.1 exports, against its list, its table, the toolkit and its page

import re
import subprocess
import sys
import unittest
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests"))

from lib import paths, tap  # noqa: E402

LIBRARY = paths.BIN_DIR.parent / "lib/libcuda.so.1"
STUB = Path("/usr/local/cuda/lib64/stubs/libcuda.so")
HEADER = Path("/usr/local/cuda/include/cuda.h")
GRAPHICS = [HEADER.with_name(name) for name in ("cudaGL.h", "cudaEGL.h", "cudaVDPAU.h")]
LISTED = (TOP / "guest/libcuda/exports").read_text().split()


def exports(library):
    text = subprocess.run(["nm", "-D", "--defined-only", library], check=True, capture_output=True, text=True).stdout
    return {line.split()[-1] for line in text.splitlines()}


def table(name, pattern):
    return re.findall(pattern, (TOP / "guest/libcuda" / name).read_text(), re.M)


class Exports(unittest.TestCase):
    def test_the_library_exports_what_is_listed(self):
        self.assertEqual(exports(LIBRARY), set(LISTED))

    def test_the_list_is_the_table(self):
        self.assertEqual(sorted(table("entries.def", r"^(?:REAL|REFUSED)\((\w+),")), sorted(LISTED))

    @unittest.skipUnless(STUB.exists(), "no CUDA toolkit here")
    def test_the_list_is_the_toolkit(self):
        # Its stub leaves out what needs a graphics library; NVIDIA's library has that, too.
        self.assertLessEqual(exports(STUB), set(LISTED))
        declared = {name for header in GRAPHICS for name in re.findall(r"\b(cu[A-Z]\w+)", header.read_text())}
        more = set(LISTED) - exports(STUB)
        self.assertEqual({re.sub("_pt[ds][sz]$", "", name) for name in more} - declared, set())
        functions = {name for header in GRAPHICS for name in re.findall(r"\bCUDAAPI (cu[A-Z]\w+)\(", header.read_text())}
        self.assertEqual(functions - set(LISTED), {"cuWGLGetDevice"})  # Windows

    @unittest.skipUnless(HEADER.exists(), "no CUDA toolkit here")
    def test_every_attribute_of_the_toolkit_is_in_the_table(self):
        header = HEADER.read_text()
        header = header[header.index("typedef enum CUdevice_attribute_enum"):header.index("} CUdevice_attribute;")]
        wanted = {int(n) for n in re.findall(r"CU_DEVICE_ATTRIBUTE_\w+\s*=\s*(\d+)", header)}
        rows = {int(number): name for name, number in table("attributes.def", r"^\w+\((\w+), (\d+)")}
        self.assertEqual(set(rows), wanted)
        for number, name in rows.items():
            self.assertRegex(header, rf"CU_DEVICE_ATTRIBUTE_{name}\s*=\s*{number}\b")

    def test_the_page_is_what_the_tables_say(self):
        done = subprocess.run([TOP / "tools/cuda-table.py", "--check"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_no_library_but_the_c_library(self):
        needed = subprocess.run(["readelf", "-d", LIBRARY], check=True, capture_output=True, text=True).stdout
        names = re.findall(r"\(NEEDED\).*\[(.*)\]", needed)
        self.assertLessEqual(set(names) - {"libc.so.6"}, {"libasan.so.8", "libubsan.so.1", "libtsan.so.2", "ld-linux-x86-64.so.2"})
        self.assertIn("[libcuda.so.1]", needed)


if __name__ == "__main__":
    tap.main()

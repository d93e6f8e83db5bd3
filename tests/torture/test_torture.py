#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# test_torture.py - the torture table's short form, as TAP

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import torture  # noqa: E402

if __name__ == "__main__":
    sys.argv[1:] = ["--short", "--tap", *sys.argv[1:]]
    torture.main()

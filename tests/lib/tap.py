# SPDX-License-Identifier: GPL-2.0-or-later
# tap.py - runs unittest cases and prints TAP, one line for each test method, so that prove runs them
"""
    if __name__ == "__main__":
        tap.main()

Arguments select tests by a part of their name.
"""

import faulthandler
import os
import sys
import unittest

from . import process

# No file of tests hangs: past this it prints where it stands, and ends.
FILE_LIMIT_S = 600


def say(text):
    print(text, flush=True)


def diagnose(text):
    for line in text.splitlines():
        say(f"# {line}")


def explain(text):
    """Tells why a test failed. prove shows only what comes by standard error."""
    for line in text.splitlines():
        print(f"# {line}", file=sys.stderr if "HARNESS_ACTIVE" in os.environ else sys.stdout, flush=True)


def _name(test):
    """Turns "Registers.test_reset_clears_it" into words; a failed fixture keeps unittest's name."""
    method = getattr(test, "_testMethodName", None)
    if method is None:
        return str(test)
    return f"{type(test).__name__}: {method.removeprefix('test_').replace('_', ' ')}"


class Result(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.count = 0
        self._problems = []
        self._skip = None

    def _line(self, test):
        self.count += 1
        verdict = "not ok" if self._problems else "ok"
        skip = f" # SKIP {self._skip}" if self._skip and not self._problems else ""
        say(f"{verdict} {self.count} - {_name(test)}{skip}")
        for problem in self._problems:
            explain(f"{_name(test)}: {problem}")
        if self._problems:
            for reporter in process.reporters:
                explain(reporter.report())
        process.reporters[:] = [reporter for reporter in process.reporters if reporter.running]
        self._problems = []
        self._skip = None

    def stopTest(self, test):
        super().stopTest(test)
        self._line(test)

    def _fixture(self, test):
        """A class whose setUpClass ends early reports by this call alone, without start and stop."""
        if not isinstance(test, unittest.TestCase):
            self._line(test)

    def addError(self, test, err):
        super().addError(test, err)
        self._problems.append(self._exc_info_to_string(err, test))
        self._fixture(test)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._problems.append(self._exc_info_to_string(err, test))

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._problems.append(f"in {subtest}:\n{self._exc_info_to_string(err, test)}")

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._skip = reason
        self._fixture(test)


def _select(suite, words):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from _select(item, words)
        elif not words or any(word in item.id() for word in words):
            yield item


def main():
    """Runs the tests of the calling program and exits, 1 if one failed."""
    faulthandler.dump_traceback_later(FILE_LIMIT_S, exit=True)
    loaded = unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"])
    result = Result()
    unittest.TestSuite(_select(loaded, sys.argv[1:])).run(result)
    say(f"1..{result.count}")
    sys.exit(0 if result.wasSuccessful() else 1)

# SPDX-License-Identifier: GPL-2.0-or-later
# changes.py - settings that an administrator changes while programs want the GPU: how soon they hold

import statistics
import time
from bisect import bisect_left, bisect_right
from itertools import accumulate

MS = 1_000_000
TURN_NS = 5 * MS  # vgpud's lease_ms
PERIOD_S = 0.3  # between two changes
LOOK_NS = 150 * MS  # at the split behind a change, and behind the middle between two
SHARES = (400, 100)
CAPS = (30, 70)


def _ends(row):
    """Return: when kernels of a flood ended."""
    return [row["begun_ns"] + 1000 * us for us in accumulate(row["us"])]


def _between(ends, begin_ns, end_ns):
    return bisect_right(ends, end_ns) - bisect_left(ends, begin_ns)


class _Changes:
    """Floods of some sides of a house, whose setting a VM's administrator changes several times."""

    def __init__(self, bench, num):
        self.kernel_ns = bench.size.kernel_ns
        self._bench, self._num = bench, num
        self.at = []  # (when the command was answered, the setting's value)

    def run(self, what, values):
        """Changes the setting of the first VM to each value in turn. Return: the ends of each side's kernels."""
        def act():
            for i in range(self._bench.size.changes * len(values)):
                time.sleep(PERIOD_S)
                self._bench.set(what, [values[i % len(values)]])
                self.at.append((time.monotonic_ns(), values[i % len(values)]))
            time.sleep(PERIOD_S)

        seconds = (self._bench.size.changes * len(values) + 2) * PERIOD_S
        jobs = [(side, "ends", self._bench.steps(self.kernel_ns), self.kernel_ns, round(seconds * 1e9))
                for side in self._bench.sides[:self._num]]
        return [_ends(row) for row in self._bench.together(*jobs, act=act)]

    def of(self, value):
        return [at_ns for at_ns, to in self.at if to == value]

    def lag(self, begin_ns, expected, mine, others=()):
        """
        Return: how many turns a program is ahead of its part, or behind it, at most, within LOOK_NS. others: the part
        is of what all of them got; none: of the time.
        """
        worst_ns = 0
        for at_ns in range(begin_ns + MS, begin_ns + LOOK_NS, MS):
            got_ns, *rest_ns = (_between(ends, begin_ns, at_ns) * self.kernel_ns for ends in (mine, *others))
            whole_ns = got_ns + sum(rest_ns) if others else at_ns - begin_ns
            worst_ns = max(worst_ns, abs(got_ns - expected * whole_ns))
        return worst_ns / TURN_NS


def _milliseconds(name, late_ns, goal_ns):
    late_ns = sorted(late_ns)
    worst_ns = late_ns[-1]
    return {"section": "leases", "name": name, "p50_ns": late_ns[len(late_ns) // 2], "p99_ns": worst_ns, "goal": f"<= {goal_ns / MS:.1f} ms",
            "reached": worst_ns <= goal_ns, "baseline": "the goal", "ratio": worst_ns / goal_ns}


def _turns(name, lags, steady):
    """A row: how far from the new split programs are from the change on, beside the same between two changes."""
    mine, theirs = max(lags), max(steady)
    return {"section": "leases", "name": name, "turns": mine, "p50_turns": statistics.median(lags), "goal": "<= 1 turn more",
            "reached": mine <= theirs + 1, "baseline": "later on", "baseline_turns": theirs, "ratio": mine / theirs if theirs else 1.0}


def _priority(bench):
    """Rows: the last kernel of the other one once the first is of high priority, and its first one once they are equals again."""
    changes = _Changes(bench, 2)
    _, other = changes.run("priority", ["high", "medium"])
    ended, begun = [], []
    for at_ns in changes.of("high"):
        last = bisect_left(other, at_ns + LOOK_NS) - 1
        ended.append(max(other[last] - at_ns, 0) if last >= 0 else 0)
    for at_ns in changes.of("medium"):
        first = bisect_left(other, at_ns)
        begun.append(other[first] - at_ns if first < len(other) else int(PERIOD_S * 1e9))
    in_flight_ns = bench.in_flight_ns + changes.kernel_ns
    return [_milliseconds("priority raised in a flood, other stops", ended, in_flight_ns),
            _milliseconds("equals again, the other goes on", begun, TURN_NS + in_flight_ns)]


def _share(bench):
    changes = _Changes(bench, 2)
    mine, other = changes.run("share", SHARES)
    parts = [(at_ns, share / (share + 100)) for share in SHARES for at_ns in changes.of(share)]
    half_ns = round(PERIOD_S * 1e9) - LOOK_NS
    return _turns("share 100, 400, 100 beside 100: off", [changes.lag(at_ns, part, mine, [other]) for at_ns, part in parts],
                  [changes.lag(at_ns + half_ns, part, mine, [other]) for at_ns, part in parts])


def _cap(bench):
    changes = _Changes(bench, 1)
    [mine] = changes.run("cap", [f"{cap}%" for cap in CAPS])
    parts = [(at_ns, cap / 100) for cap in CAPS for at_ns in changes.of(f"{cap}%")]
    half_ns = round(PERIOD_S * 1e9) - LOOK_NS
    return _turns("cap 30 %, 70 %, 30 %, alone: off", [changes.lag(at_ns, part, mine) for at_ns, part in parts],
                  [changes.lag(at_ns + half_ns, part, mine) for at_ns, part in parts])


def rows(bench):
    """Return: rows about changes of priority, share and cap while floods want the GPU."""
    found = _priority(bench)
    bench.set("priority", ["medium"])
    found.append(_share(bench))
    bench.set("share", [100])
    found.append(_cap(bench))
    bench.set("cap", ["none"])
    return found

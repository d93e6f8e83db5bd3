# SPDX-License-Identifier: GPL-2.0-or-later
# ledgers.py - what the ledger takes in, weighs and answers

import rig

HISTOGRAMS = "of the day, by vm"
EVERY_ROW = "of the day, by vm, every row read"


def measure(rows_wanted, loaded):
    """loaded: rate_per_s of requests through a daemon of this run, or None. Return: rows."""
    found = rig.program("bench-ledger", rows_wanted)
    by_name = {row["name"]: row for row in found}
    every_row_ms = next(row["ms"] for row in found if row.get("what") == EVERY_ROW)
    records, fill, weight = by_name["ledger-records"], by_name["ledger-fill"], by_name["ledger-size"]
    rows = [
        {"name": "a request's two records, of the loop thread", "ns": records["ns"], "baseline": "no ledger",
         "baseline_ns": records["without_ns"], "ratio": records["ns"] / max(1, records["without_ns"])},
        {"name": "taken in", "rows": fill["rows"], "rows_per_s": fill["rows_per_s"],
         **({"baseline": "requests/s of the load above", "baseline_rate_per_s": loaded,
             "ratio": fill["rows_per_s"] / loaded} if loaded else {})},
        {"name": "on the disk", "bytes_per_row": weight["bytes_per_row"], "baseline": "the request's two ring records",
         "baseline_bytes": 2 * weight["record_bytes"],
         "ratio": weight["bytes_per_row"] / (2 * weight["record_bytes"])},
    ]
    taken = by_name["ledger-submissions"]
    rows.append({"name": "submissions taken in", "rows": taken["rows"], "rows_per_s": taken["rows_per_s"],
                 "baseline": "requests taken in", "baseline_rate_per_s": fill["rows_per_s"],
                 "ratio": taken["rows_per_s"] / fill["rows_per_s"]})
    for row in found:
        if row["name"] == "ledger-stats":
            rows.append({"name": f"stats {row['what']}", "ms": row["ms"], "rows": row["rows"],
                         "baseline": "every row read", "ratio": row["ms"] / every_row_ms})
    return [{"section": "ledger", **row} for row in rows]

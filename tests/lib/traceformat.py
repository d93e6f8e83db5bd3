# SPDX-License-Identifier: GPL-2.0-or-later
# traceformat.py - what Chrome's trace viewer and Perfetto require of a trace, as the Trace Event Format has it

import json

METADATA = {"process_name", "thread_name", "process_labels", "process_sort_index", "thread_sort_index"}


def require(holds, what):
    if not holds:
        raise AssertionError(what)


def check_event(event):
    """Each event has ph, name, pid, tid and ts; a complete one (X) dur, metadata (M) args with its value."""
    for key, types in (("ph", str), ("name", str), ("pid", int), ("tid", int), ("ts", (int, float))):
        require(isinstance(event.get(key), types), f"{key}: {event}")
    require(isinstance(event.get("args", {}), dict), f"args: {event}")
    if event["ph"] == "M":
        require(event["name"] in METADATA, f"no such metadata: {event}")
        require(isinstance(event["args"].get("name"), str), f"args.name: {event}")
        return
    require(event["ph"] == "X", f"ph: {event}")
    require(isinstance(event.get("cat"), str), f"cat: {event}")
    require(isinstance(event.get("dur"), (int, float)) and event["dur"] >= 0, f"dur: {event}")


def check_nesting(events):
    """Complete events of a track that overlap without one being inside the other are drawn wrong."""
    tracks = {}
    for event in events:
        if event["ph"] == "X":
            begin = round(event["ts"] * 1000)
            tracks.setdefault((event["pid"], event["tid"]), []).append((begin, begin + round(event["dur"] * 1000)))
    for track, found in tracks.items():
        found.sort()
        for (_, end), (begin, _) in zip(found, found[1:]):
            require(end <= begin, f"track {track} has an overlap at {begin}")


def check(text):
    """Return: the document, whose form is right. Raises AssertionError."""
    document = json.loads(text)
    require(isinstance(document.get("traceEvents"), list), "traceEvents is no list")
    require(document.get("displayTimeUnit") in ("ms", "ns"), "displayTimeUnit is neither ms nor ns")
    for event in document["traceEvents"]:
        check_event(event)
    check_nesting(document["traceEvents"])
    named = {(event["pid"], event["tid"]) for event in document["traceEvents"] if event["name"] == "thread_name"}
    used = {(event["pid"], event["tid"]) for event in document["traceEvents"] if event["ph"] == "X"}
    require(used <= named, f"tracks without a name: {used - named}")
    require(any(event["name"] == "process_name" for event in document["traceEvents"]), "the process has no name")
    return document


def spans(document, category=None):
    """Return: the complete events, those of one category."""
    return [event for event in document["traceEvents"] if event["ph"] == "X" and category in (None, event["cat"])]

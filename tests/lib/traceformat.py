# SPDX-License-Identifier: GPL-2.0-or-later
# traceformat.py - what Chrome's trace viewer and Perfetto require of a trace, as the Trace Event Format has it

import json

# What a metadata event (M) may name, and which of its args has the value.
METADATA = {"process_name": ("name", str), "thread_name": ("name", str), "process_labels": ("labels", str),
            "process_sort_index": ("sort_index", int), "thread_sort_index": ("sort_index", int)}
KEYS = {"name", "cat", "ph", "ts", "tts", "pid", "tid", "args", "dur", "tdur", "id", "cname", "sf", "esf", "stack", "estack"}
NAME_MOST = 512


def require(holds, what):
    if not holds:
        raise AssertionError(what)


def is_number(value):
    """JSON's numbers: bool is none, though Python's is an int."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_integer(value):
    return isinstance(value, int) and not isinstance(value, bool)


def check_event(event):
    """Each event has ph, name, pid, tid and ts; a complete one (X) dur, metadata (M) args with its value."""
    require(isinstance(event, dict), f"no object: {event}")
    require(set(event) <= KEYS, f"keys that the format has not: {set(event) - KEYS}")
    require(event.get("ph") in ("X", "B", "E", "M"), f"ph: {event}")
    for key in ("pid", "tid"):
        require(is_integer(event.get(key)) and event[key] >= 0, f"{key}: {event}")
    require(is_number(event.get("ts")) and event["ts"] >= 0, f"ts: {event}")
    require(isinstance(event.get("args", {}), dict), f"args: {event}")
    require(("dur" in event) == (event["ph"] == "X"), f"dur is for X alone: {event}")
    if event["ph"] == "E":
        return
    require(isinstance(event.get("name"), str) and 0 < len(event["name"]) <= NAME_MOST, f"name: {event}")
    if event["ph"] == "M":
        require(event["name"] in METADATA, f"no such metadata: {event}")
        key, kind = METADATA[event["name"]]
        require(isinstance(event.get("args", {}).get(key), kind) and event["args"][key] != "", f"args.{key}: {event}")
        return
    require(isinstance(event.get("cat"), str) and event["cat"] != "", f"cat: {event}")
    if event["ph"] == "X":
        require(is_number(event["dur"]) and event["dur"] >= 0, f"dur: {event}")


def nanoseconds(event):
    begin = round(event["ts"] * 1000)
    return begin, begin + round(event.get("dur", 0) * 1000)


def check_track(track, events):
    """Events of a track stand in the order of their begins, and one ends before or after another, never within it."""
    last, ends, open_names = 0, [], []
    for event in events:
        begin, end = nanoseconds(event)
        require(begin >= last, f"track {track}: {event} begins before the one above it")
        last = begin
        while ends and ends[-1] <= begin:
            ends.pop()
        if event["ph"] == "X":
            require(not ends or end <= ends[-1], f"track {track}: {event} ends after the one that it is in")
            ends.append(end)
        elif event["ph"] == "B":
            open_names.append(event["name"])
        else:
            require(bool(open_names), f"track {track}: {event} ends what has not begun")
            name = open_names.pop()
            require(event.get("name", name) == name, f"track {track}: {event} ends {name}")
    require(not open_names, f"track {track}: {open_names} have no end")


def check_names(events):
    """Every track that is used has a name, and so has every process; none has two."""
    named = {"process_name": [], "thread_name": []}
    for event in events:
        if event["ph"] == "M" and event["name"] in named:
            named[event["name"]].append((event["pid"],) if event["name"] == "process_name" else (event["pid"], event["tid"]))
    for what, found in named.items():
        require(len(found) == len(set(found)), f"{what} stands twice: {found}")
    tracks = {(event["pid"], event["tid"]) for event in events if event["ph"] != "M"}
    require(tracks <= set(named["thread_name"]), f"tracks without a name: {tracks - set(named['thread_name'])}")
    processes = {(event["pid"],) for event in events}
    require(processes == set(named["process_name"]), f"processes without a name: {processes}")


def no_twins(pairs):
    require(len(pairs) == len(dict(pairs)), f"a key stands twice: {pairs}")
    return dict(pairs)


def no_constants(text):
    raise AssertionError(f"{text} is no JSON")


def check(text):
    """Return: the document, whose form is right. Raises AssertionError."""
    document = json.loads(text, object_pairs_hook=no_twins, parse_constant=no_constants)
    require(set(document) <= {"traceEvents", "displayTimeUnit", "otherData"}, f"keys of the file: {set(document)}")
    require(isinstance(document.get("traceEvents"), list), "traceEvents is no list")
    require(document.get("displayTimeUnit") in ("ms", "ns"), "displayTimeUnit is neither ms nor ns")
    require(isinstance(document.get("otherData", {}), dict), "otherData is no object")
    tracks = {}
    for event in document["traceEvents"]:
        check_event(event)
        if event["ph"] != "M":
            tracks.setdefault((event["pid"], event["tid"]), []).append(event)
    for track, events in tracks.items():
        check_track(track, events)
    check_names(document["traceEvents"])
    return document


def spans(document, category=None):
    """Return: the complete events, those of one category."""
    return [event for event in document["traceEvents"] if event["ph"] == "X" and category in (None, event["cat"])]

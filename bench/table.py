# SPDX-License-Identifier: GPL-2.0-or-later
# table.py - the benchmark's rows as tables for people

import rig


def _us(ns):
    return f"{ns / 1000:11.1f}"


def _ratio(ratio):
    return f"{ratio:10.2f}" if ratio >= 0.1 else f"{ratio:10.4f}"


def _head(text):
    print(f"\n{text}")


def _device(rows):
    for row in rows:
        print(f"executor: {row['executor']}, {row['name_of_executor']}, {row['memory_mib']} MiB, {row['multiprocessors']} "
              f"{'multiprocessors' if row['executor'] == 'cuda' else 'processors'}"
              + (f", compute capability {row['cc_major']}.{row['cc_minor']}, driver's CUDA {row['driver_version'] // 1000}."
                 f"{row['driver_version'] % 1000 // 10}" if row["executor"] == "cuda" else ""))


def _latencies(rows, first, ratio):
    print(f"{first:<24} {'p50 us':>11} {'p99 us':>11} {ratio:>10}")
    for row in rows:
        print(f"{row['name']:<24} {_us(row['p50_ns'])} {_us(row['p99_ns'])} {_ratio(row['ratio'])}")


def _baselines(rows):
    _head("Baselines: 64 bytes by Unix socket there and back between two blocking processes; executors in this process")
    _latencies(rows, "", "pingpongs")


def _transports(rows):
    _head("An addition of one guest in one run: by files, and by the device")
    _latencies(rows, "", "devices")
    print(f"files: {rows[0]['where']}")
    for row in rows[:-1]:
        print(f"  {row['name']}: host looks each {row['poll_interval_ms']} ms{' and by inotify' if row['inotify'] == 'yes' else ''}"
              f", client each {row['client_poll_ms']} ms, {row['count']} requests")


def _round_trips(rows):
    _head("A guest's round trip by payload and way to wait")
    print(f"{'':<24} {'bytes':>10} {'p50 us':>11} {'p99 us':>11} {'pingpongs':>10} {'accesses':>9} {'wake-ups':>9} {'irqs':>6} "
          f"{'cpu us':>7}")
    for row in rows:
        if row["name"] == "buffers":
            print(f"buffers: {row['bytes_per_access']:.1f} bytes by each access, {row['ratio']:.1f} of 4 bytes'")
            continue
        sizes = f"{row['request_bytes']}/{row['response_bytes']}"
        print(f"{row['name']:<24} {sizes:>10} {_us(row['p50_ns'])} {_us(row['p99_ns'])} {row['ratio']:10.2f} "
              f"{row['accesses_per_request']:9.1f} {row['wake_ups_per_request']:9.2f} {row['interrupts_per_request']:6.2f} "
              f"{row['cpu_ns_per_request'] / 1000:7.1f}")
    print("bytes: of request and response; wake-ups, cpu: of broker and workers for each request; a ping-pong takes two "
          "wake-ups")


def _breakdown(rows):
    _head("Where the time goes of a NOP from a guest that polls")
    print(f"{'':<48} {'p50 us':>11} {'p99 us':>11} {'pingpongs':>10}")
    for row in rows:
        print(f"{row['name']:<48} {_us(row['p50_ns'])} {_us(row['p99_ns'])} {_ratio(row['ratio'])}")


def _idle(rows):
    for row in rows:
        print(f"idle for {row['seconds']} s with a guest connected: {row['wake_ups']} wake-ups, "
              f"{row['cpu_ns'] / 1e6:.3f} ms of processor time; memory (proportional set): broker {row['broker_pss_kib']} KiB, "
              f"workers {', '.join(map(str, row['worker_pss_kib']))} KiB")


def _scale(rows):
    _head("Many VMs, one request of each under way, priorities mixed, with the ledger on")
    print(f"{'':<18} {'requests/s':>11} {'of first':>9} {'cpu us each':>12} " +
          " ".join(f"{'p99 us ' + name:>14}" for name in rig.NAMES))
    for row in rows:
        p99 = (f"{row['priorities'][name]['p99_ns'] / 1000:14.1f}" if name in row["priorities"] else f"{'-':>14}"
               for name in rig.NAMES)
        print(f"{row['name']:<18} {row['rate_per_s']:11.0f} {row['ratio']:9.2f} {row['cpu_ns_per_request'] / 1000:12.1f} "
              + " ".join(p99))
    print("guests are virtual machines, clients speak their link; of several with one priority, the guest with the longest p99")


def _ledger(rows):
    _head("The ledger")
    for row in rows:
        ratio = f"{row['ratio']:.3g} of {row['baseline']}" if "ratio" in row else ""
        if "rate_per_s" in row:
            figure = f"{row['rate_per_s']:.0f} requests/s"
            ratio += f" ({row['baseline_rate_per_s']:.0f}), medians of {row['turns']} turns"
        elif "ns" in row:
            figure = f"{row['ns']:.0f} ns"
            ratio += f" ({row['baseline_ns']:.0f} ns)"
        elif "rows_per_s" in row:
            figure = f"{row['rows_per_s']:.0f} rows/s of {row['rows']}"
        elif "bytes_per_row" in row:
            figure = f"{row['bytes_per_row']:.1f} bytes a row"
        else:
            figure = f"{row['ms']:.1f} ms over {row['rows']} rows"
        print(f"{row['name']:<46} {figure:<34} {ratio}")


def _softgpu(rows):
    _head("Kernels on softgpu with one processor, beside the same C on one (-O2); the quickest run of each")
    print(f"{'':<24} {'ms':>11} {'C ms':>11} {'of C':>10} {'instructions/s':>16}")
    for row in rows:
        print(f"{row['name']:<24} {row['ns'] / 1e6:11.2f} {row['native_ns'] / 1e6:11.2f} {_ratio(row['ratio'])} "
              f"{row['instructions_per_s'] / 1e6:14.0f} M")


def _program_figure(row, prefix=""):
    if f"{prefix}p50_ns" in row:
        return f"{row[f'{prefix}p50_ns'] / 1000:.2f} us"
    if f"{prefix}ns" in row:
        return f"{row[f'{prefix}ns'] / 1e6:.1f} ms"
    if f"{prefix}per_s" in row:
        return f"{row[f'{prefix}per_s']:.0f}/s"
    if f"{prefix}gb_per_s" in row:
        return f"{row[f'{prefix}gb_per_s']:.2f} GB/s"
    return f"{row[f'{prefix}share']:.3f}"


def _programs(rows):
    _head(f"A CUDA program through vgpud {rows[0]['mode']}, beside {rows[0]['baseline']}; medians of {rows[0]['turns']} turns")
    print(f"{'':<46} {'vgpu':>14} {'native':>14} {'ratio':>10} {'goal':>8}")
    for row in rows:
        goal = f"{row['goal']:>8} {'reached' if row['reached'] else 'missed'}" if "goal" in row else ""
        print(f"{row['name']:<46} {_program_figure(row):>14} {_program_figure(row, 'baseline_'):>14} {_ratio(row['ratio'])} {goal}")


def _modules(rows):
    _head(f"Programs that load the same 95 KB of PTX, {rows[0]['count']} one after the other: the load's time, of those after the first")
    print(f"{'':<50} {'first ms':>10} {'p50 ms':>10} {'ratio':>10}")
    for row in rows:
        print(f"{row['name']:<50} {row['first_ns'] / 1e6:10.1f} {row['p50_ns'] / 1e6:10.1f} {_ratio(row['ratio'])} of {row['baseline']}")
    print(f"kept: {rows[0]['kept_bytes']} bytes; {rows[0]['hits']} loads found their code, {rows[0]['misses']} did not")


def _lease_figure(row):
    if "points" in row:
        return f"{row['points']:.2f} points off", " ".join(f"{part * 100:.1f}%" for part in row["parts"])
    if "turns" in row:
        return f"{row['turns']:.2f} turns, p50 {row['p50_turns']:.2f}", f"{row['baseline_turns']:.2f}"
    if "share" in row:
        return f"{row['share'] * 100:.1f} % of the GPU", f"{row['baseline_share'] * 100:.1f} %" if "baseline_share" in row else ""
    if "p50_ns" in row:
        theirs = f"{row['baseline_p50_ns'] / 1e6:.3f}, p99 {row['baseline_p99_ns'] / 1e6:.3f}" if "baseline_p50_ns" in row else ""
        return f"{row['p50_ns'] / 1e6:.3f} ms, p99 {row['p99_ns'] / 1e6:.3f}", theirs
    return f"{row['ns'] / 1e6:.1f} ms", f"{row['baseline_ns'] / 1e6:.1f} ms"


def _leases(rows):
    _head("CUDA programs of several VMs on one GPU")
    for row in rows:
        mine, theirs = _lease_figure(row)
        goal = f"{row['goal']} {'reached' if row['reached'] else 'missed'}" if "goal" in row else ""
        print(f"{row['name']:<38} {mine:<26} {row['ratio']:6.3f} of {row['baseline']}{': ' if theirs else ''}{theirs} {goal}")


def _gpu(rows):
    _head("Two GPUs")
    for row in rows:
        print(f"pool A on cuda:0, pool B on cuda:1, {row['vms']} VMs with {row['depth']} requests each: {row['rate_per_s']:.0f} "
              f"requests/s, {row['ratio']:.2f} of {row['baseline']} ({row['baseline_rate_per_s']:.0f})")


SECTIONS = {"device": _device, "baselines": _baselines, "transports": _transports, "round trips": _round_trips, "breakdown": _breakdown,
            "idle": _idle,
            "scale": _scale, "ledger": _ledger, "softgpu": _softgpu, "programs": _programs, "modules": _modules, "leases": _leases, "gpu": _gpu}


def show(rows):
    for section, function in SECTIONS.items():
        own = [row for row in rows if row["section"] == section]
        if own:
            function(own)

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shape_programs.c - which fields the rows about programs have */

#include "vgpuadm/view/shape_programs.h"

#include <stddef.h>

#include "vgpuadm/view/shape_field.h"

const struct field shape_programs_now[] = {
	FIELD("id", "ID", COUNT, 4),
	FIELD("vm", "VM", TEXT, 12),
	FIELD("name", "PROGRAM", TEXT, 16),
	FIELD("pid", "PID", COUNT, 7),
	FIELD("state", "STATE", TEXT, 8),
	FIELD("executor", "EXECUTOR", TEXT, 8),
	FIELD("age_ns", "FOR", DURATION, 8),
	FIELD("gpu_time_ns", "GPU TIME", DURATION, 8),
	FIELD("gpu_share", "GPU", SHARE, 5),
	FIELD("lease", "LEASE", TEXT, 8),
	FIELD("waited_ns", "WAITED", DURATION, 8),
	FIELD("waited_for", "FOR (OF ITS VM)", TEXT, 15),
	FIELD("commands_per_s", "CALLS/S", RATE, 8),
	FIELD("since_unix_ns", "SINCE", TIME, 19),
	FIELD("memory_bytes", "MEMORY", BYTES, 9),
	FIELD("memory_quota_bytes", "OF", BYTES, 9),
	FIELD("worker_pid", "WORKER", COUNT, 7),
	FIELD("refused", "REFUSED", COUNT, 7, .tone = TONE_SOME_WARNS),
	FIELD("end", "ENDS FOR", TEXT, 12),
	HIDDEN("vm_id"),
	HIDDEN("channel"),
	HIDDEN("stopped"),
	HIDDEN("paused"),
	HIDDEN("peer_pid"),
	HIDDEN("peer_uid"),
	HIDDEN("turns"),
	HIDDEN("memory_peak_bytes"),
	HIDDEN("memory_byte_s"),
	HIDDEN("submissions"),
	HIDDEN("latency_p50_ns"),
	HIDDEN("latency_p99_ns"),
	HIDDEN("latency_max_ns"),
	HIDDEN("commands"),
	HIDDEN("launches"),
	HIDDEN("copies"),
	HIDDEN("copy_bytes"),
	HIDDEN("refused_names"),
	END,
};

#define PAST_PROGRAM                                                                               \
	FIELD("id", "ID", COUNT, 4), FIELD("vm", "VM", TEXT, 12),                                  \
		FIELD("name", "PROGRAM", TEXT, 16), FIELD("pid", "PID", COUNT, 7),                 \
		FIELD("since_unix_ns", "BEGAN", TIME, 19),                                         \
		FIELD("age_ns", "RAN FOR", DURATION, 8), FIELD("end", "ENDED FOR", TEXT, 12),      \
		FIELD("gpu_time_ns", "GPU TIME", DURATION, 8),                                     \
		FIELD("memory_peak_bytes", "MEMORY", BYTES, 9),                                    \
		FIELD("launches", "LAUNCHES", COUNT, 10), FIELD("copy_bytes", "COPIED", BYTES, 9), \
		FIELD("refused", "REFUSED", COUNT, 7, .tone = TONE_SOME_WARNS), HIDDEN("vm_id"),   \
		HIDDEN("pool"), HIDDEN("priority"), HIDDEN("executor"), HIDDEN("device"),          \
		HIDDEN("ended_unix_ns"), HIDDEN("peer_uid"), HIDDEN("memory_byte_s"),              \
		HIDDEN("submissions"), HIDDEN("latency_p50_ns"), HIDDEN("latency_p99_ns"),         \
		HIDDEN("latency_max_ns"), HIDDEN("commands"), HIDDEN("copies"),                    \
		HIDDEN("refused_names"),

const struct field shape_programs_past[] = { PAST_PROGRAM END };

/* One program: what all past ones have, and what only one is asked about. */
const struct field shape_programs_one[] = {
	PAST_PROGRAM FIELD("vm_waited_ns", "ITS VM WAITED", DURATION, 0),
	FIELD("vm_waited_for", "FOR", TEXT, 0),
	HIDDEN("state"),
	HIDDEN("lease"),
	HIDDEN("waited_ns"),
	END,
};

const struct field shape_programs_submissions[] = {
	FIELD("id", "ID", COUNT, 10),
	FIELD("begun_unix_ns", "BEGAN", TIME, 23),
	FIELD("vm", "VM", TEXT, 12),
	HIDDEN("vm_id"),
	FIELD("program", "OF", COUNT, 4),
	FIELD("name", "PROGRAM", TEXT, 16),
	FIELD("first", "FIRST", COUNT, 8),
	FIELD("count", "COUNT", COUNT, 8),
	FIELD("open", "OPEN", BOOL, 4, .tone = TONE_TRUE_WARNS),
	FIELD("took_ns", "TOOK", DURATION, 8),
	FIELD("mean_ns", "EACH", DURATION, 8),
	FIELD("most_ns", "LONGEST", DURATION, 8),
	FIELD("commands", "COMMANDS", COUNT, 8),
	HIDDEN("ended_unix_ns"),
	END,
};

const struct field shape_programs_usage[] = {
	FIELD("group", "FOR", TEXT, 0),
	FIELD("programs", "PROGRAMS", COUNT, 0),
	FIELD("program_time_ns", "THEY RAN", DURATION, 0),
	FIELD("requests", "REQUESTS", COUNT, 0),
	FIELD("errors", "ERRORS", COUNT, 0, .tone = TONE_SOME_WARNS),
	FIELD("gpu_time_ns", "GPU TIME", DURATION, 0),
	FIELD("programs_gpu_time_ns", "OF PROGRAMS", DURATION, 0),
	FIELD("memory_byte_h", "BYTE-HOURS", BYTES, 0),
	FIELD("submissions", "SUBMITTED", COUNT, 0),
	FIELD("launches", "LAUNCHES", COUNT, 0),
	FIELD("copy_bytes", "COPIED", BYTES, 0),
	HIDDEN("requests_gpu_time_ns"),
	HIDDEN("commands"),
	HIDDEN("copies"),
	HIDDEN("refused"),
	END,
};

const struct field shape_programs_kill[] = {
	FIELD("id", "ID", COUNT, 0),
	FIELD("vm", "VM", TEXT, 0),
	FIELD("name", "PROGRAM", TEXT, 0),
	FIELD("pid", "PID", COUNT, 0),
	FIELD("state", "WAS", TEXT, 0),
	FIELD("worker_pid", "WORKER", COUNT, 0),
	END,
};

const struct field shape_programs_trace[] = {
	FIELD("file", "FILE", TEXT, 0),
	FIELD("program", "ID", COUNT, 0),
	FIELD("vm", "VM", TEXT, 0),
	FIELD("name", "PROGRAM", TEXT, 0),
	FIELD("pid", "PID", COUNT, 0),
	FIELD("begun_unix_ns", "BEGAN", TIME, 0),
	FIELD("took_ns", "TOOK", DURATION, 0),
	FIELD("events", "EVENTS", COUNT, 0),
	FIELD("gaps", "GAPS", COUNT, 0),
	FIELD("lost", "LOST", COUNT, 0, .tone = TONE_SOME_WARNS),
	FIELD("ended", "ENDED", BOOL, 0),
	FIELD("limited", "LIMITED", BOOL, 0, .tone = TONE_TRUE_WARNS),
	END,
};

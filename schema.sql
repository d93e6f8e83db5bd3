-- SPDX-License-Identifier: GPL-2.0-or-later
-- schema.sql - the ledger's tables: every request, its minutes, every program, their submissions, the VMs, the audit trail
--
-- vgpud carries this text and runs it on a new database. To look at a ledger, also while vgpud
-- works on it:
--
--	sqlite3 -readonly -box vgpud.db 'SELECT * FROM request_v ORDER BY id DESC LIMIT 20'
--
-- Open it with -readonly: vgpud must stay the only writer. To change VMs use vgpuadm.
--
-- Units stand in the names. *_ns: nanoseconds; received_ns, time_ns, started_ns and their like count from the
-- Unix epoch. Such a time is the session's start on the wall clock plus what the monotonic clock
-- counted since, so within a session it never jumps, and durations are exact.

PRAGMA application_id = 0x76677075; -- "vgpu"
PRAGMA user_version = 7;            -- of this schema

-- One row for each start of vgpud.
CREATE TABLE session (
	id               INTEGER PRIMARY KEY,
	started_ns       INTEGER NOT NULL, -- wall clock
	started_mono_ns  INTEGER NOT NULL, -- CLOCK_MONOTONIC at the same instant
	ended_ns         INTEGER,          -- NULL: it runs now, or it ended without a goodbye
	boot_id          TEXT,             -- which boot of the host
	version          TEXT,             -- of vgpud
	host             TEXT,
	first_request_id INTEGER NOT NULL, -- its requests have this id or a higher one
	clock_ahead_ns   INTEGER NOT NULL DEFAULT 0, -- it started so long after all that the session before left, if that is doubtful
	clock_behind_ns  INTEGER NOT NULL DEFAULT 0, -- or so long before the newest of that
	clock_steps      INTEGER NOT NULL DEFAULT 0, -- how often the wall clock was set meanwhile
	clock_step_ns    INTEGER NOT NULL DEFAULT 0  -- and by how much in all; the times here do not follow
) STRICT;

-- The virtual machines. A removed one stays, so that old requests keep a name.
CREATE TABLE vm (
	id         INTEGER PRIMARY KEY, -- the number in the guest's VM_ID register
	name       TEXT NOT NULL,
	pool       TEXT NOT NULL,       -- a letter
	priority   INTEGER NOT NULL,    -- see name
	paused     INTEGER NOT NULL,    -- 0 or 1
	connect    TEXT,                -- where its QEMU listens; NULL: it connects to vgpud
	created_ns INTEGER NOT NULL,
	removed_ns INTEGER,             -- NULL: it exists
	limit_per_s INTEGER,            -- requests that may start in a second; NULL: no limit
	limit_burst INTEGER             -- and at once
) STRICT;
CREATE UNIQUE INDEX vm_name ON vm (name) WHERE removed_ns IS NULL;

-- Every request, one row each, written when it ended. No index but the id: ids grow with time,
-- so a span of time is a span of ids, found by bisection.
CREATE TABLE request (
	id               INTEGER PRIMARY KEY,
	received_ns      INTEGER NOT NULL, -- when its last byte came
	wait_ns          INTEGER, -- received to start of execution, or to its end if it never ran
	exec_ns          INTEGER, -- on the executor; 0: it never ran
	total_ns         INTEGER, -- received to answered. These three are NULL when vgpud died meanwhile
	vm_id            INTEGER NOT NULL,
	guest_request_id INTEGER NOT NULL, -- the guest's own number
	opcode           INTEGER NOT NULL, -- as the guest sent it, known or not; see name
	status           INTEGER NOT NULL, -- 0: it succeeded; see name
	pool             TEXT NOT NULL,    -- a letter
	priority         INTEGER NOT NULL, -- see name
	executor         INTEGER NOT NULL, -- what ran it, 0: nothing did; see name
	transport        INTEGER NOT NULL, -- how it came; see name
	request_bytes    INTEGER NOT NULL,
	response_bytes   INTEGER NOT NULL,
	limited_ns       INTEGER NOT NULL DEFAULT 0 -- of wait_ns, for want of a token of the VM's limit
) STRICT;

-- Requests that are queued or running, if they are so for longer than a batch of the writer takes.
-- Rows that are left here at a start of vgpud were lost with the last one, and get a row with status
-- BACKEND_LOST.
CREATE TABLE pending (
	id               INTEGER PRIMARY KEY,
	received_ns      INTEGER NOT NULL,
	vm_id            INTEGER NOT NULL,
	guest_request_id INTEGER NOT NULL,
	opcode           INTEGER NOT NULL,
	pool             TEXT NOT NULL,
	priority         INTEGER NOT NULL,
	transport        INTEGER NOT NULL,
	request_bytes    INTEGER NOT NULL
) STRICT;

-- The requests that were received in one minute, added up; written together with their rows. The histograms
-- are as hist.c describes: buckets at most 3.1 % wide, stored as pairs of varints (buckets skipped
-- since the last one, count).
CREATE TABLE minute (
	minute       INTEGER NOT NULL, -- received_ns / 60000000000
	vm_id        INTEGER NOT NULL,
	pool         TEXT NOT NULL,
	priority     INTEGER NOT NULL,
	opcode       INTEGER NOT NULL, -- -1: all that vgpud does not know
	count        INTEGER NOT NULL, -- requests
	errors       INTEGER NOT NULL, -- those of them whose status is not 0
	wait_sum_ns  INTEGER NOT NULL,
	wait_max_ns  INTEGER NOT NULL,
	exec_sum_ns  INTEGER NOT NULL,
	exec_max_ns  INTEGER NOT NULL,
	total_sum_ns INTEGER NOT NULL,
	total_max_ns INTEGER NOT NULL,
	wait_hist    BLOB NOT NULL,    -- of those whose times are known
	exec_hist    BLOB NOT NULL,    -- of those that ran
	total_hist   BLOB NOT NULL,    -- of those whose times are known
	UNIQUE (minute, vm_id, pool, priority, opcode)
) STRICT;

-- The guests' programs: one row each, written when it began, filled in when it ended. Name and pid are
-- what the program says of itself. ids are those of vgpuadm programs; they grow over all sessions.
CREATE TABLE program (
	id                INTEGER PRIMARY KEY,
	begun_ns          INTEGER NOT NULL, -- when its worker was bound to it
	ended_ns          INTEGER, -- NULL: it runs, or vgpud died before it ended
	why               INTEGER, -- how it ended, 0: it left; see name, end. NULL: it runs
	vm_id             INTEGER NOT NULL,
	name              TEXT,    -- NULL: the record of its beginning was damaged
	pid               INTEGER, -- in its guest
	uid               INTEGER, -- on this host, of the process that connected; NULL: not known
	pool              TEXT NOT NULL,    -- a letter; pool and priority are those at its beginning
	priority          INTEGER NOT NULL, -- see name
	executor          INTEGER NOT NULL, -- what ran it; see name
	device            INTEGER NOT NULL, -- which GPU of the host
	billed_ns         INTEGER, -- GPU time, measured by vgpud; NULL: it was not measured
	memory_peak_bytes INTEGER, -- of the GPU; NULL: not known
	memory_byte_s     INTEGER, -- bytes held, times seconds; NULL: not known
	-- What its worker counted. It belongs to the tenant, so these are claims. NULL: not known.
	submissions       INTEGER, -- from the first command after a wait until the next wait returned
	commands          INTEGER,
	launches          INTEGER, -- of kernels
	copies            INTEGER,
	copy_bytes        INTEGER,
	refused           INTEGER, -- calls of functions that vgpu does not have
	refused_names     TEXT,    -- names of some of them
	-- Of its submissions that have ended, as they were recorded: submissions_to is the number of the last
	-- one that a row of table submission stands for.
	latency_sum_ns    INTEGER NOT NULL DEFAULT 0,
	latency_max_ns    INTEGER NOT NULL DEFAULT 0,
	latency_hist      BLOB,    -- as in table minute; NULL: none has ended
	submissions_to    INTEGER NOT NULL DEFAULT 0,
	counted_ns        INTEGER  -- while it runs, and of one without an end: of when these figures are, or later; NULL: it has none yet
) STRICT;

-- What each program used in one minute: by how much its row's figures grew then. So the minutes of a program are
-- together what its row has, at any moment. GPU time may sink a little, when a worker says that the end of a turn
-- was idle. Triggers below keep this table; while a program runs, its row is brought up to date each second.
CREATE TABLE program_minute (
	minute        INTEGER NOT NULL, -- since the Unix epoch
	program_id    INTEGER NOT NULL,
	vm_id         INTEGER NOT NULL, -- this and the next two as in its row, which may go before
	pool          TEXT NOT NULL,
	priority      INTEGER NOT NULL,
	billed_ns     INTEGER, -- of these figures NULL: not known
	memory_byte_s INTEGER,
	submissions   INTEGER,
	commands      INTEGER,
	launches      INTEGER,
	copies        INTEGER,
	copy_bytes    INTEGER,
	refused       INTEGER,
	PRIMARY KEY (minute, program_id)
) STRICT, WITHOUT ROWID;

-- Submissions of programs: from the first command that gives the GPU work until the next wait returned, a
-- query said that all is done, 10,000 commands, or a second. Where they came faster than ledger_rows_per_s
-- (vgpud.conf), a row stands for several that followed each other. Workers count them: claims.
CREATE TABLE submission (
	id         INTEGER PRIMARY KEY,
	program_id INTEGER NOT NULL,
	vm_id      INTEGER NOT NULL,
	first      INTEGER NOT NULL, -- the number of the first one in its program, from 1
	count      INTEGER NOT NULL, -- how many they are
	begun_ns   INTEGER NOT NULL, -- the first one
	ended_ns   INTEGER,          -- the last one; NULL: it was open when its program ended
	took_ns    INTEGER,          -- how long they took, added up; NULL: it was open
	most_ns    INTEGER,          -- the longest of them; NULL: it was open
	commands   INTEGER NOT NULL
) STRICT;

-- Where to look in table submission: for each 4,096 ids, from when to when the rows with such an id began, and of whom
-- they are. Rows are recorded in no order of time that could be relied on, and an index of them costs as much as they
-- do. A row here may say more than there is, never less.
CREATE TABLE submission_span (
	span          INTEGER PRIMARY KEY, -- id / 4096
	begun_from_ns INTEGER NOT NULL,    -- no row began before it
	begun_to_ns   INTEGER NOT NULL,    -- nor after it
	vms           INTEGER NOT NULL,    -- bit vm_id % 64 is set for each row
	programs      INTEGER NOT NULL     -- bit program_id % 64
) STRICT;

-- The submissions that were taken from the workers in one minute, added up: all of them, however many rows
-- there are. vgpud takes them ten times a second, so one counts at most so much later than it ended.
CREATE TABLE submission_minute (
	minute         INTEGER NOT NULL, -- since the Unix epoch
	vm_id          INTEGER NOT NULL,
	pool           TEXT NOT NULL,
	priority       INTEGER NOT NULL,
	count          INTEGER NOT NULL, -- that have ended
	open           INTEGER NOT NULL, -- that were open when their programs ended
	latency_sum_ns INTEGER NOT NULL,
	latency_max_ns INTEGER NOT NULL,
	latency_hist   BLOB NOT NULL,    -- as in table minute
	UNIQUE (minute, vm_id, pool, priority)
) STRICT;

-- For what programs waited for the GPU, and beside programs requests for their turns, in one minute, added up over
-- all of a VM.
CREATE TABLE wait_minute (
	minute   INTEGER NOT NULL, -- since the Unix epoch
	vm_id    INTEGER NOT NULL, -- whose programs waited
	cause    INTEGER NOT NULL, -- see name, wait
	by_vm_id INTEGER NOT NULL, -- cause 0: which VM had the GPU meanwhile, perhaps the same one; else -1
	wait_ns  INTEGER NOT NULL,
	UNIQUE (minute, vm_id, cause, by_vm_id)
) STRICT;

-- Events: what happened, and which user did it.
CREATE TABLE event (
	id        INTEGER PRIMARY KEY,
	time_ns   INTEGER NOT NULL,
	kind      TEXT NOT NULL, -- a short fixed word: start, set-priority, worker-died
	subject   TEXT,          -- the VM or pool that it is about
	old_value TEXT,
	new_value TEXT,
	text      TEXT,          -- in words
	uid       INTEGER,       -- of the administrator; NULL: vgpud itself
	pid       INTEGER
) STRICT;

-- The same for events and programs, with their first and last times. Triggers below keep them.
CREATE TABLE event_span (
	span         INTEGER PRIMARY KEY, -- id / 4096
	time_from_ns INTEGER NOT NULL,
	time_to_ns   INTEGER NOT NULL
) STRICT;
CREATE TABLE program_span (
	span          INTEGER PRIMARY KEY, -- id / 4096
	begun_from_ns INTEGER NOT NULL,
	ended_to_ns   INTEGER NOT NULL     -- of those that have ended; of others their beginning
) STRICT;

-- How far this database has taken the ring file. One row, changed in the same transaction as the records:
-- so nothing is recorded twice.
CREATE TABLE ledger (
	one             INTEGER PRIMARY KEY CHECK (one = 1),
	ring_id         INTEGER NOT NULL, -- which ring file
	ring_position   INTEGER NOT NULL, -- all its records before this one are here
	last_request_id INTEGER NOT NULL, -- the highest id ever recorded
	last_program_id INTEGER NOT NULL DEFAULT 0 -- and of a program
) STRICT;
INSERT INTO ledger VALUES (1, 0, 0, 0, 0);

-- Names of the numbers above; vgpud fills it at each start from its own tables.
CREATE TABLE name (
	what    TEXT NOT NULL,    -- opcode, status, priority, executor, transport, end, wait
	value   INTEGER NOT NULL,
	name    TEXT NOT NULL,
	meaning TEXT,
	PRIMARY KEY (what, value)
) STRICT, WITHOUT ROWID;

-- A migration runs all from here on: each is made where it is not there, or made anew.
CREATE INDEX IF NOT EXISTS program_runs ON program (id) WHERE why IS NULL;
CREATE TRIGGER IF NOT EXISTS event_is_new AFTER INSERT ON event BEGIN
	INSERT INTO event_span VALUES (new.id >> 12, new.time_ns, new.time_ns)
		ON CONFLICT (span) DO UPDATE SET time_from_ns = min(time_from_ns, new.time_ns),
		time_to_ns = max(time_to_ns, new.time_ns);
END;
CREATE TRIGGER IF NOT EXISTS program_is_new AFTER INSERT ON program BEGIN
	INSERT INTO program_span VALUES (new.id >> 12, new.begun_ns, coalesce(new.ended_ns, new.begun_ns))
		ON CONFLICT (span) DO UPDATE SET begun_from_ns = min(begun_from_ns, new.begun_ns),
		ended_to_ns = max(ended_to_ns, coalesce(new.ended_ns, new.begun_ns));
END;
CREATE TRIGGER IF NOT EXISTS program_has_ended AFTER UPDATE OF ended_ns ON program WHEN new.ended_ns IS NOT NULL BEGIN
	UPDATE program_span SET ended_to_ns = max(ended_to_ns, new.ended_ns) WHERE span = new.id >> 12;
END;
-- One that was lost with vgpud ran at least until it was seen last.
CREATE TRIGGER IF NOT EXISTS program_was_lost AFTER UPDATE OF why, counted_ns ON program WHEN new.why IS NOT NULL AND new.ended_ns IS NULL BEGIN
	UPDATE program_span SET ended_to_ns = max(ended_to_ns, coalesce(new.counted_ns, new.begun_ns)) WHERE span = new.id >> 12;
END;
CREATE TRIGGER IF NOT EXISTS program_has_used AFTER UPDATE OF
	billed_ns, memory_byte_s, submissions, commands, launches, copies, copy_bytes, refused ON program
WHEN (new.billed_ns, new.memory_byte_s, new.submissions, new.commands, new.launches,
	new.copies, new.copy_bytes, new.refused) IS NOT
	(old.billed_ns, old.memory_byte_s, old.submissions, old.commands, old.launches,
	old.copies, old.copy_bytes, old.refused)
BEGIN
	INSERT INTO program_minute VALUES (
		max(new.begun_ns, coalesce(new.counted_ns, 0), coalesce(new.ended_ns, 0)) / 60000000000,
		new.id, new.vm_id, new.pool, new.priority,
		new.billed_ns - coalesce(old.billed_ns, 0), new.memory_byte_s - coalesce(old.memory_byte_s, 0),
		new.submissions - coalesce(old.submissions, 0), new.commands - coalesce(old.commands, 0),
		new.launches - coalesce(old.launches, 0), new.copies - coalesce(old.copies, 0),
		new.copy_bytes - coalesce(old.copy_bytes, 0), new.refused - coalesce(old.refused, 0))
	-- Sums of claims that are too large would be no integers.
	ON CONFLICT (minute, program_id) DO UPDATE SET
		billed_ns = coalesce(CAST(min(billed_ns + excluded.billed_ns, 9.0e18) AS INTEGER), billed_ns, excluded.billed_ns),
		memory_byte_s = coalesce(CAST(min(memory_byte_s + excluded.memory_byte_s, 9.0e18) AS INTEGER), memory_byte_s, excluded.memory_byte_s),
		submissions = coalesce(CAST(min(submissions + excluded.submissions, 9.0e18) AS INTEGER), submissions, excluded.submissions),
		commands = coalesce(CAST(min(commands + excluded.commands, 9.0e18) AS INTEGER), commands, excluded.commands),
		launches = coalesce(CAST(min(launches + excluded.launches, 9.0e18) AS INTEGER), launches, excluded.launches),
		copies = coalesce(CAST(min(copies + excluded.copies, 9.0e18) AS INTEGER), copies, excluded.copies),
		copy_bytes = coalesce(CAST(min(copy_bytes + excluded.copy_bytes, 9.0e18) AS INTEGER), copy_bytes, excluded.copy_bytes),
		refused = coalesce(CAST(min(refused + excluded.refused, 9.0e18) AS INTEGER), refused, excluded.refused);
END;
-- Its beginning was lost with a part of the ring.
CREATE TRIGGER IF NOT EXISTS program_has_ended_only AFTER INSERT ON program WHEN new.why IS NOT NULL BEGIN
	INSERT INTO program_minute VALUES (coalesce(new.ended_ns, new.begun_ns) / 60000000000,
		new.id, new.vm_id, new.pool, new.priority,
		new.billed_ns, new.memory_byte_s, new.submissions, new.commands, new.launches, new.copies,
		new.copy_bytes, new.refused)
	ON CONFLICT (minute, program_id) DO NOTHING;
END;

-- For people: names instead of numbers, times as text (UTC).
CREATE VIEW request_v AS
SELECT r.id,
	strftime('%Y-%m-%dT%H:%M:%S', r.received_ns / 1000000000, 'unixepoch')
		|| printf('.%06dZ', r.received_ns / 1000 % 1000000) AS received,
	coalesce(v.name, '#' || r.vm_id) AS vm,
	r.pool,
	coalesce(p.name, r.priority) AS priority,
	coalesce(o.name, printf('0x%04x', r.opcode)) AS opcode,
	coalesce(s.name, r.status) AS status,
	coalesce(e.name, r.executor) AS executor,
	coalesce(t.name, r.transport) AS transport,
	r.wait_ns, r.exec_ns, r.total_ns, r.request_bytes, r.response_bytes, r.guest_request_id, r.limited_ns
FROM request AS r
LEFT JOIN vm AS v ON v.id = r.vm_id
LEFT JOIN name AS p ON p.what = 'priority' AND p.value = r.priority
LEFT JOIN name AS o ON o.what = 'opcode' AND o.value = r.opcode
LEFT JOIN name AS s ON s.what = 'status' AND s.value = r.status
LEFT JOIN name AS e ON e.what = 'executor' AND e.value = r.executor
LEFT JOIN name AS t ON t.what = 'transport' AND t.value = r.transport;

CREATE VIEW minute_v AS
SELECT strftime('%Y-%m-%dT%H:%MZ', m.minute * 60, 'unixepoch') AS minute,
	coalesce(v.name, '#' || m.vm_id) AS vm,
	m.pool,
	coalesce(p.name, m.priority) AS priority,
	coalesce(o.name, 'unknown') AS opcode,
	m.count, m.errors,
	m.wait_sum_ns / m.count AS wait_mean_ns, m.wait_max_ns,
	m.exec_sum_ns / m.count AS exec_mean_ns, m.exec_max_ns,
	m.total_sum_ns / m.count AS total_mean_ns, m.total_max_ns
FROM minute AS m
LEFT JOIN vm AS v ON v.id = m.vm_id
LEFT JOIN name AS p ON p.what = 'priority' AND p.value = m.priority
LEFT JOIN name AS o ON o.what = 'opcode' AND o.value = m.opcode;

CREATE VIEW program_v AS
SELECT g.id,
	strftime('%Y-%m-%dT%H:%M:%S', g.begun_ns / 1000000000, 'unixepoch')
		|| printf('.%06dZ', g.begun_ns / 1000 % 1000000) AS begun,
	strftime('%Y-%m-%dT%H:%M:%S', g.ended_ns / 1000000000, 'unixepoch')
		|| printf('.%06dZ', g.ended_ns / 1000 % 1000000) AS ended,
	CASE WHEN g.why IS NULL THEN 'runs' ELSE coalesce(w.name, g.why) END AS why,
	coalesce(v.name, '#' || g.vm_id) AS vm,
	g.name, g.pid, g.uid, g.pool,
	coalesce(p.name, g.priority) AS priority,
	coalesce(e.name, g.executor) AS executor,
	g.device, g.billed_ns, g.memory_peak_bytes, g.memory_byte_s, g.submissions, g.commands, g.launches,
	g.copies, g.copy_bytes, g.refused, g.refused_names, g.latency_sum_ns, g.latency_max_ns
FROM program AS g
LEFT JOIN vm AS v ON v.id = g.vm_id
LEFT JOIN name AS p ON p.what = 'priority' AND p.value = g.priority
LEFT JOIN name AS e ON e.what = 'executor' AND e.value = g.executor
LEFT JOIN name AS w ON w.what = 'end' AND w.value = g.why;

CREATE VIEW program_minute_v AS
SELECT strftime('%Y-%m-%dT%H:%MZ', m.minute * 60, 'unixepoch') AS minute,
	coalesce(v.name, '#' || m.vm_id) AS vm,
	m.program_id, g.name AS program, m.pool,
	coalesce(p.name, m.priority) AS priority,
	m.billed_ns, m.memory_byte_s, m.submissions, m.commands, m.launches, m.copies, m.copy_bytes, m.refused
FROM program_minute AS m
LEFT JOIN vm AS v ON v.id = m.vm_id
LEFT JOIN program AS g ON g.id = m.program_id
LEFT JOIN name AS p ON p.what = 'priority' AND p.value = m.priority;

CREATE VIEW submission_v AS
SELECT s.id,
	strftime('%Y-%m-%dT%H:%M:%S', s.begun_ns / 1000000000, 'unixepoch')
		|| printf('.%06dZ', s.begun_ns / 1000 % 1000000) AS begun,
	coalesce(v.name, '#' || s.vm_id) AS vm,
	s.program_id, g.name AS program,
	s.first, s.count, s.ended_ns IS NULL AS open,
	s.took_ns / s.count AS mean_ns, s.most_ns, s.commands
FROM submission AS s
LEFT JOIN vm AS v ON v.id = s.vm_id
LEFT JOIN program AS g ON g.id = s.program_id;

CREATE VIEW wait_minute_v AS
SELECT strftime('%Y-%m-%dT%H:%MZ', w.minute * 60, 'unixepoch') AS minute,
	coalesce(v.name, '#' || w.vm_id) AS vm,
	coalesce(n.name, w.cause) AS cause,
	CASE WHEN w.by_vm_id >= 0 THEN coalesce(b.name, '#' || w.by_vm_id) END AS by_vm,
	w.wait_ns
FROM wait_minute AS w
LEFT JOIN vm AS v ON v.id = w.vm_id
LEFT JOIN vm AS b ON b.id = w.by_vm_id
LEFT JOIN name AS n ON n.what = 'wait' AND n.value = w.cause;

CREATE VIEW event_v AS
SELECT id,
	strftime('%Y-%m-%dT%H:%M:%S', time_ns / 1000000000, 'unixepoch')
		|| printf('.%06dZ', time_ns / 1000 % 1000000) AS time,
	kind, subject, old_value, new_value, text, uid, pid
FROM event;

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* checks.c - the daemon's checks of itself for `vgpuadm doctor`, with remedies */

#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/names.h"
#include "common/timeexpr.h"
#include "common/util.h"
#include "proc/confine.h"
#include "proc/sandbox.h"
#include "proc/spawn.h"
#include "vgpud/admin/checks.h"
#include "vgpud/admin/handlers.h"
#include "vgpud/aside.h"
#include "vgpud/conf/reload.h"
#include "vgpud/files/server.h"
#include "vgpud/ledger/ledger.h"

#define FREE_BYTES_LOW (256ull << 20) /* of disk space, to warn */
#define READING_PATIENCE_USEC 3000000ull
#define FD_RESERVE 64 /* descriptors that should be left beyond those of VMs */

void checks_row(struct admin_call *call, const char *check, enum check_result result,
		const char *text, const char *remedy)
{
	static const char *const words[] = { "ok", "warning", "error" };

	admin_row(call, json_pack("{s:s, s:s, s:s, s:o}", "check", check, "result", words[result],
				  "text", text, "remedy", admin_string(remedy)));
}

/* For each state of the ledger, how bad it is, and the remedy. */
static const struct {
	enum check_result result;
	const char *remedy;
} ledger_checks[] = {
	[LEDGER_OK] = { CHECK_OK, NULL },
	[LEDGER_FULL] = { CHECK_ERROR,
			  "free disk space (or the user's quota), or bound the database with max_size and "
			  "retention_days in vgpud.conf; work resumes by itself" },
	[LEDGER_FAILING] = { CHECK_ERROR,
			     "see that the state directory is on a local disk and writable for "
			     "vgpud" },
	[LEDGER_MISSING] = { CHECK_ERROR,
			     "put the file back where it was and work resumes by itself; or restart "
			     "vgpud, which begins a new one" },
	[LEDGER_DAMAGED] = { CHECK_ERROR,
			     "restart vgpud: it sets the damaged database aside and begins a new "
			     "one" },
	[LEDGER_OFF] = { CHECK_WARNING, "start vgpud without --no-ledger" },
};

_Static_assert(sizeof(ledger_checks) / sizeof(ledger_checks[0]) == LEDGER_STATE_NUM,
	       "each state of the ledger has its remedy");

static void check_ledger_clock(struct admin_call *call, const struct ledger_stats *stats)
{
	int64_t ahead_ns = stats->ahead_until_ns -
			   ledger_wall_ns(call->daemon->broker.ledger, util_now_ns());
	char text[128];

	if (ahead_ns <= 0)
		return;
	snprintf(text, sizeof(text), "it has entries from the future, up to %lld days ahead",
		 (long long)(ahead_ns / UTIL_NS_PER_DAY) + 1);
	checks_row(call, "ledger's clock", CHECK_WARNING, text,
		   "see that the host's clock is right; then vgpuadm events shows since when they "
		   "are known, and they are removed as if they were of that day");
}

static void check_ledger(struct admin_call *call)
{
	struct ledger_stats stats;
	char text[320];

	ledger_stats(call->daemon->broker.ledger, &stats);
	snprintf(text, sizeof(text), "%s, %llu rows since the start%s%s",
		 ledger_state_name(stats.state), (unsigned long long)stats.rows,
		 stats.error[0] != '\0' ? "; last error: " : "", stats.error);
	checks_row(call, "ledger", ledger_checks[stats.state].result,
		   stats.state == LEDGER_OFF ? "no ledger is kept" : text,
		   ledger_checks[stats.state].remedy);
	check_ledger_clock(call, &stats);
	if (stats.lost == 0 && stats.programs_lost == 0)
		return;
	snprintf(text, sizeof(text),
		 "%llu requests and %llu programs were under way when the last vgpud died",
		 (unsigned long long)stats.lost, (unsigned long long)stats.programs_lost);
	checks_row(call, "last end", CHECK_WARNING, text,
		   "vgpuadm requests --status BACKEND_LOST and vgpuadm events show them; look into "
		   "the journal for why it died");
}

/* As the ledger's writer saw it: a disk that does not answer must not stop the loop. */
static void check_space(struct admin_call *call)
{
	struct ledger_stats stats;
	char text[PATH_MAX + 64];
	bool low;

	ledger_stats(call->daemon->broker.ledger, &stats);
	if (stats.path == NULL || stats.free_bytes == UINT64_MAX)
		return;
	low = stats.free_bytes < FREE_BYTES_LOW;
	snprintf(text, sizeof(text), "%llu MiB free at %s",
		 (unsigned long long)(stats.free_bytes >> 20), call->daemon->conf->state_dir);
	checks_row(call, "disk", low ? CHECK_WARNING : CHECK_OK, text,
		   low ? "free some, or lower max_size in vgpud.conf" : NULL);
}

/*
 * In some versions of sqlite, two connections that write or checkpoint at the same time can damage
 * the database (mended in 3.51.3, 3.50.7 and 3.44.6).
 */
static void check_sqlite(struct admin_call *call)
{
	int number = ledger_sqlite_version();
	bool mended = number >= 3051003 || (number >= 3050007 && number < 3051000) ||
		      (number >= 3044006 && number < 3045000);
	char text[192];

	snprintf(text, sizeof(text), "version %d.%d.%d%s", number / 1000000, number / 1000 % 1000,
		 number % 1000,
		 mended ? ""
			: ", which has the WAL-reset fault; vgpud is not exposed to it, as only "
			  "one of its connections ever writes");
	checks_row(call, "sqlite", CHECK_OK, text, NULL);
}

static void check_pools(struct admin_call *call)
{
	const struct daemon *daemon = call->daemon;
	char name[16], text[320];

	for (unsigned i = 0; i < SCHED_POOL_MAX; i++) {
		const struct conf_pool *conf = &daemon->conf->pool[i];
		const struct worker_info *info;
		const char *trouble;

		if (!conf->exists)
			continue;
		info = executors_info(daemon->broker.executors, conf->executor);
		trouble = executors_trouble(daemon->broker.executors, conf->executor);
		snprintf(name, sizeof(name), "pool %c", name_pool((unsigned)i));
		snprintf(text, sizeof(text), "%s: %s", conf->executor,
			 trouble != NULL ? trouble : info->name);
		if (trouble != NULL)
			checks_row(
				call, name, CHECK_ERROR, text,
				"see that nvidia-smi works on this host, or give the pool another "
				"executor");
		else if (info->executor == VGPU_EXECUTOR_CPU && strcmp(conf->executor, "cpu") != 0)
			checks_row(
				call, name, CHECK_WARNING, text,
				"no GPU was found, the processor computes: see that nvidia-smi works, "
				"or say executor = cpu to mean it");
		else
			checks_row(call, name, CHECK_OK, text, NULL);
	}
}

static void check_vms(struct admin_call *call)
{
	const struct vm *vm;
	char text[128], remedy[128];

	TAILQ_FOREACH(vm, &call->daemon->broker.vms, link) {
		if (vm->sched.paused) {
			snprintf(text, sizeof(text), "%s is paused", vm->name);
			snprintf(remedy, sizeof(remedy), "vgpuadm resume %s", vm->name);
			checks_row(call, "vm", CHECK_WARNING, text, remedy);
		}
		if (port_counts(vm->port)->broke > 0) {
			snprintf(text, sizeof(text),
				 "%s: its device was disconnected %llu times for "
				 "what it sent",
				 vm->name, (unsigned long long)port_counts(vm->port)->broke);
			checks_row(call, "vm", CHECK_WARNING, text,
				   "see that its QEMU was built with this version's device");
		}
		if (programs_left(call->daemon->programs, vm)) {
			snprintf(text, sizeof(text),
				 "%s: a worker of an earlier vgpud has not ended", vm->name);
			checks_row(call, "vm", CHECK_WARNING, text,
				   "its device waits for that; dmesg may say why");
		}
		if (vm->figures.last_error == VGPU_ERR_GPU_FAULT ||
		    vm->figures.last_error == VGPU_ERR_GPU_HUNG) {
			snprintf(text, sizeof(text), "%s: its last failure was %s", vm->name,
				 name_error(vm->figures.last_error));
			snprintf(remedy, sizeof(remedy), "vgpuadm events --subject %s", vm->name);
			checks_row(call, "vm", CHECK_WARNING, text, remedy);
		}
	}
}

/* A drain outlives restarts, so an administrator may have forgotten it. */
static void check_drain(struct admin_call *call)
{
	const struct daemon *daemon = call->daemon;
	char text[128], since[TIMEEXPR_TEXT_SIZE];

	if (!daemon->broker.draining)
		return;
	timeexpr_format(since, sizeof(since), daemon->draining.since_ns, 0);
	snprintf(text, sizeof(text), "draining since %s, by uid %lld: new requests are refused",
		 since, (long long)daemon->draining.uid);
	checks_row(call, "drain", CHECK_WARNING, text, "vgpuadm drain --off");
}

/* Reports databases that were set aside: their records may still be wanted. */
static void check_set_aside(struct admin_call *call)
{
	struct ledger_stats stats;
	char pattern[PATH_MAX + 16], text[PATH_MAX + 64];
	glob_t found;

	ledger_stats(call->daemon->broker.ledger, &stats);
	if (stats.path == NULL)
		return;
	snprintf(pattern, sizeof(pattern), "%s.corrupt-*", stats.path);
	if (glob(pattern, 0, NULL, &found) != 0)
		return;
	snprintf(text, sizeof(text), "%zu damaged files were set aside, the latest as %s",
		 found.gl_pathc, found.gl_pathv[found.gl_pathc - 1]);
	checks_row(call, "ledger", CHECK_WARNING, text,
		   "vgpuadm events says when; save what sqlite3 .recover can read of them, then "
		   "remove them");
	globfree(&found);
}

static void check_user(struct admin_call *call)
{
	if (geteuid() == 0)
		checks_row(call, "user", CHECK_WARNING, "vgpud runs as root",
			   "say user = vgpud in vgpud.conf, or let the unit say it, and restart");
}

/* gid: as vgpud found it last, which is what counts. */
static void check_group(struct admin_call *call, const char *what, const char *name, gid_t gid)
{
	char text[128];

	if (name[0] == '\0' || gid != ADMIN_ACCESS_NO_GROUP)
		return;
	snprintf(text, sizeof(text),
		 "vgpud knows of no group %s, whose members may %s: there was none when it looked",
		 name, what);
	checks_row(
		call, "groups", CHECK_WARNING, text,
		"groupadd --system it, where there is none, and reload vgpud; or name another in "
		"vgpud.conf");
}

static void check_groups(struct admin_call *call)
{
	const struct daemon *daemon = call->daemon;
	const struct admin_access *access = admin_server_access(daemon->admin);

	check_group(call, "change things", daemon->conf->admin_group, access->admin_gid);
	check_group(call, "look", daemon->conf->read_group, access->read_gid);
}

struct waiting {
	unsigned restart, reload;
	char first[128];
};

static void count_change(void *arg, const struct conf_change *change)
{
	struct waiting *waiting = arg;

	if (waiting->restart + waiting->reload == 0)
		snprintf(waiting->first, sizeof(waiting->first), "[%s] %s = %s", change->section,
			 change->key, change->to);
	if (change->live)
		waiting->reload++;
	else
		waiting->restart++;
}

static void check_mistakes(struct admin_call *call, const char *said)
{
	char text[512];

	snprintf(text, sizeof(text), "a restart would fail by the configuration: %.*s%s",
		 (int)strcspn(said, "\n"), said, strchr(said, '\n') != NULL ? " (and more)" : "");
	checks_row(call, "settings", CHECK_ERROR, text, "mend it; vgpud -n says all that is wrong");
}

/* reading: the configuration as it would be read now, NULL: it cannot be read. */
static void check_configuration(struct admin_call *call, const struct daemon_reading *reading)
{
	struct waiting waiting = { 0 };
	char text[256];

	if (reading == NULL) {
		checks_row(
			call, "settings", CHECK_WARNING,
			"the configuration cannot be read now: its file, or the host's users and "
			"groups, do not answer",
			"see that the file is on a local disk, and that getent passwd and getent "
			"group answer");
		return;
	}
	if (reading->err != 0) {
		check_mistakes(call, reading->said);
		return;
	}
	conf_reload_diff(call->daemon->conf, &reading->wanted, count_change, &waiting);
	if (waiting.restart + waiting.reload == 0)
		return;
	snprintf(text, sizeof(text),
		 "%u settings differ from those in force, %u of them wait for a restart: %s%s",
		 waiting.restart + waiting.reload, waiting.restart, waiting.first,
		 waiting.restart + waiting.reload > 1 ? " and others" : "");
	checks_row(call, "settings", CHECK_WARNING, text,
		   waiting.restart > 0 ? "restart vgpud when it suits (vgpuadm drain first)"
				       : "reload vgpud (systemctl reload vgpud)");
}

static void check_settings(struct admin_call *call)
{
	if (call->daemon->conf->test_opcodes)
		checks_row(
			call, "settings", CHECK_WARNING,
			"test_opcodes = yes: any guest may make the GPU fault or hang",
			"switch it off in vgpud.conf when you have seen what happens, and reload");
}

static void check_limits(struct admin_call *call)
{
	struct rlimit limit = { 0 };
	json_int_t vms = 0;
	const struct vm *vm;
	int each = call->daemon->conf->isolation_vm ? 4 : 2; /* socket, connection, worker */
	bool low;
	char text[128];

	TAILQ_FOREACH(vm, &call->daemon->broker.vms, link)
		vms++;
	getrlimit(RLIMIT_NOFILE, &limit);
	low = limit.rlim_cur < (rlim_t)(each * vms + FD_RESERVE);
	snprintf(text, sizeof(text), "%llu descriptors for %lld VMs",
		 (unsigned long long)limit.rlim_cur, (long long)vms);
	checks_row(call, "limits", low ? CHECK_WARNING : CHECK_OK, text,
		   low ? "raise LimitNOFILE= of the service" : NULL);
}

static void check_confine(struct admin_call *call)
{
	bool on = strcmp(confine_state(), "yes") == 0;
	char text[128];

	if (strcmp(confine_state(), "failed") == 0)
		snprintf(text, sizeof(text), "vgpud could not confine itself");
	else
		snprintf(text, sizeof(text), "confine = %s", confine_state());
	checks_row(call, "confine", on ? CHECK_OK : CHECK_WARNING, text,
		   on ? NULL
		      : "vgpud's first messages say why; confine = yes in vgpud.conf and a restart "
			"make it give up the system calls that it never needs");
}

/* Without confinement there is nothing to add: another check reports that. */
static void check_workers(struct admin_call *call)
{
	const char *why;
	bool all = spawn_sandbox(&why) == SANDBOX_ALL, meant = why[0] == '\0';
	char text[SANDBOX_WHY_SIZE + 64];

	if (all || meant)
		snprintf(text, sizeof(text), "%s",
			 all ? "namespaces, a cgroup and a user of their own"
			     : "started without a sandbox");
	else
		snprintf(text, sizeof(text), "their sandbox lacks parts: %s", why);
	checks_row(
		call, "workers", all ? CHECK_OK : CHECK_WARNING, text,
		all ? NULL
		    : "a worker that a request has taken over may reach more than it needs: start "
		      "vgpud by its unit, or as root with a user = of its own (vgpud(8))");
}

static void check_clock(struct admin_call *call)
{
	const struct daemon *daemon = call->daemon;
	char text[128];

	snprintf(text, sizeof(text), "%u steps of the wall clock since the start",
		 daemon->clock_steps);
	checks_row(call, "clock", daemon->clock_steps > 0 ? CHECK_WARNING : CHECK_OK, text,
		   daemon->clock_steps > 0
			   ? "durations are not touched; rows of this session keep the "
			     "clock of its start (vgpuadm events tells when it stepped)"
			   : NULL);
}

static void add_file_finding(void *call, bool well, const char *text, const char *remedy)
{
	checks_row(call, "file transport", well ? CHECK_OK : CHECK_WARNING, text,
		   well ? NULL : remedy);
}

static void check_all(struct admin_call *call, const struct daemon_reading *reading)
{
	check_ledger(call);
	check_space(call);
	check_sqlite(call);
	check_pools(call);
	check_vms(call);
	check_drain(call);
	check_set_aside(call);
	check_user(call);
	check_groups(call);
	check_configuration(call, reading);
	check_settings(call);
	check_limits(call);
	check_clock(call);
	check_confine(call);
	check_workers(call);
	checks_programs(call);
	checks_memory(call);
	checks_nvml(call);
	if (call->daemon->files != NULL)
		file_server_check(call->daemon->files, add_file_finding, call);
	admin_end(call, NULL);
}

/* --- the configuration comes from beside the loop --- */

struct checking {
	struct aside *reading;
	sd_event_source *timer;
};

static void forget_checking(struct admin_call *call)
{
	struct checking *checking = call->data;

	sd_event_source_disable_unref(checking->timer);
	free(checking);
	call->data = NULL;
	call->gone = NULL;
}

static void on_read(void *arg, const struct daemon_reading *reading)
{
	forget_checking(arg);
	check_all(arg, reading);
}

static int on_impatient(sd_event_source *source, uint64_t usec, void *arg)
{
	struct admin_call *call = arg;

	(void)source;
	(void)usec;
	aside_end(((struct checking *)call->data)->reading);
	forget_checking(call);
	check_all(call, NULL);
	return 0;
}

static void on_gone(struct admin_call *call)
{
	aside_end(((struct checking *)call->data)->reading);
	forget_checking(call);
	admin_end(call, NULL);
}

void admin_checks(struct admin_call *call)
{
	struct daemon *daemon = call->daemon;
	struct checking *checking = calloc(1, sizeof(*checking));

	if (checking == NULL) {
		admin_fail(call, ADMIN_ERROR_REFUSED, "out of memory");
		return;
	}
	call->data = checking;
	call->gone = on_gone;
	/* Readers ask for checks, and must not use up what administrators may need. */
	if (aside_busy() >= ASIDE_MAX / 2 ||
	    sd_event_add_time_relative(daemon->event, &checking->timer, CLOCK_MONOTONIC,
				       READING_PATIENCE_USEC, 0, on_impatient, call) < 0 ||
	    daemon_read_again(&checking->reading, daemon, on_read, call) != 0) {
		forget_checking(call);
		check_all(call, NULL);
	}
}

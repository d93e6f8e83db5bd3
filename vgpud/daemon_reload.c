/* SPDX-License-Identifier: GPL-2.0-or-later */
/* daemon_reload.c - the configuration as it would be read now, and SIGHUP, which takes it */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "common/log.h"
#include "common/util.h"
#include "vgpud/admin/server.h"
#include "vgpud/aside.h"
#include "vgpud/conf/reload.h"
#include "vgpud/daemon_private.h"

/*
 * The file may lie on a server, and the users and groups that it names may be in a directory on the
 * network. So it is read beside the loop, and judged and taken by the loop once it is there.
 */

struct errand {
	struct daemon_reading reading; /* first: done() gets it */
	int (*read_again)(void *arg, struct conf *wanted, conf_report *report, void *report_arg);
	void *read_again_arg; /* of the command line, which stays */
	void (*done)(void *arg, const struct daemon_reading *reading);
};

/* Keeps the sentences, one a line; what is beyond the room is left out. */
static void keep_sentence(void *arg, const char *sentence)
{
	struct daemon_reading *reading = arg;
	size_t len = strlen(reading->said);

	snprintf(reading->said + len, sizeof(reading->said) - len, "%s%s", len > 0 ? "\n" : "",
		 sentence);
}

static void read_it(void *data)
{
	struct errand *errand = data;
	struct daemon_reading *reading = &errand->reading;

	if (errand->read_again != NULL)
		reading->err = errand->read_again(errand->read_again_arg, &reading->wanted,
						  keep_sentence, reading);
	if (reading->err == 0)
		admin_access_find(&reading->access, &reading->wanted);
}

static void hand_over(void *arg, void *data)
{
	const struct errand *errand = data;

	errand->done(arg, &errand->reading);
}

static const struct aside_work work = { .run = read_it, .done = hand_over, .drop = free };

/* whole: else the groups of the running configuration alone. */
static int begin(struct aside **out, struct daemon *daemon, bool whole,
		 void (*done)(void *arg, const struct daemon_reading *reading), void *arg)
{
	struct errand *errand = calloc(1, sizeof(*errand));

	if (errand == NULL)
		return -ENOMEM;
	errand->reading.wanted = *daemon->conf;
	errand->read_again = whole ? daemon->read_again : NULL;
	errand->read_again_arg = daemon->read_again_arg;
	errand->done = done;
	return aside_begin(out, daemon->event, &work, errand, arg);
}

int daemon_read_again(struct aside **out, struct daemon *daemon,
		      void (*done)(void *arg, const struct daemon_reading *reading), void *arg)
{
	return begin(out, daemon, true, done, arg);
}

/* --- the groups at the start --- */

static void on_groups(void *arg, const struct daemon_reading *reading)
{
	struct daemon *daemon = arg;

	admin_server_set_access(daemon->admin, &reading->access);
	daemon_looked_up(daemon);
}

void daemon_find_groups(struct daemon *daemon)
{
	int err = begin(NULL, daemon, false, on_groups, daemon);

	if (err == 0)
		daemon->lookups++;
	else
		log_error("cannot look up the groups of [admin]: %s; root alone may use vgpuadm "
			  "until a reload",
			  strerror(-err));
}

/* --- SIGHUP --- */

static void say_change(void *arg, const struct conf_change *change)
{
	(void)arg;
	log_info("reload: [%s] %s: %s, was %s%s", change->section, change->key, change->to,
		 change->from, change->live ? "" : "; this needs a restart, and waits for it");
}

void daemon_say_test_opcodes(const struct conf *conf)
{
	if (conf->test_opcodes)
		log_warning(
			"test_opcodes = yes: any guest may make the GPU fault or hang; switch it off "
			"when you have seen what happens");
}

static void refuse(struct daemon *daemon, const char *said)
{
	char line[DAEMON_SAID_SIZE];

	for (const char *at = said; *at != '\0';) {
		size_t len = strcspn(at, "\n");

		snprintf(line, sizeof(line), "%.*s", (int)len, at);
		log_error("%s", line);
		at += len + (at[len] != '\0');
	}
	log_error("reload: the configuration was not taken; nothing has changed");
	daemon_tell(daemon, "reload-refused", NULL,
		    "the configuration has a mistake, which the log names; nothing has changed");
}

static void take(struct daemon *daemon, const struct daemon_reading *reading)
{
	unsigned changes = conf_reload_diff(daemon->conf, &reading->wanted, say_change, NULL);

	conf_reload_apply(daemon->conf, &reading->wanted);
	broker_conf_changed(&daemon->broker);
	programs_conf_changed(daemon->programs);
	daemon_say_test_opcodes(daemon->conf);
	admin_server_set_access(daemon->admin, &reading->access);
	daemon_owner_again(daemon);
	log_info("reload: done, %u settings differ", changes);
	daemon_tell(daemon, "reload", NULL, "the configuration was read again");
}

static void end_reload(struct daemon *daemon)
{
	if (daemon->ready)
		sd_notify(0, "READY=1");
}

/* All or nothing: a configuration with a mistake in it changes nothing. */
static void on_read(void *arg, const struct daemon_reading *reading)
{
	struct daemon *daemon = arg;

	daemon->reload = NULL;
	if (reading->err != 0)
		refuse(daemon, reading->said);
	else
		take(daemon, reading);
	end_reload(daemon);
}

int daemon_on_reload(sd_event_source *source, const struct signalfd_siginfo *si, void *arg)
{
	struct daemon *daemon = arg;
	struct aside *newer;
	int err;

	(void)source;
	(void)si;
	if (daemon->ready) /* else READY=1 at the reload's end would come too early */
		sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu",
			   (unsigned long long)(util_now_ns() / UTIL_NS_PER_US));
	err = daemon_read_again(&newer, daemon, on_read, daemon);
	if (err == 0) {
		aside_end(daemon->reload); /* it may have read the file before it was changed */
		daemon->reload = newer;
		return 0;
	}
	log_error("reload: the configuration cannot be read again now (%s); nothing has changed, "
		  "reload again later",
		  err == -EBUSY ? "the host's users and groups, or a file server, do not answer"
				: strerror(-err));
	if (daemon->reload == NULL)
		end_reload(daemon);
	return 0;
}

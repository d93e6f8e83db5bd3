/* SPDX-License-Identifier: GPL-2.0-or-later */
/* daemon_reload.c - SIGHUP: reads the configuration again */

#include <stdlib.h>
#include <systemd/sd-daemon.h>

#include "common/log.h"
#include "common/util.h"
#include "vgpud/admin/server.h"
#include "vgpud/conf/reload.h"
#include "vgpud/daemon_private.h"

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

static void end_reload(struct daemon *daemon)
{
	if (daemon->ready)
		sd_notify(0, "READY=1");
}

/* The new groups are known: the last step of a reload. */
static void on_groups_found(void *arg)
{
	struct daemon *daemon = arg;

	log_info("reload: done, %u settings differ", daemon->reload_changes);
	daemon_tell(daemon, "reload", NULL, "the configuration was read again");
	end_reload(daemon);
}

int daemon_on_reload(sd_event_source *source, const struct signalfd_siginfo *si, void *arg)
{
	struct daemon *daemon = arg;
	struct conf *wanted = calloc(1, sizeof(*wanted));

	(void)source;
	(void)si;
	if (daemon->ready) /* else READY=1 at the reload's end would come too early */
		sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu",
			   (unsigned long long)(util_now_ns() / UTIL_NS_PER_US));
	if (wanted == NULL || daemon->read_again(daemon->read_again_arg, wanted) != 0) {
		log_error("reload: the configuration was not taken; nothing has changed");
		daemon_tell(
			daemon, "reload-refused", NULL,
			"the configuration has a mistake, which the log names; nothing has changed");
		end_reload(daemon);
	} else {
		daemon->reload_changes = conf_reload_diff(daemon->conf, wanted, say_change, NULL);
		conf_reload_apply(daemon->conf, wanted);
		broker_conf_changed(&daemon->broker);
		daemon_say_test_opcodes(daemon->conf);
		admin_server_find_groups(daemon->admin, on_groups_found, daemon);
	}
	free(wanted);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* daemon_ledger.c - opens the ledger, and reports when its state changes */

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/epoll.h>

#include "common/log.h"
#include "vgpud/daemon_private.h"
#include "vgpud/ledger/ledger.h"

static void say_of_ledger(const char *sentence)
{
	log_warning("ledger: %s", sentence);
}

int daemon_open_ledger(const struct conf *conf, struct ledger **ledger)
{
	struct ledger_config config = {
		.ring_records = conf->ring_records,
		.batch_ms = conf->batch_ms,
		.retention_days = conf->retention_days,
		.minute_days = conf->minute_days,
		.max_bytes = conf->ledger_max_bytes,
		.lossy = conf->ledger_lossy,
		.version = VGPU_VERSION,
		.say = say_of_ledger,
	};
	char db[PATH_MAX], ring[PATH_MAX], why[512];

	if (conf_state_dir(conf) == NULL) {
		*ledger = ledger_null_open();
		log_warning("no ledger is kept (--no-ledger): requests leave no record");
		return *ledger != NULL ? 0 : -ENOMEM;
	}
	snprintf(db, sizeof(db), "%s/vgpud.db", conf->state_dir);
	snprintf(ring, sizeof(ring), "%s/vgpud.ring", conf->state_dir);
	config.db_path = db;
	config.ring_path = ring;
	if (ledger_sqlite_open(ledger, &config, why, sizeof(why)) == 0)
		return 0;
	log_error("%s", why);
	return -EIO;
}

/* Logs a new state of the ledger and adds an event, which is written once that is possible. */
static void tell_ledger_state(struct daemon *daemon, const struct ledger_stats *stats)
{
	const struct ledger_event event = {
		.kind = "ledger-state",
		.old_value = ledger_state_name((enum ledger_state)daemon->ledger_state),
		.new_value = ledger_state_name(stats->state),
		.text = stats->state == LEDGER_OK ? "it takes records again" : stats->error,
		.uid = -1,
		.pid = -1,
	};

	ledger_event(daemon->broker.ledger, &event);
}

static int on_ledger(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct daemon *daemon = arg;
	struct ledger_stats stats;

	(void)source;
	(void)fd;
	(void)revents;
	if (!ledger_dispatch(daemon->broker.ledger))
		return 0;
	ledger_stats(daemon->broker.ledger, &stats);
	if (stats.state == daemon->ledger_state)
		return 0;
	tell_ledger_state(daemon, &stats);
	daemon->ledger_state = stats.state;
	if (stats.state == LEDGER_OK)
		log_info("the ledger takes records again");
	else
		log_error("the ledger does not take records: %s; vgpuadm doctor says what helps",
			  stats.error);
	return 0;
}

int daemon_watch_ledger(struct daemon *daemon)
{
	return sd_event_add_io(daemon->event, NULL, ledger_fd(daemon->broker.ledger), EPOLLIN,
			       on_ledger, daemon);
}

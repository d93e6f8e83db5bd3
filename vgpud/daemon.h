/* SPDX-License-Identifier: GPL-2.0-or-later */
/* daemon.h - sets the daemon up from its parts and runs it */

#ifndef VGPUD_DAEMON_H
#define VGPUD_DAEMON_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "vgpud/conf/conf.h"
#include "vgpud/ledger/ledger.h"
#include "vgpud/request/broker.h"
#include "vgpud/vm/recording.h"

struct admin_call;
struct admin_drain;
struct admin_server;
struct admin_server_config;
struct file_server;

/* A drain: since when, and by which user, new requests are refused. */
struct daemon_drain {
	int64_t since_ns; /* since the Unix epoch */
	int64_t uid;
	bool kept; /* it outlives a restart */
};

struct daemon {
	struct broker broker;
	struct conf *conf;
	int (*read_again)(void *arg, struct conf *wanted);
	void *read_again_arg;
	sd_event *event;
	struct vm_past_list past; /* VMs that were removed */
	struct recording recording;
	struct daemon_drain draining;  /* while broker.draining */
	sd_event_source *record_retry; /* NULL: it has nothing to try again */
	struct admin_server *admin;
	struct file_server *files; /* NULL: off */
	TAILQ_HEAD(admin_drain_list, admin_drain)
	drains;					/* calls that wait for the last request's end */
	void (*drained)(struct daemon *daemon); /* answers them; NULL: there are none */
	uint64_t started_ns;			/* CLOCK_MONOTONIC */
	int64_t wall_offset_ns;			/* wall clock minus monotonic, at the start */
	int64_t clock_offset_ns;		/* the same as of the last step of the wall clock */
	unsigned clock_steps;
	int clock_fd;	       /* or -1 */
	pid_t starter;	       /* the process that starts all others */
	unsigned ledger_state; /* enum ledger_state, as last logged */
	bool ready;
	unsigned reload_changes; /* of the reload that is under way */
};

/*
 * Runs until SIGTERM, SIGINT, or the end of the captive command.
 * conf: changed by SIGHUP. read_again: makes the configuration anew; it reports mistakes itself and
 * then does not return 0. admin: its handlers; the other fields are filled in.
 * Return: the process's exit status: 0, 1 when it could not start (and said why), or the captive
 * command's.
 */
int daemon_run(struct conf *conf, int (*read_again)(void *arg, struct conf *wanted), void *arg,
	       const struct admin_server_config *admin);

/*
 * Opens the VM's port as its settings say: a socket in the runtime directory, or QEMU's. A device
 * that connects waits until port_begin().
 * why: on failure a sentence.
 * Return: 0 or -errno.
 */
int daemon_open_port(struct daemon *daemon, struct vm *vm, char *why, size_t why_size);

/*
 * Begins a drain. keep: it outlives restarts until an administrator ends it, so it is written to
 * its file before it takes effect; else it ends with this vgpud, and does not change a kept one.
 * Return: 0, or -errno: the file could not be written, and nothing has changed.
 */
int daemon_drain_begin(struct daemon *daemon, bool keep, int64_t uid);

/* Ends a drain. Return: 0, or -errno: its file could not be removed, and nothing has changed. */
int daemon_drain_end(struct daemon *daemon);

#endif

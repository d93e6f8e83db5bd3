/* SPDX-License-Identifier: GPL-2.0-or-later */
/* daemon.h - sets the daemon up from its parts and runs it */

#ifndef VGPUD_DAEMON_H
#define VGPUD_DAEMON_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "vgpud/admin/access.h"
#include "vgpud/conf/conf.h"
#include "vgpud/conf/file.h"
#include "vgpud/ledger/ledger.h"
#include "vgpud/programs/programs.h"
#include "vgpud/request/broker.h"
#include "vgpud/vm/recording.h"

struct admin_call;
struct admin_drain;
struct admin_server;
struct admin_server_config;
struct aside;
struct file_server;

/* A drain: since when, and by which user, new requests are refused. */
struct daemon_drain {
	int64_t since_ns; /* since the Unix epoch */
	int64_t uid;
	bool kept; /* it outlives a restart */
};

/*
 * Makes the configuration anew, in any thread. Return: 0; else report() was called with a sentence
 * for each mistake.
 */
typedef int daemon_read_again_fn(void *arg, struct conf *wanted, conf_report *report,
				 void *report_arg);

struct daemon {
	struct broker broker;
	struct conf *conf;
	daemon_read_again_fn *read_again;
	void *read_again_arg;
	sd_event *event;
	struct vm_past_list past; /* VMs that were removed */
	struct recording recording;
	struct daemon_drain draining;  /* while broker.draining */
	sd_event_source *record_retry; /* off while there is nothing to try again */
	struct admin_server *admin;
	struct file_server *files; /* NULL: off */
	struct programs *programs;
	TAILQ_HEAD(admin_drain_list, admin_drain)
	drains;					/* calls that wait for the last request's end */
	void (*drained)(struct daemon *daemon); /* answers them; NULL: there are none */
	uint64_t started_ns;			/* CLOCK_MONOTONIC */
	int64_t clock_offset_ns; /* wall clock minus monotonic, as of the last step of the wall clock */
	unsigned clock_steps;
	int clock_fd;	       /* or -1 */
	pid_t starter;	       /* the process that starts all others */
	pid_t command;	       /* of captive mode */
	unsigned ledger_state; /* enum ledger_state, as last logged */
	bool ready;
	struct aside *reload;	 /* the reload that is under way, or NULL */
	unsigned lookups;	 /* of groups and owners that are under way */
	unsigned owner_searches; /* owners' among them */
	bool impatient;		 /* ready waits for no look-up any more */
};

/*
 * Runs until SIGTERM, SIGINT, or the end of the captive command.
 * conf: changed by SIGHUP. admin: its handlers; the other fields are filled in.
 * Return: the process's exit status: 0, 1 when it could not start (and said why), or the captive
 * command's.
 */
int daemon_run(struct conf *conf, daemon_read_again_fn *read_again, void *arg,
	       const struct admin_server_config *admin);

/*
 * Opens the VM's port as its settings say: a socket in the runtime directory, or QEMU's. A device
 * that connects waits until port_begin().
 * why: on failure a sentence.
 * Return: 0 or -errno.
 */
int daemon_open_port(struct daemon *daemon, struct vm *vm, char *why, size_t why_size);

#define DAEMON_SAID_SIZE 2048

/* The configuration as it is now. */
struct daemon_reading {
	int err; /* 0, or it has mistakes */
	struct conf wanted;
	struct admin_access access;  /* its groups */
	char said[DAEMON_SAID_SIZE]; /* what is wrong, a sentence a line */
};

/*
 * Reads it beside the loop; done() is called from the loop. out: as aside_begin() has it.
 * Return: 0 or -errno, as aside_begin() has them.
 */
int daemon_read_again(struct aside **out, struct daemon *daemon,
		      void (*done)(void *arg, const struct daemon_reading *reading), void *arg);

/* Tells who the owner is that an administrator is about to give the VM: it was looked up. */
void daemon_owner_known(struct vm *vm, const char *of, const struct vm_owner *owner);

/*
 * Begins a drain. keep: it outlives restarts until an administrator ends it, so it is written to
 * its file before it takes effect; else it ends with this vgpud, and does not change a kept one.
 * Return: 0, or -errno: the file could not be written, and nothing has changed.
 */
int daemon_drain_begin(struct daemon *daemon, bool keep, int64_t uid);

/*
 * Has the disk keep a drain over a power failure too, beside the loop. done: called from the loop.
 * out, return: as aside_begin() has them.
 */
int daemon_drain_sync(struct aside **out, struct daemon *daemon, void (*done)(void *arg, int err),
		      void *arg);

/* Return: requests and programs that are here: a drain waits until there are none. */
unsigned daemon_live(const struct daemon *daemon);

/*
 * Lets no new programs onto a GPU (index in conf->gpu), or lets them again. It outlives restarts.
 * Return: 0, or -errno: it could not be written down, and nothing has changed.
 */
int daemon_drain_gpu(struct daemon *daemon, unsigned gpu, bool drain);

/* Ends a drain. Return: 0, or -errno: its file could not be removed, and nothing has changed. */
int daemon_drain_end(struct daemon *daemon);

#endif

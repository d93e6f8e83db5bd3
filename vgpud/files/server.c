/* SPDX-License-Identifier: GPL-2.0-or-later */
/* server.c - requests that come as files, and answers that go as files */

#include "vgpud/files/server.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log.h"
#include "common/util.h"
#include "proc/child.h"
#include "proc/spawn.h"
#include "vgpud/files/scan.h"
#include "vgpud/files/server_private.h"

/*
 * Theory of operation. A process of its own does all I/O (files/scan.c), so that only that process
 * hangs with a file system. It sends notes about what it finds. Here each VM that ever sent a file
 * has a slot:
 *
 *   IDLE -> (a request is told) -> ASKED -> (the broker answers) -> ANSWERED -> (the process has
 *   written it) -> IDLE
 *
 * When the process dies, the next one is told which VMs are not IDLE, and gets the answers that the
 * first did not confirm. When vgpud dies, the process of the next vgpud finds requests that were
 * taken and not answered; they end with BACKEND_LOST. So a request runs once or not at all, never
 * twice.
 */

#define RESTART_USEC 1000000ull
#define TICK_LEAST_MS 100u
#define HUNG_NS (10 * UTIL_NS_PER_S) /* besides three intervals */
#define END_MS 2000
#define NOTES_AT_ONCE 64
#define FINDING_SIZE (CONF_PATH_SIZE + VM_NAME_SIZE + FILE_TEXT_SIZE + 64)

int file_server_send(const struct file_server *server, const void *order, size_t len_bytes)
{
	if (server->fd < 0)
		return -ENOTCONN;
	return send(server->fd, order, len_bytes, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* --- notes of the process --- */

/*
 * A guest can make its directory unreadable and readable a thousand times a second. So this is
 * logged a few times and then as a summary, like a device that connects and hangs up.
 */
static void on_trouble(struct file_server *server, const struct file_note *note)
{
	const struct vm *vm = vm_find(&server->broker->vms, note->name);
	struct file_slot *slot = vm != NULL ? file_slot_take(server, vm) : NULL;
	struct log_flood *flood = slot != NULL ? &slot->troubles : &server->troubles;
	const char *dir = server->broker->conf->file_dir;
	const char *slash = note->name[0] != '\0' ? "/" : "";

	/* For file_server_check(); empty when it is over. */
	if (note->name[0] == '\0')
		memcpy(server->trouble, note->text, sizeof(server->trouble));
	else if (slot != NULL)
		memcpy(slot->trouble, note->text, sizeof(slot->trouble));
	if (!log_flood_pass(flood, util_now_ns()))
		return;
	if (note->len_bytes > 0)
		log_warning("file transport: %s%s%s: cannot look there: %s; it is tried again all "
			    "the time",
			    dir, slash, note->name, note->text);
	else
		log_info("file transport: %s%s%s: looking there again", dir, slash, note->name);
}

/* name: of the VM, "" for the directory above all. */
static void tell_sum(const struct file_server *server, struct log_flood *flood, const char *name,
		     const char *trouble)
{
	unsigned times, over_s;

	if (log_flood_due_ns(flood) > util_now_ns())
		return;
	times = log_flood_sum(flood, util_now_ns(), &over_s);
	log_warning("file transport: %s%s%s: could not be looked at, or could again, %u times more "
		    "in the last %u s; now it can%s%s",
		    server->broker->conf->file_dir, name[0] != '\0' ? "/" : "", name, times, over_s,
		    trouble[0] != '\0' ? "not: " : "", trouble);
}

static void tell_sums(struct file_server *server)
{
	struct file_slot *slot;

	tell_sum(server, &server->troubles, "", server->trouble);
	TAILQ_FOREACH(slot, &server->slots, link)
		tell_sum(server, &slot->troubles, slot->name, slot->trouble);
}

static void on_answered(struct file_slot *slot, const struct file_note *note)
{
	if (slot == NULL || slot->state != SLOT_ANSWERED)
		return;
	slot->state = SLOT_IDLE;
	memcpy(slot->answer_trouble, note->text, sizeof(slot->answer_trouble));
	if (note->len_bytes > 0)
		file_slot_complain(slot, "cannot write its response.txt: %s; the answer is lost",
				   note->text);
}

static void on_left(struct file_server *server, struct file_slot *slot)
{
	file_slot_complain(slot, "a request that was taken before vgpud ended was not answered; it "
				 "ends with BACKEND_LOST");
	file_slot_answer(server, slot, VGPU_ERR_BACKEND_LOST, 0);
}

/* A request, or a file that is no valid request. */
static void on_found(struct file_server *server, const struct file_note *note)
{
	struct vm *vm = vm_find(&server->broker->vms, note->name);
	struct file_slot *slot = vm != NULL ? file_slot_take(server, vm) : NULL;

	if (slot == NULL || slot->state != SLOT_IDLE) {
		/* The VM was removed, but the process does not know that yet: release its
		 * directory. */
		struct file_order_answer gone = { .kind = FILE_ORDER_ANSWER };

		if (slot != NULL)
			return;
		memcpy(gone.name, note->name, sizeof(gone.name));
		gone.len_bytes = (uint32_t)file_format_answer(gone.text, VGPU_ERR_CANCELLED, 0);
		file_server_send(server, &gone, sizeof(gone));
	} else if (note->kind == FILE_NOTE_REQUEST) {
		file_slot_request(server, slot, vm, note);
	} else if (note->kind == FILE_NOTE_REFUSED && note->status != VGPU_ERR_OK &&
		   note->status < VGPU_ERROR_NUM) {
		file_slot_refuse(server, slot, vm, note->status, note->text);
	} else {
		on_left(server, slot);
	}
}

static void on_scanned(struct file_server *server)
{
	if (server->hung)
		log_info("file transport: %s: answers again", server->broker->conf->file_dir);
	server->hung = false;
	server->scanned_ns = util_now_ns();
}

static void take_note(struct file_server *server, const struct file_note *note)
{
	switch ((enum file_note_kind)note->kind) {
	case FILE_NOTE_REQUEST:
	case FILE_NOTE_REFUSED:
	case FILE_NOTE_LEFT:
		on_found(server, note);
		break;
	case FILE_NOTE_ANSWERED:
		on_answered(file_slot_find(server, note->name), note);
		break;
	case FILE_NOTE_STRANGER:
		if (vm_find(&server->broker->vms, note->name) != NULL)
			break; /* the VM has just been added */
		if (server->strangers < FILE_STRANGERS_KEPT)
			memcpy(server->stranger[server->strangers++], note->name,
			       sizeof(note->name));
		log_warning("file transport: %s/%s: requests are written there, but there is no "
			    "such VM (vgpuadm add-vm %s makes it one); they are left alone",
			    server->broker->conf->file_dir, note->name, note->name);
		break;
	case FILE_NOTE_TROUBLE:
		on_trouble(server, note);
		break;
	case FILE_NOTE_SCANNED:
		on_scanned(server);
		break;
	case FILE_NOTE_NUM:
		break;
	}
}

/* Return: 1, 0: nothing there, -errno: there will be nothing any more. */
static int read_note(struct file_server *server, struct file_note *note)
{
	ssize_t len = recv(server->fd, note, sizeof(*note), MSG_DONTWAIT);

	if (len < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (len != sizeof(*note) || note->len_bytes >= sizeof(note->text))
		return -EPIPE;
	note->text[note->len_bytes] =
		'\0'; /* a phrase is used as a string; a request by its length */
	note->name[sizeof(note->name) - 1] = '\0';
	return 1;
}

/* --- the process --- */

static void stop_process(struct file_server *server)
{
	server->io = sd_event_source_disable_unref(server->io);
	if (server->fd >= 0)
		close(server->fd);
	server->fd = -1;
	server->vms_sent = false;
}

static int on_process(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct file_server *server = arg;
	struct file_note note;
	int got = 1;

	(void)source;
	(void)fd;
	(void)revents;
	for (int i = 0; i < NOTES_AT_ONCE && got > 0; i++) {
		got = read_note(server, &note);
		if (got > 0)
			take_note(server, &note);
	}
	if (got < 0)
		stop_process(server); /* the next one comes when this one is gone */
	return 0;
}

static int on_exit_of_process(sd_event_source *source, int pidfd, uint32_t revents, void *arg)
{
	struct file_server *server = arg;
	struct file_note note;
	siginfo_t si;

	(void)source;
	(void)pidfd;
	(void)revents;
	if (!child_has_ended(server->pid, &si))
		return 0;
	child_reap(server->pid);
	/* Notes that it sent before its end count. */
	while (server->fd >= 0 && read_note(server, &note) > 0)
		take_note(server, &note);
	stop_process(server);
	server->child = sd_event_source_disable_unref(server->child);
	server->strangers = 0; /* the next one tells of them again */
	log_warning("file transport: its process %d ended (%s %d); starting another",
		    (int)si.si_pid, si.si_code == CLD_EXITED ? "status" : "signal", si.si_status);
	server->next_start_ns = util_now_ns() + RESTART_USEC * UTIL_NS_PER_US;
	return 0;
}

void file_server_task(char *out, const struct conf *conf)
{
	struct file_scan_task task = { .interval_ms = conf->file_poll_interval_ms,
				       .inotify = conf->file_inotify,
				       .dir = conf->file_dir };

	out[0] = '\0';
	if (conf->file_dir[0] != '\0')
		file_scan_format(out, FILE_SERVER_TASK_SIZE, &task);
}

static void start_process(struct file_server *server)
{
	int pair[2], started, err;

	server->next_start_ns = util_now_ns() + RESTART_USEC * UTIL_NS_PER_US;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		log_error("file transport: cannot start its process: %s", strerror(errno));
		return;
	}
	started = spawn_start(&server->pid, SPAWN_FILES, NULL,
			      &(struct spawn_fd){ FILE_SOCKET, pair[1] }, 1);
	close(pair[1]);
	server->fd = pair[0];
	err = started;
	if (err == 0)
		err = sd_event_add_io(server->event, &server->io, server->fd, EPOLLIN, on_process,
				      server);
	if (err >= 0)
		err = child_watch(server->event, &server->child, server->pid, on_exit_of_process,
				  server);
	if (err < 0) {
		log_error("file transport: cannot start its process: %s", strerror(-err));
		stop_process(server);
		if (started == 0)
			spawn_abandon(server->pid);
	}
	server->scanned_ns = util_now_ns();
}

/* --- at each tick --- */

static void fill_vms(struct file_server *server, struct file_order_vms *vms)
{
	struct vm *vm;

	memset(vms, 0, sizeof(*vms));
	vms->kind = FILE_ORDER_VMS;
	TAILQ_FOREACH(vm, &server->broker->vms, link) {
		if (vms->num == FILE_VM_MAX) {
			if (!server->too_many)
				log_warning("file transport: only the first %d VMs are served",
					    FILE_VM_MAX);
			server->too_many = true;
			return;
		}
		memcpy(vms->vm[vms->num++].name, vm->name, VM_NAME_SIZE);
	}
}

static size_t vms_size(const struct file_order_vms *vms)
{
	return offsetof(struct file_order_vms, vm) + vms->num * sizeof(vms->vm[0]);
}

/* Sends the list of VMs, if it has changed or the process is new. */
static void send_vms(struct file_server *server)
{
	static struct file_order_vms vms, now;

	fill_vms(server, &vms);
	if (server->vms_sent && vms.num == server->vms.num &&
	    memcmp(&vms, &server->vms, vms_size(&vms)) == 0)
		return;
	now = vms;
	for (uint32_t i = 0; i < now.num; i++) {
		const struct file_slot *slot = file_slot_find(server, now.vm[i].name);

		now.vm[i].busy = slot != NULL && slot->state != SLOT_IDLE;
	}
	if (file_server_send(server, &now, vms_size(&now)) != 0)
		return;
	if (!server->vms_sent) { /* a new process: it has no answers yet */
		struct file_slot *slot;

		TAILQ_FOREACH(slot, &server->slots, link) {
			slot->again = slot->sent;
			slot->sent = false;
		}
	}
	server->vms = vms;
	server->vms_sent = true;
}

static void look_after_process(struct file_server *server)
{
	const struct conf *conf = server->broker->conf;
	uint64_t now_ns = util_now_ns();

	if (server->child == NULL) {
		if (now_ns >= server->next_start_ns)
			start_process(server);
		return;
	}
	if (server->hung ||
	    now_ns - server->scanned_ns <
		    HUNG_NS + 3 * (uint64_t)conf->file_poll_interval_ms * UTIL_NS_PER_MS)
		return;
	server->hung = true;
	log_warning("file transport: %s does not answer for %llu s now; if it is on NFS, look at "
		    "its server; requests by device go on",
		    conf->file_dir,
		    (unsigned long long)((now_ns - server->scanned_ns) / UTIL_NS_PER_S));
}

static int on_tick(sd_event_source *source, uint64_t usec, void *arg)
{
	struct file_server *server = arg;
	uint64_t tick_ms = server->broker->conf->file_poll_interval_ms;

	(void)usec;
	look_after_process(server);
	file_slot_look_after(server);
	tell_sums(server);
	send_vms(server);
	if (tick_ms < TICK_LEAST_MS)
		tick_ms = TICK_LEAST_MS;
	if (tick_ms > UTIL_NS_PER_S / UTIL_NS_PER_MS)
		tick_ms = UTIL_NS_PER_S / UTIL_NS_PER_MS;
	sd_event_source_set_time_relative(source, tick_ms * 1000);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/* --- start and end --- */

int file_server_open(struct file_server **out, sd_event *event, struct broker *broker)
{
	const struct conf *conf = broker->conf;
	struct file_server *server;
	int err;

	*out = NULL;
	if (conf->file_dir[0] == '\0')
		return 0;
	server = calloc(1, sizeof(*server));
	if (server == NULL)
		return -ENOMEM;
	server->origin = (struct request_origin){ .transport = LEDGER_TRANSPORT_FILE,
						  .answer = file_slot_answer_request };
	server->broker = broker;
	server->event = event;
	server->fd = -1;
	server->next_sequence = 1;
	TAILQ_INIT(&server->slots);
	err = sd_event_add_time_relative(event, &server->tick, CLOCK_MONOTONIC, 0, 0, on_tick,
					 server);
	if (err < 0) {
		free(server);
		return err;
	}
	log_info("file transport: requests are taken from %s too, each %u ms%s", conf->file_dir,
		 conf->file_poll_interval_ms, conf->file_inotify ? " and at once by inotify" : "");
	*out = server;
	return 0;
}

/* --- state and findings for administrators --- */

const char *file_server_state(const struct file_server *server)
{
	if (server == NULL)
		return "off";
	if (server->hung)
		return "hung";
	if (server->child == NULL || !server->vms_sent)
		return "starting";
	return server->trouble[0] != '\0' ? "failing" : "ok";
}

void file_server_check(const struct file_server *server, file_server_finding *finding, void *arg)
{
	const char *dir = server->broker->conf->file_dir, *state = file_server_state(server);
	const struct file_slot *slot;
	char text[FINDING_SIZE];
	bool well = strcmp(state, "ok") == 0;

	if (server->trouble[0] != '\0')
		snprintf(text, sizeof(text), "%s: %s", dir, server->trouble);
	else
		snprintf(text, sizeof(text), "%s: %s", dir,
			 well ? "requests are taken from there"
			 : strcmp(state, "hung") == 0
				 ? "it does not answer"
				 : "its process is not there, and is started again");
	finding(arg, well, text,
		server->hung ? "if it is on NFS, look at its server; requests by device go on"
			     : "see that it is there, and that vgpud may read and write in it");
	TAILQ_FOREACH(slot, &server->slots, link) {
		bool opened = slot->trouble[0] == '\0';

		if (opened && slot->answer_trouble[0] == '\0')
			continue;
		snprintf(text, sizeof(text), "%s/%s: %s: %s", dir, slot->name,
			 opened ? "its last answer could not be written" : "cannot look there",
			 opened ? slot->answer_trouble : slot->trouble);
		finding(arg, false, text,
			"make it a plain directory in which vgpud may read and write, with room");
	}
	for (unsigned i = 0; i < server->strangers; i++) {
		if (vm_find(&server->broker->vms, server->stranger[i]) != NULL)
			continue;
		snprintf(text, sizeof(text), "%s/%s: requests were written there for no VM", dir,
			 server->stranger[i]);
		finding(arg, false, text,
			"vgpuadm add-vm makes it one; or stop the program that writes there");
	}
}

/* --- the end --- */

/* Waits, since two such processes, this one and the next vgpud's, must not run at the same time. */
static void wait_for_process(pid_t pid)
{
	struct pollfd ready = { .fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN };

	if (ready.fd < 0)
		return;
	if (poll(&ready, 1, END_MS) == 0)
		log_warning("file transport: its process %d hangs; it ends by itself when the "
			    "directory answers again",
			    (int)pid);
	close(ready.fd);
}

void file_server_close(struct file_server *server)
{
	bool runs = server != NULL && server->child != NULL;
	struct file_slot *slot;

	if (server == NULL)
		return;
	/* It works off the orders that it has, finds the socket closed, and ends. */
	server->child = sd_event_source_disable_unref(server->child);
	stop_process(server);
	if (runs)
		wait_for_process(server->pid);
	sd_event_source_disable_unref(server->tick);
	while ((slot = TAILQ_FIRST(&server->slots)) != NULL) {
		TAILQ_REMOVE(&server->slots, slot, link);
		free(slot);
	}
	free(server);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* server_private.h - what the files of the file server share */

#ifndef VGPUD_FILES_SERVER_PRIVATE_H
#define VGPUD_FILES_SERVER_PRIVATE_H

#include "common/log.h"
#include "vgpud/files/server.h"
#include "vgpud/files/wire.h"

#define FILE_STRANGERS_KEPT 8

enum file_slot_state { SLOT_IDLE, SLOT_ASKED, SLOT_ANSWERED };

struct file_slot {
	TAILQ_ENTRY(file_slot) link;
	char name[VM_NAME_SIZE];
	enum file_slot_state state;
	uint64_t sequence; /* of its request, while ASKED */
	bool sent;	   /* while ANSWERED: the answer was sent to the process */
	bool again;	   /* an earlier process had the answer, and may have written it */
	size_t len_bytes;
	char answer[FILE_FORMAT_ANSWER_SIZE];
	unsigned told;
	struct log_limit complaints;
	struct log_flood troubles;    /* its directory could not be looked at, or could again */
	char trouble[FILE_TEXT_SIZE]; /* why its directory cannot be looked at, or empty */
	char answer_trouble[FILE_TEXT_SIZE]; /* why its last answer could not be written */
};

struct file_server {
	struct request_origin origin; /* first, so that a request leads here */
	struct broker *broker;
	sd_event *event;
	int fd; /* to the process, or -1 */
	pid_t pid;
	sd_event_source *io;
	sd_event_source *child;
	sd_event_source *tick;
	TAILQ_HEAD(, file_slot) slots;
	uint64_t next_sequence;
	struct file_order_vms vms; /* as last sent */
	bool vms_sent;
	bool too_many;		      /* the log has said that there are too many VMs */
	uint64_t next_start_ns;	      /* of the process, while there is none */
	uint64_t scanned_ns;	      /* when it last finished a scan */
	bool hung;		      /* the log has said that the directory hangs */
	struct log_flood troubles;    /* as a slot's */
	char trouble[FILE_TEXT_SIZE]; /* as a slot's, of the directory above all of them */
	unsigned strangers;	      /* directories that are no VM's, of which some are kept */
	char stranger[FILE_STRANGERS_KEPT][VM_NAME_SIZE];
};

/* files/server.c */

/* Return: 0 or -errno; nothing waits. */
int file_server_send(const struct file_server *server, const void *order, size_t len_bytes);

/* files/server_slot.c */

/* Of struct request_origin. */
void file_slot_answer_request(const struct request *request, const uint8_t *msg,
			      uint32_t len_bytes);

/* Return: NULL: there is none, which for file_slot_take() means no memory. */
struct file_slot *file_slot_find(struct file_server *server, const char *name);
struct file_slot *file_slot_take(struct file_server *server, const struct vm *vm);

/* Logs a message that the guest can provoke again and again: once a second at most. */
void file_slot_complain(struct file_slot *slot, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Answers what the VM asked. sum: with status OK. */
void file_slot_answer(const struct file_server *server, struct file_slot *slot, uint32_t status,
		      int32_t sum);

/* Submits or refuses the request in a note of kind REQUEST. The slot is idle. */
void file_slot_request(struct file_server *server, struct file_slot *slot, struct vm *vm,
		       const struct file_note *note);

/* Refuses a file that is no valid request, and records that. */
void file_slot_refuse(struct file_server *server, struct file_slot *slot, struct vm *vm,
		      enum vgpu_error status, const char *why);

/* Ends the slots whose VM was removed, and sends answers that could not be sent before. */
void file_slot_look_after(struct file_server *server);

#endif

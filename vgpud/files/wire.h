/* SPDX-License-Identifier: GPL-2.0-or-later */
/* wire.h - messages between vgpud and its process for files */

#ifndef VGPUD_FILES_WIRE_H
#define VGPUD_FILES_WIRE_H

#include <stdint.h>

#include "vgpud/files/format.h"
#include "vgpud/vm/vm.h"

/*
 * Both are the same program, so structures travel as they lie in memory, one to a message of a
 * SOCK_SEQPACKET pair. After a note REQUEST, REFUSED or LEFT the process does not touch the VM's
 * directory until the ANSWER comes, which it confirms by ANSWERED. So a VM has at most one request
 * under way, and each side can bound what it keeps.
 */

#define FILE_SOCKET "orders" /* the name of the process's end of the pair: inherit_fd() */
#define FILE_TEXT_SIZE 160
#define FILE_VM_MAX 1024 /* VMs whose directories are looked at */

enum file_note_kind {
	FILE_NOTE_REQUEST,  /* text: a request's line, taken from request.txt */
	FILE_NOTE_REFUSED,  /* status: what to answer; text: why */
	FILE_NOTE_LEFT,	    /* a request that an earlier vgpud took and did not answer */
	FILE_NOTE_ANSWERED, /* text: why the answer could not be written; empty: it was */
	FILE_NOTE_STRANGER, /* a directory has requests, but its name is no VM's */
	FILE_NOTE_TROUBLE,  /* text: why the directory cannot be looked at; empty: it can again */
	FILE_NOTE_SCANNED,  /* all directories have been looked at */
	FILE_NOTE_NUM
};

/* From the process to vgpud. */
struct file_note {
	uint32_t kind;		 /* enum file_note_kind */
	uint32_t status;	 /* enum vgpu_error */
	uint32_t len_bytes;	 /* of text */
	char name[VM_NAME_SIZE]; /* of the directory; empty: the one above all of them */
	char text[FILE_TEXT_SIZE];
};

enum file_order_kind { FILE_ORDER_VMS, FILE_ORDER_ANSWER };

struct file_order_vm {
	char name[VM_NAME_SIZE];
	uint8_t busy; /* vgpud will send an ANSWER to a request that an earlier process took */
};

/* From vgpud to the process: the list of all VMs. */
struct file_order_vms {
	uint32_t kind; /* FILE_ORDER_VMS */
	uint32_t num;  /* of vm[]; the rest does not travel */
	struct file_order_vm vm[FILE_VM_MAX];
};

/* From vgpud to the process: the answer to a VM's request. */
struct file_order_answer {
	uint32_t kind; /* FILE_ORDER_ANSWER */
	uint32_t len_bytes;
	uint8_t again; /* an earlier process had this answer, and may have written it */
	char name[VM_NAME_SIZE];
	char text[FILE_FORMAT_ANSWER_SIZE];
};

#endif

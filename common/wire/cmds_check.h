/* SPDX-License-Identifier: MIT */
/* cmds_check.h - what the table of commands says about one command: its size, its fields */

#ifndef VGPU_CMDS_CHECK_H
#define VGPU_CMDS_CHECK_H

#include <stddef.h>
#include <stdint.h>

#include "common/wire/vgpu_cmds.h"

enum cmds_way { CMDS_ISSUE, CMDS_BLOCK, CMDS_WAIT };
enum cmds_work { CMDS_IDLE, CMDS_GPU, CMDS_COPY };
enum cmds_answer { CMDS_ASKED, CMDS_ALWAYS };

/* How a field is judged: the KINDs of vgpu_cmds.h. */
enum cmds_kind {
	CMDS_END, /* behind the last field */
	CMDS_NUMBER,
	CMDS_ADDRESS,
	CMDS_STREAM,
	CMDS_EVENT,
	CMDS_MODULE,
	CMDS_FUNCTION,
	CMDS_POOL,
	CMDS_NEW_STREAM,
	CMDS_NEW_EVENT,
	CMDS_NEW_MODULE,
	CMDS_NEW_FUNCTION,
	CMDS_NEW_POOL,
	CMDS_READ_AT,
	CMDS_READ_LEN,
	CMDS_WRITE_AT,
	CMDS_WRITE_LEN,
	CMDS_PIECES_AT,
	CMDS_PIECES_LEN,
};

/* Fields lie one behind the other after the struct vgpu_command; an _AT is followed by its _LEN. */
struct cmds_field {
	const char *name;
	uint8_t kind; /* enum cmds_kind */
	uint8_t bytes;
	uint8_t is_signed;
};

struct cmds_entry {
	const char *name; /* "memory_alloc" */
	uint8_t way;
	uint8_t work;
	uint8_t answer;
	uint32_t args_bytes;
	uint32_t tail_most; /* bytes */
	uint32_t kinds;	    /* 1 << kind of each of its fields */
	const struct cmds_field *fields;
};

/* Return: the table's row, NULL: there is no such command. */
const struct cmds_entry *cmds_find(unsigned op);

/* Why a command makes no sense, whatever its arguments are. */
enum cmds_fault {
	CMDS_FINE,
	CMDS_FAULT_OP,	  /* no such command */
	CMDS_FAULT_BYTES, /* its length is not what the table says */
	CMDS_FAULT_REPLY, /* no such reply slot, or none where the command needs one */
};

/* Judges a header alone: nothing behind it is read. */
enum cmds_fault cmds_check(const struct vgpu_command *head);

/* Return: a field's value, `at` bytes behind the header; signed ones as two's complement. */
uint64_t cmds_value(const struct vgpu_command *command, const struct cmds_field *field,
		    uint32_t at);

/*
 * Return: bytes that a command copies, which cmds_check() found fine; 0: it is no copy, or they are more than there
 * can be.
 */
uint64_t cmds_copied(const struct vgpu_command *command);

/*
 * Writes a command that cmds_check() found fine as one line: "launch function=3 stream=0 ... +16".
 * Return: characters that it takes, without its NUL; text is cut at size.
 */
size_t cmds_print(const struct vgpu_command *command, char *text, size_t size);

#endif

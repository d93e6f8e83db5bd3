/* SPDX-License-Identifier: GPL-2.0-or-later */
/* channel_record.h - what an input of fuzz_channel is made of: records, and the values that they choose */

#ifndef TESTS_FUZZ_CHANNEL_RECORD_H
#define TESTS_FUZZ_CHANNEL_RECORD_H

#include <stdint.h>

#include "common/wire/cmds_check.h"
#include "tests/unit/worker/guest.h"

/*
 * An input is a row of records of one length, so that any change of bytes leaves a row of records. Each
 * puts a command into the ring, or does something else that a program can do to its worker. A command's
 * fields are chosen from values for their kind: the first is right, others are just inside and outside of
 * the bounds, or belong to others; few are any number. So most commands get past the checks of the header,
 * and most streams go on to their end. A record of zeros but for its number is a right command.
 */

#define CHANNEL_RECORDS_MOST 64u
#define CHANNEL_FIELDS_MOST 12u

struct channel_record {
	uint8_t number;		/* of the command; CMD_MOST and above: enum channel_what */
	uint8_t reply;		/* 0: the next slot */
	uint8_t thread, length; /* length: 0 right, else of the header or the tail */
	uint8_t which[CHANNEL_FIELDS_MOST]; /* of each field: CHANNEL_ANY and above any number */
	uint8_t tail;			    /* 0: the right one */
	uint8_t any[15];
};

/* What a program does beside commands: raw bytes, a word of the control page, another owner, a thread. */
enum channel_what {
	CHANNEL_RAW = VGPU_CMD_MOST,
	CHANNEL_CONTROL,
	CHANNEL_OWNER,
	CHANNEL_SCRIBBLE,
	CHANNEL_WHAT_NUM
};

#define CHANNEL_ANY 240u

/* Return: a number that the record's last bytes give; index: another one for each. */
uint64_t channel_record_any(const struct channel_record *record, uint32_t index);

/* Return: an address of the program's, of others, of nobody; which 0: of its device memory. */
uint64_t channel_record_address(const struct guest *guest, uint8_t which);

/* Return: the value of the command's field of that index. */
uint64_t channel_record_value(const struct channel_record *record, const struct guest *guest,
			      const struct cmds_field *field, uint32_t index);

#endif

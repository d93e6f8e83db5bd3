/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dir.h - one VM's directory of the file transport, which its guest can write */

#ifndef VGPUD_FILES_DIR_H
#define VGPUD_FILES_DIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "vgpud/files/format.h"

/* All of this may block, on NFS for long: only the process for files calls it. */

#define FILE_DIR_REQUEST "request.txt"
#define FILE_DIR_RESPONSE "response.txt"
#define FILE_DIR_TAKEN ".vgpud.taken" /* a request from when it is taken until it is answered */

enum file_dir_state {
	FILE_DIR_NONE,	/* no request, or an empty file */
	FILE_DIR_HALF,	/* a line without an end */
	FILE_DIR_WHOLE, /* a line with its end */
	FILE_DIR_BAD	/* something that is refused; why says what */
};

/* Identifies a file and its state. */
struct file_dir_id {
	uint64_t inode, size;
	struct timespec modified, changed;
};

struct file_dir_look {
	enum file_dir_state state;
	struct file_dir_id id;
	uint32_t status; /* enum vgpu_error, with BAD */
	const char *why; /* with BAD: a phrase for the log */
	size_t len_bytes;
	char text[FILE_FORMAT_REQUEST_MAX + 1]; /* with WHOLE */
};

/*
 * Opens a directory beneath another one; something may be mounted there.
 * Return: descriptor, or -errno: -ELOOP a symlink, -ENOTDIR something else.
 */
int file_dir_open(int top_fd, const char *name);

/* Reads and judges the request, without changing anything. */
void file_dir_look(int dir_fd, struct file_dir_look *look);

/*
 * Takes the request that file_dir_look() saw, valid or not: moves it to a name of our own and
 * removes an old response. look: updated if it was WHOLE, since the guest may have changed the file
 * meanwhile.
 * Return: 0, or -errno: it cannot be moved and is still there.
 */
int file_dir_take(int dir_fd, struct file_dir_look *look);

/*
 * Moves a taken request back, unless a new one is there by now: vgpud did not learn of it, so the
 * next process can take it again. Return: 0 or -errno.
 */
int file_dir_put_back(int dir_fd);

/* Return: whether a taken request without an answer is there; one with an answer is removed. */
bool file_dir_left(int dir_fd);

/* Return: whether a taken request is there. */
bool file_dir_is_taken(int dir_fd);

/* Puts the answer there, at once and whole, and removes the taken request. Return: 0 or -errno. */
int file_dir_answer(int dir_fd, const char *text, size_t len_bytes);

/* Return: whether something other than an empty file is there as a request. */
bool file_dir_has_request(int dir_fd);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dir.c - one VM's directory of the file transport, which its guest can write */

#include "vgpud/files/dir.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/wire/vgpu_proto.h"

/*
 * Theory of operation. Everything in the directory is the guest's, and it may change between any
 * two calls here. So:
 * - names are single components, resolved beneath a descriptor, and no symlink is followed;
 * - a file is pinned by O_PATH, which has no side effects, judged by fstat(), and only then opened
 *   for reading through its descriptor. So it is the file that was judged, never a FIFO or device;
 * - a request is first moved to a name of our own and read there, so that it runs as it was taken,
 *   and only once;
 * - a response is written to a new file and then moved, since a move replaces a symlink and does
 *   not follow it.
 */

#define TEMPORARY_SIZE 32
#define TEMPORARY_TRIES 3

/* Opens a file only if it is beneath fd. Return: descriptor or -errno. */
static int open_beneath(int fd, const char *name, uint64_t flags, uint64_t mode)
{
	struct open_how how = {
		.flags = flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
		.mode = mode,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	long opened;

	/* A VM's directory may be a file system of its own; only the host's root can mount it. */
	if (!(flags & O_DIRECTORY))
		how.resolve |= RESOLVE_NO_XDEV;

	if (flags & O_PATH) /* openat2() refuses most other flags with it */
		how.flags = O_PATH | O_CLOEXEC;
	if (!(flags & O_DIRECTORY)) /* with both, a symlink would give ENOTDIR instead of ELOOP */
		how.flags |= O_NOFOLLOW;
	opened = syscall(SYS_openat2, fd, name, &how, sizeof(how));
	return opened < 0 ? -errno : (int)opened;
}

int file_dir_open(int top_fd, const char *name)
{
	return open_beneath(top_fd, name, O_RDONLY | O_DIRECTORY, 0);
}

/* --- reading --- */

static void be_bad(struct file_dir_look *look, uint32_t status, const char *why)
{
	look->state = FILE_DIR_BAD;
	look->status = status;
	look->why = why;
}

/* Return: NULL, or why a file of this kind is refused. */
static const char *kind_trouble(const struct stat *st)
{
	if (S_ISLNK(st->st_mode))
		return "it is a symlink";
	if (S_ISDIR(st->st_mode))
		return "it is a directory";
	if (S_ISFIFO(st->st_mode))
		return "it is a FIFO";
	if (!S_ISREG(st->st_mode))
		return "it is no regular file";
	if (st->st_nlink > 1)
		return "it has a second name (hard link)";
	return NULL;
}

/* pinned: by O_PATH, a regular file. Return: bytes read into text, at most one too many; -errno. */
static ssize_t read_pinned(int pinned, char *text)
{
	char path[32];
	ssize_t len;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", pinned);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	len = read(fd, text, FILE_FORMAT_REQUEST_MAX + 1);
	if (len < 0)
		len = -errno;
	close(fd);
	return len;
}

static void judge_bytes(struct file_dir_look *look, ssize_t len)
{
	if (len < 0) {
		be_bad(look, VGPU_ERR_BAD_REQUEST,
		       len == -EACCES ? "vgpud may not read it (the client's umask, or its group)"
				      : strerror((int)-len));
		return;
	}
	look->len_bytes = (size_t)len;
	if (len > FILE_FORMAT_REQUEST_MAX)
		be_bad(look, VGPU_ERR_BAD_LENGTH, "it is longer than a request");
	else if (len == 0)
		look->state = FILE_DIR_NONE;
	else if (memchr(look->text, '\n', (size_t)len) == NULL)
		look->state = FILE_DIR_HALF;
	else
		look->state = FILE_DIR_WHOLE;
}

static void look_at(int dir_fd, const char *name, struct file_dir_look *look)
{
	int pinned = open_beneath(dir_fd, name, O_PATH, 0);
	const char *trouble;
	struct stat st;

	*look = (struct file_dir_look){ .state = FILE_DIR_NONE };
	if (pinned == -ENOENT)
		return;
	/* RESOLVE_NO_SYMLINKS refuses a symlink even with O_PATH, so it is judged by its name. */
	if (pinned < 0 ? fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0
		       : fstat(pinned, &st) < 0) {
		st = (struct stat){ 0 };
		be_bad(look, VGPU_ERR_BAD_REQUEST, strerror(pinned < 0 ? -pinned : errno));
	}
	look->id = (struct file_dir_id){
		.inode = st.st_ino,
		.size = (uint64_t)st.st_size,
		.modified = st.st_mtim,
		.changed = st.st_ctim,
	};
	if (look->state == FILE_DIR_NONE) {
		trouble = kind_trouble(&st);
		if (trouble == NULL && pinned < 0)
			trouble = strerror(-pinned);
		if (trouble != NULL)
			be_bad(look, VGPU_ERR_BAD_REQUEST, trouble);
		else
			judge_bytes(look, read_pinned(pinned, look->text));
	}
	if (pinned >= 0)
		close(pinned);
}

void file_dir_look(int dir_fd, struct file_dir_look *look)
{
	look_at(dir_fd, FILE_DIR_REQUEST, look);
}

bool file_dir_has_request(int dir_fd)
{
	struct stat st;

	return fstatat(dir_fd, FILE_DIR_REQUEST, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       (!S_ISREG(st.st_mode) || st.st_size > 0);
}

/* --- taking --- */

/* Removes a name, never what it points to. Return: 0 or -errno. */
static int remove_name(int dir_fd, const char *name)
{
	if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if ((errno == EISDIR || errno == EPERM) && unlinkat(dir_fd, name, AT_REMOVEDIR) == 0)
		return 0;
	return -errno;
}

/* Moves a name over another one. Return: 0 or -errno. */
static int move(int dir_fd, const char *from, const char *to)
{
	if (renameat(dir_fd, from, dir_fd, to) == 0)
		return 0;
	if (errno != EISDIR)
		return -errno;
	/* A directory has the name: remove it, if it is empty. */
	if (unlinkat(dir_fd, to, AT_REMOVEDIR) < 0 || renameat(dir_fd, from, dir_fd, to) < 0)
		return -errno;
	return 0;
}

int file_dir_take(int dir_fd, struct file_dir_look *look)
{
	bool whole = look->state == FILE_DIR_WHOLE;
	struct file_dir_id id = look->id;
	int err;

	/* A directory is not taken: vgpud could not remove one with files in it afterwards. */
	if (look->state == FILE_DIR_BAD && look->why != NULL) {
		struct stat st;

		if (fstatat(dir_fd, FILE_DIR_REQUEST, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISDIR(st.st_mode))
			return -EISDIR;
	}
	/* The old response goes first: once a client sees its request gone, a response is the new
	 * one. */
	remove_name(dir_fd, FILE_DIR_RESPONSE);
	err = move(dir_fd, FILE_DIR_REQUEST, FILE_DIR_TAKEN);
	if (err != 0 || !whole)
		return err;
	look_at(dir_fd, FILE_DIR_TAKEN, look);
	if (look->state == FILE_DIR_NONE || look->state == FILE_DIR_HALF)
		be_bad(look, VGPU_ERR_BAD_REQUEST, "it was changed while it was taken");
	look->id = id;
	return 0;
}

int file_dir_put_back(int dir_fd)
{
	struct stat st;

	/* stat() and then rename(), since NFS does not support RENAME_NOREPLACE. */
	if (fstatat(dir_fd, FILE_DIR_REQUEST, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return -EEXIST;
	return renameat(dir_fd, FILE_DIR_TAKEN, dir_fd, FILE_DIR_REQUEST) < 0 ? -errno : 0;
}

bool file_dir_is_taken(int dir_fd)
{
	struct stat st;

	return fstatat(dir_fd, FILE_DIR_TAKEN, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

bool file_dir_left(int dir_fd)
{
	struct stat taken, response;

	if (fstatat(dir_fd, FILE_DIR_TAKEN, &taken, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	/* Taking removes the response, so one that is here is the answer. */
	if (!S_ISREG(taken.st_mode) ||
	    (fstatat(dir_fd, FILE_DIR_RESPONSE, &response, AT_SYMLINK_NOFOLLOW) == 0 &&
	     response.st_size > 0)) {
		remove_name(dir_fd, FILE_DIR_TAKEN);
		return false;
	}
	return true;
}

/* --- answering --- */

/* Return: descriptor of a new file, or -errno. name: TEMPORARY_SIZE bytes, filled in. */
static int open_new(int dir_fd, mode_t mode, char *name)
{
	int fd = -EEXIST;

	for (int i = 0; i < TEMPORARY_TRIES && fd == -EEXIST; i++) {
		uint64_t number;

		if (getrandom(&number, sizeof(number), 0) != sizeof(number))
			return -EIO;
		snprintf(name, TEMPORARY_SIZE, ".vgpud.%016llx", (unsigned long long)number);
		fd = open_beneath(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL, mode);
	}
	return fd;
}

/* Return: 0 or -errno. Closes fd. */
static int write_new(const struct stat *dir, int fd, const char *text, size_t len_bytes)
{
	ssize_t written = write(fd, text, len_bytes);
	int err = 0;

	if (written < 0)
		err = -errno;
	else if ((size_t)written < len_bytes)
		err = -ENOSPC;
	/*
	 * The response belongs to the directory's owner, since some clients empty it when they have
	 * read it. Where vgpud has no right to give it away, or the file system has no owners
	 * (CIFS, FUSE), clients can still read it: it was created with its mode.
	 */
	if (err == 0 && fchown(fd, dir->st_uid, dir->st_gid) < 0)
		err = 0;
	if (close(fd) < 0 && err == 0) /* NFS reports a failed write here */
		err = -errno;
	return err;
}

int file_dir_answer(int dir_fd, const char *text, size_t len_bytes)
{
	char name[TEMPORARY_SIZE];
	struct stat dir;
	int fd, err;

	if (fstat(dir_fd, &dir) < 0)
		fd = -errno;
	else
		fd = open_new(dir_fd, (dir.st_mode & 0666) | 0400, name);
	if (fd >= 0) {
		err = write_new(&dir, fd, text, len_bytes);
		if (err == 0)
			err = move(dir_fd, name, FILE_DIR_RESPONSE);
		if (err != 0)
			remove_name(dir_fd, name);
	} else {
		err = fd;
	}
	remove_name(dir_fd, FILE_DIR_TAKEN);
	return err;
}

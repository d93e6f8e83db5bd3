/* SPDX-License-Identifier: GPL-2.0-or-later */
/* doctor_files.c - the doctor looks at the directories of file transport and ledger */

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vgpuadm/view/doctor.h"

/* A user who may make a directory there, or write into a VM's, can make requests for a VM. */
void doctor_files(struct doctor *doctor, const json_t *status)
{
	const char *dir = field_string(status, "file_dir");
	const char *state = field_string(status, "file_state");
	struct stat st;

	/* A hanging directory would hang vgpuadm too. The daemon's own checks report it. */
	if (dir[0] == '\0' || strcmp(state, "hung") == 0)
		return;
	if (stat(dir, &st) < 0)
		doctor_add(doctor, DOCTOR_WARNING, "files",
			   errno == EACCES ? "run vgpuadm doctor as root"
					   : "make it, or take dir out of [file-transport]",
			   "%s: %s", dir, strerror(errno));
	else if (!S_ISDIR(st.st_mode))
		doctor_add(doctor, DOCTOR_ERROR, "files", "name a directory in [file-transport]",
			   "%s is no directory", dir);
	else if ((st.st_mode & S_IWOTH) != 0)
		doctor_add(
			doctor, DOCTOR_WARNING, "files",
			"chmod o-w the directory, and give each VM's to that VM alone",
			"%s is open to everybody (mode %04o): any user can make requests for any VM",
			dir, st.st_mode & 07777u);
	else
		doctor_add(doctor, DOCTOR_OK, "files", NULL, "%s, mode %04o", dir,
			   st.st_mode & 07777u);
}

/* Return: whether users other than the file's owner may open it, which is a finding then. */
static bool is_open(struct doctor *doctor, const char *path)
{
	struct stat st;

	/* The daemon's own checks report a file that is missing. */
	if (stat(path, &st) < 0 || (st.st_mode & (S_IRWXG | S_IRWXO)) == 0)
		return false;
	doctor_add(doctor, DOCTOR_WARNING, "state", "chmod go= it, as vgpud makes it",
		   "%s is open to other users (mode %04o): they may read or lock the records of "
		   "all VMs",
		   path, st.st_mode & 07777u);
	return true;
}

/* vgpud closes directory and database when it starts, and does not look again. */
void doctor_state(struct doctor *doctor, const json_t *status)
{
	const char *path = field_string(status, "ledger_path");
	const char *slash = strrchr(path, '/');
	char dir[PATH_MAX];
	bool open;

	if (slash == NULL || access(path, F_OK) < 0 ||
	    snprintf(dir, sizeof(dir), "%.*s", (int)(slash - path), path) >= (int)sizeof(dir))
		return;
	open = is_open(doctor, dir);
	open = is_open(doctor, path) || open;
	if (!open)
		doctor_add(doctor, DOCTOR_OK, "state", NULL, "%s is closed to other users", dir);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* doctor_files.c - the doctor looks at the file transport's directory */

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

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

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* doctor_sockets.c - the doctor looks at socket files */

#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "vgpuadm/view/doctor.h"

#define FIND_VMS "vgpuadm list shows the VMs"

/* Return: the VM whose socket is at path; NULL: it is no VM's. */
static const char *owner_of(const json_t *vms, const char *path)
{
	const json_t *vm;
	size_t i;

	json_array_foreach(vms, i, vm) {
		if (strcmp(field_string(vm, "socket"), path) == 0)
			return field_string(vm, "vm");
	}
	return NULL;
}

/* Return: how many there are. */
static unsigned find_orphans(struct doctor *doctor, const char *dir_path, const json_t *vms)
{
	const struct dirent *entry;
	unsigned orphans = 0;
	char path[PATH_MAX];
	DIR *dir = opendir(dir_path);

	if (!dir) {
		doctor_add(doctor, DOCTOR_WARNING, "sockets",
			   errno == EACCES ? "run vgpuadm doctor as root"
					   : "restart vgpud: it makes its directories anew",
			   "%s: %s, so its files cannot be checked", dir_path, strerror(errno));
		return 1;
	}
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		if (snprintf(path, sizeof(path), "%s/%s", dir_path, entry->d_name) >=
			    (int)sizeof(path) ||
		    owner_of(vms, path))
			continue;
		orphans++;
		doctor_add(doctor, DOCTOR_WARNING, "orphans",
			   "remove the file, or add the VM (vgpuadm add-vm)",
			   "%s belongs to no VM (" FIND_VMS ")", path);
	}
	closedir(dir);
	return orphans;
}

/* Describes which users' QEMUs may connect. */
static void say_access(struct doctor *doctor, const json_t *vm, const struct stat *st)
{
	const struct passwd *user = getpwuid(st->st_uid);
	const struct group *group = getgrgid(st->st_gid);
	const char *owner = field_string(vm, "owner");

	doctor_add(
		doctor, DOCTOR_OK, "access", NULL, "%s: root, %s and the group %s may connect%s%s",
		field_string(vm, "vm"), user ? user->pw_name : "the file's owner",
		group ? group->gr_name : "of the file",
		owner[0] ? ", as set-owner has it: " : " (vgpuadm set-owner lets others)", owner);
}

/* Return: whether a finding was added. */
static bool check_socket(struct doctor *doctor, const json_t *vm)
{
	const char *path = field_string(vm, "socket"), *name = field_string(vm, "vm");
	bool connects = strcmp(field_string(vm, "socket_mode"), "connect") == 0;
	struct stat st;

	if (stat(path, &st) < 0) {
		if (connects && errno == ENOENT)
			return false; /* QEMU listens there, and makes the file when it runs */
		doctor_add(doctor, DOCTOR_ERROR, "sockets",
			   errno == EACCES ? "run vgpuadm doctor as root"
					   : "restart vgpud: it makes its sockets anew",
			   "%s: %s: %s", name, path, strerror(errno));
		return true;
	}
	if (!S_ISSOCK(st.st_mode)) {
		doctor_add(doctor, DOCTOR_ERROR, "sockets", "move the file away and restart vgpud",
			   "%s: %s is no socket", name, path);
		return true;
	}
	if (!connects && (st.st_mode & S_IRWXO) != 0) {
		doctor_add(doctor, DOCTOR_WARNING, "sockets",
			   "chmod o= the file: a process that connects to it acts as that VM",
			   "%s: %s is open to everybody (mode %04o)", name, path,
			   st.st_mode & 07777u);
		return true;
	}
	if (!connects && (st.st_mode & S_IWGRP) == 0) {
		doctor_add(doctor, DOCTOR_WARNING, "sockets",
			   "chmod 660 the file, or restart vgpud: it makes its sockets anew",
			   "%s: %s has mode %04o, which shuts out the QEMUs of its group", name,
			   path, st.st_mode & 07777u);
		return true;
	}
	if (!connects)
		say_access(doctor, vm, &st);
	return false;
}

void doctor_sockets(struct doctor *doctor, const char *runtime_dir, const json_t *vms)
{
	char dir[PATH_MAX];
	unsigned bad = 0;
	const json_t *vm;
	size_t i;

	json_array_foreach(vms, i, vm) {
		bad += check_socket(doctor, vm);
	}
	if (snprintf(dir, sizeof(dir), "%s/vm", runtime_dir) < (int)sizeof(dir))
		bad += find_orphans(doctor, dir, vms);
	if (bad == 0)
		doctor_add(doctor, DOCTOR_OK, "sockets", NULL,
			   "each VM has its socket, no socket is without its VM");
}

void doctor_admin_socket(struct doctor *doctor, const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		doctor_add(doctor, DOCTOR_ERROR, "admin socket",
			   errno == EACCES ? "run vgpuadm doctor as root"
					   : "start vgpud, or restart it if it runs (systemctl "
					     "restart vgpud); or name its socket with -s",
			   "%s: %s", path, strerror(errno));
	else if (!S_ISSOCK(st.st_mode))
		doctor_add(doctor, DOCTOR_ERROR, "admin socket",
			   "move the file away and restart vgpud", "%s is no socket", path);
	else if ((st.st_mode & S_IWOTH) == 0)
		doctor_add(doctor, DOCTOR_WARNING, "admin socket",
			   "chmod 666 the file, or restart vgpud: whom it lets in is decided by "
			   "user and group, not by the mode",
			   "%s, mode %04o, shuts out members of the admin and read groups", path,
			   st.st_mode & 07777u);
	else
		doctor_add(doctor, DOCTOR_OK, "admin socket", NULL, "%s, mode %04o, group %u", path,
			   st.st_mode & 07777u, st.st_gid);
}

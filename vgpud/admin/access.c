/* SPDX-License-Identifier: GPL-2.0-or-later */
/* access.c - which users may use the admin socket, and in which role */

#include "vgpud/admin/access.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define GROUPS_MAX 256
#define NO_GROUP ((gid_t)-1)
#define GROUP_ENTRY_MAX (1u << 20) /* bytes of a group with all its members */

/* name: "": no group. Return: NO_GROUP: there is no such group. */
static gid_t find_group(const char *name)
{
	struct group entry, *group = NULL;
	char *buffer;

	if (name[0] == '\0')
		return NO_GROUP;
	buffer = malloc(GROUP_ENTRY_MAX);
	if (buffer == NULL || getgrnam_r(name, &entry, buffer, GROUP_ENTRY_MAX, &group) != 0)
		group = NULL;
	free(buffer);
	return group != NULL ? entry.gr_gid : NO_GROUP;
}

void admin_access_find(struct admin_access *access, const struct conf *conf)
{
	access->admin_gid = find_group(conf->admin_group);
	access->read_gid = find_group(conf->read_group);
}

/* --- beside the loop --- */

/*
 * Looking a group up may block on the network, so a thread does it. It has a copy of the names,
 * writes one struct admin_access into its end of a pipe and ends; it shares nothing with the loop.
 * A thread that hangs for good costs this struct and the pipe's end.
 */
struct errand {
	int fd;
	char admin_group[CONF_GROUP_SIZE], read_group[CONF_GROUP_SIZE];
};

struct admin_access_search {
	int fd;
	sd_event_source *io;
	void (*found)(void *arg, const struct admin_access *access);
	void *arg;
};

static void *run_errand(void *arg)
{
	struct errand *errand = arg;
	const struct admin_access access = {
		.admin_gid = find_group(errand->admin_group),
		.read_gid = find_group(errand->read_group),
	};

	if (write(errand->fd, &access, sizeof(access)) < 0)
		errno = 0; /* the search was ended */
	close(errand->fd);
	free(errand);
	return NULL;
}

static int on_found(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct admin_access_search *search = arg;
	struct admin_access access;

	(void)revents;
	sd_event_source_set_enabled(source, SD_EVENT_OFF);
	if (read(fd, &access, sizeof(access)) == sizeof(access))
		search->found(search->arg, &access);
	return 0;
}

/* Takes fd over. Return: 0 or -errno. */
static int send_errand(int fd, const struct conf *conf)
{
	struct errand *errand = malloc(sizeof(*errand));
	pthread_attr_t detached;
	pthread_t thread;
	int err = ENOMEM;

	if (errand != NULL) {
		errand->fd = fd;
		memcpy(errand->admin_group, conf->admin_group, sizeof(errand->admin_group));
		memcpy(errand->read_group, conf->read_group, sizeof(errand->read_group));
		pthread_attr_init(&detached);
		pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
		err = pthread_create(&thread, &detached, run_errand, errand);
		pthread_attr_destroy(&detached);
	}
	if (err != 0) {
		free(errand);
		close(fd);
	}
	return -err;
}

int admin_access_search(struct admin_access_search **out, sd_event *event, const struct conf *conf,
			void (*found)(void *arg, const struct admin_access *access), void *arg)
{
	struct admin_access_search *search = calloc(1, sizeof(*search));
	int pair[2], err;

	if (search == NULL)
		return -ENOMEM;
	if (pipe2(pair, O_CLOEXEC) < 0) {
		err = -errno;
		free(search);
		return err;
	}
	*search = (struct admin_access_search){ .fd = pair[0], .found = found, .arg = arg };
	err = send_errand(pair[1], conf);
	if (err == 0)
		err = sd_event_add_io(event, &search->io, search->fd, EPOLLIN, on_found, search);
	if (err < 0) {
		admin_access_search_end(search);
		return err;
	}
	*out = search;
	return 0;
}

void admin_access_search_end(struct admin_access_search *search)
{
	if (search == NULL)
		return;
	sd_event_source_disable_unref(search->io);
	close(search->fd);
	free(search);
}

/* --- who is it --- */

static bool in_group(gid_t group, gid_t primary, const gid_t *groups, size_t groups_num)
{
	if (group == NO_GROUP)
		return false;
	if (group == primary)
		return true;
	for (size_t i = 0; i < groups_num; i++)
		if (groups[i] == group)
			return true;
	return false;
}

int admin_access_identify(const struct admin_access *access, int fd, struct ucred *peer,
			  enum admin_role *role)
{
	gid_t groups[GROUPS_MAX];
	socklen_t size = sizeof(*peer);
	size_t groups_num = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, peer, &size) < 0)
		return -errno;
	size = sizeof(groups);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) == 0)
		groups_num = size / sizeof(groups[0]);
	*role = ADMIN_ROLE_NONE;
	if (peer->uid == 0 || peer->uid == geteuid() ||
	    in_group(access->admin_gid, peer->gid, groups, groups_num))
		*role = ADMIN_ROLE_CHANGE;
	else if (in_group(access->read_gid, peer->gid, groups, groups_num))
		*role = ADMIN_ROLE_READ;
	return 0;
}

/* " (usermod -aG GROUP USER, then log in again)"; nothing if the group does not exist. */
static void describe_group(const char *group, char *out, size_t size)
{
	out[0] = '\0';
	if (group[0] != '\0')
		snprintf(out, size, " (usermod -aG %s USER, then log in again)", group);
}

void admin_access_turned_away(const struct conf *conf, uid_t uid, char *text, size_t size)
{
	char help[160], reads[80] = "";

	if (conf->read_group[0] != '\0')
		snprintf(reads, sizeof(reads), ", or to read, the group %s", conf->read_group);
	describe_group(conf->read_group[0] != '\0' ? conf->read_group : conf->admin_group, help,
		       sizeof(help));
	snprintf(text, size, "uid %u may not talk to vgpud: it takes root%s%s%s%s", uid,
		 conf->admin_group[0] != '\0' ? ", the group " : "", conf->admin_group, reads,
		 help);
}

void admin_access_takes(const struct conf *conf, enum admin_role role, char *text, size_t size)
{
	const char *group = role == ADMIN_ROLE_CHANGE ? conf->admin_group : conf->read_group;
	char help[160];

	describe_group(group, help, sizeof(help));
	snprintf(text, size, "it takes root%s%s%s", group[0] != '\0' ? " or the group " : "", group,
		 help);
}

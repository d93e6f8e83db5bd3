/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_server.c - the admin socket takes clients again once there is memory for them */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/sock.h"
#include "tests/unit/scratch.h"
#include "vgpud/admin/access.h"
#include "vgpud/admin/client.h"
#include "vgpud/admin/server.h"

#define PATIENCE_USEC 20000000ull

/* --- doubles: of a client, and of a kernel without memory --- */

static unsigned served, failures;
static bool no_memory;

int admin_client_new(struct admin_clients *clients, int fd, const struct ucred *peer,
		     enum admin_role role)
{
	(void)clients;
	(void)peer;
	(void)role;
	served++;
	close(fd);
	return 0;
}

void admin_client_free(struct admin_client *client)
{
	(void)client;
}

void admin_clients_raise(const struct admin_clients *clients)
{
	(void)clients;
}

enum admin_role admin_client_role(const struct admin_client *client)
{
	(void)client;
	return ADMIN_ROLE_CHANGE;
}

uid_t admin_client_uid(const struct admin_client *client)
{
	(void)client;
	return 0;
}

const struct admin_client *admin_client_next(const struct admin_client *client)
{
	(void)client;
	return NULL;
}

void admin_client_refuse(int fd, enum admin_error error, const char *text)
{
	(void)error;
	(void)text;
	close(fd);
}

int admin_access_identify(const struct admin_access *access, int fd, struct ucred *peer,
			  enum admin_role *role)
{
	(void)access;
	(void)fd;
	*peer = (struct ucred){ .uid = 0 };
	*role = ADMIN_ROLE_CHANGE;
	return 0;
}

void admin_access_turned_away(const struct conf *conf, uid_t uid, char *text, size_t size)
{
	(void)conf;
	(void)uid;
	snprintf(text, size, "no");
}

/* The linker puts these in the place of the system's (tests.mk). */
int __real_accept4(int fd, struct sockaddr *address, socklen_t *len, int flags);
int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *len, int flags);
int __real_sd_event_add_time_relative(sd_event *event, sd_event_source **out, clockid_t clock,
				      uint64_t usec, uint64_t accuracy_usec,
				      sd_event_time_handler_t callback, void *arg);
int __wrap_sd_event_add_time_relative(sd_event *event, sd_event_source **out, clockid_t clock,
				      uint64_t usec, uint64_t accuracy_usec,
				      sd_event_time_handler_t callback, void *arg);

int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *len, int flags)
{
	if (!no_memory)
		return __real_accept4(fd, address, len, flags);
	failures++;
	errno = ENOMEM;
	return -1;
}

int __wrap_sd_event_add_time_relative(sd_event *event, sd_event_source **out, clockid_t clock,
				      uint64_t usec, uint64_t accuracy_usec,
				      sd_event_time_handler_t callback, void *arg)
{
	if (no_memory)
		return -ENOMEM;
	return __real_sd_event_add_time_relative(event, out, clock, usec, accuracy_usec, callback,
						 arg);
}

/* --- the test --- */

static void a_client_that_came_when_there_was_no_memory(void **state)
{
	static struct conf conf = { .max_clients = 4 };
	char dir[] = "/tmp/vgpu-server.XXXXXX", path[SOCK_PATH_SIZE];
	struct admin_server_config config = { .path = path, .conf = &conf };
	struct admin_server *server;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/admin.sock", dir);
	assert_return_code(sd_event_new(&config.event), 0);
	assert_int_equal(admin_server_open(&server, &config), 0);
	fd = sock_connect(path);
	assert_true(fd >= 0);
	no_memory = true;
	while (failures == 0)
		assert_int_not_equal(sd_event_run(config.event, PATIENCE_USEC), 0);
	no_memory = false;
	while (served == 0)
		assert_int_not_equal(sd_event_run(config.event, PATIENCE_USEC), 0);
	close(fd);
	admin_server_close(server);
	sd_event_unref(config.event);
	scratch_remove(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_that_came_when_there_was_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* server.h - requests that come as files, and answers that go as files */

#ifndef VGPUD_FILES_SERVER_H
#define VGPUD_FILES_SERVER_H

#include <systemd/sd-event.h>

#include "vgpud/request/broker.h"

/*
 * The file transport of older systems: DIR/vm3/request.txt holds "A:2:3:100:200", and
 * DIR/vm3/response.txt gets "300". The directory identifies the VM; pool, priority and number in
 * the text are compared with the VM's, never believed.
 */
struct file_server;

#define FILE_SERVER_TASK_SIZE (CONF_PATH_SIZE + 32)

/*
 * Writes the argument with which its process is started (files/scan.h).
 * out: FILE_SERVER_TASK_SIZE bytes; "" when it is off.
 */
void file_server_task(char *out, const struct conf *conf);

/*
 * Opens it as broker->conf says.
 * out: NULL when it is off.
 * Return: 0 or -errno.
 */
int file_server_open(struct file_server **out, sd_event *event, struct broker *broker);

/* Return: "off", "starting", "ok", "failing": the directory cannot be read, or "hung". server: or
 * NULL. */
const char *file_server_state(const struct file_server *server);

/* well: then remedy does not count. */
typedef void file_server_finding(void *arg, bool well, const char *text, const char *remedy);

/* Reports on the directory, those of VMs, and the process, without waiting for any of them. */
void file_server_check(const struct file_server *server, file_server_finding *finding, void *arg);

/* Ends it, after the answers are written. Call it after broker_close(), which answers the rest. */
void file_server_close(struct file_server *server);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* owner.c - looks up the owner that a command names, before the command does anything */

#include "vgpud/admin/owner.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vgpud/aside.h"
#include "vgpud/daemon.h"
#include "vgpud/link/access.h"

typedef void owner_found(struct admin_call *call, const char *of, const struct vm_owner *owner);

struct search {
	char of[VM_SETTING_TEXT_SIZE];
	struct vm_owner owner;
	int err;
	owner_found *found;
};

static void run_search(void *data)
{
	struct search *search = data;

	search->err = access_find(search->of, &search->owner);
}

static void on_found(void *arg, void *data)
{
	struct admin_call *call = arg;
	const struct search *search = data;

	call->data = NULL;
	call->gone = NULL;
	if (search->err == 0)
		search->found(call, search->of, &search->owner);
	else if (search->err == -ENOENT)
		admin_fail(call, ADMIN_ERROR_NOT_FOUND,
			   "%s: there is no such user or group on this host", search->of);
	else
		admin_fail(call, ADMIN_ERROR_REFUSED,
			   "%s: the host's users and groups cannot be asked: %s; name the owner by "
			   "numbers, or try again",
			   search->of, strerror(-search->err));
}

static const struct aside_work work = { .run = run_search, .done = on_found, .drop = free };

/* The client went while its question was not answered. */
static void on_gone(struct admin_call *call)
{
	aside_end(call->data);
	call->data = NULL;
	call->gone = NULL;
	admin_end(call, NULL);
}

static void search_beside(struct admin_call *call, const char *of, owner_found *found)
{
	struct search *search = calloc(1, sizeof(*search));
	struct aside *aside;
	int err = -ENOMEM;

	if (search != NULL) {
		memcpy(search->of, of, sizeof(search->of));
		search->found = found;
		err = aside_begin(&aside, call->daemon->event, &work, search, call);
	}
	if (err != 0) {
		admin_fail(call, ADMIN_ERROR_REFUSED,
			   "%s: the owner cannot be looked up (%s); name it by numbers, or try "
			   "again",
			   of,
			   err == -EBUSY ? "earlier questions are not answered yet"
					 : strerror(-err));
		return;
	}
	call->data = aside;
	call->gone = on_gone;
}

void admin_owner_find(struct admin_call *call, owner_found *found)
{
	const struct vm_setting *setting = &vm_settings_table[VM_SETTING_OWNER];
	const char *text = admin_arg(call, setting->name);
	struct vm_settings settings;
	struct vm_owner owner;

	vm_settings_standard(&settings);
	if (text == NULL || vm_setting_parse(setting, text, &settings) != 0)
		found(call, NULL, NULL);
	else if (access_number(settings.owner, &owner))
		found(call, settings.owner, &owner);
	else
		search_beside(call, settings.owner, found);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* handlers.h - the daemon's side of each command in admin_cmds.def */

#ifndef VGPUD_ADMIN_HANDLERS_H
#define VGPUD_ADMIN_HANDLERS_H

#include "vgpud/admin/server.h"
#include "vgpud/daemon.h"

/* Indexed by enum admin_cmd_id; NULL: vgpuadm itself does it. */
extern admin_handler *const admin_handlers[ADMIN_CMD_NUM];

/* The handlers; what each row holds stands in vgpu-protocol(7). */
admin_handler admin_status, admin_pools, admin_checks;		     /* admin/daemon.c */
admin_handler admin_list, admin_add_vm, admin_remove_vm;	     /* admin/vm.c */
admin_handler admin_set, admin_set_limit, admin_pause, admin_resume; /* admin/set.c */
admin_handler admin_queue, admin_cancel, admin_drain;		     /* admin/job.c */
admin_handler admin_programs, admin_kill_program, admin_drain_gpu;   /* admin/programs.c */
admin_handler admin_trace;					     /* admin/trace.c */
admin_handler admin_query;					     /* admin/ask.c */
admin_handler admin_metrics;					     /* admin/metrics.c */

/* Return: the VM that the argument "vm" names, NULL after the call was failed with NOT_FOUND. */
struct vm *admin_vm_arg(struct admin_call *call);

/* One line in the audit trail, in the caller's name. old_value, new_value, text: may be NULL. */
void admin_event(const struct admin_call *call, const char *kind, const char *subject,
		 const char *old_value, const char *new_value, const char *text);

/* Return: a JSON string; null for NULL, and for what is not UTF-8. */
json_t *admin_string(const char *text);

/* Return: "A". */
json_t *admin_pool_name(unsigned index);

/* Return: a monotonic time as nanoseconds since the Unix epoch. */
json_t *admin_wall(const struct daemon *daemon, uint64_t mono_ns);

#endif

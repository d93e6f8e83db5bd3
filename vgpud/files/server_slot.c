/* SPDX-License-Identifier: GPL-2.0-or-later */
/* server_slot.c - one VM's request by file, and its answer */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/names.h"
#include "common/util.h"
#include "common/wire/proto_check.h"
#include "vgpud/files/server_private.h"

/* Differences between a request's text and the VM, each of which is logged once. */
enum told { TOLD_POOL = 1, TOLD_PRIORITY = 2, TOLD_VM_ID = 4 };

/* --- slots --- */

struct file_slot *file_slot_find(struct file_server *server, const char *name)
{
	struct file_slot *slot;

	TAILQ_FOREACH(slot, &server->slots, link)
		if (strcmp(slot->name, name) == 0)
			return slot;
	return NULL;
}

/* Return: the VM's slot, NULL: no memory. */
struct file_slot *file_slot_take(struct file_server *server, const struct vm *vm)
{
	struct file_slot *slot = file_slot_find(server, vm->name);

	if (slot != NULL)
		return slot;
	slot = calloc(1, sizeof(*slot));
	if (slot == NULL)
		return NULL;
	snprintf(slot->name, sizeof(slot->name), "%s", vm->name);
	TAILQ_INSERT_TAIL(&server->slots, slot, link);
	return slot;
}

void file_slot_complain(struct file_slot *slot, const char *format, ...)
{
	unsigned held_back;
	char text[256];
	va_list args;

	if (!log_limit_pass(&slot->complaints, util_now_ns(), &held_back))
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (held_back > 0)
		log_warning("%s: %s (and %u more messages)", slot->name, text, held_back);
	else
		log_warning("%s: %s", slot->name, text);
}

/* --- answers --- */

/* An answer that cannot be sent now is sent with a later tick, or to the next process. */
static void send_answer(const struct file_server *server, struct file_slot *slot)
{
	struct file_order_answer answer = { .kind = FILE_ORDER_ANSWER,
					    .len_bytes = (uint32_t)slot->len_bytes,
					    .again = slot->again };

	memcpy(answer.name, slot->name, sizeof(answer.name));
	memcpy(answer.text, slot->answer, sizeof(answer.text));
	slot->sent = file_server_send(server, &answer, sizeof(answer)) == 0;
}

void file_slot_answer(const struct file_server *server, struct file_slot *slot, uint32_t status,
		      int32_t sum)
{
	slot->state = SLOT_ANSWERED;
	slot->again = false;
	slot->len_bytes = file_format_answer(slot->answer, status, sum);
	send_answer(server, slot);
}

void file_slot_answer_request(const struct request *request, const uint8_t *msg, uint32_t len_bytes)
{
	struct file_server *server = (struct file_server *)request->origin;
	struct file_slot *slot = file_slot_find(server, request->vm->name);
	struct proto_response response;
	uint32_t status = VGPU_ERR_INTERNAL;
	int32_t sum = 0;

	if (slot == NULL || slot->state != SLOT_ASKED || slot->sequence != request->sequence)
		return; /* the VM was removed meanwhile; another may have its name */
	if (proto_check_response(msg, len_bytes, false, &response) == 0) {
		status = response.status;
		if (status == VGPU_ERR_OK && response.result_count == 1)
			sum = (int32_t)response.results[0];
		else if (status == VGPU_ERR_OK)
			status = VGPU_ERR_INTERNAL;
	}
	file_slot_answer(server, slot, status, sum);
}

/* --- requests --- */

/* Logs that the text contradicts the VM's settings, once for each VM and kind. */
static void tell_once(struct file_server *server, struct file_slot *slot, enum told kind,
		      const char *event_kind, const char *claimed, const char *holds)
{
	struct ledger *ledger = server->broker->ledger;
	char text[160];
	struct ledger_event event = {
		.kind = event_kind,
		.subject = slot->name,
		.old_value = claimed,
		.new_value = holds,
		.text = text,
		.uid = -1,
		.pid = -1,
	};

	if (slot->told & kind)
		return;
	slot->told |= kind;
	snprintf(
		text, sizeof(text),
		kind == TOLD_VM_ID
			? "its request file names VM %s, but this is VM %s: refused; told once"
			: "its request file says %s, but the administrator set %s, which counts; told once",
		claimed, holds);
	log_warning("%s: %s", slot->name, text);
	ledger_event(ledger, &event);
}

/* Return: whether the text names this VM; a VM must not make requests for another. */
static bool compare(struct file_server *server, struct file_slot *slot, const struct vm *vm,
		    const struct file_request *request)
{
	char claimed[16], holds[16];

	if (request->vm_id != vm->id) {
		snprintf(claimed, sizeof(claimed), "%u", request->vm_id);
		snprintf(holds, sizeof(holds), "%u", vm->id);
		tell_once(server, slot, TOLD_VM_ID, "file-vm-id", claimed, holds);
		return false;
	}
	if (request->pool != name_pool(vm->sched.pool)) {
		snprintf(claimed, sizeof(claimed), "%c", request->pool);
		snprintf(holds, sizeof(holds), "%c", name_pool(vm->sched.pool));
		tell_once(server, slot, TOLD_POOL, "file-pool", claimed, holds);
	}
	if (request->priority != vm->sched.priority)
		tell_once(server, slot, TOLD_PRIORITY, "file-priority",
			  name_priority(request->priority), name_priority(vm->sched.priority));
	return true;
}

static uint32_t make_message(uint8_t *msg, const struct file_request *request)
{
	uint8_t params[8];
	struct proto_request add = {
		.opcode = VGPU_OP_CUDA_KERNEL,
		.param_count = 2,
		.params = params,
	};

	vgpu_put_le32(params, (uint32_t)request->a);
	vgpu_put_le32(params + 4, (uint32_t)request->b);
	return proto_make_request(msg, &add);
}

/* request: NULL for a refused one, which is recorded and answered all the same. */
static void submit(struct file_server *server, struct file_slot *slot, struct vm *vm,
		   const struct file_request *request, enum vgpu_error refused)
{
	uint8_t msg[VGPU_MSG_MAX];
	struct broker_arrival arrival = {
		.origin = &server->origin,
		.sequence = server->next_sequence++,
		.msg = msg,
		.len_bytes = request != NULL ? make_message(msg, request) : 0,
		.refused = refused,
	};

	slot->state = SLOT_ASKED;
	slot->sequence = arrival.sequence;
	if (!vm->exec.by_file) {
		vm->exec.by_file = true;
		broker_vm_changed(server->broker,
				  vm); /* it needs a seat, with or without a device */
	}
	if (broker_submit(server->broker, vm, &arrival) != 0)
		file_slot_answer(server, slot, VGPU_ERR_INTERNAL, 0);
}

void file_slot_refuse(struct file_server *server, struct file_slot *slot, struct vm *vm,
		      enum vgpu_error status, const char *why)
{
	vm->figures.refused_files++;
	file_slot_complain(slot, "refused its request.txt with %s: %s", name_error(status), why);
	submit(server, slot, vm, NULL, status);
}

void file_slot_request(struct file_server *server, struct file_slot *slot, struct vm *vm,
		       const struct file_note *note)
{
	struct file_request request;
	const char *why;

	if (file_format_parse(note->text, note->len_bytes, &request, &why) != 0)
		file_slot_refuse(server, slot, vm, VGPU_ERR_BAD_REQUEST, why);
	else if (!compare(server, slot, vm, &request))
		file_slot_refuse(
			server, slot, vm, VGPU_ERR_DENIED,
			"it is in the name of another VM; its third field must be this VM's number");
	else
		submit(server, slot, vm, &request, VGPU_ERR_OK);
}

/* --- at each tick --- */

static bool has_request(const struct vm *vm, const struct file_slot *slot,
			const struct request_origin *origin)
{
	const struct request *request;

	TAILQ_FOREACH(request, &vm->requests, vm_link)
		if (request->origin == origin && request->sequence == slot->sequence)
			return true;
	return false;
}

void file_slot_look_after(struct file_server *server)
{
	struct file_slot *slot, *next;

	for (slot = TAILQ_FIRST(&server->slots); slot != NULL; slot = next) {
		const struct vm *vm = vm_find(&server->broker->vms, slot->name);

		next = TAILQ_NEXT(slot, link);
		if (slot->state == SLOT_ASKED &&
		    (vm == NULL || !has_request(vm, slot, &server->origin)))
			file_slot_answer(server, slot, VGPU_ERR_CANCELLED, 0);
		if (slot->state == SLOT_ANSWERED && !slot->sent)
			send_answer(server, slot);
		if (vm == NULL && slot->state == SLOT_IDLE) {
			TAILQ_REMOVE(&server->slots, slot, link);
			free(slot);
		}
	}
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* broker_arrival.c - a request arrives: it is recorded, judged, and queued or answered */

#include <errno.h>
#include <string.h>

#include "common/names.h"
#include "common/util.h"
#include "common/wire/proto_check.h"
#include "vgpud/request/broker_private.h"

/* Whether the sender wants a checksum, as far as a message that may be malformed can tell. */
static bool wants_crc(const uint8_t *msg, uint32_t len_bytes)
{
	return len_bytes >= VGPU_MSG_HEADER_LEN && (vgpu_get_le32(msg + 8) & VGPU_FLAG_CRC32C);
}

/* Fills in what is known before the message is judged. */
static void fill_request(struct broker *broker, struct request *request, struct vm *vm,
			 const struct broker_arrival *arrival)
{
	bool has_header = arrival->len_bytes >= VGPU_MSG_HEADER_LEN;

	request->vm = vm;
	request->origin = arrival->origin;
	request->sequence = arrival->sequence;
	request->life = LIFE_WAITING;
	request->turn = NULL;
	request->item = (struct sched_item){ .state = SCHED_NONE };
	request->with_crc = wants_crc(arrival->msg, arrival->len_bytes);
	request->row = (struct ledger_request){
		.id = broker->next_id++,
		.received_ns = util_now_ns(),
		.vm_id = vm->id,
		.guest_request_id = arrival->request_id,
		.opcode = has_header ? vgpu_get_le32(arrival->msg + 4) : UINT32_MAX,
		.request_bytes = (uint16_t)arrival->len_bytes,
		.pool = (uint8_t)name_pool(vm->sched.pool),
		.priority = vm->sched.priority,
		.transport = (uint8_t)arrival->origin->transport,
	};
	request->job.misled = false;
	request->job.wire.len_bytes = arrival->len_bytes;
	memcpy(request->job.wire.msg, arrival->msg, arrival->len_bytes);
}

/* Answers a request that cannot be recorded. */
static void turn_away(struct broker *broker, struct request *request, enum vgpu_error status)
{
	uint8_t error[VGPU_MSG_MAX];
	uint32_t len_bytes = broker_make_error(error, status, request->with_crc);

	request->vm->figures.ended[status]++;
	request->origin->answer(request, error, len_bytes);
	broker_request_put(broker, request);
}

/* Return: OK, or why the request will end before it begins. */
static enum vgpu_error judge(const struct broker *broker, const struct request *request,
			     enum vgpu_error refused)
{
	struct proto_request parsed;
	enum vgpu_error error = proto_check_request(request->job.wire.msg,
						    request->job.wire.len_bytes, &parsed);

	if (refused != VGPU_ERR_OK)
		return refused;
	if (error != VGPU_ERR_OK)
		return error;
	if (parsed.opcode >= VGPU_OPCODE_TEST && !broker->conf->test_opcodes)
		return VGPU_ERR_DENIED;
	if (broker->draining)
		return VGPU_ERR_PAUSED;
	if (broker_has_no_device(request->vm))
		return VGPU_ERR_NO_DEVICE;
	if (sched_full(&broker->sched, &request->vm->sched))
		return VGPU_ERR_QUEUE_FULL;
	return VGPU_ERR_OK;
}

int broker_submit(struct broker *broker, struct vm *vm, const struct broker_arrival *arrival)
{
	struct request *request = broker_request_take(broker);
	enum vgpu_error error;

	vm->figures.received++;
	if (request == NULL)
		return -ENOMEM;
	fill_request(broker, request, vm, arrival);
	error = judge(broker, request, arrival->refused);
	request->row.status = error;
	if (ledger_accepted(broker->ledger, &request->row) != 0) {
		turn_away(broker, request, VGPU_ERR_LEDGER_FULL);
		return 0;
	}
	TAILQ_INSERT_TAIL(&vm->requests, request, vm_link);
	broker->live++;
	if (error == VGPU_ERR_OK &&
	    sched_push(&broker->sched, &vm->sched, &request->item, request->row.received_ns) != 0)
		error = VGPU_ERR_QUEUE_FULL;
	broker_message_came(broker, request->row.received_ns);
	if (error != VGPU_ERR_OK) {
		broker_advance(broker, request, LIFE_TURN_OUT, error);
		return 0;
	}
	broker_expect_expiry(broker, request->row.received_ns +
					     broker->sched.pool[vm->sched.pool].deadline_ns);
	broker_dispatch(broker);
	return 0;
}

/* --- the device --- */

static void answer_device(const struct request *request, const uint8_t *msg, uint32_t len_bytes)
{
	port_send_response(request->vm->port, request->sequence, request->row.guest_request_id, msg,
			   len_bytes);
}

static const struct request_origin device_origin = {
	.transport = LEDGER_TRANSPORT_DEVICE,
	.answer = answer_device,
};

static void on_request(void *arg, struct vm *vm, const struct vgpu_frame_header *h,
		       const uint8_t *msg)
{
	struct broker_arrival arrival = {
		.origin = &device_origin,
		.sequence = h->sequence,
		.request_id = h->request_id,
		.msg = msg,
		.len_bytes = h->length,
	};
	uint8_t error[VGPU_MSG_MAX];

	if (broker_submit(arg, vm, &arrival) != 0)
		port_send_response(vm->port, h->sequence, h->request_id, error,
				   broker_make_error(error, VGPU_ERR_INTERNAL, false));
}

static void on_cancel(void *arg, struct vm *vm, uint64_t sequence)
{
	struct broker *broker = arg;
	struct request *request;

	TAILQ_FOREACH(request, &vm->requests, vm_link)
		if (request->origin == &device_origin && request->sequence == sequence)
			break;
	if (request == NULL)
		return; /* it has ended meanwhile */
	broker_advance(broker, request, LIFE_ABANDON, VGPU_ERR_CANCELLED);
}

const struct port_handler broker_port_handler = {
	.request = on_request,
	.cancel = on_cancel,
	.connected = broker_on_connected,
	.gone = broker_on_gone,
};

struct request *broker_find(struct broker *broker, uint64_t id)
{
	struct request *request;
	struct vm *vm;

	TAILQ_FOREACH(vm, &broker->vms, link)
		TAILQ_FOREACH(request, &vm->requests, vm_link)
			if (request->row.id == id)
				return request;
	return NULL;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* check.c - tries whether a device behaves as the guest ABI says */

#include "guest/vgpu-probe/check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/names.h"
#include "common/wire/proto_check.h"
#include "common/wire/vgpu_proto.h"
#include "common/wire/vgpu_regs.h"
#include "guest/libvgpu/submit.h"
#include "guest/tool/json.h"
#include "guest/vgpu-probe/regs.h"
#include "guest/vgpu-probe/view.h"

/*
 * INTERRUPT_CTRL is not tried: without a driver for the interrupt, an asserted line would make the
 * kernel switch it off for all devices that share it.
 */

#define TIMEOUT_NS 60000000000u /* above the device's own bound */

struct result {
	bool ok;
	char detail[200]; /* what was seen; if the check failed, why */
};

struct check {
	const char *name;
	void (*run)(struct vgpu_device *device, struct result *result);
};

static const struct wait patient = { .mode = WAIT_POLL, .timeout_ns = TIMEOUT_NS };

static void __attribute__((format(printf, 2, 3)))
failed(struct result *result, const char *format, ...)
{
	va_list args;

	result->ok = false;
	va_start(args, format);
	vsnprintf(result->detail, sizeof(result->detail), format, args);
	va_end(args);
}

static void check_version(struct vgpu_device *device, struct result *result)
{
	uint32_t version = bar_read(&device->bar, VGPU_REG_PROTOCOL_VER);

	if (version != VGPU_PROTOCOL_VERSION)
		failed(result, "reads 0x%08" PRIx32 ", not 0x%08x", version, VGPU_PROTOCOL_VERSION);
}

static void check_settled(struct vgpu_device *device, struct result *result)
{
	struct fail fail;

	if (submit_settle(device, &patient, &fail) < 0)
		failed(result, "%s", fail.text);
}

static void check_scratch(struct vgpu_device *device, struct result *result)
{
	static const uint32_t patterns[] = { 0x00000000, 0xffffffff, 0xaaaaaaaa, 0x55555555,
					     0x00ff00ff, 0x12345678, 0x80000001 };
	const uint32_t before = bar_read(&device->bar, VGPU_REG_SCRATCH);

	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
		uint32_t seen;

		bar_write(&device->bar, VGPU_REG_SCRATCH, patterns[i]);
		seen = bar_read(&device->bar, VGPU_REG_SCRATCH);
		if (seen != patterns[i])
			failed(result, "wrote 0x%08" PRIx32 ", read 0x%08" PRIx32, patterns[i],
			       seen);
	}
	bar_write(&device->bar, VGPU_REG_SCRATCH, before);
}

/* The host may change some of them meanwhile, but hardly to the very value written here. */
static void check_read_only(struct vgpu_device *device, struct result *result)
{
	for (size_t i = 0; i < VGPU_REG_NUM; i++) {
		const uint32_t offset = regs_info[i].offset;
		uint32_t before;

		if (strcmp(regs_info[i].access, "RO") != 0)
			continue;
		before = bar_read(&device->bar, offset);
		bar_write(&device->bar, offset, ~before);
		if (bar_read(&device->bar, offset) != ~before)
			continue;
		bar_write(&device->bar, offset, before);
		failed(result, "%s takes a write", regs_info[i].name);
	}
}

static void check_reserved(struct vgpu_device *device, struct result *result)
{
	const uint32_t capabilities = bar_read(&device->bar, VGPU_REG_CAPABILITIES);
	const uint32_t reserved = (capabilities & VGPU_CAP_WINDOW) != 0 ? VGPU_RESERVED
									: VGPU_WINDOW_REGS;

	for (uint32_t offset = reserved; offset < VGPU_BAR0_LEN; offset += 4) {
		const uint32_t before = bar_read(&device->bar, offset);

		bar_write(&device->bar, offset, 0xffffffff);
		if (before != 0 || bar_read(&device->bar, offset) != 0) {
			bar_write(&device->bar, offset, before);
			failed(result, "0x%03" PRIx32 " does not read 0 before and after a write",
			       offset);
			return;
		}
	}
}

/* Each width that the buffers take: what narrow writes put there, a wide read must show. */
static bool buffer_widths_agree(volatile uint8_t *at)
{
	*(volatile uint64_t *)at = 0x8877665544332211u;
	if (at[0] != 0x11 || at[7] != 0x88 || *(volatile uint16_t *)(at + 2) != 0x4433 ||
	    *(volatile uint32_t *)(at + 4) != 0x88776655u)
		return false;
	at[0] = 0xa1;
	*(volatile uint16_t *)(at + 2) = 0xb3b2;
	*(volatile uint32_t *)(at + 4) = 0xc7c6c5c4u;
	return *(volatile uint64_t *)at == 0xc7c6c5c4b3b222a1u;
}

static void check_request_buffer(struct vgpu_device *device, struct result *result)
{
	uint8_t before[VGPU_BUF_LEN], written[VGPU_BUF_LEN], seen[VGPU_BUF_LEN];

	bar_read_bytes(&device->bar, VGPU_REQUEST_BUF, before, sizeof(before));
	for (size_t i = 0; i < sizeof(written); i++)
		written[i] = (uint8_t)(i * 7 + i / 256 + 1);
	bar_write_bytes(&device->bar, VGPU_REQUEST_BUF, written, sizeof(written));
	bar_read_bytes(&device->bar, VGPU_REQUEST_BUF, seen, sizeof(seen));
	if (memcmp(written, seen, sizeof(seen)) != 0)
		failed(result, "does not hold what was written");
	else if (!buffer_widths_agree(device->bar.base + VGPU_REQUEST_BUF))
		failed(result, "accesses of 1, 2, 4 and 8 bytes do not agree");
	bar_write_bytes(&device->bar, VGPU_REQUEST_BUF, before, sizeof(before));
}

static void check_response_buffer(struct vgpu_device *device, struct result *result)
{
	uint8_t before[VGPU_BUF_LEN], written[VGPU_BUF_LEN], seen[VGPU_BUF_LEN];

	bar_read_bytes(&device->bar, VGPU_RESPONSE_BUF, before, sizeof(before));
	for (size_t i = 0; i < sizeof(written); i++)
		written[i] = (uint8_t)~before[i];
	bar_write_bytes(&device->bar, VGPU_RESPONSE_BUF, written, sizeof(written));
	bar_read_bytes(&device->bar, VGPU_RESPONSE_BUF, seen, sizeof(seen));
	if (memcmp(before, seen, sizeof(seen)) == 0)
		return;
	bar_write_bytes(&device->bar, VGPU_RESPONSE_BUF, before, sizeof(before));
	failed(result, "takes a write");
}

/* Sends a request and compares how it ends. Return: whether it ended with wanted. */
static bool ends_with(struct vgpu_device *device, const struct request *request, uint32_t wanted,
		      struct reply *reply, struct result *result)
{
	struct fail fail;

	if (submit(device, request, &patient, reply, &fail) < 0) {
		failed(result, "%s", fail.text);
		return false;
	}
	if (reply->error == wanted)
		return true;
	failed(result, "ended with %s (%" PRIu32 "), not %s", name_error(reply->error),
	       reply->error, name_error(wanted));
	return false;
}

static void check_bad_length(struct vgpu_device *device, struct result *result)
{
	static const uint32_t lengths[] = { 0, VGPU_BUF_LEN + 1, UINT32_MAX };
	struct request request = { 0 };
	struct reply reply;

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		request.len_bytes = lengths[i];
		if (!ends_with(device, &request, VGPU_ERR_BAD_LENGTH, &reply, result))
			return;
	}
}

static void check_doorbell(struct vgpu_device *device, struct result *result)
{
	const bool up = bar_read(&device->bar, VGPU_REG_CAPABILITIES) & VGPU_CAP_LINK_UP;
	const struct proto_request nop = { .opcode = VGPU_OP_NOP };
	struct proto_response response;
	struct request request;
	struct reply reply;

	snprintf(result->detail, sizeof(result->detail), "%s",
		 up ? "link up: a nop went through the host's vgpud and back"
		    : "link down: the request ended with NO_BACKEND");
	request.len_bytes = proto_make_request(request.bytes, &nop);
	if (!ends_with(device, &request, up ? VGPU_ERR_OK : VGPU_ERR_NO_BACKEND, &reply, result) ||
	    !up)
		return;
	if (proto_check_response(reply.bytes, reply.len_bytes, false, &response) < 0)
		failed(result, "the response is malformed");
}

static void check_acknowledge(struct vgpu_device *device, struct result *result)
{
	uint32_t status;

	bar_write(&device->bar, VGPU_REG_DOORBELL, VGPU_DOORBELL_ACK);
	status = bar_read(&device->bar, VGPU_REG_STATUS);
	if (status != VGPU_STATUS_IDLE)
		failed(result, "STATUS is %s, not idle", name_status(status));
	else if (bar_read(&device->bar, VGPU_REG_DOORBELL) != 0)
		failed(result, "DOORBELL does not read 0");
}

static const struct check checks[] = {
	{ "protocol version", check_version },
	{ "no request in flight", check_settled },
	{ "scratch register holds what is written", check_scratch },
	{ "read-only registers ignore writes", check_read_only },
	{ "reserved space reads 0 and ignores writes", check_reserved },
	{ "request buffer holds what is written", check_request_buffer },
	{ "response buffer ignores writes", check_response_buffer },
	{ "bad lengths end with BAD_LENGTH", check_bad_length },
	{ "doorbell", check_doorbell },
	{ "acknowledging makes it idle", check_acknowledge },
};
#define CHECK_NUM (sizeof(checks) / sizeof(checks[0]))

static void print_result(const struct check *check, const struct result *result)
{
	printf("%-6s  %s%s%s\n", result->ok ? "ok" : "FAILED", check->name,
	       result->detail[0] ? ": " : "", result->detail);
	fflush(stdout);
}

static void json_result(const struct check *check, const struct result *result, bool first)
{
	printf("%s{\"name\":\"%s\",\"ok\":%s,\"detail\":", first ? "" : ",", check->name,
	       result->ok ? "true" : "false");
	json_string(stdout, result->detail[0] ? result->detail : NULL);
	printf("}");
}

bool check_run(struct vgpu_device *device, bool json)
{
	const uint32_t len_before = bar_read(&device->bar, VGPU_REG_REQUEST_LEN);
	const uint32_t id_before = bar_read(&device->bar, VGPU_REG_REQUEST_ID);
	bool all_ok = true;

	if (json) {
		printf("{\"schema\":%d,\"device\":", VIEW_SCHEMA);
		json_string(stdout, device->name);
		printf(",\"checks\":[");
	}
	for (size_t i = 0; i < CHECK_NUM; i++) {
		struct result result = { .ok = true };

		checks[i].run(device, &result);
		all_ok &= result.ok;
		if (json)
			json_result(&checks[i], &result, i == 0);
		else
			print_result(&checks[i], &result);
	}
	if (json)
		printf("],\"ok\":%s}\n", all_ok ? "true" : "false");
	bar_write(&device->bar, VGPU_REG_REQUEST_LEN, len_before);
	bar_write(&device->bar, VGPU_REG_REQUEST_ID, id_before);
	return all_ok;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* load.c - plays the devices of many VMs: clients that speak the link over the VMs' sockets */

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "bench/samples.h"
#include "common/names.h"
#include "common/util.h"
#include "common/wire/proto_check.h"
#include "common/wire/vgpu_frame.h"
#include "common/wire/vgpu_regs.h"

#define VMS_MAX 1024
#define DEPTH_MAX 64
#define SAMPLES_MAX 4000000

struct client {
	int fd;
	uint32_t vm_id;
	uint32_t priority; /* enum vgpu_priority, as the daemon said at first */
	uint64_t sequence;
	uint64_t sent_ns[DEPTH_MAX]; /* by sequence modulo depth */
	struct vgpu_frame_parser parser;
};

static struct client clients[VMS_MAX];
static struct pollfd polls[VMS_MAX];
static uint64_t errors;

/* Round trips: of all clients, and of those of each priority. */
static struct samples {
	uint64_t *ns;
	size_t num;
} all, by_priority[VGPU_PRIORITY_NUM];

__attribute__((noreturn)) static void die(const char *what)
{
	fprintf(stderr, "bench-load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void send_all(struct client *client, const uint8_t *bytes, size_t len)
{
	if (send(client->fd, bytes, len, MSG_NOSIGNAL) != (ssize_t)len)
		die("the daemon does not take a frame");
}

static void send_frame(struct client *client, uint8_t type, uint64_t sequence,
		       const uint8_t *payload, uint32_t len)
{
	struct vgpu_frame_header h = {
		.vm_id = client->vm_id,
		.length = len,
		.type = type,
		.sequence = sequence,
	};
	uint8_t frame[VGPU_FRAME_MAX];

	vgpu_frame_put_header(frame, &h);
	memcpy(frame + VGPU_FRAME_HEADER_LEN, payload, len);
	send_all(client, frame, VGPU_FRAME_HEADER_LEN + len);
}

static void add(struct samples *samples, uint64_t ns)
{
	if (samples->num < SAMPLES_MAX)
		samples->ns[samples->num++] = ns;
}

static void submit(struct client *client, unsigned depth)
{
	static const struct proto_request nop = { .opcode = VGPU_OP_NOP };
	uint8_t msg[VGPU_MSG_MAX];
	uint32_t len = proto_make_request(msg, &nop);

	client->sequence++;
	client->sent_ns[client->sequence % depth] = util_now_ns();
	send_frame(client, VGPU_FRAME_REQUEST, client->sequence, msg, len);
}

/* more: whether to send the next request for each that is answered. */
static void take_frame(struct client *client, unsigned depth, bool more)
{
	struct vgpu_frame_header h;
	const uint8_t *payload = vgpu_frame_take(&client->parser, &h);
	uint64_t took_ns;

	if (h.type == VGPU_FRAME_CONFIG && client->vm_id == 0) {
		client->vm_id = vgpu_get_le32(payload);
		client->priority = vgpu_get_le32(payload + 8) % VGPU_PRIORITY_NUM;
		for (unsigned i = 0; i < depth; i++)
			submit(client, depth);
	}
	if (h.type != VGPU_FRAME_RESPONSE)
		return;
	errors += vgpu_get_le32(payload + 4) != VGPU_ERR_OK;
	took_ns = util_now_ns() - client->sent_ns[h.sequence % depth];
	add(&all, took_ns);
	add(&by_priority[client->priority], took_ns);
	if (more)
		submit(client, depth);
}

static void take_bytes(struct client *client, unsigned depth, bool more)
{
	uint8_t bytes[65536];
	ssize_t len = recv(client->fd, bytes, sizeof(bytes), 0);
	uint32_t used;

	if (len <= 0)
		die("the daemon hung up");
	for (ssize_t at = 0; at < len; at += used) {
		enum vgpu_frame_result result = vgpu_frame_feed(&client->parser, bytes + at,
								(uint32_t)(len - at), &used);

		if (result == VGPU_FRAME_BAD)
			die("a frame is malformed");
		if (result == VGPU_FRAME_READY)
			take_frame(client, depth, more);
	}
}

static void open_client(struct client *client, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	uint8_t hello[VGPU_HELLO_LEN] = { 0 };

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (client->fd < 0 || connect(client->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		die(path);
	vgpu_put_le32(hello, VGPU_LINK_VERSION);
	vgpu_put_le32(hello + 4, VGPU_LINK_VERSION);
	send_frame(client, VGPU_FRAME_HELLO, 0, hello, sizeof(hello));
}

static void run(unsigned num, unsigned depth, uint64_t until_ns)
{
	while (util_now_ns() < until_ns) {
		if (poll(polls, num, 1000) < 0)
			die("poll");
		for (unsigned i = 0; i < num; i++)
			if (polls[i].revents != 0)
				take_bytes(&clients[i], depth, true);
	}
}

static void allocate(struct samples *samples)
{
	samples->ns = calloc(SAMPLES_MAX, sizeof(*samples->ns));
	if (samples->ns == NULL)
		die("samples");
}

/* Return: the percentile; sorts. 0: there is no sample. */
static uint64_t percentile(struct samples *samples, unsigned percent)
{
	qsort(samples->ns, samples->num, sizeof(*samples->ns), samples_compare);
	return samples->num > 0 ? samples->ns[samples->num * percent / 100] : 0;
}

static void print_figures(struct samples *samples)
{
	printf("\"count\":%zu,\"p50_ns\":%" PRIu64 ",\"p99_ns\":%" PRIu64, samples->num,
	       percentile(samples, 50), percentile(samples, 99));
}

static void print(unsigned num, unsigned depth, uint64_t took_ns)
{
	const char *separator = "";

	printf("{\"name\":\"load\",\"vms\":%u,\"depth\":%u,\"rate_per_s\":%.0f,\"errors\":%" PRIu64
	       ",",
	       num, depth, (double)all.num * 1e9 / (double)took_ns, errors);
	print_figures(&all);
	printf(",\"priorities\":{");
	for (unsigned i = 0; i < VGPU_PRIORITY_NUM; i++) {
		if (by_priority[i].num == 0)
			continue;
		printf("%s\"%s\":{", separator, name_priority(i));
		print_figures(&by_priority[i]);
		printf("}");
		separator = ",";
	}
	printf("}}\n");
}

int main(int argc, char **argv)
{
	uint64_t seconds, depth, began_ns;
	unsigned num = argc > 3 ? (unsigned)argc - 3 : 0;

	if (num == 0 || num > VMS_MAX || util_parse_u64(argv[1], 1, 3600, &seconds) != 0 ||
	    util_parse_u64(argv[2], 1, DEPTH_MAX, &depth) != 0) {
		fputs("usage: bench-load SECONDS DEPTH SOCKET...\n"
		      "DEPTH: requests of each VM that are under way at once\n",
		      stderr);
		return 2;
	}
	allocate(&all);
	for (unsigned i = 0; i < VGPU_PRIORITY_NUM; i++)
		allocate(&by_priority[i]);
	for (unsigned i = 0; i < num; i++) {
		open_client(&clients[i], argv[3 + i]);
		polls[i] = (struct pollfd){ .fd = clients[i].fd, .events = POLLIN };
	}
	began_ns = util_now_ns();
	run(num, (unsigned)depth, began_ns + seconds * UTIL_NS_PER_S);
	print(num, (unsigned)depth, util_now_ns() - began_ns);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* peer.c - the far end of the device's link in the storm: answers well, badly, late, twice or not
 * at all */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/device/storm/storm.h"

struct peer_counts peer_counts;

static struct chance chance;
static struct sockaddr_un address = { .sun_family = AF_UNIX };
static struct vgpu_frame_parser parser;
static int fd = -1;
static bool greeted;
static int fds[8]; /* that came and belong to the next frame that has some */
static uint32_t fd_num;
static uint64_t newest; /* sequence of the request that came last, on any connection */

void peer_open(const char *path, uint64_t seed)
{
	chance.state = seed ^ 0x7065657200000000u;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	channels_open(seed);
}

int peer_fd(void)
{
	return fd;
}

static void hang_up(void)
{
	close(fd);
	fd = -1;
}

void peer_hang_up(void)
{
	if (fd >= 0)
		hang_up();
}

/* Bytes that the socket does not take at once are dropped, which is one more way to misbehave. */
static void put(const void *bytes, size_t len)
{
	if (fd >= 0 && send(fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)len)
		hang_up();
}

static void put_frame(uint8_t type, uint64_t sequence, const uint8_t *payload, uint32_t len)
{
	struct vgpu_frame_header h = {
		.vm_id = 3, .length = len, .type = type, .sequence = sequence
	};
	uint8_t frame[VGPU_FRAME_MAX];

	vgpu_frame_put_header(frame, &h);
	memcpy(frame + VGPU_FRAME_HEADER_LEN, payload, len);
	put(frame, VGPU_FRAME_HEADER_LEN + len);
}

void peer_put(uint8_t type, const uint8_t *payload, uint32_t len)
{
	put_frame(type, 0, payload, len);
}

static void put_config(uint32_t pool)
{
	uint8_t config[VGPU_CONFIG_LEN] = { 0 };

	vgpu_put_le32(config, (uint32_t)chance_next(&chance));
	vgpu_put_le32(config + 4, pool);
	vgpu_put_le32(config + 8, chance_below(&chance, VGPU_PRIORITY_NUM));
	put_frame(VGPU_FRAME_CONFIG, 0, config, sizeof(config));
}

static uint32_t good_pool(void)
{
	return 'A' + chance_below(&chance, 26);
}

static void greet(void)
{
	uint8_t hello[VGPU_HELLO_LEN] = { 0 };

	vgpu_put_le32(hello, VGPU_LINK_VERSION);
	vgpu_put_le32(hello + 4,
		      chance_below(&chance, 8) ? VGPU_LINK_VERSION_PROGRAMS : VGPU_LINK_VERSION);
	if (chance_below(&chance, 50) == 0)
		vgpu_put_le32(hello + 8, chance_below(&chance, VGPU_ERROR_NUM + 2));
	put_frame(VGPU_FRAME_HELLO, 0, hello, sizeof(hello));
	put_config(good_pool());
	greeted = true;
}

/* A response of random length whose data follow from its tag, so that the guest's half knows it
 * again. */
static uint32_t make_response(uint8_t *message, uint32_t tag)
{
	uint32_t words = chance_below(&chance, (VGPU_BUF_LEN - VGPU_MSG_HEADER_LEN) / 4 + 1);

	memset(message, 0, VGPU_MSG_HEADER_LEN);
	vgpu_put_le32(message, VGPU_MSG_VERSION);
	vgpu_put_le32(message + 4, chance_below(&chance, 4)
					   ? VGPU_ERR_OK
					   : chance_below(&chance, VGPU_ERROR_NUM));
	vgpu_put_le32(message + 12, VGPU_MSG_HEADER_LEN);
	vgpu_put_le32(message + 16, 4 * words);
	vgpu_put_le32(message + 20, tag);
	for (uint32_t i = 0; i < words; i++)
		vgpu_put_le32(message + VGPU_MSG_HEADER_LEN + 4 * i, storm_word(tag, i));
	return VGPU_MSG_HEADER_LEN + 4 * words;
}

static void answer(uint64_t sequence, uint32_t mark)
{
	uint8_t message[VGPU_BUF_LEN];
	uint32_t len = make_response(message, ((uint32_t)sequence & ~STORM_POISON) | mark);

	put_frame(VGPU_FRAME_RESPONSE, sequence, message, len);
	if (mark)
		peer_counts.poisoned++;
	else
		peer_counts.answers++;
}

/* Something for which the device hangs up, or that it cannot use. */
static void misbehave(uint64_t sequence)
{
	uint8_t bytes[VGPU_FRAME_MAX];
	uint32_t len = make_response(bytes, (uint32_t)sequence | STORM_POISON);

	peer_counts.malformed++;
	switch (chance_below(&chance, 8)) {
	case 0: /* a word of the header that lies */
		vgpu_put_le32(bytes + 4 * chance_below(&chance, 5), (uint32_t)chance_next(&chance));
		put_frame(VGPU_FRAME_RESPONSE, sequence, bytes, len);
		break;
	case 1: /* an answer to a request that never was */
		put_frame(VGPU_FRAME_RESPONSE, sequence + 100000 + chance_below(&chance, 9), bytes,
			  len);
		break;
	case 2: /* half of an answer */
		memmove(bytes + VGPU_FRAME_HEADER_LEN, bytes, len < 999 ? len : 999);
		vgpu_frame_put_header(bytes,
				      &(struct vgpu_frame_header){ .length = len,
								   .type = VGPU_FRAME_RESPONSE,
								   .sequence = sequence });
		put(bytes, VGPU_FRAME_HEADER_LEN + chance_below(&chance, len < 999 ? len : 999));
		hang_up();
		break;
	case 3:
		put_config('A' - 1);
		break;
	case 4: /* any type but the one that would be good */
		put_frame((uint8_t)(VGPU_FRAME_RESPONSE + 1 + chance_below(&chance, 255)), sequence,
			  bytes, len);
		break;
	case 5:
		for (uint32_t i = 0; i < 64; i++)
			bytes[i] = (uint8_t)chance_next(&chance);
		put(bytes, 1 + chance_below(&chance, 64));
		break;
	default:
		hang_up();
		break;
	}
}

static void take_request(const struct vgpu_frame_header *h)
{
	if (h->sequence <= newest)
		storm_fault("sequence %llu came after %llu", (unsigned long long)h->sequence,
			    (unsigned long long)newest);
	newest = h->sequence;
	peer_counts.requests++;
	switch (chance_below(&chance, 100)) {
	case 0: /* none at all: the device's own time ends it */
		break;
	case 1:
	case 2:
		misbehave(h->sequence);
		break;
	case 3: /* to an older one first */
		answer(h->sequence - 1, STORM_POISON);
		answer(h->sequence, 0);
		break;
	case 4: /* twice */
		answer(h->sequence, 0);
		answer(h->sequence, STORM_POISON);
		break;
	case 5:
		put_config(good_pool());
		answer(h->sequence, 0);
		break;
	default:
		answer(h->sequence, 0);
		break;
	}
}

static void take_frame(void)
{
	struct vgpu_frame_header h;
	const uint8_t *payload = vgpu_frame_take(&parser, &h);

	if (fd_num > 0 && h.type < VGPU_FRAME_WINDOW)
		storm_fault("descriptors come with a frame of type %u", h.type);
	if (greeted && h.type >= VGPU_FRAME_WINDOW) {
		channels_take(&h, payload, fds, fd_num);
		fd_num = 0;
		return;
	}
	if (h.type == VGPU_FRAME_HELLO)
		greet();
	else if (h.type == VGPU_FRAME_REQUEST && greeted)
		take_request(&h);
	else if (h.type == VGPU_FRAME_CANCEL && h.sequence == newest)
		answer(h.sequence, STORM_POISON); /* too late */
	else if (h.type != VGPU_FRAME_CANCEL || h.sequence > newest)
		storm_fault("the device sends a frame of type %u at the wrong time", h.type);
}

static void call(void)
{
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		storm_fault("cannot connect to %s: %s", address.sun_path, strerror(errno));
	vgpu_frame_reset(&parser);
	while (fd_num > 0)
		close(fds[--fd_num]);
	channels_forget();
	greeted = false;
	peer_counts.connects++;
}

/* One frame at most is whole then: descriptors are of that one. */
static ssize_t receive(uint8_t *bytes, size_t len)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(fds))];
	} control;
	struct iovec iov = { .iov_base = bytes, .iov_len = len };
	struct msghdr message = { .msg_iov = &iov,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	ssize_t got = recvmsg(fd, &message, MSG_DONTWAIT);
	struct cmsghdr *head = got > 0 ? CMSG_FIRSTHDR(&message) : NULL;

	if (head != NULL && head->cmsg_type == SCM_RIGHTS) {
		if (fd_num > 0)
			storm_fault("descriptors come before the last ones' frame is whole");
		fd_num = (uint32_t)((head->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(fds, CMSG_DATA(head), fd_num * sizeof(int));
	}
	return got;
}

/* Return: whether there may be more to read. */
static bool serve_some(void)
{
	uint8_t bytes[VGPU_FRAME_MAX];
	ssize_t got = receive(bytes, vgpu_frame_room(&parser));
	uint32_t used;

	if (got == 0 || (got < 0 && errno != EAGAIN)) {
		hang_up();
		return false;
	}
	if (got < 0)
		return false;
	switch (vgpu_frame_feed(&parser, bytes, (uint32_t)got, &used)) {
	case VGPU_FRAME_BAD:
		storm_fault("the device sends a malformed frame");
	case VGPU_FRAME_READY:
		take_frame();
		break;
	case VGPU_FRAME_MORE:
		break;
	}
	return true;
}

void peer_serve(void)
{
	if (fd < 0)
		call();
	channels_stir();
	for (int i = 0; i < 64 && fd >= 0 && serve_some(); i++)
		continue;
}

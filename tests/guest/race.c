/* SPDX-License-Identifier: GPL-2.0-or-later */
/* race.c - two threads on two processors that use one device without any lock; runs in a guest */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/util.h"
#include "common/wire/vgpu_proto.h"
#include "common/wire/vgpu_regs.h"

/*
 * Theory of operation: thread 0 writes adds, thread 1 vector-adds, both into the one buffer, and
 * either rings or acknowledges whenever it likes. Each word says who wrote it and for which place:
 * tests/guest/test_race.py sees on the link what became of them. Here only what the device itself
 * promises is checked: that STATUS is one of four, and that an access of 8 bytes is never torn.
 */
#define TAG(who) (0xa0u + (who))
#define PAIRS 16u
#define TORN_AT (VGPU_REQUEST_BUF + VGPU_BUF_LEN - 8) /* past every request's end */

struct counts {
	uint64_t doorbells, statuses[4], out_of_range, torn;
};

static volatile uint8_t *bar;
static uint64_t until_ns;

static uint32_t get32(uint32_t offset)
{
	return *(volatile uint32_t *)(bar + offset);
}

static void put32(uint32_t offset, uint32_t value)
{
	*(volatile uint32_t *)(bar + offset) = value;
}

static uint64_t get64(uint32_t offset)
{
	return *(volatile uint64_t *)(bar + offset);
}

static void put64(uint32_t offset, uint64_t value)
{
	*(volatile uint64_t *)(bar + offset) = value;
}

/* Word `at` of a message: who, where, which time. */
static uint32_t word(unsigned who, uint32_t at, uint32_t round)
{
	return TAG(who) << 24 | at << 8 | (round & 0xff);
}

static void write_request(unsigned who, uint32_t round)
{
	const struct vgpu_request_header header = {
		.version = VGPU_MSG_VERSION,
		.opcode = who == 0 ? VGPU_OP_CUDA_KERNEL : VGPU_OP_VECTOR_ADD,
		.param_count = who == 0 ? 2 : 0,
		.data_offset = VGPU_MSG_HEADER_LEN,
		.data_length = who == 0 ? 0 : PAIRS * 8,
	};
	uint32_t words[VGPU_MSG_HEADER_LEN / 4];
	uint32_t more = who == 0 ? 2 : PAIRS * 2;

	memcpy(words, &header, sizeof(words));
	for (uint32_t i = 0; i < VGPU_MSG_HEADER_LEN / 4; i++)
		put32(VGPU_REQUEST_BUF + 4 * i, words[i]);
	for (uint32_t i = 0; i < more; i++)
		put32(VGPU_REQUEST_BUF + VGPU_MSG_HEADER_LEN + 4 * i,
		      word(who, VGPU_MSG_HEADER_LEN / 4 + i, round));
	put32(VGPU_REG_REQUEST_LEN, VGPU_MSG_HEADER_LEN + 4 * more);
}

static void look(struct counts *counts)
{
	uint32_t status = get32(VGPU_REG_STATUS);
	uint64_t whole = get64(TORN_AT);

	if (status > VGPU_STATUS_ERROR)
		counts->out_of_range++;
	else
		counts->statuses[status]++;
	if (whole != 0 && whole != 0x0101010101010101u * TAG(0) &&
	    whole != 0x0101010101010101u * TAG(1))
		counts->torn++;
}

static void *work(void *arg)
{
	unsigned who = (unsigned)(uintptr_t)arg;
	struct counts *counts = calloc(1, sizeof(*counts));
	cpu_set_t cpu;

	CPU_ZERO(&cpu);
	CPU_SET(who, &cpu);
	if (counts == NULL || pthread_setaffinity_np(pthread_self(), sizeof(cpu), &cpu) != 0) {
		fprintf(stderr, "race: no processor %u\n", who);
		exit(1);
	}
	for (uint32_t round = 0; util_now_ns() < until_ns; round++) {
		put64(TORN_AT, 0x0101010101010101u * TAG(who));
		write_request(who, round);
		put32(VGPU_REG_DOORBELL, VGPU_DOORBELL_SUBMIT);
		counts->doorbells++;
		for (uint32_t i = 0; i < round % 7; i++)
			look(counts);
		if (round % 3 == 0)
			put32(VGPU_REG_DOORBELL, VGPU_DOORBELL_ACK);
	}
	return counts;
}

int main(int argc, char **argv)
{
	pthread_t threads[2];
	uint64_t seconds;
	int fd;

	if (argc != 3 || util_parse_u64(argv[2], 1, 3600, &seconds) != 0) {
		fprintf(stderr, "usage: race RESOURCE0 SECONDS\n");
		return 2;
	}
	fd = open(argv[1], O_RDWR | O_SYNC | O_CLOEXEC);
	if (fd >= 0)
		bar = mmap(NULL, VGPU_BAR0_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (fd < 0 || bar == MAP_FAILED) {
		fprintf(stderr, "race: %s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	until_ns = util_now_ns() + seconds * UTIL_NS_PER_S;
	for (uintptr_t i = 0; i < 2; i++)
		if (pthread_create(&threads[i], NULL, work, (void *)i) != 0)
			return 1;
	for (unsigned i = 0; i < 2; i++) {
		struct counts *c;

		pthread_join(threads[i], (void **)&c);
		printf("%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", c->doorbells,
		       c->statuses[VGPU_STATUS_BUSY], c->out_of_range, c->torn);
	}
	return 0;
}

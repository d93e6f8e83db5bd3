/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_guest_submit.c - opening, submitting and waiting, against a thread that plays the device in
 * a file */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/wire/vgpu_regs.h"
#include "guest/libvgpu/submit.h"

#define TIMEOUT_NS 30000000u
#define PATIENT_NS 60000000000u /* of a wait that is to end by itself */

/* The device's side of the file, and how it answers the nth doorbell. */
struct fake {
	char path[40];
	uint8_t *bar;
	pthread_t thread;
	volatile bool stop;
	unsigned int doorbells;
	unsigned int doorbells_busy;   /* ignored, as the ABI says */
	uint8_t request[VGPU_BUF_LEN]; /* as it stood in the buffer at the last doorbell */
	void (*answer)(struct fake *fake, unsigned int nth);
};

static volatile uint32_t *reg(struct fake *fake, uint32_t offset)
{
	return (volatile uint32_t *)(fake->bar + offset);
}

static void nap(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
}

static void *play(void *arg)
{
	struct fake *fake = arg;

	while (!fake->stop) {
		const bool busy = *reg(fake, VGPU_REG_STATUS) == VGPU_STATUS_BUSY;

		if (*reg(fake, VGPU_REG_DOORBELL) != 0 && busy) {
			fake->doorbells_busy++;
			*reg(fake, VGPU_REG_DOORBELL) = 0;
		} else if (*reg(fake, VGPU_REG_DOORBELL) != 0) {
			memcpy(fake->request, fake->bar + VGPU_REQUEST_BUF, VGPU_BUF_LEN);
			*reg(fake, VGPU_REG_STATUS) = VGPU_STATUS_BUSY;
			fake->answer(fake, fake->doorbells++);
			__atomic_thread_fence(__ATOMIC_RELEASE);
			*reg(fake, VGPU_REG_DOORBELL) = 0;
		}
		nap();
	}
	return NULL;
}

static int set_up(void **state)
{
	struct fake *fake = calloc(1, sizeof(*fake));
	int fd;

	snprintf(fake->path, sizeof(fake->path), "/tmp/vgpu-test-XXXXXX");
	fd = mkstemp(fake->path);
	if (fd < 0 || ftruncate(fd, VGPU_BAR0_LEN) < 0)
		return -1;
	fake->bar = mmap(NULL, VGPU_BAR0_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	*reg(fake, VGPU_REG_PROTOCOL_VER) = VGPU_PROTOCOL_VERSION;
	*state = fake;
	return fake->bar == MAP_FAILED ? -1 : 0;
}

static int tear_down(void **state)
{
	struct fake *fake = *state;

	if (fake->answer) {
		fake->stop = true;
		pthread_join(fake->thread, NULL);
	}
	munmap(fake->bar, VGPU_BAR0_LEN);
	unlink(fake->path);
	free(fake);
	return 0;
}

static void start(struct fake *fake, void (*answer)(struct fake *fake, unsigned int nth))
{
	fake->answer = answer;
	assert_int_equal(pthread_create(&fake->thread, NULL, play, fake), 0);
}

static int try_open(struct fake *fake, struct vgpu_device *device, enum device_access access,
		    struct fail *fail)
{
	*fail = (struct fail){ 0 };
	return device_open(device, &(struct device_where){ .file = fake->path }, access, fail);
}

static void must_open(struct fake *fake, struct vgpu_device *device)
{
	struct fail fail;

	if (try_open(fake, device, DEVICE_SUBMIT, &fail) < 0)
		fail_msg("%s", fail.text);
}

static void end_with(struct fake *fake, uint32_t status, uint32_t error, const void *response,
		     uint32_t len_bytes)
{
	memset(fake->bar + VGPU_RESPONSE_BUF, 0, VGPU_BUF_LEN);
	memcpy(fake->bar + VGPU_RESPONSE_BUF, response, len_bytes);
	*reg(fake, VGPU_REG_RESPONSE_LEN) = len_bytes;
	*reg(fake, VGPU_REG_ERROR_CODE) = error;
	__atomic_thread_fence(__ATOMIC_RELEASE);
	*reg(fake, VGPU_REG_STATUS) = status;
}

/* Sends the request back, its first byte counting the doorbells. */
static void answer_echo(struct fake *fake, unsigned int nth)
{
	uint32_t len_bytes = *reg(fake, VGPU_REG_REQUEST_LEN);
	uint8_t bytes[VGPU_BUF_LEN];

	if (len_bytes > VGPU_BUF_LEN)
		len_bytes = VGPU_BUF_LEN;
	memcpy(bytes, fake->request, len_bytes);
	bytes[0] = (uint8_t)nth;
	end_with(fake, VGPU_STATUS_DONE, VGPU_ERR_OK, bytes, len_bytes);
}

static const struct request request_40 = { .len_bytes = 40, .bytes = { 9, 1, 2, 3, [39] = 39 } };
static const struct wait patient = { .mode = WAIT_POLL, .timeout_ns = PATIENT_NS };
static const struct wait hasty = { .mode = WAIT_POLL, .timeout_ns = TIMEOUT_NS };

static int send_40(struct vgpu_device *device, const struct wait *wait, struct reply *reply,
		   struct fail *fail)
{
	*fail = (struct fail){ 0 };
	memset(reply, 0xee, sizeof(*reply));
	return submit(device, &request_40, wait, reply, fail);
}

/* ---- opening ---- */

static void opening_wants_the_right_version(void **state)
{
	static const enum device_access all[] = { DEVICE_READ, DEVICE_CHECK, DEVICE_SUBMIT };
	struct fake *fake = *state;
	struct vgpu_device device;
	struct fail fail;

	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(try_open(fake, &device, all[i], &fail), 0);
		device_close(&device);
	}
	*reg(fake, VGPU_REG_PROTOCOL_VER) = 0x00020000;
	assert_int_equal(try_open(fake, &device, DEVICE_SUBMIT, &fail), -EPROTO);
	assert_int_equal(fail.kind, FAIL_FOREIGN);
	assert_non_null(strstr(fail.text, "0x00020000"));
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(try_open(fake, &device, all[i], &fail), 0);
		device_close(&device);
	}
	*reg(fake, VGPU_REG_PROTOCOL_VER) = UINT32_MAX;
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(try_open(fake, &device, all[i], &fail), -ENXIO);
		assert_int_equal(fail.kind, FAIL_FOREIGN);
	}
}

static void opening_wants_the_whole_bar(void **state)
{
	struct fake *fake = *state;
	struct vgpu_device device;
	struct fail fail;

	assert_int_equal(truncate(fake->path, VGPU_BAR0_LEN - 1), 0);
	assert_int_equal(try_open(fake, &device, DEVICE_READ, &fail), -EINVAL);
	assert_int_equal(fail.kind, FAIL_UNUSABLE);
	assert_int_equal(truncate(fake->path, VGPU_BAR0_LEN), 0);
	assert_int_equal(device_open(&device, &(struct device_where){ .file = "/nowhere" },
				     DEVICE_READ, &fail),
			 -ENOENT);
	assert_int_equal(fail.kind, FAIL_NO_DEVICE);
	assert_non_null(strstr(fail.text, "/nowhere"));
}

static void one_at_a_time_submits_but_all_may_read(void **state)
{
	struct vgpu_device first, second;
	struct fake *fake = *state;
	struct fail fail;
	char pid[32];

	must_open(fake, &first);
	assert_int_equal(try_open(fake, &second, DEVICE_SUBMIT, &fail), -EBUSY);
	assert_int_equal(fail.kind, FAIL_IN_USE);
	snprintf(pid, sizeof(pid), "process %d ", (int)getpid());
	assert_non_null(strstr(fail.text, pid));
	assert_int_equal(try_open(fake, &second, DEVICE_CHECK, &fail), -EBUSY);
	assert_int_equal(try_open(fake, &second, DEVICE_READ, &fail), 0);
	device_close(&second);
	device_close(&first);
	must_open(fake, &second);
	device_close(&second);
}

/* ---- submitting ---- */

static void a_round_trip_carries_every_byte(void **state)
{
	struct fake *fake = *state;
	struct vgpu_device device;
	struct reply reply;
	struct fail fail;

	start(fake, answer_echo);
	must_open(fake, &device);
	assert_int_equal(send_40(&device, &patient, &reply, &fail), 0);
	assert_int_equal(reply.error, VGPU_ERR_OK);
	assert_int_equal(reply.len_bytes, 40);
	assert_int_equal(reply.bytes[0], 0);
	assert_memory_equal(reply.bytes + 1, request_40.bytes + 1, 39);
	assert_memory_equal(fake->request, request_40.bytes, 40);
	assert_int_equal(*reg(fake, VGPU_REG_REQUEST_LEN), 40);
	device_close(&device);
}

static void odd_lengths_go_both_ways(void **state)
{
	struct request request = { 0 };
	struct fake *fake = *state;
	struct vgpu_device device;
	struct reply reply;
	struct fail fail;

	for (size_t i = 0; i < sizeof(request.bytes); i++)
		request.bytes[i] = (uint8_t)(i ^ i >> 8 ^ 0x5a);
	start(fake, answer_echo);
	must_open(fake, &device);
	for (request.len_bytes = 1; request.len_bytes <= 17; request.len_bytes++) {
		memset(reply.bytes, 0xee, sizeof(reply.bytes));
		assert_int_equal(submit(&device, &request, &patient, &reply, &fail), 0);
		assert_int_equal(reply.len_bytes, request.len_bytes);
		assert_memory_equal(reply.bytes + 1, request.bytes + 1, request.len_bytes - 1);
		assert_int_equal(reply.bytes[reply.len_bytes], 0xee);
	}
	device_close(&device);
}

/* By hand: STATUS, 5 words of request, length, id, doorbell and its file's reading back; STATUS,
 * length, 5 words of response, id. The next request needs no first look at STATUS. */
static void accesses_are_counted(void **state)
{
	struct fake *fake = *state;
	struct vgpu_device device;
	struct reply reply;
	struct fail fail;
	uint64_t before;

	start(fake, answer_echo);
	must_open(fake, &device);
	before = device.bar.accesses;
	assert_int_equal(send_40(&device, &patient, &reply, &fail), 0);
	assert_int_equal(device.bar.accesses - before, 1 + 5 + 4 + 3 + 5);
	before = device.bar.accesses;
	assert_int_equal(send_40(&device, &patient, &reply, &fail), 0);
	assert_int_equal(device.bar.accesses - before, 5 + 4 + 3 + 5);
	device_close(&device);
}

static void requests_have_numbers(void **state)
{
	struct fake *fake = *state;
	struct vgpu_device device;
	struct reply reply;
	struct fail fail;
	uint32_t first;

	start(fake, answer_echo);
	must_open(fake, &device);
	assert_int_equal(send_40(&device, &patient, &reply, &fail), 0);
	first = *reg(fake, VGPU_REG_REQUEST_ID);
	assert_int_not_equal(first, 0);
	assert_int_equal(device.request_id, first);
	assert_int_equal(send_40(&device, &patient, &reply, &fail), 0);
	assert_int_equal(*reg(fake, VGPU_REG_REQUEST_ID), first + 1);
	device.request_id = UINT32_MAX;
	assert_int_equal(send_40(&device, &patient, &reply, &fail), 0);
	assert_int_not_equal(*reg(fake, VGPU_REG_REQUEST_ID), 0);
	device_close(&device);
}

/* After so many reads the device is unplugged, and all reads give this byte. */
static struct {
	unsigned reads; /* that are left; 0: it stays */
	bool done;
	uint8_t byte;
} unplug;

static bool is_unplugged(void)
{
	if (unplug.reads > 0 && --unplug.reads == 0)
		unplug.done = true;
	return unplug.done;
}

/* The linker puts these in the place of bar.c's (tests.mk). */
uint32_t __real_bar_read(struct bar *bar, uint32_t offset);
uint32_t __wrap_bar_read(struct bar *bar, uint32_t offset);
void __real_bar_read_bytes(struct bar *bar, uint32_t offset, void *to, uint32_t len_bytes);
void __wrap_bar_read_bytes(struct bar *bar, uint32_t offset, void *to, uint32_t len_bytes);

uint32_t __wrap_bar_read(struct bar *bar, uint32_t offset)
{
	return is_unplugged() ? unplug.byte * 0x01010101u : __real_bar_read(bar, offset);
}

void __wrap_bar_read_bytes(struct bar *bar, uint32_t offset, void *to, uint32_t len_bytes)
{
	for (uint32_t at = 0; at < len_bytes; at += 8) {
		uint32_t bytes = len_bytes - at < 8 ? len_bytes - at : 8;

		if (is_unplugged())
			memset((uint8_t *)to + at, unplug.byte, bytes);
		else
			__real_bar_read_bytes(bar, offset + at, (uint8_t *)to + at, bytes);
	}
}

/* By hand: STATUS until it is done; length, 5 words of response, id: the last of them tells. */
static void a_device_that_is_unplugged_as_it_answers(void **state)
{
	const unsigned reads = 1 + 1 + 5 + 1;
	struct fake *fake = *state;
	struct vgpu_device device;
	struct reply reply;
	struct fail fail;

	start(fake, answer_echo);
	must_open(fake, &device);
	assert_int_equal(send_40(&device, &patient, &reply, &fail), 0);
	for (unsigned after = 2; after <= 1 + reads; after++) {
		for (unsigned ones = 0; ones < 2; ones++) {
			unplug.reads = after; /* the first is the doorbell's, which a file has */
			unplug.byte = ones ? 0xff : 0;
			assert_int_equal(send_40(&device, &patient, &reply, &fail), -ENODEV);
			assert_int_equal(fail.kind, FAIL_GONE);
			unplug.done = false;
		}
	}
	assert_int_equal(send_40(&device, &patient, &reply, &fail), 0);
	device_close(&device);
}

static void answer_no_backend(struct fake *fake, unsigned int nth)
{
	(void)nth;
	end_with(fake, VGPU_STATUS_ERROR, VGPU_ERR_NO_BACKEND, "", 0);
}

static void an_error_of_the_device_is_a_reply(void **state)
{
	struct fake *fake = *state;
	struct vgpu_device device;
	struct reply reply;
	struct fail fail;

	start(fake, answer_no_backend);
	must_open(fake, &device);
	assert_int_equal(send_40(&device, &patient, &reply, &fail), 0);
	assert_int_equal(reply.error, VGPU_ERR_NO_BACKEND);
	assert_int_equal(reply.len_bytes, 0);
	device_close(&device);
}

static void too_long_a_request_is_sent_as_far_as_it_fits(void **state)
{
	struct request request = { .len_bytes = 5000, .bytes = { [1023] = 7 } };
	struct fake *fake = *state;
	struct vgpu_device device;
	struct reply reply;
	struct fail fail;

	start(fake, answer_no_backend);
	must_open(fake, &device);
	assert_int_equal(submit(&device, &request, &patient, &reply, &fail), 0);
	assert_int_equal(*reg(fake, VGPU_REG_REQUEST_LEN), 5000);
	assert_int_equal(fake->request[1023], 7);
	assert_int_equal(*reg(fake, VGPU_RESPONSE_BUF), 0);
	device_close(&device);
}

/* Each way in which an answer can be none, by the number of the doorbell. */
static void answer_badly(struct fake *fake, unsigned int nth)
{
	switch (nth) {
	case 0: /* reset meanwhile */
		end_with(fake, VGPU_STATUS_IDLE, VGPU_ERR_OK, "", 0);
		return;
	case 1: /* no such status */
		end_with(fake, 4, VGPU_ERR_OK, "", 0);
		return;
	case 2: /* an error without a code */
		end_with(fake, VGPU_STATUS_ERROR, VGPU_ERR_OK, "", 0);
		return;
	case 3: /* longer than the buffer */
		end_with(fake, VGPU_STATUS_DONE, VGPU_ERR_OK, "", 0);
		*reg(fake, VGPU_REG_RESPONSE_LEN) = VGPU_BUF_LEN + 1;
		return;
	case 4: /* of another request */
		*reg(fake, VGPU_REG_REQUEST_ID) += 1;
		end_with(fake, VGPU_STATUS_DONE, VGPU_ERR_OK, "", 0);
		return;
	default:
		answer_echo(fake, nth);
	}
}

static void an_answer_that_is_none_is_told(void **state)
{
	static const char *const words[] = { "reset", "STATUS", "without", "RESPONSE_LEN",
					     "another request" };
	struct fake *fake = *state;
	struct vgpu_device device;
	struct reply reply;
	struct fail fail;

	start(fake, answer_badly);
	must_open(fake, &device);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		assert_int_equal(send_40(&device, &patient, &reply, &fail), -EBADMSG);
		assert_int_equal(fail.kind, FAIL_ANSWER);
		assert_non_null(strstr(fail.text, words[i]));
	}
	assert_int_equal(send_40(&device, &patient, &reply, &fail), 0);
	assert_int_equal(reply.bytes[0], 5);
	device_close(&device);
}

/* ---- waiting ---- */

/* Leaves the first request in flight, until the test ends it. */
static void answer_the_second(struct fake *fake, unsigned int nth)
{
	if (nth > 0)
		answer_echo(fake, nth);
}

static void *end_late(void *arg)
{
	struct fake *fake = arg;

	for (int i = 0; i < 200; i++)
		nap();
	end_with(fake, VGPU_STATUS_DONE, VGPU_ERR_OK, "\377late", 5);
	return NULL;
}

static void a_late_answer_is_not_the_next_request_s(void **state)
{
	struct fake *fake = *state;
	struct vgpu_device device;
	struct reply reply;
	struct fail fail;
	pthread_t late;

	start(fake, answer_the_second);
	must_open(fake, &device);
	assert_int_equal(send_40(&device, &hasty, &reply, &fail), -ETIMEDOUT);
	assert_int_equal(fail.kind, FAIL_TIMEOUT);
	assert_int_equal(pthread_create(&late, NULL, end_late, fake), 0);
	assert_int_equal(send_40(&device, &patient, &reply, &fail), 0);
	assert_int_equal(reply.bytes[0], 1);
	assert_int_equal(reply.len_bytes, 40);
	assert_int_equal(fake->doorbells_busy, 0);
	pthread_join(late, NULL);
	device_close(&device);
}

static void a_busy_device_is_not_rung(void **state)
{
	struct fake *fake = *state;
	struct vgpu_device device;
	struct reply reply;
	struct fail fail;

	start(fake, answer_echo);
	must_open(fake, &device);
	*reg(fake, VGPU_REG_STATUS) = VGPU_STATUS_BUSY;
	assert_int_equal(send_40(&device, &hasty, &reply, &fail), -ETIMEDOUT);
	assert_int_equal(fail.kind, FAIL_BUSY);
	assert_int_equal(fake->doorbells + fake->doorbells_busy, 0);
	assert_int_equal(*reg(fake, VGPU_REQUEST_BUF), 0);
	device_close(&device);
}

static void a_stop_flag_ends_the_wait(void **state)
{
	static const atomic_int up = 1;
	const struct wait stopped = { .mode = WAIT_POLL, .stop = &up };
	struct fake *fake = *state;
	struct vgpu_device device;
	struct reply reply;
	struct fail fail;

	start(fake, answer_the_second);
	must_open(fake, &device);
	assert_int_equal(send_40(&device, &stopped, &reply, &fail), -EINTR);
	assert_int_equal(fail.kind, FAIL_INTERRUPTED);
	device_close(&device);
}

static void spinning_gets_the_answer_and_the_time_out(void **state)
{
	const struct wait spin = { .mode = WAIT_SPIN, .timeout_ns = PATIENT_NS };
	const struct wait hasty_spin = { .mode = WAIT_SPIN, .timeout_ns = TIMEOUT_NS };
	struct fake *fake = *state;
	struct vgpu_device device;
	struct reply reply;
	struct fail fail;

	start(fake, answer_the_second);
	must_open(fake, &device);
	assert_int_equal(send_40(&device, &hasty_spin, &reply, &fail), -ETIMEDOUT);
	*reg(fake, VGPU_REG_STATUS) = VGPU_STATUS_IDLE;
	assert_int_equal(send_40(&device, &spin, &reply, &fail), 0);
	device_close(&device);
}

/* In a file, an acknowledgement is to be seen as a 0 where a 7 stood. */
static void acknowledging_waits_for_the_end(void **state)
{
	struct fake *fake = *state;
	struct vgpu_device device;

	must_open(fake, &device);
	*reg(fake, VGPU_REG_DOORBELL) = 7;
	submit_end(&device);
	assert_int_equal(*reg(fake, VGPU_REG_DOORBELL), 7);
	device.settled = true;
	submit_end(&device);
	assert_int_equal(*reg(fake, VGPU_REG_DOORBELL), 0);
	device_close(&device);
}

static void a_file_has_no_interrupt(void **state)
{
	struct fake *fake = *state;
	struct vgpu_device device;
	struct fail fail;
	struct irq irq;

	*reg(fake, VGPU_REG_CAPABILITIES) = VGPU_CAP_INTERRUPT;
	must_open(fake, &device);
	assert_int_equal(irq_open(&irq, &device, &fail), -ENOTSUP);
	assert_int_equal(fail.kind, FAIL_UNUSABLE);
	device_close(&device);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(opening_wants_the_right_version),
		TEST(opening_wants_the_whole_bar),
		TEST(one_at_a_time_submits_but_all_may_read),
		TEST(a_round_trip_carries_every_byte),
		TEST(odd_lengths_go_both_ways),
		TEST(accesses_are_counted),
		TEST(a_device_that_is_unplugged_as_it_answers),
		TEST(requests_have_numbers),
		TEST(an_error_of_the_device_is_a_reply),
		TEST(too_long_a_request_is_sent_as_far_as_it_fits),
		TEST(an_answer_that_is_none_is_told),
		TEST(a_late_answer_is_not_the_next_request_s),
		TEST(a_busy_device_is_not_rung),
		TEST(a_stop_flag_ends_the_wait),
		TEST(spinning_gets_the_answer_and_the_time_out),
		TEST(acknowledging_waits_for_the_end),
		TEST(a_file_has_no_interrupt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_ring.c - the ring: reservation, reopening, laps, damage of header and records, threads */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/crc32c.h"
#include "vgpud/ledger/ring_private.h"

#define RECORDS 16u
#define HEADER_BYTES 4096

static char directory[64], path[96];
static struct ring_report report;
static char why[512];

static int set_up(void **state)
{
	(void)state;
	snprintf(directory, sizeof(directory), "/tmp/vgpu-ring.XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/ring", directory);
	return 0;
}

static int tear_down(void **state)
{
	char name[128];

	(void)state;
	for (unsigned i = 1; i < 5; i++) {
		snprintf(name, sizeof(name), "%s.corrupt-%u", path, i);
		unlink(name);
	}
	unlink(path);
	return rmdir(directory);
}

static struct ring *open_ring(void)
{
	struct ring *ring;

	assert_int_equal(ring_open(&ring, path, RECORDS, &report, why, sizeof(why)), 0);
	return ring;
}

/* A request whose every field follows from its id. */
static struct ledger_request request_of(uint64_t id)
{
	return (struct ledger_request){
		.id = id,
		.received_ns = id * 1000 + 1,
		.wait_ns = id * 3,
		.limited_ns = id * 3 - id % 3, /* nothing is rounded */
		.exec_ns = UINT64_MAX - id,
		.total_ns = id * 7,
		.vm_id = (uint32_t)id * 11,
		.guest_request_id = ~(uint32_t)id,
		.opcode = (uint32_t)id * 13,
		.status = (uint32_t)id % 18,
		.request_bytes = (uint16_t)(id * 17),
		.response_bytes = (uint16_t)(id * 19),
		.pool = (uint8_t)('A' + id % 2),
		.priority = (uint8_t)(id % 3),
		.executor = (uint8_t)(id % 3),
		.transport = (uint8_t)(id % 2),
	};
}

static int accept_id(struct ring *ring, uint64_t id)
{
	struct ledger_request request = request_of(id);

	return ring_accept(ring, &request);
}

static void finish_id(struct ring *ring, uint64_t id)
{
	struct ledger_request request = request_of(id);

	ring_finish(ring, &request);
}

static void assert_record(struct ring *ring, uint64_t position, enum ring_kind kind, uint64_t id)
{
	struct ledger_request want = request_of(id), *got;
	struct ring_entry entry;

	assert_int_equal(ring_get(ring, position, &entry), 0);
	got = &entry.request;
	assert_int_equal(entry.kind, kind);
	assert_int_equal(got->id, want.id);
	assert_int_equal(got->received_ns, want.received_ns);
	assert_int_equal(got->wait_ns, want.wait_ns);
	assert_int_equal(got->limited_ns, want.limited_ns);
	assert_int_equal(got->exec_ns, want.exec_ns);
	assert_int_equal(got->total_ns, want.total_ns);
	assert_int_equal(got->vm_id, want.vm_id);
	assert_int_equal(got->guest_request_id, want.guest_request_id);
	assert_int_equal(got->opcode, want.opcode);
	assert_int_equal(got->status, want.status);
	assert_int_equal(got->request_bytes, want.request_bytes);
	assert_int_equal(got->response_bytes, want.response_bytes);
	assert_int_equal(got->pool, want.pool);
	assert_int_equal(got->priority, want.priority);
	assert_int_equal(got->executor, want.executor);
	assert_int_equal(got->transport, want.transport);
}

/* Overwrites bytes of the closed file. */
static void damage(off_t at, const void *bytes, size_t len)
{
	int fd = open(path, O_WRONLY);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, len, at), len);
	close(fd);
}

static bool exists(const char *suffix)
{
	char name[128];

	snprintf(name, sizeof(name), "%s%s", path, suffix);
	return access(name, F_OK) == 0;
}

static void test_records_survive_reopening(void **state)
{
	struct ring *ring = open_ring();

	(void)state;
	assert_int_equal(ring_head(ring), 0);
	for (uint64_t id = 1; id <= 4; id++)
		assert_int_equal(accept_id(ring, id), 0);
	finish_id(ring, 2);
	ring_release(ring, 1);
	ring_close(ring);

	ring = open_ring();
	assert_int_equal(report.set_aside[0], 0);
	assert_false(ring_damaged(ring));
	assert_int_equal(ring_tail(ring), 1);
	assert_int_equal(ring_head(ring), 5);
	for (uint64_t id = 1; id <= 4; id++)
		assert_record(ring, id - 1, RING_REQUEST_ACCEPTED, id);
	assert_record(ring, 4, RING_REQUEST_FINISHED, 2);
	ring_close(ring);
}

static void test_the_end_always_has_room(void **state)
{
	struct ring *ring = open_ring();
	uint64_t id;

	(void)state;
	for (id = 1; accept_id(ring, id) == 0; id++)
		;
	assert_int_equal(id - 1, RECORDS / 2);
	assert_int_equal(accept_id(ring, id), -ENOSPC);
	for (uint64_t i = 1; i < id; i++)
		finish_id(ring, i);
	assert_int_equal(ring_head(ring) - ring_tail(ring), RECORDS);
	assert_int_equal(accept_id(ring, id), -ENOSPC);
	/* Two records are the room of one request. */
	ring_release(ring, 1);
	assert_int_equal(accept_id(ring, id), -ENOSPC);
	ring_release(ring, 2);
	assert_int_equal(accept_id(ring, id), 0);
	assert_int_equal(accept_id(ring, id + 1), -ENOSPC);
	finish_id(ring, id);
	assert_record(ring, 2, RING_REQUEST_ACCEPTED, 3);
	assert_record(ring, RECORDS + 1, RING_REQUEST_FINISHED, id);
	ring_close(ring);
}

static void test_many_laps(void **state)
{
	struct ring *ring = open_ring();
	uint64_t position = 0;

	(void)state;
	for (uint64_t id = 1; id < 1000; id++) {
		assert_int_equal(accept_id(ring, id), 0);
		finish_id(ring, id);
		if (id % 5 == 0) {
			for (; position < ring_head(ring); position++)
				assert_record(ring, position,
					      position % 2 ? RING_REQUEST_FINISHED
							   : RING_REQUEST_ACCEPTED,
					      position / 2 + 1);
			ring_release(ring, position);
		}
		if (id % 97 == 0) {
			uint64_t head = ring_head(ring);

			ring_close(ring);
			ring = open_ring();
			assert_false(ring_damaged(ring));
			assert_int_equal(ring_head(ring), head);
			assert_int_equal(ring_tail(ring), position);
		}
	}
	/* A released record that is not yet overwritten can still be read. */
	for (position = ring_oldest(ring); position < ring_head(ring); position++)
		assert_record(ring, position,
			      position % 2 ? RING_REQUEST_FINISHED : RING_REQUEST_ACCEPTED,
			      position / 2 + 1);
	ring_close(ring);
}

/* A ring of five records, one of them damaged. */
static void leave_damaged(unsigned position)
{
	struct ring *ring = open_ring();

	for (uint64_t id = 1; id <= 5; id++)
		accept_id(ring, id);
	ring_close(ring);
	damage(HEADER_BYTES + position * RING_RECORD_BYTES + 20, "\xff\xfe", 2);
}

static void test_damaged_record_in_the_middle(void **state)
{
	struct ring *ring;
	struct ring_entry entry;

	(void)state;
	leave_damaged(2);

	ring = open_ring();
	assert_true(ring_damaged(ring));
	assert_int_equal(ring_head(ring), 5);
	assert_record(ring, 1, RING_REQUEST_ACCEPTED, 2);
	assert_int_equal(ring_get(ring, 2, &entry), -EBADMSG);
	assert_record(ring, 3, RING_REQUEST_ACCEPTED, 4);
	assert_int_equal(ring_replace(&ring, 2 * RECORDS, true, &report, why, sizeof(why)), 0);
	assert_true(exists(".corrupt-1"));
	assert_int_equal(ring_head(ring), 0);
	assert_int_equal(ring_records(ring), 2 * RECORDS);
	assert_false(ring_damaged(ring));
	assert_int_equal(accept_id(ring, 6), 0);
	ring_close(ring);
}

static void test_damaged_last_record(void **state)
{
	struct ring *ring;
	struct ring_entry entry;

	(void)state;
	leave_damaged(4);
	ring = open_ring();
	assert_true(ring_damaged(ring)); /* it is replaced rather than written over */
	assert_int_equal(ring_head(ring), 5);
	assert_int_equal(ring_get(ring, 4, &entry), -EBADMSG);
	assert_record(ring, 3, RING_REQUEST_ACCEPTED, 4);
	ring_close(ring);
}

static void test_zeroed_page_is_damage(void **state)
{
	static const char zeros[2 * RING_RECORD_BYTES];
	struct ring *ring = open_ring();

	(void)state;
	for (uint64_t id = 1; id <= 5; id++)
		accept_id(ring, id);
	ring_close(ring);
	damage(HEADER_BYTES + RING_RECORD_BYTES, zeros, sizeof(zeros));
	ring = open_ring();
	assert_true(ring_damaged(ring));
	assert_record(ring, 0, RING_REQUEST_ACCEPTED, 1);
	assert_record(ring, 3, RING_REQUEST_ACCEPTED, 4);
	ring_close(ring);
}

/* As after a power failure, when the header was not written back and the records were. */
static void test_records_newer_than_the_header_are_found(void **state)
{
	static const uint64_t old_tail[2] = { 0, 0 };
	struct ring *ring = open_ring();
	struct ring_entry entry;

	(void)state;
	for (uint64_t id = 1; id <= 20; id++) { /* two laps and a half */
		accept_id(ring, id);
		finish_id(ring, id);
		ring_release(ring, 2 * id);
	}
	ring_close(ring);
	damage(64, old_tail, sizeof(old_tail));
	ring = open_ring();
	assert_true(ring_damaged(ring));
	assert_int_equal(ring_head(ring), 40);
	assert_int_equal(ring_oldest(ring), 40 - RECORDS);
	for (uint64_t position = 40 - RECORDS; position < 40; position++)
		assert_record(ring, position,
			      position % 2 ? RING_REQUEST_FINISHED : RING_REQUEST_ACCEPTED,
			      position / 2 + 1);
	ring_close(ring);
	/* A slot that only looks like a record of a later lap is none. */
	damage(HEADER_BYTES + 7 * RING_RECORD_BYTES + 30, "\xa5\x5a", 2);
	ring = open_ring();
	assert_int_equal(ring_head(ring), 39);
	assert_int_equal(ring_get(ring, 39, &entry), -EBADMSG);
	ring_close(ring);
}

static void test_damaged_header_is_set_aside(void **state)
{
	/* Where, and what: magic, version, number of records, checksum, tail. */
	static const off_t at[] = { 0, 8, 16, 32, 64 };
	struct ring *ring = open_ring();
	uint64_t old_id;
	char suffix[32];

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		accept_id(ring, 1);
		old_id = ring_id(ring);
		ring_close(ring);
		damage(at[i], "\x5a\x5a\x5a", 3);
		ring = open_ring();
		snprintf(suffix, sizeof(suffix), ".corrupt-%u", i + 1);
		assert_true(exists(suffix));
		assert_non_null(strstr(report.set_aside, suffix));
		assert_non_null(report.reason);
		assert_int_equal(ring_head(ring), 0);
		assert_true(ring_id(ring) != old_id);
		assert_int_equal(accept_id(ring, 1), 0);
		ring_close(ring);
		ring = open_ring();
		assert_int_equal(report.set_aside[0], 0);
		assert_int_equal(ring_head(ring), 1);
	}
	ring_close(ring);
	damage(at[4], "\x5a\x5a\x5a", 3);
	ring = open_ring();
	assert_string_equal(report.reason, "its position is damaged");
	ring_close(ring);
	unlink(report.set_aside);
}

static void test_truncated_file_is_set_aside(void **state)
{
	struct ring *ring = open_ring();

	(void)state;
	ring_close(ring);
	assert_int_equal(truncate(path, HEADER_BYTES + RECORDS * RING_RECORD_BYTES - 1), 0);
	ring = open_ring();
	assert_true(exists(".corrupt-1"));
	ring_close(ring);
	assert_int_equal(truncate(path, 10), 0);
	ring = open_ring();
	assert_true(exists(".corrupt-2"));
	ring_close(ring);
}

static void test_session_slots(void **state)
{
	struct ring *ring = open_ring();
	struct ring_session session;

	(void)state;
	assert_int_equal(ring_get_session(ring, &session), -ENOENT);
	for (uint64_t i = 1; i < 6; i++) {
		session = (struct ring_session){ i, -(int64_t)i, i * 9 };
		ring_set_session(ring, &session);
		ring_close(ring);
		ring = open_ring();
		assert_int_equal(ring_get_session(ring, &session), 0);
		assert_int_equal(session.id, i);
		assert_int_equal(session.wall_ns, -(int64_t)i);
		assert_int_equal(session.mono_ns, i * 9);
	}
	ring_close(ring);
	/* The newer slot is torn: the older one counts. */
	damage(128 + 3, "\x77", 1);
	ring = open_ring();
	assert_int_equal(ring_get_session(ring, &session), 0);
	assert_int_equal(session.id, 4);
	ring_close(ring);
}

static void test_errors_name_file_and_remedy(void **state)
{
	struct rlimit old, small = { 4096, RLIM_INFINITY };
	struct ring *ring;

	(void)state;
	assert_int_equal(ring_open(&ring, path, 3, &report, why, sizeof(why)), -EINVAL);
	assert_int_equal(ring_open(&ring, "/nonexistent/ring", RECORDS, &report, why, sizeof(why)),
			 -ENOENT);
	assert_non_null(strstr(why, "/nonexistent/ring"));
	getrlimit(RLIMIT_FSIZE, &old);
	small.rlim_max = old.rlim_max;
	setrlimit(RLIMIT_FSIZE, &small);
	assert_int_equal(ring_open(&ring, path, RECORDS, &report, why, sizeof(why)), -EFBIG);
	setrlimit(RLIMIT_FSIZE, &old);
	assert_non_null(strstr(why, path));
	assert_non_null(strstr(why, "ulimit"));
	assert_false(exists(""));
	assert_false(exists(".new"));
}

/* --- two threads --- */

#define THREAD_REQUESTS 20000u

/* Return: the ring, or NULL when a record was wrong. */
static void *consume(void *arg)
{
	struct ring *ring = arg;
	struct ring_entry entry;

	for (uint64_t position = 0; position < 2 * THREAD_REQUESTS; position++) {
		while (ring_head(ring) == position)
			sched_yield();
		if (ring_get(ring, position, &entry) || entry.request.id != position / 2 + 1)
			return NULL;
		ring_release(ring, position + 1);
	}
	return ring;
}

static void test_two_threads(void **state)
{
	struct ring *ring = open_ring();
	pthread_t consumer;
	void *right;

	(void)state;
	assert_int_equal(pthread_create(&consumer, NULL, consume, ring), 0);
	for (uint64_t id = 1; id <= THREAD_REQUESTS; id++) {
		while (accept_id(ring, id))
			sched_yield();
		finish_id(ring, id);
	}
	pthread_join(consumer, &right);
	assert_ptr_equal(right, ring);
	ring_close(ring);
}

/* A program whose every figure follows from its id. */
static struct ledger_program program_of(uint64_t id)
{
	struct ledger_program program = {
		.id = id,
		.begun_ns = id * 1000,
		.vm_id = (uint32_t)id * 3,
		.uid = (uint32_t)id * 5,
		.pid = (uint32_t)id * 7,
		.pool = (uint8_t)('A' + id % 2),
		.priority = (uint8_t)(id % 3),
		.executor = (uint8_t)(id % 3),
		.device = (uint8_t)(id % 8),
		.ended_ns = id * 2000,
		.why = (uint32_t)(id % 48),
		.billed_ns = id * 11,
		.memory_peak_bytes = id * 13,
		.memory_byte_s = id % 2 ? LEDGER_UNKNOWN : id * 17,
		.submissions = id * 19,
		.commands = id * 23,
		.launches = id * 29,
		.copies = id * 31,
		.copy_bytes = UINT64_MAX - id,
		.refused = id % 2 ? LEDGER_UNKNOWN : id,
	};

	snprintf(program.name, sizeof(program.name),
		 "program %llu with a name of 63 bytes ........", (unsigned long long)id);
	return program;
}

/* What a beginning and an end have in common. */
static void assert_same_program(const struct ledger_program *got, const struct ledger_program *want)
{
	assert_int_equal(got->id, want->id);
	assert_int_equal(got->begun_ns, want->begun_ns);
	assert_int_equal(got->vm_id, want->vm_id);
	assert_int_equal(got->uid, want->uid);
	assert_int_equal(got->pid, want->pid);
	assert_int_equal(got->pool, want->pool);
	assert_int_equal(got->priority, want->priority);
	assert_int_equal(got->executor, want->executor);
	assert_int_equal(got->device, want->device);
}

static void assert_same_figures(const struct ledger_program *got, const struct ledger_program *want)
{
	assert_int_equal(got->ended_ns, want->ended_ns);
	assert_int_equal(got->why, want->why);
	assert_int_equal(got->billed_ns, want->billed_ns);
	assert_int_equal(got->memory_peak_bytes, want->memory_peak_bytes);
	assert_int_equal(got->memory_byte_s, want->memory_byte_s);
	assert_int_equal(got->submissions, want->submissions);
	assert_int_equal(got->commands, want->commands);
	assert_int_equal(got->launches, want->launches);
	assert_int_equal(got->copies, want->copies);
	assert_int_equal(got->copy_bytes, want->copy_bytes);
	assert_int_equal(got->refused, want->refused);
}

static void test_programs_keep_all_they_have(void **state)
{
	struct ring *ring = open_ring();
	struct ring_entry entry;

	(void)state;
	for (uint64_t id = 1; id <= 2; id++) {
		struct ledger_program program = program_of(id);

		assert_int_equal(ring_begin_program(ring, &program), 0);
		ring_end_program(ring, &program);
	}
	assert_int_equal(accept_id(ring, 9), 0);
	ring_close(ring);
	ring = open_ring();
	assert_false(ring_damaged(ring));
	for (uint64_t id = 1; id <= 2; id++) {
		struct ledger_program want = program_of(id);

		assert_int_equal(ring_get(ring, 2 * id - 2, &entry), 0);
		assert_int_equal(entry.kind, RING_PROGRAM_BEGUN);
		assert_same_program(&entry.program, &want);
		assert_string_equal(entry.program.name, want.name);
		assert_int_equal(ring_get(ring, 2 * id - 1, &entry), 0);
		assert_int_equal(entry.kind, RING_PROGRAM_ENDED);
		assert_same_program(&entry.program, &want);
		assert_string_equal(entry.program.name, "");
		assert_same_figures(&entry.program, &want);
	}
	assert_int_equal(ring_ids_from(ring, 0).program, 2);
	assert_int_equal(ring_ids_from(ring, 0).request, 9);
	assert_int_equal(ring_ids_from(ring, 4).program, 0);
	ring_close(ring);
}

static void test_a_program_has_room_for_its_end(void **state)
{
	struct ring *ring = open_ring();
	struct ledger_program program = program_of(1);
	unsigned begun = 0;

	(void)state;
	while (ring_begin_program(ring, &program) == 0)
		begun++;
	assert_int_equal(begun, RECORDS / 2);
	assert_int_equal(accept_id(ring, 1), -ENOSPC);
	for (unsigned i = 0; i < begun; i++)
		ring_end_program(ring, &program);
	assert_int_equal(ring_head(ring), RECORDS);
	ring_close(ring);
}

/* Damaged as a whole, rather than read in part: what this vgpud knows no name for. */
static void test_kinds_of_a_newer_vgpud_are_damage(void **state)
{
	struct ring *ring = open_ring();
	struct ring_record record;
	uint64_t position = 1;
	int fd;

	(void)state;
	for (uint64_t id = 1; id <= 3; id++)
		assert_int_equal(accept_id(ring, id), 0);
	ring_close(ring);
	fd = open(path, O_RDONLY);
	assert_int_equal(pread(fd, &record, sizeof(record), HEADER_BYTES + RING_RECORD_BYTES),
			 sizeof(record));
	close(fd);
	record.kind = RING_SUBMISSION_ACCEPTED;
	record.crc = crc32c(crc32c(0, &position, sizeof(position)), &record.kind,
			    sizeof(record) - offsetof(struct ring_record, kind));
	damage(HEADER_BYTES + RING_RECORD_BYTES, &record, sizeof(record));
	ring = open_ring();
	assert_true(ring_damaged(ring));
	assert_record(ring, 0, RING_REQUEST_ACCEPTED, 1);
	assert_record(ring, 2, RING_REQUEST_ACCEPTED, 3);
	ring_close(ring);
}

static void test_a_newer_format_is_set_aside(void **state)
{
	struct ring_header header;
	int fd;

	(void)state;
	ring_close(open_ring());
	fd = open(path, O_RDONLY);
	assert_int_equal(pread(fd, &header, sizeof(header), 0), sizeof(header));
	close(fd);
	header.version = 3;
	header.crc = crc32c(0, &header, offsetof(struct ring_header, crc));
	damage(0, &header, sizeof(header));
	ring_close(open_ring());
	assert_string_equal(report.reason, "a newer vgpud made it");
	assert_true(exists(".corrupt-1"));
}

/* A new one is whole before the old one goes. */
static void test_replacing_that_fails_changes_nothing(void **state)
{
	struct ring *ring = open_ring();
	char new[128];
	uint64_t id = ring_id(ring);

	(void)state;
	assert_int_equal(accept_id(ring, 1), 0);
	snprintf(new, sizeof(new), "%s.new", path);
	assert_int_equal(mkdir(new, 0700), 0);
	assert_int_equal(ring_replace(&ring, 2 * RECORDS, true, &report, why, sizeof(why)),
			 -EISDIR);
	assert_int_equal(ring_id(ring), id);
	assert_record(ring, 0, RING_REQUEST_ACCEPTED, 1);
	assert_false(exists(".corrupt-1"));
	assert_int_equal(rmdir(new), 0);
	assert_int_equal(ring_replace(&ring, 2 * RECORDS, true, &report, why, sizeof(why)), 0);
	assert_int_not_equal(ring_id(ring), id);
	assert_int_equal(ring_records(ring), 2 * RECORDS);
	assert_int_equal(ring_head(ring), 0);
	assert_true(exists(".corrupt-1"));
	assert_false(exists(".new"));
	ring_close(ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define RING_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		RING_TEST(test_records_survive_reopening),
		RING_TEST(test_the_end_always_has_room),
		RING_TEST(test_many_laps),
		RING_TEST(test_damaged_record_in_the_middle),
		RING_TEST(test_damaged_last_record),
		RING_TEST(test_zeroed_page_is_damage),
		RING_TEST(test_records_newer_than_the_header_are_found),
		RING_TEST(test_damaged_header_is_set_aside),
		RING_TEST(test_truncated_file_is_set_aside),
		RING_TEST(test_session_slots),
		RING_TEST(test_errors_name_file_and_remedy),
		RING_TEST(test_two_threads),
		RING_TEST(test_programs_keep_all_they_have),
		RING_TEST(test_a_program_has_room_for_its_end),
		RING_TEST(test_kinds_of_a_newer_vgpud_are_damage),
		RING_TEST(test_a_newer_format_is_set_aside),
		RING_TEST(test_replacing_that_fails_changes_nothing),
#undef RING_TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

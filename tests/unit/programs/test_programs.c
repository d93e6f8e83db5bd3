/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_programs.c - who may have a program, and each way in which one begins and ends */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/names.h"
#include "common/util.h"
#include "common/wire/vgpu_channel.h"
#include "proc/confine.h"
#include "tests/unit/programs/doubles.h"
#include "vgpud/conf/settings.h"
#include "vgpud/programs/harvest.h"

#define PEERS 80
#define WINDOW_BYTES (UINT64_C(64) << 20)
#define FIRST_CONTROL_PAGE (VGPU_PIECE / VGPU_PAGE)

/* A daemon with one VM, or local tenant, and those who connect. */
struct house {
	struct conf *conf;
	struct broker broker;
	struct ledger ledger;
	struct vm vm;
	struct programs *programs;
	struct peer peer[PEERS];
	struct port_peer at[PEERS];
	unsigned emptied;
	bool ledger_full;
	unsigned claimed; /* programs whose workers' pages were settled */
	unsigned recorded,
		records_open;	      /* programs that the ledger has, and those without an end */
	bool busy;		      /* the ledger takes no submissions now */
	uint64_t total, rows;	      /* of submissions: what it was told last, and rows in all */
	struct ledger_submission row; /* the last one */
	ledger_done *done;	      /* to be called when they are recorded */
	void *done_arg;
	int descriptors; /* that were open before the test */
};

/* Return: how many descriptors are open, this call's own left out. */
static int count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int num = -1;

	assert_non_null(dir);
	while (readdir(dir) != NULL)
		num++;
	closedir(dir);
	return num;
}

static void on_emptied(void *arg)
{
	struct house *house = arg;

	house->emptied++;
	assert_int_equal(programs_num(house->programs), 0);
}

static const struct programs_handler handler = { .emptied = on_emptied };

static void on_event(struct ledger *ledger, const struct ledger_event *event)
{
	(void)ledger;
	doubles.events++;
	snprintf(doubles.last_event, sizeof(doubles.last_event), "%s", event->kind);
	assert_string_equal(event->subject, "t1");
}

static struct house *house_of(struct ledger *ledger)
{
	return (struct house *)((char *)ledger - offsetof(struct house, ledger));
}

static int on_program_begun(struct ledger *ledger, const struct ledger_program *program)
{
	struct house *house = house_of(ledger);

	if (house->ledger_full)
		return -ENOSPC;
	assert_int_equal(program->vm_id, 7);
	assert_true(program->id >= 1);
	house->recorded++;
	house->records_open++;
	return 0;
}

static void on_program_ended(struct ledger *ledger, const struct ledger_program *program)
{
	struct house *house = house_of(ledger);

	assert_true(house->records_open > 0);
	assert_true(program->ended_ns >= program->begun_ns);
	house->records_open--;
}

static int on_program_claims(struct ledger *ledger, const struct ledger_program *program,
			     const char *names, ledger_done *done, void *arg)
{
	struct house *house = house_of(ledger);

	assert_true(program->id >= 1);
	assert_null(names);
	house->claimed++;
	done(arg, 0);
	return 0;
}

static int on_program_used(struct ledger *ledger, const struct ledger_program *program,
			   uint64_t at_ns)
{
	(void)ledger;
	assert_true(program->id >= 1);
	assert_true(at_ns >= program->begun_ns);
	return 0;
}

static int on_submissions(struct ledger *ledger, const struct ledger_submissions *taken,
			  ledger_done *done, void *arg)
{
	struct house *house = house_of(ledger);

	assert_true(taken->program_id >= 1);
	if (house->busy)
		return -ENOBUFS;
	house->total = hist_total(taken->latency);
	house->rows += taken->row_num;
	house->row = taken->row_num > 0 ? taken->rows[taken->row_num - 1]
					: (struct ledger_submission){ 0 };
	if (done == NULL)
		return 0;
	assert_null(house->done);
	house->done = done;
	house->done_arg = arg;
	return 0;
}

/* The ledger says how it went. */
static void ledger_answers(struct house *house, int err)
{
	ledger_done *done = house->done;

	house->done = NULL;
	if (done != NULL)
		done(house->done_arg, err);
}

static const struct ledger_ops ledger_ops = { .program_begun = on_program_begun,
					      .program_ended = on_program_ended,
					      .program_claims = on_program_claims,
					      .program_used = on_program_used,
					      .submissions = on_submissions,
					      .event = on_event };

static int setup(void **state)
{
	struct house *house = test_calloc(1, sizeof(*house));

	doubles_reset();
	house->descriptors = count_descriptors();
	house->conf = test_calloc(1, sizeof(*house->conf));
	conf_settings_init(house->conf);
	house->conf->ledger = false; /* its files: pages of workers lie in memory alone */
	house->ledger.ops = &ledger_ops;
	house->broker.conf = house->conf;
	house->ledger.next_program_id = 1;
	house->broker.ledger = &house->ledger;
	TAILQ_INIT(&house->broker.vms);
	house->vm = (struct vm){ .id = 7, .name = "t1" };
	vm_settings_standard(&house->vm.settings);
	house->vm.settings.programs = 1;
	TAILQ_INSERT_TAIL(&house->broker.vms, &house->vm, link);
	for (unsigned i = 0; i < PEERS; i++) {
		house->peer[i].num = i;
		house->at[i].peer = &house->peer[i];
	}
	assert_int_equal(programs_new(&house->programs, &house->broker, &handler, house), 0);
	*state = house;
	return 0;
}

/* Ends with the daemon's end, which frees all; whatever happened, no descriptor is left. */
static int teardown(void **state)
{
	struct house *house = *state;
	const struct channel *channel = NULL;

	/* Those that run are left to the next start. */
	while ((channel = programs_next(house->programs, channel)) != NULL)
		house->claimed += channel->recorded;
	programs_close(house->programs);
	assert_null(doubles.tick);
	ledger_answers(house, 0);
	for (unsigned i = 0; i < PEERS; i++)
		assert_null(house->at[i].tenant);
	assert_int_equal(doubles.jobs, 0);
	assert_int_equal(doubles.started, doubles.reaped);
	assert_int_equal(house->records_open, 0); /* each that began has its one end */
	assert_int_equal(house->claimed, house->recorded);
	assert_int_equal(count_descriptors(), house->descriptors);
	test_free(house->conf);
	test_free(house);
	return 0;
}

/* --- what a peer does --- */

static int make_window(void)
{
	int fd = memfd_create("window", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)WINDOW_BYTES), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
	return fd;
}

/* of_program: else of a device. */
static void give_window(struct house *house, unsigned peer, bool of_program)
{
	const struct vgpu_window_frame frame = { .size_bytes = WINDOW_BYTES,
						 .generation = 1,
						 .flags = of_program ? VGPU_WINDOW_OF_PROGRAM : 0 };

	programs_port_handler.window(house->programs, &house->vm, &house->at[peer], &frame,
				     make_window());
}

static void open_channel(struct house *house, unsigned peer, uint32_t number)
{
	const struct vgpu_channel_open open = { .channel = number,
						.control_page = FIRST_CONTROL_PAGE };
	int fds[2] = { eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
		       eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };

	assert_true(fds[0] >= 0 && fds[1] >= 0);
	programs_port_handler.channel_open(house->programs, &house->at[peer], &open, fds);
}

static void close_channel(struct house *house, unsigned peer, uint32_t number)
{
	programs_port_handler.channel_close(house->programs, &house->at[peer], number);
}

static void leave(struct house *house, unsigned peer)
{
	if (house->at[peer].tenant != NULL)
		programs_port_handler.gone(house->programs, &house->at[peer]);
}

/* The peer was told this last. */
static void hears_channel(const struct house *house, unsigned peer, uint32_t number,
			  enum vgpu_channel_state state, enum vgpu_end end)
{
	const struct told *told = &doubles.told[doubles.told_num - 1];

	assert_true(doubles.told_num > 0);
	assert_ptr_equal(told->peer, &house->peer[peer]);
	assert_false(told->window);
	assert_int_equal(told->channel, number);
	assert_int_equal(told->state, state);
	assert_int_equal(told->end, end);
}

static void hears_window(const struct house *house, unsigned peer, bool ready, enum vgpu_end end)
{
	const struct told *told = &doubles.told[doubles.told_num - 1];

	assert_true(doubles.told_num > 0);
	assert_ptr_equal(told->peer, &house->peer[peer]);
	assert_true(told->window);
	assert_int_equal(told->state, ready);
	assert_int_equal(told->end, end);
}

/* A program with a window that is described. */
static void arrives(struct house *house, unsigned peer)
{
	give_window(house, peer, true);
	describer_ends(VGPU_END_NONE);
	hears_window(house, peer, true, VGPU_END_NONE);
}

/* And with an open channel. Return: its worker. */
static struct program *runs(struct house *house, unsigned peer)
{
	struct program *worker;

	arrives(house, peer);
	open_channel(house, peer, 0);
	worker = worker_last();
	assert_non_null(worker);
	worker_binds(worker);
	hears_channel(house, peer, 0, VGPU_CHANNEL_OPEN, VGPU_END_NONE);
	return worker;
}

/* --- a program's life --- */

static void from_its_window_to_its_end(void **state)
{
	struct house *house = *state;
	const struct channel *channel;
	struct program *worker;

	give_window(house, 0, true);
	assert_int_equal(doubles.told_num, 0); /* it is not known yet whether it is ready */
	describer_ends(VGPU_END_NONE);
	hears_window(house, 0, true, VGPU_END_NONE);
	open_channel(house, 0, 0);
	hears_channel(house, 0, 0, VGPU_CHANNEL_OPENING, VGPU_END_NONE);
	worker = worker_last();
	assert_int_equal(worker->config.order.vm_id, 7);
	assert_int_equal(worker->config.order.control_at, VGPU_PIECE);
	assert_int_equal(worker->config.order.window_bytes, WINDOW_BYTES);
	for (unsigned i = 0; i < 3; i++)
		assert_true(fcntl(worker->config.fds[i], F_GETFD) >= 0);
	worker_binds(worker);
	hears_channel(house, 0, 0, VGPU_CHANNEL_OPEN, VGPU_END_NONE);
	assert_string_equal(doubles.last_event, "program-start");
	/* Kick and call are the worker's alone now. */
	for (unsigned i = 1; i < 3; i++)
		assert_true(fcntl(worker->config.fds[i], F_GETFD) < 0);
	channel = programs_next(house->programs, NULL);
	assert_string_equal(channel->name, "test");
	assert_string_equal(channel->executor, "cpu");
	assert_string_equal(channel_state_name(channel), "running");
	close_channel(house, 0, 0);
	hears_channel(house, 0, 0, VGPU_CHANNEL_CLOSING, VGPU_END_NONE);
	assert_true(worker->ended);
	assert_string_equal(doubles.last_event, "program-end");
	assert_int_equal(house->emptied, 0);
	worker_is_reaped(worker);
	hears_channel(house, 0, 0, VGPU_CHANNEL_CLOSED, VGPU_END_NONE);
	assert_int_equal(house->emptied, 1);
	/* The number is free again. */
	open_channel(house, 0, 0);
	hears_channel(house, 0, 0, VGPU_CHANNEL_OPENING, VGPU_END_NONE);
	assert_int_equal(programs_started(house->programs), 1);
	assert_int_equal(house->recorded, 1);
}

/* --- what it submits --- */

/* Its worker closes so many submissions of 1 µs each. */
static void submits(const struct channel *channel, unsigned num)
{
	static struct report_page page;

	assert_int_equal(pread(channel->report, &page, sizeof(page), 0), sizeof(page));
	for (unsigned i = 0; i < num; i++) {
		uint64_t number = ++page.submissions;

		page.ring[page.head++ % REPORT_RING] = (struct report_submission){
			.first = number, .count = 1, .took_ns = 1000, .most_ns = 1000
		};
	}
	page.turn += 4 * num;
	page.latency[hist_index(1000)] += num;
	page.latency_sum_ns += 1000 * num;
	page.latency_max_ns = 1000;
	assert_int_equal(pwrite(channel->report, &page, sizeof(page), 0), sizeof(page));
}

static uint64_t taken_of(const struct channel *channel)
{
	uint64_t taken = UINT64_MAX;

	assert_int_equal(
		pread(channel->report, &taken, sizeof(taken), offsetof(struct report_page, taken)),
		sizeof(taken));
	return taken;
}

static void submissions_are_taken(void **state)
{
	struct house *house = *state;
	const struct channel *channel;

	runs(house, 0);
	channel = programs_next(house->programs, NULL);
	tick_comes();
	assert_null(house->done); /* nothing is new */
	submits(channel, 5);
	tick_comes();
	assert_int_equal(house->total, 5);
	assert_int_equal(house->rows, 5);
	assert_int_equal(taken_of(channel), 0); /* before it is recorded, the page is the record */
	submits(channel, 1);
	tick_comes();
	assert_int_equal(house->total, 5); /* one after the other */
	ledger_answers(house, 0);
	assert_int_equal(taken_of(channel), 5);
	tick_comes();
	ledger_answers(house, -EIO); /* once more, then */
	assert_int_equal(taken_of(channel), 5);
	tick_comes();
	assert_int_equal(house->total, 6);
	assert_int_equal(house->row.first, 6);
	ledger_answers(house, 0);
	assert_int_equal(taken_of(channel), 6);
	assert_int_equal(doubles.tick_us, 100000);
	for (unsigned i = 0; i < 20; i++)
		tick_comes();
	assert_int_equal(doubles.tick_us, 1000000); /* nothing has changed for long */
	house->busy = true;
	submits(channel, 2);
	tick_comes();
	assert_null(house->done);
	house->busy = false;
	tick_comes();
	assert_int_equal(house->total, 8);
	assert_int_equal(doubles.tick_us, 100000);
	leave(house, 0); /* while the ledger has it in hand */
	worker_is_reaped(worker_last());
	assert_int_equal(programs_num(house->programs), 0);
	tick_comes(); /* the last one */
	assert_null(doubles.tick);
	ledger_answers(house, 0);
}

/* A VM has its rows of a second, however many programs; what is beyond shares rows. */
static void rows_have_a_bound(void **state)
{
	struct house *house = *state;
	const struct channel *channel;

	house->conf->ledger_rows_per_s = 1; /* so none comes back while this runs */
	runs(house, 0);
	channel = programs_next(house->programs, NULL);
	submits(channel, 200);
	tick_comes();
	assert_int_equal(house->rows, 1);
	assert_int_equal(house->row.first, 1);
	assert_int_equal(house->row.count, 200);
	assert_int_equal(house->row.took_ns, 200000);
	ledger_answers(house, 0);
	assert_int_equal(taken_of(channel), 200);
	house->vm.programs.rows_ns = UINT64_MAX / 2; /* none for long */
	submits(channel, 30);
	tick_comes();
	assert_int_equal(house->rows, 1);
	assert_int_equal(house->total, 230);
	ledger_answers(house, 0);
	assert_int_equal(taken_of(channel), 200);
	leave(house, 0); /* at its end all are recorded */
	worker_is_reaped(worker_last());
	assert_int_equal(house->rows, 31);
	assert_int_equal(house->row.first, 230);
}

/* A worker that claims what cannot be is not asked again. */
static void a_page_that_cannot_be(void **state)
{
	struct house *house = *state;
	const struct channel *channel;
	uint64_t sum_ns = UINT64_C(1) << 52;

	runs(house, 0);
	channel = programs_next(house->programs, NULL);
	submits(channel, 3);
	assert_int_equal(pwrite(channel->report, &sum_ns, sizeof(sum_ns),
				offsetof(struct report_page, latency_sum_ns)),
			 sizeof(sum_ns));
	tick_comes();
	assert_null(house->done);
	assert_int_equal(programs_distrusted(house->programs), 1);
	tick_comes();
	assert_int_equal(programs_distrusted(house->programs), 1);
	assert_int_equal(house->rows, 0);
	assert_int_equal(ftruncate(channel->report, 0), 0); /* nor does a page that is cut hurt */
	tick_comes();
}

/* Nothing runs that leaves no record. */
static void the_ledger_has_no_room(void **state)
{
	struct house *house = *state;
	struct program *worker;

	house->ledger_full = true;
	arrives(house, 0);
	open_channel(house, 0, 0);
	worker = worker_last();
	worker_binds(worker);
	hears_channel(house, 0, 0, VGPU_CHANNEL_LOST, VGPU_END_LEDGER_FULL);
	assert_true(worker->ended);
	worker_is_reaped(worker);
	assert_int_equal(programs_num(house->programs), 0);
	house->ledger_full = false;
	open_channel(house, 0, 0);
	worker_binds(worker_last());
	hears_channel(house, 0, 0, VGPU_CHANNEL_OPEN, VGPU_END_NONE);
}

/* While its worker is being reaped, a channel stays taken: that worker may still write there. */
static void a_channel_that_is_not_reaped_is_taken(void **state)
{
	struct house *house = *state;
	struct program *worker = runs(house, 0);

	worker_fails(worker, VGPU_END_WORKER_LOST);
	hears_channel(house, 0, 0, VGPU_CHANNEL_LOST, VGPU_END_WORKER_LOST);
	close_channel(house, 0, 0);
	hears_channel(house, 0, 0, VGPU_CHANNEL_CLOSING, VGPU_END_WORKER_LOST);
	open_channel(house, 0, 0);
	assert_non_null(house->peer[0].broke);
	worker_is_reaped(worker);
	hears_channel(house, 0, 0, VGPU_CHANNEL_CLOSED, VGPU_END_NONE);
	/* What was lost and reaped is forgotten: its close is answered at once. */
	close_channel(house, 0, 0);
	hears_channel(house, 0, 0, VGPU_CHANNEL_CLOSED, VGPU_END_NONE);
	assert_int_equal(programs_ended(house->programs, name_end_index(VGPU_END_WORKER_LOST)), 1);
}

static void a_lost_channel_is_reaped_before_its_close(void **state)
{
	struct house *house = *state;
	struct program *worker = runs(house, 0);

	worker_fails(worker, VGPU_END_BAD_COMMAND);
	hears_channel(house, 0, 0, VGPU_CHANNEL_LOST, VGPU_END_BAD_COMMAND);
	worker_is_reaped(worker);
	hears_channel(house, 0, 0, VGPU_CHANNEL_LOST, VGPU_END_BAD_COMMAND); /* nothing more */
	assert_int_equal(programs_num(house->programs), 0);
	close_channel(house, 0, 0);
	hears_channel(house, 0, 0, VGPU_CHANNEL_CLOSED, VGPU_END_NONE);
}

/* A kill of a worker that has ended already calls reaped() from within. */
static void a_worker_that_is_reaped_at_once(void **state)
{
	struct house *house = *state;

	runs(house, 0);
	doubles.reaped_at_once = true;
	close_channel(house, 0, 0);
	hears_channel(house, 0, 0, VGPU_CHANNEL_CLOSED, VGPU_END_NONE);
	assert_int_equal(house->emptied, 1);
	runs(house, 1);
	programs_end(programs_next(house->programs, NULL), VGPU_END_KILLED);
	hears_channel(house, 1, 0, VGPU_CHANNEL_LOST, VGPU_END_KILLED);
	assert_int_equal(house->emptied, 2);
	runs(house, 2);
	leave(house, 2);
	assert_int_equal(house->emptied, 3);
}

static void the_administrator_ends_one_in_each_state(void **state)
{
	struct house *house = *state;
	struct program *worker;

	arrives(house, 0);
	house->vm.settings.paused = 1;
	open_channel(house, 0, 0); /* it waits: there is no worker */
	assert_null(worker_last());
	programs_end(programs_find(house->programs, 1), VGPU_END_KILLED);
	hears_channel(house, 0, 0, VGPU_CHANNEL_LOST, VGPU_END_KILLED);
	assert_int_equal(programs_num(house->programs), 0);
	house->vm.settings.paused = 0;
	close_channel(house, 0, 0);
	open_channel(house, 0, 0); /* with a worker that is not bound */
	worker = worker_last();
	programs_end(programs_find(house->programs, 2), VGPU_END_KILLED);
	hears_channel(house, 0, 0, VGPU_CHANNEL_LOST, VGPU_END_KILLED);
	/* Twice is once. */
	programs_end(programs_find(house->programs, 2), VGPU_END_HUNG);
	assert_int_equal(programs_find(house->programs, 2)->end, VGPU_END_KILLED);
	worker_is_reaped(worker);
	assert_null(programs_find(house->programs, 2));
	assert_int_equal(programs_ended(house->programs, name_end_index(VGPU_END_KILLED)), 2);
}

/* The peer goes while its window is described; while it waits, opens, runs, ends, is closed. */
static void a_peer_goes_in_each_state(void **state)
{
	struct house *house = *state;
	struct program *worker;

	give_window(house, 0, true);
	assert_int_equal(doubles.jobs, 1);
	leave(house, 0);
	assert_int_equal(doubles.jobs, 0);
	house->vm.settings.paused = 1;
	arrives(house, 1);
	open_channel(house, 1, 0);
	leave(house, 1);
	assert_int_equal(programs_num(house->programs), 0);
	house->vm.settings.paused = 0;
	arrives(house, 2);
	open_channel(house, 2, 0);
	worker = worker_last();
	leave(house, 2);
	assert_true(worker->ended);
	assert_int_equal(programs_num(house->programs), 1);
	worker_is_reaped(worker);
	worker = runs(house, 3);
	leave(house, 3);
	worker_is_reaped(worker);
	worker = runs(house, 4);
	worker_fails(worker, VGPU_END_WORKER_LOST);
	leave(house, 4);
	worker_is_reaped(worker);
	worker = runs(house, 5);
	close_channel(house, 5, 0);
	leave(house, 5);
	worker_is_reaped(worker);
	assert_int_equal(programs_num(house->programs), 0);
}

static void a_vm_is_removed_in_each_state(void **state)
{
	struct house *house = *state;
	struct program *opening, *running, *lost;

	lost = runs(house, 0);
	worker_fails(lost, VGPU_END_WORKER_LOST);
	running = runs(house, 1);
	arrives(house, 2);
	open_channel(house, 2, 0);
	opening = worker_last();
	give_window(house, 3, true); /* is being described */
	TAILQ_REMOVE(&house->broker.vms, &house->vm, link);
	programs_vm_removed(house->programs, &house->vm);
	assert_true(opening->ended && running->ended);
	hears_channel(house, 2, 0, VGPU_CHANNEL_LOST, VGPU_END_KILLED);
	for (unsigned i = 0; i < 4; i++)
		leave(house, i);
	memset(&house->vm, 0xff, sizeof(house->vm)); /* nothing looks at it any more */
	worker_is_reaped(running);
	worker_is_reaped(lost);
	worker_is_reaped(opening);
	assert_int_equal(house->emptied, 1);
}

/* The daemon ends while there is one of each. */
static void the_daemon_ends(void **state)
{
	struct house *house = *state;

	worker_fails(runs(house, 0), VGPU_END_WORKER_LOST);
	runs(house, 1);
	runs(house, 2);
	close_channel(house, 2, 0);
	arrives(house, 3);
	open_channel(house, 3, 0);
	give_window(house, 4, true);
	assert_int_equal(programs_num(house->programs), 4);
	/* teardown() closes */
}

static void workers_that_cannot_start(void **state)
{
	struct house *house = *state;

	arrives(house, 0);
	doubles.start_error = -EMFILE;
	open_channel(house, 0, 0);
	hears_channel(house, 0, 0, VGPU_CHANNEL_LOST, VGPU_END_WORKER_NOT_STARTED);
	assert_int_equal(programs_num(house->programs), 0);
	doubles.start_error = 0;
	doubles.descriptors_short = true;
	open_channel(house, 0, 0);
	hears_channel(house, 0, 0, VGPU_CHANNEL_LOST, VGPU_END_WORKER_NOT_STARTED);
	doubles.descriptors_short = false;
	open_channel(house, 0, 0);
	hears_channel(house, 0, 0, VGPU_CHANNEL_OPENING, VGPU_END_NONE);
	worker_fails(worker_last(), VGPU_END_NO_DEVICE);
	hears_channel(house, 0, 0, VGPU_CHANNEL_LOST, VGPU_END_NO_DEVICE);
}

/* --- windows --- */

static void windows_that_cannot_be_described(void **state)
{
	struct house *house = *state;

	give_window(house, 0, true);
	open_channel(house, 0, 0); /* it waits for the description */
	hears_channel(house, 0, 0, VGPU_CHANNEL_OPENING, VGPU_END_NONE);
	assert_null(worker_last());
	describer_ends(VGPU_END_NO_DEVICE);
	hears_window(house, 0, false, VGPU_END_NO_DEVICE);
	assert_int_equal(doubles.told[doubles.told_num - 2].state, VGPU_CHANNEL_LOST);
	assert_int_equal(doubles.told[doubles.told_num - 2].end, VGPU_END_NO_DEVICE);
	open_channel(house, 0, 0);
	hears_channel(house, 0, 0, VGPU_CHANNEL_LOST, VGPU_END_NO_DEVICE);
	/* A change makes it try again; a window that kills the describer is bad for good. */
	programs_vm_changed(house->programs, &house->vm);
	assert_int_equal(doubles.jobs, 1);
	describer_ends(VGPU_END_WINDOW_BAD);
	hears_window(house, 0, false, VGPU_END_WINDOW_BAD);
	programs_vm_changed(house->programs, &house->vm);
	assert_int_equal(doubles.jobs, 0);
	open_channel(house, 0, 0);
	hears_channel(house, 0, 0, VGPU_CHANNEL_LOST, VGPU_END_WINDOW_BAD);
}

static void a_window_that_waits_is_described_before_its_worker_starts(void **state)
{
	struct house *house = *state;

	give_window(house, 0, true);
	open_channel(house, 0, 0);
	assert_null(worker_last());
	describer_ends(VGPU_END_NONE);
	assert_non_null(worker_last());
	worker_binds(worker_last());
	hears_channel(house, 0, 0, VGPU_CHANNEL_OPEN, VGPU_END_NONE);
}

static void descriptors_that_are_no_window(void **state)
{
	struct house *house = *state;
	const struct vgpu_window_frame frame = { .size_bytes = WINDOW_BYTES,
						 .flags = VGPU_WINDOW_OF_PROGRAM };

	programs_port_handler.window(house->programs, &house->vm, &house->at[0], &frame,
				     memfd_create("unsealed", MFD_CLOEXEC));
	hears_window(house, 0, false, VGPU_END_WINDOW_BAD);
	open_channel(house, 0, 0);
	hears_channel(house, 0, 0, VGPU_CHANNEL_LOST, VGPU_END_WINDOW_BAD);
	/* A better one counts. */
	give_window(house, 0, true);
	describer_ends(VGPU_END_NONE);
	hears_window(house, 0, true, VGPU_END_NONE);
	/* None is taken while a channel is open. */
	open_channel(house, 0, 0);
	give_window(house, 0, true);
	assert_non_null(house->peer[0].broke);
}

static void opens_that_break_the_protocol(void **state)
{
	struct house *house = *state;
	const struct vgpu_channel_open open = { .control_page = FIRST_CONTROL_PAGE };
	const struct vgpu_channel_open bad_page = { .control_page = 1 };
	int fds[2] = { make_window(), make_window() };

	open_channel(house, 0, 0); /* without a window */
	assert_non_null(house->peer[0].broke);
	arrives(house, 1);
	programs_port_handler.channel_open(house->programs, &house->at[1], &open, fds);
	assert_non_null(house->peer[1].broke); /* they are no eventfds */
	arrives(house, 2);
	open_channel(house, 2, 1);
	hears_channel(house, 2, 1, VGPU_CHANNEL_LOST, VGPU_END_NO_CHANNEL);
	fds[0] = eventfd(0, EFD_CLOEXEC);
	fds[1] = eventfd(0, EFD_CLOEXEC);
	programs_port_handler.channel_open(house->programs, &house->at[2], &bad_page, fds);
	hears_channel(house, 2, 0, VGPU_CHANNEL_LOST, VGPU_END_BAD_COMMAND);
	assert_int_equal(programs_num(house->programs), 0);
}

/* --- how many --- */

static void a_device_has_48_channels(void **state)
{
	struct house *house = *state;

	house->vm.settings.max_programs = 64;
	give_window(house, 0, false);
	describer_ends(VGPU_END_NONE);
	for (uint32_t i = 0; i < VGPU_CHANNELS; i++) {
		open_channel(house, 0, i);
		worker_binds(worker_last());
		hears_channel(house, 0, i, VGPU_CHANNEL_OPEN, VGPU_END_NONE);
	}
	open_channel(house, 0, VGPU_CHANNELS);
	hears_channel(house, 0, VGPU_CHANNELS, VGPU_CHANNEL_LOST, VGPU_END_NO_CHANNEL);
	assert_int_equal(programs_of_vm(house->programs, &house->vm), VGPU_CHANNELS);
}

static void at_most(struct house *house, unsigned max)
{
	house->vm.settings.max_programs = max;
	for (unsigned i = 0; i < max; i++)
		runs(house, i);
	arrives(house, max);
	open_channel(house, max, 0);
	hears_channel(house, max, 0, VGPU_CHANNEL_LOST, VGPU_END_TOO_MANY_PROGRAMS);
	assert_int_equal(programs_num(house->programs), max);
	/* One that ends makes room at once, though its worker is still there. */
	close_channel(house, 0, 0);
	open_channel(house, max, 0);
	hears_channel(house, max, 0, VGPU_CHANNEL_OPENING, VGPU_END_NONE);
	assert_int_equal(programs_num(house->programs), max + 1);
}

static void max_programs_of_1(void **state)
{
	at_most(*state, 1);
}

static void max_programs_of_64(void **state)
{
	at_most(*state, 64);
}

/* Workers that a driver does not let go must not pile up without end. */
static void workers_that_are_never_reaped(void **state)
{
	struct house *house = *state;

	house->vm.settings.max_programs = 1;
	for (unsigned i = 0; i < 48; i++) {
		runs(house, i);
		leave(house, i);
	}
	arrives(house, 48);
	open_channel(house, 48, 0);
	hears_channel(house, 48, 0, VGPU_CHANNEL_LOST, VGPU_END_WORKER_NOT_STARTED);
	worker_is_reaped(worker_last());
	open_channel(house, 48, 0);
	hears_channel(house, 48, 0, VGPU_CHANNEL_OPENING, VGPU_END_NONE);
}

/* --- memory --- */

#define MIB (UINT64_C(1) << 20)

/* Has a worker ask for memory of softgpu. Return: what it has then. */
static uint64_t asks(const struct program *worker, uint64_t bytes, struct program_order *grant)
{
	*grant = (struct program_order){ .what = PROGRAM_GRANT };
	worker->config.handler->memory(worker->config.arg, bytes, grant);
	return grant->memory_bytes;
}

static void softgpus_memory_is_one_budget(void **state)
{
	struct house *house = *state;
	struct program_order grant;
	struct program *a, *b;

	house->conf->softgpu_memory = 100 * MIB;
	a = runs(house, 0);
	b = runs(house, 1);
	assert_int_equal(asks(a, 60 * MIB, &grant), 60 * MIB);
	assert_int_equal(grant.memory_left_bytes, 40 * MIB);
	assert_int_equal(asks(b, 40 * MIB + 1, &grant), 0);
	assert_int_equal(grant.memory_left_bytes, 40 * MIB);
	assert_int_equal(grant.memory_ending, 0);
	assert_int_equal(asks(b, UINT64_MAX, &grant), 0);
	assert_int_equal(asks(b, 40 * MIB, &grant), 40 * MIB);
	assert_int_equal(asks(a, 61 * MIB, &grant), 60 * MIB); /* what it had */
	assert_int_equal(asks(a, 10 * MIB, &grant), 10 * MIB);
	assert_int_equal(asks(b, 90 * MIB, &grant), 90 * MIB);
	/* Killed, it has its part until it is reaped. */
	leave(house, 1);
	assert_int_equal(asks(a, 20 * MIB, &grant), 10 * MIB);
	assert_int_equal(grant.memory_ending, 1);
	worker_is_reaped(b);
	assert_int_equal(asks(a, 100 * MIB, &grant), 100 * MIB);
	assert_int_equal(grant.memory_left_bytes, 0);
}

static void workers_of_a_vm_share_its_page(void **state)
{
	struct house *house = *state;
	struct program *a = runs(house, 0), *b = runs(house, 1), *c;

	assert_int_equal(a->config.fds[PROGRAM_FD_MEMORY], b->config.fds[PROGRAM_FD_MEMORY]);
	assert_int_equal(a->config.order.memory_slot, 0);
	assert_int_equal(b->config.order.memory_slot, 1);
	leave(house, 0);
	c = runs(house, 2);
	assert_int_equal(c->config.order.memory_slot, 2); /* until it is reaped */
	worker_is_reaped(a);
	assert_int_equal(runs(house, 3)->config.order.memory_slot, 0);
}

/* --- compiled modules --- */

/* A worker asks for the module of that number. Return: what it gets; *fd: with it, -1: nothing. */
static uint32_t wants_module(const struct program *worker, uint8_t number, uint32_t question,
			     int *fd)
{
	struct program_state state = { .what = PROGRAM_MODULE_ASKED, .module_question = question };
	struct program_order answer = { .what = PROGRAM_MODULE };

	state.module_key[0] = number;
	*fd = worker->config.handler->module_asked(worker->config.arg, &state, &answer);
	assert_int_equal(answer.module == PROGRAM_MODULE_NONE, *fd < 0);
	return answer.module;
}

static void made_module(const struct program *worker, uint32_t question, uint64_t bytes)
{
	const struct program_state state = { .what = PROGRAM_MODULE_MADE,
					     .module_question = question,
					     .module_bytes = bytes };

	worker->config.handler->module_made(worker->config.arg, &state);
}

static void what_one_program_compiles_the_next_one_has(void **state)
{
	struct house *house = *state;
	struct program *a = runs(house, 0), *b = runs(house, 1);
	int fd;

	assert_int_equal(wants_module(a, 1, 5, &fd), PROGRAM_MODULE_BLANK);
	assert_int_equal(write(fd, "code", 4), 4);
	assert_int_equal(wants_module(b, 1, 5, &fd), PROGRAM_MODULE_BLANK); /* not yet */
	made_module(a, 5, 4);
	made_module(b, 5, 0); /* it has given up */
	assert_int_equal(wants_module(b, 1, 6, &fd), PROGRAM_MODULE_KEPT);
	leave(house, 0);
	worker_is_reaped(a);
	assert_int_equal(wants_module(b, 1, 7, &fd), PROGRAM_MODULE_KEPT);
	assert_int_equal(wants_module(b, 2, 8, &fd), PROGRAM_MODULE_BLANK);
	/* What is kept follows the configuration, and goes with the VM. */
	house->conf->module_cache = 0;
	programs_conf_changed(house->programs);
	assert_int_equal(wants_module(b, 1, 9, &fd), PROGRAM_MODULE_NONE);
	made_module(b, 8, 4);
	assert_int_equal(wants_module(b, 2, 10, &fd), PROGRAM_MODULE_NONE);
}

/* Nor where they run in a pid namespace that vgpud does not see, and so have no pid. */
static void no_user_has_anothers(void **state)
{
	struct house *house = *state;
	struct program *worker[3];
	int fd;

	for (unsigned i = 0; i < 3; i++) {
		house->peer[i].who = (struct ucred){ .pid = 0, .uid = 1000 + i / 2 };
		worker[i] = runs(house, i);
	}
	assert_int_equal(wants_module(worker[0], 1, 1, &fd), PROGRAM_MODULE_BLANK);
	assert_int_equal(write(fd, "code", 4), 4);
	made_module(worker[0], 1, 4);
	assert_int_equal(wants_module(worker[1], 1, 1, &fd), PROGRAM_MODULE_KEPT);
	assert_int_equal(wants_module(worker[2], 1, 1, &fd), PROGRAM_MODULE_BLANK);
	assert_int_equal(programs_next(house->programs, NULL)->record.uid, 1000);
}

/* Of one worker no more than one file is open. */
static void a_worker_that_asks_and_asks(void **state)
{
	struct house *house = *state;
	struct program *a = runs(house, 0), *b = runs(house, 1);
	int fd, before;

	assert_int_equal(wants_module(a, 1, 0, &fd), PROGRAM_MODULE_NONE);
	assert_int_equal(wants_module(a, 1, 1, &fd), PROGRAM_MODULE_BLANK);
	before = count_descriptors();
	for (uint32_t i = 2; i < 100; i++)
		assert_int_equal(wants_module(a, (uint8_t)i, i, &fd), PROGRAM_MODULE_NONE);
	/* The file of the first one is still open: another is not kept, but what is there is found. */
	assert_int_equal(wants_module(b, 3, 1, &fd), PROGRAM_MODULE_BLANK);
	assert_int_equal(write(fd, "code", 4), 4);
	made_module(b, 1, 4);
	assert_int_equal(count_descriptors(), before + 1);
	assert_int_equal(wants_module(a, 3, 102, &fd), PROGRAM_MODULE_KEPT);
	assert_int_equal(wants_module(a, 3, 103, &fd), PROGRAM_MODULE_KEPT);
	made_module(a, 102, 4); /* that is none that it may fill */
	made_module(a, 1, UINT64_MAX);
	assert_int_equal(count_descriptors(), before);
	assert_int_equal(wants_module(a, 1, 104, &fd), PROGRAM_MODULE_BLANK); /* it was not kept */
	/* It ends with a file open: see teardown(). */
	leave(house, 0);
}

/* The last worker of a VM that is removed may still say something. */
static void a_module_of_a_vm_that_is_gone(void **state)
{
	struct house *house = *state;
	struct program *a = runs(house, 0);
	int fd;

	assert_int_equal(wants_module(a, 1, 1, &fd), PROGRAM_MODULE_BLANK);
	programs_vm_removed(house->programs, &house->vm);
	made_module(a, 1, 4);
	assert_int_equal(wants_module(a, 1, 2, &fd), PROGRAM_MODULE_NONE);
	assert_null(house->vm.programs.modules);
	leave(house, 0);
	worker_is_reaped(a);
}

/* It is described anew: what a device says its memory is depends on the quota. */
static void a_quota_changes_what_windows_say(void **state)
{
	struct house *house = *state;
	unsigned jobs;

	give_window(house, 0, false);
	describer_ends(VGPU_END_NONE);
	jobs = doubles.jobs;
	house->vm.settings.memory = 5 * MIB;
	programs_vm_changed(house->programs, &house->vm);
	assert_int_equal(doubles.jobs, jobs + 1);
	describer_ends(VGPU_END_NONE);
	programs_vm_changed(house->programs, &house->vm);
	assert_int_equal(doubles.jobs, jobs);
	/* A program of its own keeps the window that it has. */
	arrives(house, 1);
	house->vm.settings.memory = 0;
	programs_vm_changed(house->programs, &house->vm);
	assert_int_equal(doubles.jobs, jobs + 1);
	describer_ends(VGPU_END_NONE);
}

/* --- what NVML says that they hold --- */

#define CONTEXT (500 * MIB)

static void on_gpus(struct house *house)
{
	snprintf(house->conf->pool[0].executor, CONF_EXECUTOR_SIZE, "cuda:0");
	programs_conf_changed(house->programs);
	doubles.nvml_num = 1;
	doubles.nvml[0] = (struct nvml_gpu){ .num = 1, .known = NVML_KNOWS_PROCESSES };
}

static void holds(pid_t pid, uint64_t bytes)
{
	struct nvml_gpu *gpu = &doubles.nvml[0];
	uint32_t i = 0;

	while (i < gpu->process_num && gpu->process[i].pid != (uint32_t)pid)
		i++;
	if (i == gpu->process_num)
		gpu->process_num++;
	gpu->process[i] = (struct nvml_process){ .pid = (uint32_t)pid, .used_bytes = bytes };
}

static void quota(struct house *house, uint64_t bytes)
{
	house->vm.settings.memory = bytes;
	programs_vm_changed(house->programs, &house->vm);
}

/* Two looks, which is what an end takes. Return: how many of the VM's programs run afterwards. */
static unsigned look_twice(const struct house *house)
{
	nvml_answers();
	nvml_answers();
	return programs_of_vm(house->programs, &house->vm);
}

static void nvml_is_asked_where_a_pool_has_a_gpu(void **state)
{
	struct house *house = *state;

	assert_false(doubles.nvml_wanted);
	on_gpus(house);
	assert_true(doubles.nvml_wanted);
	assert_true(doubles.nvml_pause_ns > UTIL_NS_PER_S);
	runs(house, 0);
	assert_int_equal(doubles.nvml_pause_ns, UTIL_NS_PER_S); /* as long as a program uses it */
	leave(house, 0);
	worker_is_reaped(worker_last());
	nvml_answers();
	assert_true(doubles.nvml_pause_ns > UTIL_NS_PER_S);
	snprintf(house->conf->pool[0].executor, CONF_EXECUTOR_SIZE, "cpu");
	programs_conf_changed(house->programs);
	assert_false(doubles.nvml_wanted);
}

static void the_program_that_holds_most_ends(void **state)
{
	struct house *house = *state;
	struct program *a, *b;

	on_gpus(house);
	quota(house, 1000 * MIB);
	a = runs(house, 0);
	b = runs(house, 1);
	doubles.spare_pid = 77;
	holds(77, CONTEXT);
	holds(a->pid, CONTEXT + 300 * MIB);
	holds(b->pid, CONTEXT + 700 * MIB + 64 * MIB); /* the sum is the most that passes */
	assert_int_equal(look_twice(house), 2);
	holds(a->pid, CONTEXT + 300 * MIB + 1);
	nvml_answers();
	assert_int_equal(programs_of_vm(house->programs, &house->vm), 2); /* once may be chance */
	holds(a->pid, CONTEXT + 300 * MIB);
	nvml_answers();
	holds(a->pid, CONTEXT + 300 * MIB + 1);
	nvml_answers();
	assert_int_equal(programs_of_vm(house->programs, &house->vm), 2); /* not twice in a row */
	nvml_answers();
	assert_int_equal(programs_of_vm(house->programs, &house->vm), 1);
	assert_true(b->ended && !a->ended);
	hears_channel(house, 1, 0, VGPU_CHANNEL_LOST, VGPU_END_OVER_QUOTA);
	/* What its worker still holds is in the sum, and no other one ends for that alone twice. */
	worker_is_reaped(b);
	holds(b->pid, 0);
	assert_int_equal(look_twice(house), 1);
}

/* Without a spare's figure a context may take 1 GiB. */
static void contexts_that_were_never_seen_alone(void **state)
{
	struct house *house = *state;
	struct program *a;

	on_gpus(house);
	quota(house, 1000 * MIB);
	a = runs(house, 0);
	holds(a->pid, 1024 * MIB + 1000 * MIB + 64 * MIB);
	assert_int_equal(look_twice(house), 1);
	holds(a->pid, 1024 * MIB + 1000 * MIB + 64 * MIB + 1);
	assert_int_equal(look_twice(house), 0);
}

static void a_quota_below_what_is_held_lets_it_be_kept(void **state)
{
	struct house *house = *state;
	struct program *a;

	on_gpus(house);
	doubles.spare_pid = 77;
	holds(77, CONTEXT);
	a = runs(house, 0);
	holds(a->pid, CONTEXT + 5000 * MIB);
	assert_int_equal(look_twice(house), 1);
	quota(house, 1000 * MIB);
	assert_int_equal(look_twice(house), 1);
	holds(a->pid, CONTEXT + 3000 * MIB); /* given back */
	assert_int_equal(look_twice(house), 1);
	holds(a->pid, 2 * CONTEXT + 5000 * MIB); /* and taken again */
	assert_int_equal(look_twice(house), 0);
}

static void a_quota_that_is_raised_holds_at_once(void **state)
{
	struct house *house = *state;
	struct program *a;

	on_gpus(house);
	quota(house, 1000 * MIB);
	a = runs(house, 0);
	holds(a->pid, 5000 * MIB);
	nvml_answers();
	quota(house, 8000 * MIB);
	assert_int_equal(look_twice(house), 1);
	quota(house, 0);
	holds(a->pid, UINT64_MAX - 1);
	assert_int_equal(look_twice(house), 1);
}

/* A program that took all before NVML was asked for the first time has no right to it. */
static void what_is_held_at_the_first_look(void **state)
{
	struct house *house = *state;

	quota(house, 1000 * MIB);
	on_gpus(house);
	holds(runs(house, 0)->pid, 50000 * MIB);
	assert_int_equal(look_twice(house), 0);
}

static void what_nvml_does_not_know_ends_nothing(void **state)
{
	struct house *house = *state;
	struct program *a;

	on_gpus(house);
	quota(house, MIB);
	a = runs(house, 0);
	assert_int_equal(look_twice(house), 1);
	assert_int_equal(programs_unseen(house->programs), 1); /* doctor tells of it */
	holds(a->pid, NVML_BYTES_UNKNOWN);
	assert_int_equal(look_twice(house), 1);
	assert_int_equal(programs_unseen(house->programs), 0);
	holds(a->pid, 50000 * MIB);
	doubles.nvml[0].known = 0;
	assert_int_equal(look_twice(house), 1);
	doubles.nvml_num = 0;
	assert_int_equal(look_twice(house), 1);
}

/* What one GPU has of a process and what another has of it are added. */
/* Its worker says that its work is done, and NVML sees it go on: an event has both, and it goes on all the same. */
static void work_that_is_not_billed_is_told(void **state)
{
	struct house *house = *state;
	struct program *a, *b;

	on_gpus(house);
	a = runs(house, 0);
	b = runs(house, 1);
	holds(a->pid, CONTEXT);
	holds(b->pid, CONTEXT);
	doubles.nvml[0].known |= NVML_KNOWS_BUSY_PROCESSES;
	doubles.nvml[0].busy_period_us = UTIL_NS_PER_S / UTIL_NS_PER_US;
	doubles.nvml[0].process[0].busy_percent = 90;
	doubles.nvml[0].process[1].busy_percent = 9; /* as little as may be chance */
	doubles.events = 0;
	for (int i = 0; i < 10; i++)
		nvml_answers();
	assert_int_equal(doubles.events, 0); /* the first look begins the window */
	nvml_answers();
	assert_int_equal(doubles.events, 1);
	assert_string_equal(doubles.last_event, "gpu-time-doubt");
	for (int i = 0; i < 100; i++)
		nvml_answers();
	assert_int_equal(doubles.events, 1);
	assert_int_equal(programs_of_vm(house->programs, &house->vm), 2);
	/* What NVML does not know is no doubt. */
	doubles.nvml[0].known = NVML_KNOWS_PROCESSES;
	doubles.nvml[0].process[1].busy_percent = 100;
	for (int i = 0; i < 100; i++)
		nvml_answers();
	assert_int_equal(doubles.events, 1);
}

static void a_process_on_two_gpus(void **state)
{
	struct house *house = *state;
	struct program *a;

	on_gpus(house);
	quota(house, 1000 * MIB);
	a = runs(house, 0);
	holds(a->pid, 1500 * MIB);
	doubles.nvml[1] = doubles.nvml[0];
	assert_int_equal(look_twice(house), 1);
	doubles.nvml_num = 2;
	assert_int_equal(look_twice(house), 0);
}

/* --- who may --- */

static void programs_are_off_until_they_are_on(void **state)
{
	struct house *house = *state;
	struct program *worker;

	house->vm.settings.programs = 0;
	give_window(house, 0, true);
	hears_window(house, 0, false, VGPU_END_PROGRAMS_OFF);
	open_channel(house, 0, 0);
	hears_channel(house, 0, 0, VGPU_CHANNEL_LOST, VGPU_END_PROGRAMS_OFF);
	house->vm.settings.programs = 1;
	programs_vm_changed(house->programs, &house->vm);
	assert_true(doubles.spares_wanted);
	describer_ends(VGPU_END_NONE);
	hears_window(house, 0, true, VGPU_END_NONE);
	open_channel(house, 0, 0);
	worker = worker_last();
	worker_binds(worker);
	house->vm.settings.programs = 0;
	programs_vm_changed(house->programs, &house->vm);
	assert_true(worker->ended);
	assert_false(doubles.spares_wanted);
	hears_window(house, 0, false, VGPU_END_PROGRAMS_OFF);
	assert_int_equal(programs_ended(house->programs, name_end_index(VGPU_END_SWITCHED_OFF)), 1);
}

static void a_pause_holds_back_what_has_not_started(void **state)
{
	struct house *house = *state;

	house->vm.settings.paused = 1;
	arrives(house, 0);
	open_channel(house, 0, 0);
	hears_channel(house, 0, 0, VGPU_CHANNEL_OPENING, VGPU_END_NONE);
	assert_null(worker_last());
	house->vm.settings.paused = 0;
	programs_vm_changed(house->programs, &house->vm);
	assert_non_null(worker_last());
}

static void a_drain_refuses_new_ones(void **state)
{
	struct house *house = *state;

	runs(house, 0);
	house->broker.draining = true;
	arrives(house, 1);
	open_channel(house, 1, 0);
	hears_channel(house, 1, 0, VGPU_CHANNEL_LOST, VGPU_END_DRAINING);
	assert_int_equal(programs_num(house->programs), 1);
	house->broker.draining = false;
	open_channel(house, 1, 0);
	hears_channel(house, 1, 0, VGPU_CHANNEL_OPENING, VGPU_END_NONE);
}

/* Other GPUs take programs, and what runs goes on. */
static void a_gpu_that_is_drained(void **state)
{
	struct house *house = *state;
	const unsigned cpu = (unsigned)conf_gpu_index("cpu");
	struct program *worker = runs(house, 0);

	programs_vm_changed(house->programs, &house->vm);
	assert_true(doubles.spares_wanted);
	programs_drain_gpu(house->programs, cpu, true);
	assert_false(doubles.spares_wanted);
	assert_false(worker->ended);
	assert_int_equal(programs_of_gpu(house->programs, cpu), 1);
	arrives(house, 1);
	open_channel(house, 1, 0);
	hears_channel(house, 1, 0, VGPU_CHANNEL_LOST, VGPU_END_GPU_DRAINING);
	snprintf(house->conf->pool[1].executor, CONF_EXECUTOR_SIZE, "cuda:1");
	house->vm.sched.pool = 1;
	arrives(house, 2);
	open_channel(house, 2, 0);
	hears_channel(house, 2, 0, VGPU_CHANNEL_OPENING, VGPU_END_NONE);
	assert_int_equal(programs_of_gpu(house->programs, 1), 1);
	worker_fails(worker, VGPU_END_WORKER_LOST);
	assert_int_equal(programs_of_gpu(house->programs, cpu), 0);
	programs_drain_gpu(house->programs, cpu, false);
	open_channel(house, 1, 0);
	hears_channel(house, 1, 0, VGPU_CHANNEL_OPENING, VGPU_END_NONE);
}

/* Each part that is missing refuses programs, and is named; the administrator may let them run. */
static void confinement_that_lacks_parts(void **state)
{
	static const struct {
		unsigned parts;
		const char *why, *confine_state, *refusal;
	} hosts[] = {
		{ SANDBOX_ALL & ~SANDBOX_NAMESPACES, "no namespaces", "yes", "no namespaces" },
		{ SANDBOX_ALL & ~SANDBOX_CGROUP, "no cgroup", "yes", "no cgroup" },
		{ SANDBOX_ALL & ~SANDBOX_USER, "no users of their own", "yes",
		  "no users of their own" },
		{ 0, "", "yes", "this build has no sandbox for workers" },
		{ SANDBOX_ALL, "", "failed", "no filter for system calls (seccomp)" },
	};
	struct house *house = *state;
	struct program *worker = runs(house, 0);

	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		doubles.sandbox_parts = hosts[i].parts;
		doubles.sandbox_why = hosts[i].why;
		doubles.confine_state = hosts[i].confine_state;
		house->conf->programs_unconfined = false;
		programs_conf_changed(house->programs);
		assert_string_equal(programs_refusal(house->programs), hosts[i].refusal);
		assert_false(programs_unconfined(house->programs));
		assert_false(doubles.spares_wanted);
		hears_window(house, 0, false, VGPU_END_NO_CONFINEMENT);
		house->conf->programs_unconfined = true;
		programs_conf_changed(house->programs);
		assert_null(programs_refusal(house->programs));
		assert_true(programs_unconfined(house->programs));
		hears_window(house, 0, true, VGPU_END_NONE);
	}
	house->conf->programs_unconfined = false;
	programs_conf_changed(house->programs);
	open_channel(house, 1, 0);
	give_window(house, 1, true);
	hears_window(house, 1, false, VGPU_END_NO_CONFINEMENT);
	/* Where they are off besides, the VM hears of that first. */
	house->vm.settings.programs = 0;
	programs_vm_changed(house->programs, &house->vm);
	hears_window(house, 1, false, VGPU_END_PROGRAMS_OFF);
	house->vm.settings.programs = 1;
	programs_vm_changed(house->programs, &house->vm);
	hears_window(house, 1, false, VGPU_END_NO_CONFINEMENT);
	open_channel(house, 1, 0);
	hears_channel(house, 1, 0, VGPU_CHANNEL_LOST, VGPU_END_NO_CONFINEMENT);
	/* One that runs ends when its VM is looked at again. */
	programs_vm_changed(house->programs, &house->vm);
	assert_true(worker->ended);
	/* An administrator who wants no confinement at all refuses no program for that. */
	house->conf->confine = CONFINE_NO;
	programs_conf_changed(house->programs);
	assert_null(programs_refusal(house->programs));
	assert_true(programs_unconfined(house->programs));
}

/* --- what they run on --- */

static void auto_waits_until_it_is_known(void **state)
{
	struct house *house = *state;

	doubles.executor = VGPU_EXECUTOR_NONE;
	give_window(house, 0, true);
	open_channel(house, 0, 0);
	assert_int_equal(doubles.jobs, 0);
	programs_executors_changed(house->programs);
	assert_int_equal(doubles.jobs, 0);
	doubles.executor = VGPU_EXECUTOR_CUDA;
	programs_executors_changed(house->programs);
	describer_ends(VGPU_END_NONE);
	assert_string_equal(programs_next(house->programs, NULL)->executor, "cuda:0");
	assert_non_null(worker_last());
}

static void an_executor_without_a_device(void **state)
{
	struct house *house = *state;

	doubles.executor = VGPU_EXECUTOR_NONE;
	doubles.executor_trouble = "there is none";
	give_window(house, 0, true);
	hears_window(house, 0, false, VGPU_END_NO_DEVICE);
	open_channel(house, 0, 0);
	hears_channel(house, 0, 0, VGPU_CHANNEL_LOST, VGPU_END_NO_DEVICE);
	doubles.executor_trouble = NULL;
	doubles.executor = VGPU_EXECUTOR_CPU;
	programs_executors_changed(house->programs);
	describer_ends(VGPU_END_NONE);
	hears_window(house, 0, true, VGPU_END_NONE);
}

/* A program sees one GPU; a device's window is described anew when its VM moves. */
static void a_vm_moves_to_another_pool(void **state)
{
	struct house *house = *state;

	snprintf(house->conf->pool[1].executor, CONF_EXECUTOR_SIZE, "cuda:1");
	arrives(house, 0);
	give_window(house, 1, false);
	describer_ends(VGPU_END_NONE);
	house->vm.sched.pool = 1;
	assert_int_equal(programs_elsewhere(house->programs, &house->vm),
			 0); /* there is none yet */
	programs_vm_changed(house->programs, &house->vm);
	assert_int_equal(doubles.jobs, 1);
	open_channel(house, 1, 0); /* waits */
	assert_null(worker_last());
	describer_ends(VGPU_END_NONE);
	assert_string_equal(programs_find(house->programs, 1)->executor, "cuda:1");
	open_channel(house, 0, 0);
	assert_string_equal(programs_find(house->programs, 2)->executor, "cpu");
	assert_int_equal(programs_elsewhere(house->programs, &house->vm), 1);
	house->vm.sched.pool = 0;
	assert_int_equal(programs_elsewhere(house->programs, &house->vm), 1);
}

int main(void)
{
#define PROGRAMS_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		PROGRAMS_TEST(from_its_window_to_its_end),
		PROGRAMS_TEST(submissions_are_taken),
		PROGRAMS_TEST(rows_have_a_bound),
		PROGRAMS_TEST(a_page_that_cannot_be),
		PROGRAMS_TEST(the_ledger_has_no_room),
		PROGRAMS_TEST(a_channel_that_is_not_reaped_is_taken),
		PROGRAMS_TEST(a_lost_channel_is_reaped_before_its_close),
		PROGRAMS_TEST(a_worker_that_is_reaped_at_once),
		PROGRAMS_TEST(the_administrator_ends_one_in_each_state),
		PROGRAMS_TEST(a_peer_goes_in_each_state),
		PROGRAMS_TEST(a_vm_is_removed_in_each_state),
		PROGRAMS_TEST(the_daemon_ends),
		PROGRAMS_TEST(workers_that_cannot_start),
		PROGRAMS_TEST(windows_that_cannot_be_described),
		PROGRAMS_TEST(a_window_that_waits_is_described_before_its_worker_starts),
		PROGRAMS_TEST(descriptors_that_are_no_window),
		PROGRAMS_TEST(opens_that_break_the_protocol),
		PROGRAMS_TEST(a_device_has_48_channels),
		PROGRAMS_TEST(softgpus_memory_is_one_budget),
		PROGRAMS_TEST(workers_of_a_vm_share_its_page),
		PROGRAMS_TEST(what_one_program_compiles_the_next_one_has),
		PROGRAMS_TEST(no_user_has_anothers),
		PROGRAMS_TEST(a_worker_that_asks_and_asks),
		PROGRAMS_TEST(a_module_of_a_vm_that_is_gone),
		PROGRAMS_TEST(a_quota_changes_what_windows_say),
		PROGRAMS_TEST(nvml_is_asked_where_a_pool_has_a_gpu),
		PROGRAMS_TEST(the_program_that_holds_most_ends),
		PROGRAMS_TEST(contexts_that_were_never_seen_alone),
		PROGRAMS_TEST(a_quota_below_what_is_held_lets_it_be_kept),
		PROGRAMS_TEST(a_quota_that_is_raised_holds_at_once),
		PROGRAMS_TEST(what_is_held_at_the_first_look),
		PROGRAMS_TEST(what_nvml_does_not_know_ends_nothing),
		PROGRAMS_TEST(work_that_is_not_billed_is_told),
		PROGRAMS_TEST(a_process_on_two_gpus),
		PROGRAMS_TEST(max_programs_of_1),
		PROGRAMS_TEST(max_programs_of_64),
		PROGRAMS_TEST(workers_that_are_never_reaped),
		PROGRAMS_TEST(programs_are_off_until_they_are_on),
		PROGRAMS_TEST(a_pause_holds_back_what_has_not_started),
		PROGRAMS_TEST(a_drain_refuses_new_ones),
		PROGRAMS_TEST(a_gpu_that_is_drained),
		PROGRAMS_TEST(confinement_that_lacks_parts),
		PROGRAMS_TEST(auto_waits_until_it_is_known),
		PROGRAMS_TEST(an_executor_without_a_device),
		PROGRAMS_TEST(a_vm_moves_to_another_pool),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

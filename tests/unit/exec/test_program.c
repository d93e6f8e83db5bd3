/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_program.c - workers of programs, their spares, and the process that describes windows */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/eventfd.h>

#include "tests/unit/exec/program_double.h"
#include "vgpud/exec/describe.h"
#include "vgpud/exec/program.h"
#include "vgpud/exec/spares.h"

static struct spares_settings settings;

/* What a program told, and all that it uses. */
struct guest {
	struct spares *spares;
	struct program *program;
	int fds[PROGRAM_FD_NUM];
	pid_t binding;
	unsigned bound, ending, reaped;
	enum vgpu_end why;
	int32_t result;
	struct program_state claim;
	bool keeps;	/* it has the module that is asked for */
	unsigned asked; /* for it */
	uint64_t made_bytes;
};

static unsigned count_descriptors(void)
{
	unsigned num = 0;

	for (int fd = 0; fd < 1024; fd++)
		num += fcntl(fd, F_GETFD) >= 0;
	return num;
}

static void on_bound(void *arg, const struct program_state *claim)
{
	struct guest *guest = arg;

	guest->bound++;
	guest->claim = *claim;
}

static void on_ending(void *arg, enum vgpu_end why, int32_t result)
{
	struct guest *guest = arg;

	guest->ending++;
	guest->why = why;
	guest->result = result;
}

static void on_memory(void *arg, uint64_t bytes, struct program_order *grant)
{
	(void)arg;
	grant->memory_bytes = 2 * bytes;
}

static int on_module_asked(void *arg, const struct program_state *state,
			   struct program_order *answer)
{
	struct guest *guest = arg;

	guest->asked++;
	assert_int_equal(state->module_key[MODULE_KEY_BYTES - 1], DOUBLE_KEY);
	answer->module = guest->keeps ? PROGRAM_MODULE_KEPT : PROGRAM_MODULE_NONE;
	return guest->keeps ? guest->fds[PROGRAM_FD_REPORT] : -1;
}

static void on_module_made(void *arg, const struct program_state *state)
{
	struct guest *guest = arg;

	assert_int_equal(state->module_question, DOUBLE_QUESTION);
	guest->made_bytes = state->module_bytes;
}

static void on_reaped(void *arg)
{
	struct guest *guest = arg;

	guest->reaped++;
	guest->program = NULL;
}

static void on_binding(void *arg, pid_t worker)
{
	struct guest *guest = arg;

	guest->binding = worker;
}

static const struct program_handler handler = {
	.binding = on_binding,
	.bound = on_bound,
	.ending = on_ending,
	.memory = on_memory,
	.module_asked = on_module_asked,
	.module_made = on_module_made,
	.reaped = on_reaped,
};

static void open_guest(struct guest *guest, const char *how)
{
	*guest = (struct guest){ .program = NULL };
	assert_int_equal(spares_new(&guest->spares, double_event, how, &settings), 0);
	guest->fds[PROGRAM_FD_WINDOW] = memfd_create("window", MFD_CLOEXEC);
	guest->fds[PROGRAM_FD_KICK] = eventfd(0, EFD_CLOEXEC);
	guest->fds[PROGRAM_FD_CALL] = eventfd(0, EFD_CLOEXEC);
	guest->fds[PROGRAM_FD_REPORT] = memfd_create("report", MFD_CLOEXEC);
	guest->fds[PROGRAM_FD_MEMORY] = memfd_create("memory", MFD_CLOEXEC);
	guest->fds[PROGRAM_FD_LEASE] = memfd_create("lease page", MFD_CLOEXEC);
	guest->fds[PROGRAM_FD_CLAIMS] = memfd_create("claims", MFD_CLOEXEC);
}

static void close_guest(struct guest *guest)
{
	for (int i = 0; i < PROGRAM_FD_NUM; i++)
		close(guest->fds[i]);
	spares_free(guest->spares);
}

static void start(struct guest *guest, uint64_t start_ns, uint64_t bind_ns)
{
	struct program_config config = {
		.event = double_event,
		.spares = guest->spares,
		.order = { .what = PROGRAM_BIND },
		.start_deadline_ns = start_ns,
		.bind_deadline_ns = bind_ns,
		.handler = &handler,
		.arg = guest,
	};

	memcpy(config.fds, guest->fds, sizeof(config.fds));
	assert_int_equal(program_start(&guest->program, &config), 0);
}

static void start_patient(struct guest *guest)
{
	start(guest, 60 * UTIL_NS_PER_S, 60 * UTIL_NS_PER_S);
}

/* --- a program's worker --- */

static void a_program_runs_until_it_is_ended(void **state)
{
	struct guest guest;

	(void)state;
	open_guest(&guest, "good");
	start_patient(&guest);
	assert_int_equal(program_phase(guest.program), PROGRAM_STARTING);
	assert_true(DOUBLE_UNTIL(guest.bound == 1));
	assert_int_equal(guest.binding, program_pid(guest.program));
	assert_int_equal(program_phase(guest.program), PROGRAM_RUNNING);
	assert_int_equal(guest.claim.result, PROGRAM_FD_NUM);
	assert_int_equal(guest.claim.pid, 4711);
	assert_string_equal(guest.claim.name, "do?[2Jit"); /* no terminal obeys it */
	program_end(guest.program);
	assert_int_equal(program_phase(guest.program), PROGRAM_ENDING);
	program_end(guest.program); /* once is enough */
	assert_true(DOUBLE_UNTIL(guest.reaped == 1));
	assert_int_equal(guest.ending, 0);
	close_guest(&guest);
}

/* Each way in which a worker ends its program by itself. */
static void what_ends_a_program(void **state)
{
	static const struct {
		const char *how;
		unsigned bound;
		enum vgpu_end why;
		int32_t result;
	} table[] = {
		{ "refuses", 0, VGPU_END_WORKER_NOT_STARTED, 0 },
		{ "ends", 0, VGPU_END_WORKER_NOT_STARTED, 0 },
		{ "nodev", 0, VGPU_END_NO_DEVICE, 0 },
		{ "dies-bound", 0, VGPU_END_WORKER_NOT_STARTED, 0 },
		{ "dies-later", 1, VGPU_END_WORKER_LOST, 0 },
		{ "short", 0, VGPU_END_WORKER_LOST, 0 },
		{ "long", 0, VGPU_END_WORKER_LOST, 0 },
		{ "nonsense", 0, VGPU_END_WORKER_LOST, 0 },
		{ "twice", 1, VGPU_END_WORKER_LOST, 0 },
		{ "bad-command", 1, VGPU_END_BAD_COMMAND, DOUBLE_RESULT },
		{ "killed", 1, VGPU_END_WORKER_LOST, DOUBLE_RESULT },
		{ "memory", 1, VGPU_END_BAD_COMMAND, 14 },
		{ "memory-early", 0, VGPU_END_WORKER_LOST, 0 },
		{ "module-early", 0, VGPU_END_WORKER_LOST, 0 },
		{ "module", 1, VGPU_END_BAD_COMMAND, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct guest guest;
		unsigned before = count_descriptors();

		open_guest(&guest, table[i].how);
		start_patient(&guest);
		if (!DOUBLE_UNTIL(guest.reaped == 1))
			fail_msg("%s: never ends", table[i].how);
		if (guest.bound != table[i].bound || guest.ending != 1 ||
		    guest.why != table[i].why || guest.result != table[i].result)
			fail_msg("%s: bound %u, ending %u for %u with %d", table[i].how,
				 guest.bound, guest.ending, guest.why, guest.result);
		close_guest(&guest);
		assert_int_equal(count_descriptors(), before);
	}
}

/* The answer brings the descriptor; what the worker says of it comes to the handler. */
static void a_worker_that_asks_for_a_module(void **state)
{
	struct guest guest;

	(void)state;
	open_guest(&guest, "module");
	guest.keeps = true;
	start_patient(&guest);
	assert_true(DOUBLE_UNTIL(guest.reaped == 1));
	assert_int_equal(guest.why, VGPU_END_BAD_COMMAND);
	assert_int_equal(guest.result, 1); /* so many descriptors came */
	assert_int_equal(guest.made_bytes, 5);
	close_guest(&guest);
}

/* Each descriptor that nobody has received counts against a limit that all workers share. */
static void a_worker_that_reads_no_answer(void **state)
{
	struct guest guest;

	(void)state;
	open_guest(&guest, "module-deaf");
	guest.keeps = true;
	start_patient(&guest);
	assert_true(DOUBLE_UNTIL(guest.reaped == 1));
	assert_int_equal(guest.why, VGPU_END_BAD_COMMAND);
	assert_in_range(guest.asked, 1, DOUBLE_QUESTIONS / 4);
	close_guest(&guest);
}

static void a_worker_that_is_late(void **state)
{
	struct guest guest;

	(void)state;
	open_guest(&guest, "hangs");
	start(&guest, UTIL_NS_PER_MS, 60 * UTIL_NS_PER_S);
	assert_true(DOUBLE_UNTIL(guest.reaped == 1));
	assert_int_equal(guest.why, VGPU_END_WORKER_NOT_STARTED);
	close_guest(&guest);

	open_guest(&guest, "unbound");
	start(&guest, 60 * UTIL_NS_PER_S, UTIL_NS_PER_MS);
	assert_true(DOUBLE_UNTIL(guest.reaped == 1));
	assert_int_equal(guest.why, VGPU_END_WORKER_NOT_STARTED);
	close_guest(&guest);
}

/* In each phase: nothing is told but its death. */
static void a_program_that_is_ended_early(void **state)
{
	struct guest guest;

	(void)state;
	open_guest(&guest, "hangs");
	start_patient(&guest);
	program_end(guest.program);
	assert_true(DOUBLE_UNTIL(guest.reaped == 1));
	assert_int_equal(guest.bound + guest.ending, 0);
	close_guest(&guest);

	open_guest(&guest, "unbound");
	start_patient(&guest);
	assert_true(DOUBLE_UNTIL(program_phase(guest.program) == PROGRAM_BINDING));
	program_end(guest.program);
	assert_true(DOUBLE_UNTIL(guest.reaped == 1));
	assert_int_equal(guest.bound + guest.ending, 0);
	close_guest(&guest);
}

/* It must be seen as dead by its pid alone: a child of the worker may hold its socket open. */
static void a_worker_that_is_killed(void **state)
{
	struct guest guest;

	(void)state;
	open_guest(&guest, "good");
	start_patient(&guest);
	assert_true(DOUBLE_UNTIL(guest.bound == 1));
	assert_int_equal(kill(program_pid(guest.program), SIGKILL), 0);
	assert_true(DOUBLE_UNTIL(guest.reaped == 1));
	assert_int_equal(guest.ending, 1);
	assert_int_equal(guest.why, VGPU_END_WORKER_LOST);
	close_guest(&guest);
}

/* Return: the pid of a child of the worker, which has been killed and reaped, and nothing has heard of it yet. */
static pid_t start_and_kill(struct guest *guest)
{
	pid_t pid;

	open_guest(guest, "forks");
	start_patient(guest);
	assert_true(DOUBLE_UNTIL(guest->bound == 1));
	pid = program_pid(guest->program);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_true(DOUBLE_UNTIL(kill(pid, 0) != 0));
	assert_int_equal(guest->ending, 0);
	return (pid_t)guest->claim.result;
}

/* The caller may have it at hand as the next of a list: it goes by the loop, and not within the call. */
static void one_whose_worker_was_reaped_before(void **state)
{
	struct guest guest;
	pid_t child;

	(void)state;
	child = start_and_kill(&guest);
	program_end(guest.program);
	assert_int_equal(guest.reaped, 0);
	assert_int_equal(program_pid(guest.program), 0);
	assert_true(DOUBLE_UNTIL(guest.reaped == 1));
	assert_int_equal(guest.ending, 0);
	kill(child, SIGKILL);
	close_guest(&guest);

	child = start_and_kill(&guest);
	assert_true(program_listen(guest.program));
	assert_int_equal(guest.ending, 1);
	assert_int_equal(guest.reaped, 0);
	assert_false(program_listen(guest.program));
	assert_true(DOUBLE_UNTIL(guest.reaped == 1));
	assert_int_equal(guest.ending, 1);
	kill(child, SIGKILL);
	close_guest(&guest);

	child = start_and_kill(&guest);
	program_end(guest.program);
	program_abandon(guest.program);
	assert_int_equal(guest.reaped, 0);
	kill(child, SIGKILL);
	close_guest(&guest);
}

static void abandoned_at_the_end(void **state)
{
	struct guest guest;
	unsigned before = count_descriptors();

	(void)state;
	open_guest(&guest, "good");
	start_patient(&guest);
	assert_true(DOUBLE_UNTIL(guest.bound == 1));
	program_abandon(guest.program);
	close_guest(&guest);
	assert_int_equal(guest.ending + guest.reaped, 0);
	assert_int_equal(count_descriptors(), before);
}

/* --- spares --- */

static void a_spare_is_taken_and_replaced(void **state)
{
	struct guest guest;

	(void)state;
	settings.num = 2;
	open_guest(&guest, "good");
	assert_int_equal(spares_ready(guest.spares), 0);
	spares_want(guest.spares, true);
	assert_true(DOUBLE_UNTIL(spares_ready(guest.spares) == 2));
	start_patient(&guest);
	assert_int_equal(program_phase(guest.program), PROGRAM_BINDING); /* at once */
	assert_int_equal(spares_ready(guest.spares), 1);
	assert_true(DOUBLE_UNTIL(guest.bound == 1));
	assert_true(DOUBLE_UNTIL(spares_ready(guest.spares) == 2));
	program_end(guest.program);
	assert_true(DOUBLE_UNTIL(guest.reaped == 1));
	settings.num = 1;
	spares_want(guest.spares, true); /* follows the settings */
	assert_int_equal(spares_ready(guest.spares), 1);
	spares_want(guest.spares, false);
	assert_int_equal(spares_ready(guest.spares), 0);
	close_guest(&guest);
	settings.num = 0;
}

/* Return: the process that was started last by this one. */
static pid_t last_child(void)
{
	char path[64];
	int pid = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	file = fopen(path, "r");
	assert_non_null(file);
	while (fscanf(file, "%d", &pid) == 1)
		;
	fclose(file);
	assert_int_not_equal(pid, 0);
	return (pid_t)pid;
}

/* Its death was not noticed yet: the program that takes it gets another worker. */
static void a_spare_that_died_unnoticed(void **state)
{
	struct guest guest;
	pid_t pid;

	(void)state;
	settings.num = 1;
	open_guest(&guest, "good");
	spares_want(guest.spares, true);
	assert_true(DOUBLE_UNTIL(spares_ready(guest.spares) == 1));
	pid = last_child();
	assert_int_equal(kill(pid, SIGKILL), 0);
	start_patient(&guest);
	assert_int_equal(program_pid(guest.program), pid);
	assert_true(DOUBLE_UNTIL(guest.bound == 1));
	assert_int_not_equal(program_pid(guest.program), pid);
	assert_int_equal(guest.ending, 0);
	program_end(guest.program);
	assert_true(DOUBLE_UNTIL(guest.reaped == 1));
	close_guest(&guest);

	open_guest(&guest, "dies-bound"); /* so does the other one */
	spares_want(guest.spares, true);
	assert_true(DOUBLE_UNTIL(spares_ready(guest.spares) == 1));
	start_patient(&guest);
	assert_true(DOUBLE_UNTIL(guest.reaped == 1));
	assert_true(guest.bound == 0 && guest.ending == 1);
	assert_int_equal(guest.why, VGPU_END_WORKER_NOT_STARTED);
	close_guest(&guest);
	settings.num = 0;
}

/* More programs than spares: each has a worker of its own, and none waits for another. */
static void programs_that_find_no_spare(void **state)
{
	struct guest guests[6];

	(void)state;
	settings.num = 1;
	open_guest(&guests[0], "good");
	spares_want(guests[0].spares, true);
	assert_true(DOUBLE_UNTIL(spares_ready(guests[0].spares) == 1));
	for (int i = 1; i < 6; i++) {
		guests[i] = (struct guest){ .spares = guests[0].spares };
		memcpy(guests[i].fds, guests[0].fds, sizeof(guests[i].fds));
	}
	for (int i = 0; i < 6; i++)
		start_patient(&guests[i]);
	for (int i = 0; i < 6; i++)
		assert_true(DOUBLE_UNTIL(guests[i].bound == 1));
	for (int i = 0; i < 6; i++)
		program_end(guests[i].program);
	for (int i = 0; i < 6; i++)
		assert_true(DOUBLE_UNTIL(guests[i].reaped == 1));
	close_guest(&guests[0]);
	settings.num = 0;
}

static void a_spare_that_dies_or_speaks_is_replaced_later(void **state)
{
	struct guest guest;
	struct process *spare;

	(void)state;
	settings.num = 1;
	open_guest(&guest, "early"); /* what it says as a spare is not expected */
	spares_want(guest.spares, true);
	assert_true(DOUBLE_UNTIL(spares_ready(guest.spares) == 1));
	assert_true(DOUBLE_UNTIL(spares_ready(guest.spares) == 0));
	spare = spares_take(guest.spares);
	assert_null(spare);
	assert_true(DOUBLE_UNTIL(spares_ready(guest.spares) == 1)); /* a second later */
	close_guest(&guest);
	settings.num = 0;
}

static void spares_that_cannot_start(void **state)
{
	static const char *const hows[] = { "refuses", "ends", "hangs" };

	(void)state;
	settings.num = 1;
	settings.start_deadline_ns = 100 * UTIL_NS_PER_MS;
	for (size_t i = 0; i < sizeof(hows) / sizeof(hows[0]); i++) {
		struct guest guest;

		open_guest(&guest, hows[i]);
		assert_null(spares_trouble(guest.spares));
		spares_want(guest.spares, true);
		assert_true(DOUBLE_UNTIL(spares_trouble(guest.spares) != NULL));
		assert_int_equal(spares_ready(guest.spares), 0);
		close_guest(&guest);
	}
	settings.num = 0;
	settings.start_deadline_ns = 60 * UTIL_NS_PER_S;
}

static void replace_file(const char *path)
{
	char other[64];
	int fd;

	snprintf(other, sizeof(other), "%s.new", path);
	fd = open(other, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(rename(other, path), 0);
}

/* An upgrade of the driver: spares that have the last one's library are replaced, programs run on. */
static void spares_of_a_driver_that_was_replaced(void **state)
{
	char path[] = "/tmp/vgpu-library.XXXXXX", how[64];
	int fd = mkstemp(path);
	struct process *taken;
	struct guest guest;
	pid_t old;

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	snprintf(how, sizeof(how), "library=%s", path);
	settings.num = 1;
	settings.look_ns = UTIL_NS_PER_MS;
	open_guest(&guest, how);
	spares_want(guest.spares, true);
	assert_true(DOUBLE_UNTIL(spares_ready(guest.spares) == 1));
	start_patient(&guest);
	assert_true(DOUBLE_UNTIL(guest.bound == 1 && spares_ready(guest.spares) == 1));
	replace_file(path);
	assert_true(DOUBLE_UNTIL(spares_ready(guest.spares) == 0));
	assert_true(DOUBLE_UNTIL(spares_ready(guest.spares) == 1));
	assert_int_equal(guest.ending, 0);
	/* The new one stays while nothing changes; one that is gone is another, too. */
	taken = spares_take(guest.spares);
	assert_non_null(taken);
	old = taken->pid;
	assert_false(library_is_other(&taken->library));
	process_abandon(taken);
	assert_true(DOUBLE_UNTIL(spares_ready(guest.spares) == 1));
	unlink(path);
	assert_true(DOUBLE_UNTIL(spares_ready(guest.spares) == 0));
	assert_true(DOUBLE_UNTIL(spares_ready(guest.spares) == 1));
	taken = spares_take(guest.spares);
	assert_int_not_equal(taken->pid, old);
	process_abandon(taken);
	program_end(guest.program);
	assert_true(DOUBLE_UNTIL(guest.reaped == 1));
	close_guest(&guest);
	settings.num = 0;
}

/* What keeps workers from starting has a name that programs are told, and doctor. */
static void troubles_that_have_a_name(void **state)
{
	static const struct {
		const char *how;
		enum vgpu_end end;
	} cases[] = {
		{ "nodev", VGPU_END_NO_DEVICE },
		{ "hmm", VGPU_END_HMM },
		{ "mismatch", VGPU_END_DRIVER_MISMATCH },
		{ "not-ready", VGPU_END_GPU_NOT_READY },
		{ "refuses", VGPU_END_WORKER_NOT_STARTED },
	};

	(void)state;
	settings.num = 1;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct guest guest;

		open_guest(&guest, cases[i].how);
		spares_want(guest.spares, true);
		assert_int_equal(spares_trouble_end(guest.spares), VGPU_END_NONE);
		assert_true(DOUBLE_UNTIL(spares_trouble(guest.spares) != NULL));
		assert_int_equal(spares_trouble_end(guest.spares), cases[i].end);
		start_patient(&guest);
		assert_true(DOUBLE_UNTIL(guest.reaped == 1));
		assert_int_equal(guest.why, cases[i].end);
		close_guest(&guest);
	}
	settings.num = 0;
}

/* --- the process that describes windows --- */

struct scene {
	struct describe *describe;
	struct describe_settings settings;
	struct describe_job jobs[3];
};

static unsigned answers;
static enum vgpu_end answer_of[3];
static struct scene *scene_of_answers;

static void on_done(struct describe_job *job, enum vgpu_end end)
{
	answers++;
	answer_of[job - scene_of_answers->jobs] = end;
}

static void open_scene(struct scene *scene, const char *how)
{
	*scene = (struct scene){ .settings = { .start_deadline_ns = 60 * UTIL_NS_PER_S,
					       .deadline_ns = 60 * UTIL_NS_PER_S } };
	scene_of_answers = scene;
	answers = 0;
	assert_int_equal(describe_new(&scene->describe, double_event, how, &scene->settings), 0);
	for (int i = 0; i < 3; i++) {
		scene->jobs[i].window = memfd_create("window", MFD_CLOEXEC);
		scene->jobs[i].order = (struct program_order){ .what = PROGRAM_DESCRIBE };
		scene->jobs[i].done = on_done;
		assert_int_equal(ftruncate(scene->jobs[i].window, 4096), 0);
	}
}

static void close_scene(struct scene *scene)
{
	describe_free(scene->describe);
	for (int i = 0; i < 3; i++)
		close(scene->jobs[i].window);
}

static void begin_all(struct scene *scene)
{
	for (int i = 0; i < 3; i++)
		describe_begin(scene->describe, &scene->jobs[i]);
}

static char first_byte(const struct describe_job *job)
{
	char byte = 0;

	assert_int_equal(pread(job->window, &byte, 1, 0), 1);
	return byte;
}

static void windows_are_described_in_turn(void **state)
{
	struct scene scene;

	(void)state;
	open_scene(&scene, "good");
	begin_all(&scene);
	assert_true(DOUBLE_UNTIL(answers == 3));
	for (int i = 0; i < 3; i++) {
		assert_int_equal(answer_of[i], VGPU_END_NONE);
		assert_int_equal(first_byte(&scene.jobs[i]), 'd');
		assert_null(scene.jobs[i].describe);
	}
	close_scene(&scene);
}

static void a_window_that_is_not_wanted_any_more(void **state)
{
	struct scene scene;

	(void)state;
	open_scene(&scene, "good");
	begin_all(&scene);
	describe_cancel(&scene.jobs[0]); /* while the process starts */
	describe_cancel(&scene.jobs[0]);
	assert_true(DOUBLE_UNTIL(answers == 1));
	describe_cancel(&scene.jobs[2]); /* while the process has it */
	describe_begin(scene.describe, &scene.jobs[0]);
	assert_true(DOUBLE_UNTIL(answers == 2));
	assert_int_equal(first_byte(&scene.jobs[0]), 'd');
	close_scene(&scene);
}

/* One process that dies with a window once is no reason to refuse the window; twice is. */
static void a_process_that_dies_with_windows(void **state)
{
	struct scene scene;

	(void)state;
	open_scene(&scene, "dies-once");
	begin_all(&scene);
	assert_true(DOUBLE_UNTIL(answers == 3));
	for (int i = 0; i < 3; i++)
		assert_int_equal(answer_of[i], VGPU_END_NONE);
	close_scene(&scene);

	open_scene(&scene, "dies-bound");
	begin_all(&scene);
	assert_true(DOUBLE_UNTIL(answers == 3));
	for (int i = 0; i < 3; i++)
		assert_int_equal(answer_of[i], VGPU_END_WINDOW_BAD);
	close_scene(&scene);
}

static void a_process_that_lies_or_hangs(void **state)
{
	struct scene scene;

	(void)state;
	open_scene(&scene, "nonsense");
	begin_all(&scene);
	assert_true(DOUBLE_UNTIL(answers == 3));
	assert_int_equal(answer_of[2], VGPU_END_WINDOW_BAD);
	close_scene(&scene);

	open_scene(&scene, "unbound");
	scene.settings.deadline_ns = UTIL_NS_PER_MS;
	begin_all(&scene);
	assert_true(DOUBLE_UNTIL(answers == 3));
	assert_int_equal(answer_of[2], VGPU_END_WINDOW_BAD);
	close_scene(&scene);

	open_scene(&scene, "unsolicited");
	begin_all(&scene);
	assert_true(DOUBLE_UNTIL(answers == 3));
	close_scene(&scene);
}

static void a_process_that_cannot_start(void **state)
{
	static const char *const hows[] = { "refuses", "ends", "hangs" };

	(void)state;
	for (size_t i = 0; i < sizeof(hows) / sizeof(hows[0]); i++) {
		struct scene scene;

		open_scene(&scene, hows[i]);
		scene.settings.start_deadline_ns = 100 * UTIL_NS_PER_MS;
		begin_all(&scene);
		assert_true(DOUBLE_UNTIL(answers == 3));
		for (int j = 0; j < 3; j++)
			assert_int_equal(answer_of[j], VGPU_END_NO_DEVICE);
		assert_non_null(describe_trouble(scene.describe));
		close_scene(&scene);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_program_runs_until_it_is_ended),
		cmocka_unit_test(what_ends_a_program),
		cmocka_unit_test(a_worker_that_asks_for_a_module),
		cmocka_unit_test(a_worker_that_reads_no_answer),
		cmocka_unit_test(a_worker_that_is_late),
		cmocka_unit_test(a_program_that_is_ended_early),
		cmocka_unit_test(a_worker_that_is_killed),
		cmocka_unit_test(one_whose_worker_was_reaped_before),
		cmocka_unit_test(abandoned_at_the_end),
		cmocka_unit_test(a_spare_is_taken_and_replaced),
		cmocka_unit_test(a_spare_that_died_unnoticed),
		cmocka_unit_test(programs_that_find_no_spare),
		cmocka_unit_test(a_spare_that_dies_or_speaks_is_replaced_later),
		cmocka_unit_test(spares_that_cannot_start),
		cmocka_unit_test(spares_of_a_driver_that_was_replaced),
		cmocka_unit_test(troubles_that_have_a_name),
		cmocka_unit_test(windows_are_described_in_turn),
		cmocka_unit_test(a_window_that_is_not_wanted_any_more),
		cmocka_unit_test(a_process_that_dies_with_windows),
		cmocka_unit_test(a_process_that_lies_or_hangs),
		cmocka_unit_test(a_process_that_cannot_start),
	};
	int status = program_double_role(argc, argv);

	if (status >= 0)
		return status;
	settings.start_deadline_ns = 60 * UTIL_NS_PER_S;
	return cmocka_run_group_tests(tests, double_set_up, double_tear_down);
}

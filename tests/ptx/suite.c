/* SPDX-License-Identifier: GPL-2.0-or-later */
/* suite.c - ptx-suite: runs kernels with known results on softgpu or on a real GPU, and prints TAP
 */

#include <errno.h>
#include <fnmatch.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/ptx/cases.h"

/*
 * Theory of operation. The parent process never touches a GPU. It starts a worker process that
 * opens the GPU and runs cases in order, until one faults: a fault ends a CUDA context for good,
 * and on softgpu imitates that. The next worker goes on behind it. So a crash, too, costs one case
 * only. Workers print their own TAP lines and note in shared memory how far they came.
 */
struct progress {
	unsigned next;
	unsigned failed;
	unsigned skipped;
};

/* A case that takes longer hangs; the slowest takes seconds under sanitizers. */
enum { CASE_LIMIT_S = 240, EXIT_NO_GPU = 3, CASES_MAX = 2048 };

struct suite {
	struct trial_options options;
	const char *only;
	const struct ptx_case *cases[CASES_MAX];
	unsigned count;
	struct progress *progress;
};

static const struct gpu *const gpus[] = {
#ifdef PTX_SUITE_SOFTGPU
	&gpu_soft,
#endif
	&gpu_cuda,
};

static void usage(FILE *to)
{
	fputs("usage: ptx-suite [--gpu softgpu|cuda] [--ptx DIR] [--only PATTERN] [--list]\n"
	      "                 [--dump DIR] [--compare DIR]\n"
	      "Runs kernels with known results, and prints TAP. --dump writes each case's memory\n"
	      "into DIR, --compare compares it with what another run wrote there.\n",
	      to);
}

static int fail(const char *what, const char *why)
{
	fprintf(stderr, "ptx-suite: %s: %s\n", what, why);
	return 2;
}

static void choose_from(struct suite *suite, const struct ptx_case *table)
{
	for (; table->name; table++) {
		if (suite->only && fnmatch(suite->only, table->name, 0) != 0)
			continue;
		if (suite->count < CASES_MAX)
			suite->cases[suite->count++] = table;
	}
}

static void choose_cases(struct suite *suite)
{
	for (unsigned t = 0; ptx_case_tables[t]; t++)
		choose_from(suite, ptx_case_tables[t]);
	choose_from(suite, cases_forms());
}

static void run_case(struct suite *suite, unsigned index)
{
	const struct ptx_case *c = suite->cases[index];
	struct trial_options options = suite->options;
	struct trial *trial;

	if (c->softgpu_only && !suite->options.gpu->is_softgpu) {
		printf("ok %u - %s # SKIP only softgpu promises this\n", index + 1, c->name);
		suite->progress->skipped++;
		return;
	}
	/* No other GPU has run it. */
	if (c->softgpu_only)
		options.compare_dir = NULL;
	trial = trial_new(&options, c->name, c->argument);
	alarm(CASE_LIMIT_S);
	c->run(trial);
	if (trial_end(trial)) {
		printf("ok %u - %s\n", index + 1, c->name);
	} else {
		printf("not ok %u - %s\n", index + 1, c->name);
		suite->progress->failed++;
	}
	alarm(0);
}

static void __attribute__((noreturn)) work(struct suite *suite)
{
	const struct gpu *gpu = suite->options.gpu;
	int result = gpu->open();

	if (result != GPU_OK) {
		fprintf(stderr, "ptx-suite: %s: opening failed with result %d\n", gpu->name,
			result);
		exit(EXIT_NO_GPU);
	}
	while (suite->progress->next < suite->count) {
		unsigned index = suite->progress->next;

		run_case(suite, index);
		fflush(stdout);
		suite->progress->next = index + 1;
		if (suite->cases[index]->faults || gpu->sync() != GPU_OK)
			break;
	}
	exit(0);
}

static int run_worker(struct suite *suite)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		work(suite);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return fail("worker", strerror(errno));
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_NO_GPU)
		return EXIT_NO_GPU;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	/* The case that was running ended the process: sanitizers exit, crashes and hangs signal.
	 */
	if (suite->progress->next < suite->count) {
		unsigned index = suite->progress->next++;

		if (WIFSIGNALED(status))
			printf("# ended by signal %d\n", WTERMSIG(status));
		printf("not ok %u - %s\n", index + 1, suite->cases[index]->name);
		suite->progress->failed++;
	}
	return 0;
}

static int run_all(struct suite *suite)
{
	suite->progress = mmap(NULL, sizeof(*suite->progress), PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (suite->progress == MAP_FAILED)
		return fail("shared memory", strerror(errno));
	printf("TAP version 13\n1..%u\n", suite->count);
	while (suite->progress->next < suite->count) {
		int result;

		fflush(stdout);
		result = run_worker(suite);
		if (result != 0)
			return result;
	}
	printf("# %s: %u cases, %u failed, %u skipped\n", suite->options.gpu->name, suite->count,
	       suite->progress->failed, suite->progress->skipped);
	return suite->progress->failed ? 1 : 0;
}

static int choose_gpu(struct suite *suite, const char *name)
{
	for (unsigned i = 0; i < sizeof(gpus) / sizeof(gpus[0]); i++) {
		if (!strcmp(gpus[i]->name, name)) {
			suite->options.gpu = gpus[i];
			return 0;
		}
	}
	return fail(name, "no such gpu in this build");
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "gpu", required_argument, NULL, 'g' },
		{ "ptx", required_argument, NULL, 'p' },
		{ "only", required_argument, NULL, 'o' },
		{ "list", no_argument, NULL, 'l' },
		{ "dump", required_argument, NULL, 'd' },
		{ "help", no_argument, NULL, 'h' },
		{ "compare", required_argument, NULL, 'c' },
		{ NULL, 0, NULL, 0 },
	};
	static struct suite suite = { .options = { .ptx_dir = "tests/ptx/kernels" } };
	bool list = false;
	int option;

	suite.options.gpu = gpus[0];
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'g':
			if (choose_gpu(&suite, optarg) != 0)
				return 2;
			break;
		case 'p':
			suite.options.ptx_dir = optarg;
			break;
		case 'o':
			suite.only = optarg;
			break;
		case 'l':
			list = true;
			break;
		case 'd':
			suite.options.dump_dir = optarg;
			break;
		case 'c':
			suite.options.compare_dir = optarg;
			break;
		default:
			usage(option == 'h' ? stdout : stderr);
			return option == 'h' ? 0 : 2;
		}
	}
	choose_cases(&suite);
	for (unsigned i = 0; list && i < suite.count; i++)
		puts(suite.cases[i]->name);
	return list ? 0 : run_all(&suite);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* main.c - vgpud's command line */

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/util.h"
#include "vgpud/conf.h"
#include "vgpud/daemon.h"
#include "vgpud/query.h"
#include "vgpud/worker.h"

#define EXIT_USAGE 2

enum option_id {
	OPT_RUNTIME_DIR = 256,
	OPT_STATE_DIR,
	OPT_VM,
	OPT_EXECUTOR,
	OPT_ISOLATION,
	OPT_WINDOW,
	OPT_QUEUE_MAX,
	OPT_AGING_MS,
	OPT_DEADLINE_MS,
	OPT_EXEC_DEADLINE_MS,
	OPT_FAULT_LIMIT,
	OPT_NO_LEDGER,
	OPT_RUN
};

static const struct option long_options[] = {
	{ "runtime-dir", required_argument, NULL, OPT_RUNTIME_DIR },
	{ "state-dir", required_argument, NULL, OPT_STATE_DIR },
	{ "vm", required_argument, NULL, OPT_VM },
	{ "executor", required_argument, NULL, OPT_EXECUTOR },
	{ "isolation", required_argument, NULL, OPT_ISOLATION },
	{ "window", required_argument, NULL, OPT_WINDOW },
	{ "queue-max", required_argument, NULL, OPT_QUEUE_MAX },
	{ "aging-ms", required_argument, NULL, OPT_AGING_MS },
	{ "deadline-ms", required_argument, NULL, OPT_DEADLINE_MS },
	{ "exec-deadline-ms", required_argument, NULL, OPT_EXEC_DEADLINE_MS },
	{ "fault-limit", required_argument, NULL, OPT_FAULT_LIMIT },
	{ "no-ledger", no_argument, NULL, OPT_NO_LEDGER },
	{ "run", required_argument, NULL, OPT_RUN },
	{ "verbose", no_argument, NULL, 'v' },
	{ "version", no_argument, NULL, 'V' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static const char help_text[] =
	"usage: vgpud [OPTION]...\n"
	"Takes the GPU requests of virtual machines, schedules, runs and records them.\n"
	"\n"
	"  --vm NAME:POOL:PRIORITY[:ID][:connect=PATH]\n"
	"                          a VM, as in vm3:B:high; its QEMU connects to\n"
	"                          RUNTIME-DIR/vm/NAME.sock, or listens at PATH itself\n"
	"  --executor [POOL=]NAME  auto (default: a GPU if there is one), cpu, or cuda:N\n"
	"  --isolation pool|vm     one worker process for each pool (default) or VM\n"
	"  --window N              requests on a GPU at once (1)\n"
	"  --queue-max N           requests of one VM that may wait (16)\n"
	"  --aging-ms N            raise a request one priority for each N ms of waiting (0: never)\n"
	"  --deadline-ms N         a request's time from arrival to end (10000)\n"
	"  --exec-deadline-ms N    its time on the GPU (5000)\n"
	"  --fault-limit N         pause a VM whose requests kill N workers in 60 s (3; 0: never)\n"
	"  --no-ledger             keep no record of requests\n"
	"  --runtime-dir DIR       sockets (/run/vgpud)\n"
	"  --state-dir DIR         database (/var/lib/vgpud)\n"
	"  --run COMMAND           run COMMAND once ready, and end with it\n"
	"  -v, --verbose           say more\n"
	"  -V, --version           print the version\n"
	"  -h, --help              print this\n";

/* Return: the number; a wrong one ends the program with what is right. */
static unsigned number(const char *option, const char *text, uint64_t least, uint64_t most)
{
	uint64_t value;

	if (util_parse_u64(text, least, most, &value) == 0)
		return (unsigned)value;
	fprintf(stderr, "vgpud: --%s: %s: expected a number from %llu to %llu\n", option, text,
		(unsigned long long)least, (unsigned long long)most);
	exit(EXIT_USAGE);
}

static void usage_error(const char *why)
{
	fprintf(stderr, "vgpud: %s\n", why);
	exit(EXIT_USAGE);
}

static void set_isolation(struct conf *conf, const char *text)
{
	if (strcmp(text, "vm") != 0 && strcmp(text, "pool") != 0)
		usage_error("--isolation is pool or vm");
	conf->isolation_vm = strcmp(text, "vm") == 0;
}

/* Options that hold for every pool. */
static void set_pools(struct conf *conf, enum option_id which, const char *text)
{
	for (unsigned i = 0; i < SCHED_POOL_MAX; i++) {
		struct conf_pool *pool = &conf->pool[i];

		if (which == OPT_WINDOW)
			pool->window = number("window", text, 1, 1024);
		else if (which == OPT_DEADLINE_MS)
			pool->deadline_ms = number("deadline-ms", text, 1, 86400000);
		else
			pool->exec_deadline_ms = number("exec-deadline-ms", text, 1, 86400000);
	}
}

static void set_option(struct conf *conf, int which, const char *text)
{
	char why[256];

	switch (which) {
	case OPT_RUNTIME_DIR:
		conf->runtime_dir = text;
		break;
	case OPT_STATE_DIR:
		conf->state_dir = text;
		break;
	case OPT_EXECUTOR:
		if (conf_set_executor(conf, text, why, sizeof(why)) != 0)
			usage_error(why);
		break;
	case OPT_ISOLATION:
		set_isolation(conf, text);
		break;
	case OPT_WINDOW:
	case OPT_DEADLINE_MS:
	case OPT_EXEC_DEADLINE_MS:
		set_pools(conf, which, text);
		break;
	case OPT_QUEUE_MAX:
		conf->vm_queue_max = number("queue-max", text, 1, 1024);
		break;
	case OPT_AGING_MS:
		conf->aging_ms = number("aging-ms", text, 0, 86400000);
		break;
	case OPT_FAULT_LIMIT:
		conf->fault_limit = number("fault-limit", text, 0, VM_FAULTS_MAX);
		break;
	case OPT_NO_LEDGER:
		conf->ledger = false;
		break;
	case OPT_RUN:
		conf->run = text;
		break;
	case 'v':
		conf->verbose = true;
		break;
	case 'V':
		puts("vgpud " VGPU_VERSION);
		exit(0);
	case 'h':
		fputs(help_text, stdout);
		exit(0);
	default:
		fputs("Try vgpud --help.\n", stderr);
		exit(EXIT_USAGE);
	}
}

/* VMs come last: what pools there are may stand in any later option. */
static void add_vms(struct conf *conf, int argc, char **argv)
{
	char why[256];
	int which;

	optind = 1;
	while ((which = getopt_long(argc, argv, "vVh", long_options, NULL)) != -1)
		if (which == OPT_VM && conf_add_vm(conf, optarg, why, sizeof(why)) != 0)
			usage_error(why);
	if (conf_check(conf, why, sizeof(why)) != 0)
		usage_error(why);
}

int main(int argc, char **argv)
{
	static struct conf conf;
	int which;

	if (argc == 2 && strcmp(argv[0], WORKER_ARGV0) == 0)
		return worker_main(argv[1]);
	if (argc == 2 && strcmp(argv[0], QUERY_ARGV0) == 0)
		return query_main(argv[1]);
	conf_init(&conf);
	while ((which = getopt_long(argc, argv, "vVh", long_options, NULL)) != -1)
		if (which != OPT_VM)
			set_option(&conf, which, optarg);
	if (optind < argc) {
		fprintf(stderr, "vgpud: %s: unexpected; try vgpud --help\n", argv[optind]);
		return EXIT_USAGE;
	}
	add_vms(&conf, argc, argv);
	log_init("vgpud", conf.verbose);
	return daemon_run(&conf);
}

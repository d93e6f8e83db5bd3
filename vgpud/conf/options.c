/* SPDX-License-Identifier: GPL-2.0-or-later */
/* options.c - the command line, and the whole configuration that it asks for */

#include "vgpud/conf/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "vgpud/conf/settings.h"

#define WHY_SIZE 512

enum option_id { OPT_VM = 256, OPT_EXECUTOR, OPT_NO_LEDGER, OPT_RUN, OPT_SETTING };

/* Options from OPT_SETTING on are settings; a pool's is set for all pools. */
static const struct {
	const char *section, *key;
} settings[] = {
	{ "paths", "runtime_dir" }, { "paths", "state_dir" },	    { "vgpud", "isolation" },
	{ "pool", "window" },	    { "vgpud", "vm_queue_max" },    { "vgpud", "aging_ms" },
	{ "pool", "deadline_ms" },  { "pool", "exec_deadline_ms" }, { "vgpud", "fault_limit" },
	{ "vgpud", "user" },
};

static const char short_options[] = "c:nvVh";
static const struct option long_options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "vm", required_argument, NULL, OPT_VM },
	{ "executor", required_argument, NULL, OPT_EXECUTOR },
	{ "no-ledger", no_argument, NULL, OPT_NO_LEDGER },
	{ "run", required_argument, NULL, OPT_RUN },
	{ "runtime-dir", required_argument, NULL, OPT_SETTING + 0 },
	{ "state-dir", required_argument, NULL, OPT_SETTING + 1 },
	{ "isolation", required_argument, NULL, OPT_SETTING + 2 },
	{ "window", required_argument, NULL, OPT_SETTING + 3 },
	{ "queue-max", required_argument, NULL, OPT_SETTING + 4 },
	{ "aging-ms", required_argument, NULL, OPT_SETTING + 5 },
	{ "deadline-ms", required_argument, NULL, OPT_SETTING + 6 },
	{ "exec-deadline-ms", required_argument, NULL, OPT_SETTING + 7 },
	{ "fault-limit", required_argument, NULL, OPT_SETTING + 8 },
	{ "user", required_argument, NULL, OPT_SETTING + 9 },
	{ "check", no_argument, NULL, 'n' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "version", no_argument, NULL, 'V' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

const char conf_options_help[] =
	"usage: vgpud [OPTION]...\n"
	"Takes the GPU requests of virtual machines, schedules, runs and records them.\n"
	"\n"
	"  -c, --config FILE       settings (" CONF_FILE_DEFAULT ", if there is one);\n"
	"                          options count more\n"
	"  -n, --check             check file and options, and end;\n"
	"                          with -v also print all settings as they would hold\n"
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
	"  --user NAME             the user to become when started as root (vgpud)\n"
	"  --run COMMAND           run COMMAND once ready, and end with it\n"
	"  -v, --verbose           print more messages\n"
	"  -V, --version           print the version\n"
	"  -h, --help              print this\n";

struct reading {
	struct conf *conf;
	const char *file; /* NULL: the usual one, which may be missing */
	enum conf_action action;
	conf_report *report;
	void *arg;
	bool failed;
};

static void wrong(struct reading *r, const char *sentence)
{
	r->failed = true;
	r->report(r->arg, sentence);
}

static int next_option(int argc, char **argv, int *index)
{
	return getopt_long(argc, argv, short_options, long_options, index);
}

/* Makes getopt_long() begin at the first word again, the way that glibc documents. */
static void rewind_options(void)
{
	optind = 0;
}

/* Reads the options that come before all others: the file, and what to do. */
static void read_first(struct reading *r, int argc, char **argv)
{
	bool check = false, verbose = false;
	int which;

	rewind_options();
	while ((which = next_option(argc, argv, NULL)) != -1) {
		if (which == 'c')
			r->file = optarg;
		else if (which == 'V' || which == 'h')
			r->action = which == 'h' ? CONF_HELP : CONF_VERSION;
		else if (which == '?')
			wrong(r, "vgpud --help lists the options");
		check = check || which == 'n';
		verbose = verbose || which == 'v';
	}
	if (optind < argc) {
		char why[WHY_SIZE];

		snprintf(why, sizeof(why), "%s: unexpected; vgpud --help lists the options",
			 argv[optind]);
		wrong(r, why);
	}
	if (check && r->action == CONF_RUN)
		r->action = verbose ? CONF_PRINT : CONF_CHECK;
}

static void read_file(struct reading *r)
{
	const char *path = r->file != NULL ? r->file : CONF_FILE_DEFAULT;
	int err = conf_file_load(r->conf, path, r->report, r->arg);

	if (err != 0 && (err != -ENOENT || r->file != NULL))
		r->failed = true;
	if (err == -ENOENT && r->file != NULL) {
		char why[WHY_SIZE];

		snprintf(why, sizeof(why), "%s: no such file; name another with --config", path);
		wrong(r, why);
	}
}

static void take_setting(struct reading *r, const char *option, int number, const char *text)
{
	const struct conf_setting *setting = conf_setting_find(settings[number].section,
							       settings[number].key);
	unsigned places = conf_setting_places(setting);
	char why[WHY_SIZE], sentence[WHY_SIZE + 32];

	for (unsigned place = 0; place < places; place++) {
		if (conf_setting_set(setting, r->conf, place, text, why, sizeof(why)) != 0) {
			snprintf(sentence, sizeof(sentence), "--%s: %s", option, why);
			wrong(r, sentence);
			return;
		}
	}
}

static void read_options(struct reading *r, int argc, char **argv)
{
	char why[WHY_SIZE];
	int which, index;

	rewind_options();
	while ((which = next_option(argc, argv, &index)) != -1) {
		if (which >= OPT_SETTING)
			take_setting(r, long_options[index].name, which - OPT_SETTING, optarg);
		else if (which == OPT_EXECUTOR &&
			 conf_set_executor(r->conf, optarg, why, sizeof(why)) != 0)
			wrong(r, why);
		else if (which == OPT_NO_LEDGER)
			r->conf->ledger = false;
		else if (which == OPT_RUN)
			r->conf->run = optarg;
		else if (which == 'v')
			r->conf->verbose = true;
	}
}

/* Reads the VMs last, since a later option may define their pools. */
static void read_vms(struct reading *r, int argc, char **argv)
{
	char why[WHY_SIZE];
	int which;

	rewind_options();
	while ((which = next_option(argc, argv, NULL)) != -1)
		if (which == OPT_VM && conf_add_vm(r->conf, optarg, why, sizeof(why)) != 0)
			wrong(r, why);
}

int conf_options_read(struct conf *conf, int argc, char **argv, enum conf_action *action,
		      conf_report *report, void *arg)
{
	struct reading r = { .conf = conf, .action = CONF_RUN, .report = report, .arg = arg };
	char why[WHY_SIZE];

	conf_settings_init(conf);
	read_first(&r, argc, argv);
	*action = r.action;
	if (r.failed)
		return -EINVAL;
	if (r.action == CONF_HELP || r.action == CONF_VERSION)
		return 0;
	read_file(&r);
	read_options(&r, argc, argv);
	read_vms(&r, argc, argv);
	if (!r.failed && conf_check(conf, why, sizeof(why)) != 0)
		wrong(&r, why);
	return r.failed ? -EINVAL : 0;
}

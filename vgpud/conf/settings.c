/* SPDX-License-Identifier: GPL-2.0-or-later */
/* settings.c - the settings: one table for the file, the options, what is printed back */

#include "vgpud/conf/settings.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "common/names.h"
#include "common/units.h"
#include "common/util.h"
#include "vgpud/ledger/ring.h"

#define DAY_MS 86400000
#define CENTURY_DAYS 36500
#define UIDS_LEAST 65536 /* hosts have users of their own below */
#define POOLS_ALWAYS 2	 /* A and B exist without being named */

#define NUMBER(least_, most_) .type = CONF_NUMBER, .least = (least_), .most = (most_)
#define BYTES(most_) .type = CONF_BYTES, .most = (most_)
#define CHOICE(no, yes) .type = CONF_CHOICE, .word = { no, yes }
#define WORDS(...) .type = CONF_WORD, .word = { __VA_ARGS__ }
#define TEXT(type_, size) .type = (type_), .most = (size)

/* ...: one of the five above. */
#define ROW(section_, key_, where, standard_, live_, what_, ...)                    \
	{                                                                           \
		.section = section_, .key = key_, .offset = where, .live = (live_), \
		.standard = standard_, .what = what_, __VA_ARGS__                   \
	}
#define SETTING(section, key, field, ...) \
	ROW(section, key, offsetof(struct conf, field), __VA_ARGS__)
#define POOL(key, field, ...) ROW("pool", key, offsetof(struct conf_pool, field), __VA_ARGS__)
#define GPU(key, field, ...) ROW("gpu", key, offsetof(struct conf_gpu, field), __VA_ARGS__)

#define LIVE true
#define RESTART false

const struct conf_setting conf_settings[CONF_SETTING_NUM] = {
	SETTING("vgpud", "isolation", isolation_vm, "pool", RESTART,
		"one worker process for each pool, or one for each VM", CHOICE("pool", "vm")),
	SETTING("vgpud", "vm_queue_max", vm_queue_max, "16", LIVE,
		"requests of one VM that may wait; the next one is refused with QUEUE_FULL",
		NUMBER(1, 1024)),
	SETTING("vgpud", "aging_ms", aging_ms, "0", LIVE,
		"raise a request by one priority for each so many ms of waiting; 0: never",
		NUMBER(0, DAY_MS)),
	SETTING("vgpud", "fault_limit", fault_limit, "3", LIVE,
		"pause a VM whose requests kill so many workers within fault_window_s; 0: never",
		NUMBER(0, VM_FAULTS_MAX)),
	SETTING("vgpud", "fault_window_s", fault_window_s, "60", LIVE,
		"seconds in which the workers that a VM kills are counted",
		NUMBER(1, DAY_MS / 1000)),
	SETTING("vgpud", "start_deadline_ms", start_deadline_ms, "60000", LIVE,
		"a worker's time until it is ready; then it is killed and started anew",
		NUMBER(1, DAY_MS)),
	SETTING("vgpud", "busy_poll_us", busy_poll_us, "50", LIVE,
		"poll for the next message at most so long before sleeping, where that is quicker; 0: never",
		NUMBER(0, 10000)),
	SETTING("vgpud", "test_opcodes", test_opcodes, "no", LIVE,
		"yes: let guests send test-fault and test-hang, which make the GPU fail, to try "
		"what happens",
		CHOICE("no", "yes")),
	SETTING("vgpud", "confine", confine, "yes", RESTART,
		"yes: give up system calls that it never needs; log: only log them; no: neither",
		WORDS("yes", "no", "log")),
	SETTING("vgpud", "user", user, "vgpud", RESTART,
		"the user to become when started as root; root: stay root",
		TEXT(CONF_USER, CONF_GROUP_SIZE)),
	SETTING("vgpud", "programs_unconfined", programs_unconfined, "no", LIVE,
		"yes: run guests' programs although their workers cannot be confined on this host",
		CHOICE("no", "yes")),
	SETTING("vgpud", "allow_hmm", allow_hmm, "no", RESTART,
		"yes: run guests' programs although the GPU reaches all memory of their workers",
		CHOICE("no", "yes")),
	SETTING("vgpud", "worker_poll_us", worker_poll_us, "200", LIVE,
		"a program's worker polls for commands so long before it sleeps; 0: never",
		NUMBER(0, 10000)),
	SETTING("vgpud", "ledger_rows_per_s", ledger_rows_per_s, "100", LIVE,
		"rows that submissions of one VM's programs may have each second; more share rows",
		NUMBER(1, 10000)),
	SETTING("vgpud", "worker_uids", worker_uids, "1880000000", RESTART,
		"the first of 1024 numbers that workers get as users of their own",
		NUMBER(UIDS_LEAST, UINT32_MAX - CONF_WORKER_UIDS)),
	SETTING("vgpud", "worker_memory", worker_memory, "4G", RESTART,
		"memory of the host that one worker may use, besides softgpu_memory",
		BYTES(INT64_MAX)),
	SETTING("vgpud", "softgpu_memory", softgpu_memory, "0", RESTART,
		"device memory of the executor cpu; 0: a quarter of the host's, at most 8G",
		BYTES(INT64_MAX)),
	SETTING("vgpud", "module_cache", module_cache, "64M", LIVE,
		"memory of the host for compiled modules of one VM's programs; 0: none is kept",
		BYTES(INT64_MAX)),
	SETTING("vgpud", "softgpu_switches", softgpu_switches, "", RESTART,
		"for tests: what the executor cpu shall imitate, as in block-free queue=64; empty: "
		"nothing",
		TEXT(CONF_SWITCHES, CONF_SWITCHES_SIZE)),

	POOL("executor", executor, "auto", RESTART,
	     "what runs the requests: auto (a GPU if there is one, else the CPU), cpu, or cuda:N",
	     TEXT(CONF_EXECUTOR, CONF_EXECUTOR_SIZE)),
	POOL("window", window, "1", LIVE, "requests that are on the GPU at once", NUMBER(1, 1024)),
	POOL("deadline_ms", deadline_ms, "10000", LIVE,
	     "from a request's arrival to its end; then it ends with TIMEOUT", NUMBER(1, DAY_MS)),
	POOL("exec_deadline_ms", exec_deadline_ms, "5000", LIVE,
	     "a request's time on the GPU; then it ends with GPU_HUNG and its worker is killed",
	     NUMBER(1, DAY_MS)),

	GPU("spares", spares, "1", LIVE,
	    "workers that are kept ready for programs, where a VM may have some", NUMBER(0, 16)),
	GPU("lease_ms", lease_ms, "5", LIVE,
	    "how long a program's turn lasts when others want the GPU", NUMBER(1, 1000)),
	GPU("yield_ms", yield_ms, "10", LIVE,
	    "how long others wait for what a program has in flight at its turn's end",
	    NUMBER(1, 10000)),
	GPU("in_flight_us", in_flight_us, "1000", LIVE,
	    "work that a program may have in flight, as estimated, but at least two kernels",
	    NUMBER(1, 1000000)),
	GPU("idle_us", idle_us, "50", LIVE,
	    "a program with nothing to do for so long gives its turn away", NUMBER(1, 10000)),
	GPU("max_kernel_s", max_kernel_s, "0", LIVE,
	    "a program whose work goes on for so long after its turn ends with GPU_HUNG; 0: never",
	    NUMBER(0, DAY_MS / 1000)),

	SETTING("ledger", "mode", ledger_lossy, "strict", RESTART,
		"when the disk is full: strict refuses requests, lossy runs them unrecorded",
		CHOICE("strict", "lossy")),
	SETTING("ledger", "retention_days", retention_days, "90", RESTART,
		"how long requests, programs, submissions and events are kept; 0: for ever",
		NUMBER(0, CENTURY_DAYS)),
	SETTING("ledger", "minute_days", minute_days, "730", RESTART,
		"how long the statistics of each minute are kept; 0: for ever",
		NUMBER(0, CENTURY_DAYS)),
	SETTING("ledger", "max_size", ledger_max_bytes, "10G", RESTART,
		"of the database, as in 500M or 10G; beyond it old rows are removed; 0: no bound",
		BYTES(INT64_MAX)),
	SETTING("ledger", "ring_records", ring_records, "65536", RESTART,
		"room in the ring file, 128 bytes each",
		NUMBER(RING_RECORDS_LEAST, RING_RECORDS_MOST)),
	SETTING("ledger", "batch_ms", batch_ms, "50", RESTART,
		"how long a record waits at most for its transaction", NUMBER(1, 60000)),

	SETTING("admin", "group", admin_group, "vgpu-admin", LIVE,
		"the group whose members may change things with vgpuadm; empty: root alone",
		TEXT(CONF_GROUP, CONF_GROUP_SIZE)),
	SETTING("admin", "read_group", read_group, "vgpu-read", LIVE,
		"the group whose members may look with vgpuadm; empty: administrators alone",
		TEXT(CONF_GROUP, CONF_GROUP_SIZE)),
	SETTING("admin", "max_clients", max_clients, "32", LIVE,
		"connections to the admin socket at once", NUMBER(1, 1024)),
	SETTING("admin", "idle_timeout_s", idle_timeout_s, "600", LIVE,
		"close a connection that sends nothing for so many seconds",
		NUMBER(1, DAY_MS / 1000)),

	SETTING("file-transport", "dir", file_dir, "", RESTART,
		"where requests come as files, in DIR/VM/request.txt; empty: nowhere",
		TEXT(CONF_PATH_OR_NONE, CONF_PATH_SIZE)),
	SETTING("file-transport", "poll_interval_ms", file_poll_interval_ms, "1000", RESTART,
		"look for requests there each so many ms", NUMBER(5, 60000)),
	SETTING("file-transport", "inotify", file_inotify, "no", RESTART,
		"yes: besides, look at once where a file of this host changes",
		CHOICE("no", "yes")),

	SETTING("paths", "runtime_dir", runtime_dir, "/run/vgpud", RESTART, "where the sockets are",
		TEXT(CONF_PATH, CONF_RUNTIME_DIR_SIZE)),
	SETTING("paths", "state_dir", state_dir, "/var/lib/vgpud", RESTART,
		"where the database and the ring file are", TEXT(CONF_PATH, CONF_PATH_SIZE)),
};

enum conf_scope conf_setting_scope(const struct conf_setting *setting)
{
	if (strcmp(setting->section, "pool") == 0)
		return CONF_OF_POOL;
	return strcmp(setting->section, "gpu") == 0 ? CONF_OF_GPU : CONF_ONCE;
}

unsigned conf_setting_places(const struct conf_setting *setting)
{
	static const unsigned places[] = {
		[CONF_ONCE] = 1, [CONF_OF_POOL] = SCHED_POOL_MAX, [CONF_OF_GPU] = CONF_GPU_NUM
	};

	return places[conf_setting_scope(setting)];
}

void conf_setting_section(const struct conf_setting *setting, unsigned place,
			  char out[CONF_SECTION_SIZE])
{
	char gpu[CONF_GPU_NAME_SIZE];

	switch (conf_setting_scope(setting)) {
	case CONF_OF_POOL:
		snprintf(out, CONF_SECTION_SIZE, "pool %c", name_pool(place));
		break;
	case CONF_OF_GPU:
		conf_gpu_name(place, gpu);
		snprintf(out, CONF_SECTION_SIZE, "gpu %s", gpu);
		break;
	default:
		snprintf(out, CONF_SECTION_SIZE, "%s", setting->section);
		break;
	}
}

const struct conf_setting *conf_setting_find(const char *section, const char *key)
{
	for (unsigned i = 0; i < CONF_SETTING_NUM; i++)
		if (strcmp(conf_settings[i].section, section) == 0 &&
		    strcmp(conf_settings[i].key, key) == 0)
			return &conf_settings[i];
	return NULL;
}

/* --- reading --- */

static void *field_of(const struct conf_setting *setting, struct conf *conf, unsigned place)
{
	enum conf_scope scope = conf_setting_scope(setting);
	char *base = (char *)conf;

	if (scope == CONF_OF_POOL)
		base = (char *)&conf->pool[place];
	else if (scope == CONF_OF_GPU)
		base = (char *)&conf->gpu[place];
	return base + setting->offset;
}

static const void *value_of(const struct conf_setting *setting, const struct conf *conf,
			    unsigned place)
{
	return field_of(setting, (struct conf *)conf, place);
}

static bool set_number(const struct conf_setting *setting, unsigned *field, const char *text)
{
	uint64_t value;

	if (util_parse_u64(text, setting->least, setting->most, &value) != 0)
		return false;
	*field = (unsigned)value;
	return true;
}

static bool set_bytes(const struct conf_setting *setting, uint64_t *field, const char *text)
{
	uint64_t value;

	if (units_parse_size(text, &value) != 0 || value < setting->least || value > setting->most)
		return false;
	*field = value;
	return true;
}

static bool set_choice(const struct conf_setting *setting, bool *field, const char *text)
{
	bool second = strcmp(text, setting->word[1]) == 0;

	if (!second && strcmp(text, setting->word[0]) != 0)
		return false;
	*field = second;
	return true;
}

static bool set_word(const struct conf_setting *setting, unsigned *field, const char *text)
{
	for (unsigned i = 0; i < sizeof(setting->word) / sizeof(setting->word[0]); i++) {
		if (strcmp(text, setting->word[i]) == 0) {
			*field = i;
			return true;
		}
	}
	return false;
}

/* A name as groupadd(8) and useradd(8) take it, or nothing. */
static bool name_ok(const char *text)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789._-";

	return text[0] != '-' && strspn(text, allowed) == strlen(text);
}

static bool path_ok(const char *text)
{
	for (const char *c = text; *c != '\0'; c++)
		if (iscntrl((unsigned char)*c))
			return false;
	return text[0] != '\0';
}

static bool set_text(const struct conf_setting *setting, char *field, const char *text)
{
	size_t len = strlen(text);

	if (len >= setting->most)
		return false;
	if (setting->type == CONF_EXECUTOR && !conf_executor_ok(text))
		return false;
	if (setting->type == CONF_GROUP && !name_ok(text))
		return false;
	if (setting->type == CONF_USER && (text[0] == '\0' || !name_ok(text)))
		return false;
	if (setting->type == CONF_SWITCHES &&
	    strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-=/._ ") !=
		    len)
		return false;
	if (setting->type == CONF_PATH && !path_ok(text))
		return false;
	if (setting->type == CONF_PATH_OR_NONE && text[0] != '\0' && !path_ok(text))
		return false;
	memcpy(field, text, len + 1);
	return true;
}

/* "a number from 1 to 1024": what is right. */
static void expected(const struct conf_setting *setting, char *out, size_t size)
{
	char most[UNITS_TEXT_SIZE];

	switch (setting->type) {
	case CONF_NUMBER:
		snprintf(out, size, "a number from %" PRIu64 " to %" PRIu64, setting->least,
			 setting->most);
		break;
	case CONF_BYTES:
		units_format_size(most, sizeof(most), setting->most >> 40 << 40);
		snprintf(out, size, "bytes, as in 500M or 10G, at most %s", most);
		break;
	case CONF_CHOICE:
		snprintf(out, size, "%s or %s", setting->word[0], setting->word[1]);
		break;
	case CONF_WORD:
		snprintf(out, size, "%s, %s or %s", setting->word[0], setting->word[1],
			 setting->word[2]);
		break;
	case CONF_EXECUTOR:
		snprintf(out, size, "auto, cpu, or cuda:N");
		break;
	case CONF_GROUP:
		snprintf(out, size, "a group's name of at most %" PRIu64 " bytes, or nothing",
			 setting->most - 1);
		break;
	case CONF_USER:
		snprintf(out, size, "a user's name of at most %" PRIu64 " bytes",
			 setting->most - 1);
		break;
	case CONF_SWITCHES:
		snprintf(out, size, "words of letters, digits and -=/._, at most %" PRIu64 " bytes",
			 setting->most - 1);
		break;
	case CONF_PATH:
		snprintf(out, size, "a path of at most %" PRIu64 " bytes", setting->most - 1);
		break;
	case CONF_PATH_OR_NONE:
		snprintf(out, size, "a path of at most %" PRIu64 " bytes, or nothing",
			 setting->most - 1);
		break;
	}
}

int conf_setting_set(const struct conf_setting *setting, struct conf *conf, unsigned place,
		     const char *text, char *why, size_t why_size)
{
	void *field = field_of(setting, conf, place);
	char right[128];
	bool ok;

	if (setting->type == CONF_NUMBER)
		ok = set_number(setting, field, text);
	else if (setting->type == CONF_BYTES)
		ok = set_bytes(setting, field, text);
	else if (setting->type == CONF_CHOICE)
		ok = set_choice(setting, field, text);
	else if (setting->type == CONF_WORD)
		ok = set_word(setting, field, text);
	else
		ok = set_text(setting, field, text);
	if (ok)
		return 0;
	expected(setting, right, sizeof(right));
	snprintf(why, why_size, "%s: expected %s", text[0] != '\0' ? text : "''", right);
	return -EINVAL;
}

/* --- writing --- */

void conf_setting_get(const struct conf_setting *setting, const struct conf *conf, unsigned place,
		      char *out, size_t size)
{
	const void *value = value_of(setting, conf, place);

	if (setting->type == CONF_NUMBER)
		snprintf(out, size, "%u", *(const unsigned *)value);
	else if (setting->type == CONF_BYTES)
		units_format_size(out, size, *(const uint64_t *)value);
	else if (setting->type == CONF_CHOICE)
		snprintf(out, size, "%s", setting->word[*(const bool *)value]);
	else if (setting->type == CONF_WORD)
		snprintf(out, size, "%s", setting->word[*(const unsigned *)value]);
	else
		snprintf(out, size, "%s", (const char *)value);
}

void conf_settings_init(struct conf *conf)
{
	char why[1];

	*conf = (struct conf){ .ledger = true };
	for (unsigned i = 0; i < POOLS_ALWAYS; i++)
		conf->pool[i].exists = true;
	conf->gpu[0].named = conf->gpu[CONF_GPU_CPU].named = true;
	for (unsigned i = 0; i < CONF_SETTING_NUM; i++) {
		const struct conf_setting *setting = &conf_settings[i];
		unsigned num = conf_setting_places(setting);

		for (unsigned place = 0; place < num; place++)
			conf_setting_set(setting, conf, place, setting->standard, why, sizeof(why));
	}
}

static void print_setting(const struct conf_setting *setting, const struct conf *conf,
			  unsigned place, bool explain, FILE *out)
{
	char value[CONF_TEXT_SIZE];

	if (explain) {
		fprintf(out, "# %s", setting->what);
		if (setting->type == CONF_NUMBER)
			fprintf(out, " (%" PRIu64 " to %" PRIu64 ")", setting->least,
				setting->most);
		fprintf(out, "%s\n", setting->live ? "" : " [restart]");
	}
	conf_setting_get(setting, conf, place, value, sizeof(value));
	fprintf(out, "%s =%s%s\n", setting->key, value[0] != '\0' ? " " : "", value);
}

/* The settings from first up to end, of one section. */
static void print_section(unsigned first, unsigned end, const struct conf *conf, unsigned place,
			  bool explain, FILE *out)
{
	char section[CONF_SECTION_SIZE];

	conf_setting_section(&conf_settings[first], place, section);
	fprintf(out, "%s[%s]\n", first > 0 ? "\n" : "", section);
	for (unsigned i = first; i < end; i++)
		print_setting(&conf_settings[i], conf, place, explain, out);
}

/* Return: whether the section is worth its lines: the place is there, or was named. */
static bool is_printed(const struct conf_setting *setting, const struct conf *conf, unsigned place)
{
	switch (conf_setting_scope(setting)) {
	case CONF_OF_POOL:
		return conf->pool[place].exists;
	case CONF_OF_GPU:
		return conf->gpu[place].named;
	default:
		return true;
	}
}

void conf_settings_print(const struct conf *conf, FILE *out)
{
	unsigned end;

	for (unsigned i = 0; i < CONF_SETTING_NUM; i = end) {
		bool explain = true;
		unsigned places = conf_setting_places(&conf_settings[i]);

		for (end = i; end < CONF_SETTING_NUM; end++)
			if (strcmp(conf_settings[end].section, conf_settings[i].section) != 0)
				break;
		for (unsigned place = 0; place < places; place++) {
			if (!is_printed(&conf_settings[i], conf, place))
				continue;
			print_section(i, end, conf, place, explain, out);
			explain = false;
		}
	}
}

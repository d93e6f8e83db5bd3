/* SPDX-License-Identifier: GPL-2.0-or-later */
/* doctor.c - checks vgpud and this host, and names remedies */

#include "vgpuadm/view/doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/vm_name.h"
#include "vgpuadm/view/shape.h"

/* ---- findings ---- */

static const char *const result_names[] = { "ok", "warning", "error" };

void doctor_add(struct doctor *doctor, enum doctor_result result, const char *check,
		const char *remedy, const char *format, ...)
{
	va_list arguments;
	char text[1024];
	json_t *value;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	value = json_string(text);
	if (!value) /* not UTF-8, as in a file's name */
		value = json_string("something whose name is no UTF-8 text");
	json_array_append_new(doctor->rows,
			      json_pack("{s:s, s:s, s:o, s:s?}", "check", check, "result",
					result_names[result], "text", value, "remedy", remedy));
}

/* ---- the daemon ---- */

/* Return: the remedy for the reason why the daemon cannot be reached. */
static const char *remedy_of(const struct fail *fail)
{
	switch (fail->status) {
	case ADMIN_ERROR_DENIED:
		return "run vgpuadm as root, or join the group that it names and log in again";
	case ADMIN_ERROR_TIMED_OUT:
		return "it runs and does not answer: journalctl -u vgpud says what it did last; "
		       "systemctl restart vgpud ends what it hangs in";
	case ADMIN_ERROR_UNREACHABLE:
		return "start it (systemctl start vgpud; journalctl -u vgpud says why it ended), "
		       "or name its socket with -s";
	default:
		return "see the daemon's journal (journalctl -u vgpud)";
	}
}

static void check_reach(struct doctor *doctor, struct view *view)
{
	struct fail fail = { 0 };
	const char *version;

	if (view_connect(view, &fail) != 0) {
		doctor_add(doctor, DOCTOR_ERROR, "vgpud", remedy_of(&fail), "%s", fail.text);
		return;
	}
	version = field_string(client_greeting(view->client), "vgpud");
	if (strcmp(version, VGPU_VERSION) == 0)
		doctor_add(doctor, DOCTOR_OK, "vgpud", NULL, "version %s answers at %s", version,
			   view->target.socket);
	else
		doctor_add(doctor, DOCTOR_WARNING, "vgpud",
			   "install both from one release, and restart vgpud after an upgrade",
			   "vgpud is version %s, vgpuadm is version %s", version, VGPU_VERSION);
}

/* Adds the findings of the daemon's own checks. */
static void check_inside(struct doctor *doctor, struct view *view)
{
	struct fail fail = { 0 };
	json_t *rows = view_rows(view, "checks", NULL, NULL, &fail);

	if (rows)
		json_array_extend(doctor->rows, rows);
	else
		doctor_add(doctor, DOCTOR_ERROR, "checks", "see the daemon's journal",
			   "vgpud does not tell its own checks: %s", fail.text);
	json_decref(rows);
}

/* The latest pause of the VM in the audit trail: since when, and by whom. Return: NULL: none. */
static json_t *find_pause(struct view *view, const char *vm)
{
	json_t *args = json_pack("{s:s, s:s}", "subject", vm, "limit", "100"), *found = NULL, *row;
	struct fail ignored = { 0 };
	json_t *rows = view_rows(view, "events", args, NULL, &ignored);
	size_t i;

	json_array_foreach(rows, i, row) {
		if (strcmp(field_string(row, "kind"), "pause") == 0)
			found = row;
	}
	found = json_incref(found);
	json_decref(rows);
	json_decref(args);
	return found;
}

static void check_pauses(struct doctor *doctor, struct view *view, const json_t *vms)
{
	char remedy[VM_NAME_SIZE + 32];
	json_t *vm;
	size_t i;

	json_array_foreach(vms, i, vm) {
		const char *name = field_string(vm, "vm");
		json_t *pause = json_is_true(json_object_get(vm, "paused")) ? find_pause(view, name)
									    : NULL;
		char *since = field_text(FIELD_MOMENT, json_object_get(pause, "time_unix_ns"));
		char *uid = field_text(FIELD_COUNT, json_object_get(pause, "uid"));

		snprintf(remedy, sizeof(remedy), "vgpuadm resume %s", name);
		if (pause && since && uid)
			doctor_add(doctor, DOCTOR_WARNING, "pause", remedy,
				   "%s is paused since %s, by %s%s%s%s", name, since,
				   strcmp(uid, "-") == 0 ? "vgpud" : "uid ",
				   strcmp(uid, "-") == 0 ? "" : uid,
				   *field_string(pause, "text") ? ": " : "",
				   field_string(pause, "text"));
		free(since);
		free(uid);
		json_decref(pause);
	}
}

static void check_peers(struct doctor *doctor, const json_t *vms)
{
	unsigned unconnected = 0, before = 0;
	json_t *vm;
	size_t i;

	json_array_foreach(vms, i, vm) {
		json_int_t refused = json_integer_value(json_object_get(vm, "refused_peers"));

		unconnected += !json_is_true(json_object_get(vm, "connected"));
		before += refused > 0;
		if (refused > 0)
			doctor_add(
				doctor, DOCTOR_WARNING, "peers",
				"give each VM a socket of its own (vgpuadm add-vm, vgpuadm snippet)",
				"%s: another was turned away %" JSON_INTEGER_FORMAT
				" times while its device was connected",
				field_string(vm, "vm"), refused);
	}
	if (before == 0)
		doctor_add(doctor, DOCTOR_OK, "peers", NULL, "%zu of %zu VMs connected",
			   json_array_size(vms) - unconnected, json_array_size(vms));
}

static void check_daemon(struct doctor *doctor, struct view *view)
{
	struct fail fail = { 0 };
	json_t *status, *vms;

	check_reach(doctor, view);
	if (!view->client)
		return;
	check_inside(doctor, view);
	status = view_rows(view, "status", NULL, NULL, &fail);
	if (status) {
		doctor_files(doctor, json_array_get(status, 0));
		doctor_state(doctor, json_array_get(status, 0));
	}
	json_decref(status);
	vms = view_rows(view, "list", NULL, NULL, &fail);
	if (!vms)
		return;
	check_peers(doctor, vms);
	check_pauses(doctor, view, vms);
	doctor_sockets(doctor, field_string(client_greeting(view->client), "runtime_dir"), vms);
	json_decref(vms);
}

/* ---- the verdict ---- */

/* Return: 7 if a check failed, 8 if one only warns, else 0. */
static int verdict(const json_t *rows, struct fail *fail)
{
	size_t i, warnings = 0, errors = 0, all = json_array_size(rows);
	json_t *row;

	json_array_foreach(rows, i, row) {
		const char *result = field_string(row, "result");

		warnings += strcmp(result, result_names[DOCTOR_WARNING]) == 0;
		errors += strcmp(result, result_names[DOCTOR_ERROR]) == 0;
	}
	if (errors > 0)
		return fail_set(fail, ADMIN_ERROR_DEGRADED,
				"%zu of %zu findings are errors, %zu more need a look", errors, all,
				warnings);
	if (warnings > 0)
		return fail_set(fail, ADMIN_ERROR_WARNING, "%zu of %zu findings need a look",
				warnings, all);
	return 0;
}

int view_doctor(struct view *view, struct fail *fail)
{
	struct output_shape shape = view_shape(ADMIN_CMD_DOCTOR, &view->args);
	struct doctor doctor;

	if (view_choose_columns(view, &shape, fail) != 0)
		return fail->status;
	doctor = (struct doctor){ .rows = json_array() };
	check_daemon(&doctor, view);
	doctor_admin_socket(&doctor, view->target.socket);
	doctor_mps(&doctor);
	doctor_qemu(&doctor, pattern_value(&view->args, "qemu"));
	view_write(view, &shape, doctor.rows, NULL, fail);
	verdict(doctor.rows, fail);
	json_decref(doctor.rows);
	return fail->status;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* doctor.c - looks for what is wrong, and says what helps */

#include "vgpuadm/view/doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

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
	if (!value) /* no UTF-8, as the name of a file may be */
		value = json_string("something whose name is no UTF-8 text");
	json_array_append_new(doctor->rows,
			      json_pack("{s:s, s:s, s:o, s:s?}", "check", check, "result",
					result_names[result], "text", value, "remedy", remedy));
}

/* ---- the daemon ---- */

static void check_reach(struct doctor *doctor, struct view *view)
{
	struct fail fail = { 0 };
	const char *version;

	if (view_connect(view, &fail) != 0) {
		doctor_add(
			doctor, DOCTOR_ERROR, "vgpud",
			"start it (systemctl start vgpud; journalctl -u vgpud says why it ended), "
			"or name its socket with -s",
			"%s", fail.text);
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

/* What the daemon finds wrong with itself. */
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
	if (status)
		doctor_files(doctor, json_array_get(status, 0));
	json_decref(status);
	vms = view_rows(view, "list", NULL, NULL, &fail);
	if (!vms)
		return;
	check_peers(doctor, vms);
	doctor_sockets(doctor, field_string(client_greeting(view->client), "runtime_dir"), vms);
	json_decref(vms);
}

/* ---- the verdict ---- */

static int verdict(const json_t *rows, struct fail *fail)
{
	size_t i, bad = 0;
	json_t *row;

	json_array_foreach(rows, i, row) {
		bad += strcmp(field_string(row, "result"), result_names[DOCTOR_OK]) != 0;
	}
	if (bad == 0)
		return 0;
	return fail_set(fail, ADMIN_ERROR_DEGRADED, "%zu of %zu findings need a look", bad,
			json_array_size(rows));
}

int view_doctor(struct view *view, struct fail *fail)
{
	struct output_shape shape = view_shape(ADMIN_CMD_DOCTOR, &view->args);
	struct doctor doctor = { .rows = json_array() };

	check_daemon(&doctor, view);
	doctor_admin_socket(&doctor, view->target.socket);
	doctor_qemu(&doctor, pattern_value(&view->args, "qemu"));
	view_write(view, &shape, doctor.rows, NULL, fail);
	verdict(doctor.rows, fail);
	json_decref(doctor.rows);
	return fail->status;
}

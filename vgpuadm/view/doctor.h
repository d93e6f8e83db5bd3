/* SPDX-License-Identifier: GPL-2.0-or-later */
/* doctor.h - the parts of the doctor */

#ifndef VGPUADM_VIEW_DOCTOR_H
#define VGPUADM_VIEW_DOCTOR_H

#include "vgpuadm/view/view_private.h"

struct doctor {
	json_t *rows; /* the findings, in the form of the daemon's checks */
};

enum doctor_result { DOCTOR_OK, DOCTOR_WARNING, DOCTOR_ERROR };

/* Adds a finding. remedy: NULL if and only if all is well. */
void doctor_add(struct doctor *doctor, enum doctor_result result, const char *check,
		const char *remedy, const char *format, ...) __attribute__((format(printf, 5, 6)));

/* The VMs' sockets below runtime_dir: missing ones, those of no VM, and what their modes allow. */
void doctor_sockets(struct doctor *doctor, const char *runtime_dir, const json_t *vms);

/* Checks who may write to the file transport's directory, which the daemon's status names. */
void doctor_files(struct doctor *doctor, const json_t *status);

/* Checks that the ledger, which the daemon's status names, is closed to other users. */
void doctor_state(struct doctor *doctor, const json_t *status);

/* Checks that the admin socket is a socket, and who may connect by its mode. */
void doctor_admin_socket(struct doctor *doctor, const char *path);

/* Tells of NVIDIA's multi-process service, if it runs here. */
void doctor_mps(struct doctor *doctor);

/* Checks whether a QEMU has the device. path: NULL: the one in PATH. */
void doctor_qemu(struct doctor *doctor, const char *path);

#endif

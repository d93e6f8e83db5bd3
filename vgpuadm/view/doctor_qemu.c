/* SPDX-License-Identifier: GPL-2.0-or-later */
/* doctor_qemu.c - the doctor asks a QEMU whether it knows the device */

#include <errno.h>
#include <string.h>

#include "vgpuadm/view/doctor.h"
#include "vgpuadm/view/qemu.h"

#define DEVICE "vgpu-stub"
#define REMEDY_BUILD                                                                        \
	"install a QEMU with the device (make qemu builds one; qemu/overlay.sh adds it to " \
	"your source), or name it with --qemu PATH"

void doctor_qemu(struct doctor *doctor, const char *path)
{
	char head[2];

	if (path == NULL)
		path = QEMU_DEFAULT;
	switch (qemu_ask(path, "-device", "help", "\"" DEVICE "\"", head, sizeof(head))) {
	case QEMU_NOT_STARTED:
		doctor_add(doctor, DOCTOR_WARNING, "qemu", REMEDY_BUILD, "%s: %s", path,
			   strerror(errno));
		break;
	case QEMU_FAILED:
		doctor_add(doctor, DOCTOR_WARNING, "qemu", REMEDY_BUILD,
			   "%s -device help did not work", path);
		break;
	case QEMU_SAYS_IT:
		doctor_add(doctor, DOCTOR_OK, "qemu", NULL, "%s has the device " DEVICE, path);
		break;
	case QEMU_SAYS_IT_NOT:
		doctor_add(doctor, DOCTOR_WARNING, "qemu", REMEDY_BUILD,
			   "%s does not have the device " DEVICE, path);
		break;
	}
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* broker_private.h - what broker.c and broker_vm.c share */

#ifndef VGPUD_BROKER_PRIVATE_H
#define VGPUD_BROKER_PRIVATE_H

#include "vgpud/broker.h"

/* broker.c */

/* Starts what may start now, on each GPU. */
void broker_dispatch(struct broker *broker);

/* Ends all that the VM has waiting. */
void broker_end_queued(struct broker *broker, struct vm *vm, uint32_t status);

/* broker_vm.c */

/* Whether there is no use in waiting for a worker. */
bool broker_has_no_device(const struct vm *vm);

/* Looks again at what can run the VM's requests; if nothing ever will, ends them. */
void broker_refresh_vm(struct broker *broker, struct vm *vm);

/* Of struct dev_handler. */
void broker_on_connected(void *arg, struct vm *vm);
void broker_on_gone(void *arg, struct vm *vm);

#endif

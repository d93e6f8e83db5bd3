/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vgpu-eventfds.c - the eventfds of a device's channels
 *
 * A write to KICK signals its eventfd without a way through this device: under
 * KVM in the kernel, else in QEMU's memory core.
 */

#include "qemu/osdep.h"
#include "vgpu-eventfds.h"

static void vgpu_signal_kicks(VGPUStub *s, bool on)
{
    uint32_t i;

    memory_region_transaction_begin();
    for (i = 0; i < VGPU_CHANNELS; i++) {
        EventNotifier *kick = &s->window.channels.channels[i].kick;

        if (on) {
            memory_region_add_eventfd(&s->mmio, VGPU_KICK(i), 4, false, 0,
                                      kick);
        } else {
            memory_region_del_eventfd(&s->mmio, VGPU_KICK(i), 4, false, 0,
                                      kick);
        }
    }
    memory_region_transaction_commit();
}

static void vgpu_cleanup_eventfds(VGPUStub *s, uint32_t num)
{
    while (num-- > 0) {
        event_notifier_cleanup(&s->window.channels.channels[num].kick);
        event_notifier_cleanup(&s->window.channels.channels[num].call);
    }
}

bool vgpu_eventfds_make(VGPUStub *s, Error **errp)
{
    uint32_t i;

    for (i = 0; i < VGPU_CHANNELS; i++) {
        VGPUChannel *c = &s->window.channels.channels[i];
        int ret;

        ret = event_notifier_init(&c->kick, false);
        if (ret == 0) {
            ret = event_notifier_init(&c->call, false);
            if (ret < 0) {
                event_notifier_cleanup(&c->kick);
            }
        }
        if (ret < 0) {
            vgpu_cleanup_eventfds(s, i);
            error_setg_errno(errp, -ret, "cannot make the eventfds of %u "
                             "channels", VGPU_CHANNELS);
            return false;
        }
    }
    vgpu_signal_kicks(s, true);
    return true;
}

void vgpu_eventfds_drop(VGPUStub *s)
{
    vgpu_signal_kicks(s, false);
    vgpu_cleanup_eventfds(s, VGPU_CHANNELS);
}

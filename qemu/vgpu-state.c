/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vgpu-state.c - the device's reset, and its state in a migration stream
 *
 * A request that was in flight ends on the destination as BACKEND_LOST: it was
 * sent once, and sending it again could run it twice.
 */

#include "qemu/osdep.h"
#include "qemu/cutils.h"
#include "qemu/error-report.h"
#include "qemu/timer.h"
#include "trace.h"
#include "vgpu-device.h"
#include "vgpu-state.h"
#include "vgpu-window.h"
#include "vgpu_ends.h"

void vgpu_state_reset(DeviceState *dev)
{
    VGPUStub *s = VGPU_STUB(dev);

    trace_vgpu_stub_reset(vgpu_stub_busy(s));
    vgpu_stub_abandon(s);
    memset(&s->regs, 0, sizeof(s->regs));
    vgpu_stub_irq_update(s, 0);
    vgpu_window_reset(s);
}

static void vgpu_save_window(VGPUWindow *w)
{
    uint32_t i;

    w->saved.generation = w->generation;
    w->saved.events = w->channels.events;
    for (i = 0; i < VGPU_CHANNELS; i++) {
        w->saved.base[i] = w->channels.channels[i].base;
        w->saved.state[i] = w->channels.channels[i].state;
        w->saved.error[i] = w->channels.channels[i].error;
    }
}

static int vgpu_pre_save(void *opaque)
{
    VGPUStub *s = opaque;

    s->saved.config = s->link.config;
    s->saved.link_up = vgpu_link_is_up(&s->link);
    s->saved.request_count = s->request_count;
    s->saved.sequence = s->link.sequence;
    vgpu_save_window(&s->window);
    return 0;
}

/*
 * A snapshot may be loaded into a device that is at work. A stream without the
 * window's part is as good as one that has all channels closed.
 */
static int vgpu_pre_load(void *opaque)
{
    VGPUStub *s = opaque;

    vgpu_stub_abandon(s);
    vgpu_window_pre_load(s);
    return 0;
}

static const char *vgpu_bad_window_field(const VGPUStub *s)
{
    const VGPUWindowSaved *saved = &s->window.saved;
    uint32_t i;

    if (saved->present && !vgpu_window_exists(s)) {
        return "window, which this device lacks";
    }
    if (saved->events >> VGPU_CHANNELS) {
        return "window.events";
    }
    for (i = 0; i < VGPU_CHANNELS; i++) {
        if (saved->state[i] > VGPU_CHANNEL_CLOSING) {
            return "window.state";
        }
        if (saved->error[i] > VGPU_END_MOST) {
            return "window.error";
        }
    }
    return NULL;
}

/* Return: name of a field that no device can have saved; NULL, all are good. */
static const char *vgpu_bad_field(const VGPUStub *s)
{
    const VGPURegs *r = &s->regs;

    if (r->status > VGPU_STATUS_ERROR) {
        return "status";
    }
    if (r->error_code >= VGPU_ERROR_NUM) {
        return "error_code";
    }
    if (r->response_len > VGPU_BUF_LEN) {
        return "response_len";
    }
    if (r->irq_ctrl & ~vgpu_window_irq_mask(s)) {
        return "irq_ctrl";
    }
    if (r->irq_status & ~vgpu_window_irq_mask(s)) {
        return "irq_status";
    }
    if (r->response_len < VGPU_BUF_LEN &&
        !buffer_is_zero(r->response + r->response_len,
                        VGPU_BUF_LEN - r->response_len)) {
        return "response";
    }
    if (r->status == VGPU_STATUS_BUSY &&
        (r->response_len || r->error_code != VGPU_ERR_OK)) {
        return "status";
    }
    if (!vgpu_link_config_ok(&s->saved.config)) {
        return "pool_id or priority";
    }
    if (s->saved.sequence > INT64_MAX) {
        return "sequence";
    }
    return vgpu_bad_window_field(s);
}

/*
 * The interrupts that a load owes wait until the VM runs: the interrupt
 * controller may be loaded after this device. All that is pending is owed, not
 * only what is new: the source may have been loaded, too, and never have run.
 */
static int vgpu_post_load(void *opaque, int version_id)
{
    VGPUStub *s = opaque;
    const char *bad = vgpu_bad_field(s);
    bool link_up = vgpu_link_is_up(&s->link);

    if (bad) {
        error_report("vgpu-stub: the saved state is not valid: %s", bad);
        memset(&s->regs, 0, sizeof(s->regs));
        return -EINVAL;
    }
    s->irq_owed = 0;
    s->request_count = MAX(s->request_count, s->saved.request_count);
    s->link.sequence = MAX(s->link.sequence, s->saved.sequence);
    if (!link_up) {
        s->link.config = s->saved.config;
    } else if (!vgpu_link_config_equal(&s->link.config, &s->saved.config)) {
        s->irq_owed |= VGPU_IRQ_CONFIG;
    }
    if (link_up != s->saved.link_up) {
        s->irq_owed |= VGPU_IRQ_LINK;
    }
    if (vgpu_stub_busy(s)) {
        s->regs.error_code = VGPU_ERR_BACKEND_LOST;
        s->regs.timestamp_ns = qemu_clock_get_ns(QEMU_CLOCK_HOST);
        s->regs.status = VGPU_STATUS_ERROR;
        s->irq_owed |= VGPU_IRQ_COMPLETION;
    }
    s->irq_owed |= vgpu_window_post_load(s);
    s->regs.irq_status |= s->irq_owed;
    s->irq_owed = s->regs.irq_status;
    return 0;
}

void vgpu_state_run(void *opaque, VGPURunning running, RunState state)
{
    VGPUStub *s = opaque;

    if (running && s->irq_owed) {
        vgpu_stub_irq_update(s, s->irq_owed);
        s->irq_owed = 0;
    }
    vgpu_window_run_state(s);
}

/* Loading it marks that the stream has it; vgpu_post_load() judges it. */
static int vgpu_window_loaded(void *opaque, int version_id)
{
    VGPUStub *s = opaque;

    s->window.saved.present = true;
    return 0;
}

static bool vgpu_window_needed(void *opaque)
{
    return vgpu_window_exists(opaque);
}

static const VMStateDescription vgpu_state_window_vmsd = {
    .name = TYPE_VGPU_STUB "/window",
    .version_id = 1,
    .minimum_version_id = 1,
    .needed = vgpu_window_needed,
    .post_load = vgpu_window_loaded,
    .fields = (VMStateField[]) {
        VMSTATE_UINT32(window.saved.generation, VGPUStub),
        VMSTATE_UINT64(window.saved.events, VGPUStub),
        VMSTATE_UINT32_ARRAY(window.saved.base, VGPUStub, VGPU_CHANNELS),
        VMSTATE_UINT32_ARRAY(window.saved.state, VGPUStub, VGPU_CHANNELS),
        VMSTATE_UINT32_ARRAY(window.saved.error, VGPUStub, VGPU_CHANNELS),
        VMSTATE_END_OF_LIST()
    },
};

const VMStateDescription vgpu_state_vmsd = {
    .name = TYPE_VGPU_STUB,
    .version_id = 1,
    .minimum_version_id = 1,
    .pre_save = vgpu_pre_save,
    .pre_load = vgpu_pre_load,
    .post_load = vgpu_post_load,
    .fields = (VMStateField[]) {
        VMSTATE_PCI_DEVICE(parent_obj, VGPUStub),
        VMSTATE_UINT32(regs.status, VGPUStub),
        VMSTATE_UINT32(regs.error_code, VGPUStub),
        VMSTATE_UINT32(regs.request_len, VGPUStub),
        VMSTATE_UINT32(regs.response_len, VGPUStub),
        VMSTATE_UINT32(regs.irq_ctrl, VGPUStub),
        VMSTATE_UINT32(regs.irq_status, VGPUStub),
        VMSTATE_UINT32(regs.request_id, VGPUStub),
        VMSTATE_UINT32(regs.timestamp_hi, VGPUStub),
        VMSTATE_UINT32(regs.scratch, VGPUStub),
        VMSTATE_UINT64(regs.timestamp_ns, VGPUStub),
        VMSTATE_UINT8_ARRAY(regs.request, VGPUStub, VGPU_BUF_LEN),
        VMSTATE_UINT8_ARRAY(regs.response, VGPUStub, VGPU_BUF_LEN),
        VMSTATE_UINT32(saved.config.vm_id, VGPUStub),
        VMSTATE_UINT32(saved.config.pool_id, VGPUStub),
        VMSTATE_UINT32(saved.config.priority, VGPUStub),
        VMSTATE_BOOL(saved.link_up, VGPUStub),
        VMSTATE_UINT32(saved.request_count, VGPUStub),
        VMSTATE_UINT64(saved.sequence, VGPUStub),
        VMSTATE_END_OF_LIST()
    },
    .subsections = (const VMStateDescription *[]) {
        &vgpu_state_window_vmsd,
        NULL
    },
};

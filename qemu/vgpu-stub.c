/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vgpu-stub.c - PCI device through which a guest hands its jobs to vgpud
 *
 * Theory of operation: the guest writes a request into BAR0 and rings the
 * doorbell. The device sends the request as one frame over a chardev and is
 * BUSY until vgpud's answer comes, the link breaks, timeout_ms have passed or
 * the guest resets it. There is at most one request in flight.
 *
 * All of it runs under the big lock, and nothing here waits. What the peer
 * does not take at once stays in a bounded buffer and is sent by a watch.
 *
 * vgpu-bar0.c has the registers, vgpu-link.c is the way to vgpud, vgpu-state.c
 * a reset and a migration. With the property `window`, programs of the guest
 * use the GPU, too: vgpu-window.c, vgpu-channels.c.
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/cutils.h"
#include "qemu/log.h"
#include "qemu/module.h"
#include "qemu/timer.h"
#include "hw/pci/msi.h"
#include "hw/qdev-properties.h"
#include "trace.h"
#include "vgpu-bar0.h"
#include "vgpu-channels.h"
#include "vgpu-device.h"
#include "vgpu-state.h"
#include "vgpu-window.h"

#define VGPU_PRIORITY_TEXT(value, name, text) [value] = text,
static const char *const vgpu_priority_names[VGPU_PRIORITY_NUM] = {
    VGPU_PRIORITY_TABLE(VGPU_PRIORITY_TEXT)
};

/* ---- interrupts ---- */

/*
 * The guest chooses where a message is written: aimed at DOORBELL, it may
 * complete a request that makes a message again. That second one is left out;
 * releases before 8.1 have no guard of their own against an endless circle.
 */
void vgpu_stub_irq_update(VGPUStub *s, uint32_t fresh)
{
    PCIDevice *pdev = PCI_DEVICE(s);
    bool msi = msi_enabled(pdev);

    trace_vgpu_stub_irq(s->regs.irq_status, s->regs.irq_ctrl, msi);
    if (!msi) {
        pci_set_irq(pdev, !!(s->regs.irq_status & s->regs.irq_ctrl));
    } else if ((fresh & s->regs.irq_ctrl) && !s->notifying) {
        s->notifying = true;
        msi_notify(pdev, 0);
        s->notifying = false;
    }
}

void vgpu_stub_irq_raise(VGPUStub *s, uint32_t bits)
{
    s->regs.irq_status |= bits;
    vgpu_stub_irq_update(s, bits);
}

/* ---- a request's life ---- */

/* The order is the ABI's: what the guest may read, STATUS, the interrupt. */
static void vgpu_complete(VGPUStub *s, uint32_t error, const uint8_t *message,
                          uint32_t len)
{
    VGPURegs *r = &s->regs;

    timer_del(s->timer);
    if (len) {
        memcpy(r->response, message, len);
    }
    r->response_len = len;
    r->error_code = error;
    r->timestamp_ns = qemu_clock_get_ns(QEMU_CLOCK_HOST);
    r->status = error == VGPU_ERR_OK ? VGPU_STATUS_DONE : VGPU_STATUS_ERROR;
    trace_vgpu_stub_complete(r->status, error, len);
    vgpu_stub_irq_raise(s, VGPU_IRQ_COMPLETION);
}

static void vgpu_fail(VGPUStub *s, uint32_t error)
{
    vgpu_complete(s, error, NULL, 0);
}

static void vgpu_submit(VGPUStub *s)
{
    VGPURegs *r = &s->regs;

    memset(r->response, 0, sizeof(r->response));
    r->response_len = 0;
    r->error_code = VGPU_ERR_OK;

    if (r->request_len == 0 || r->request_len > VGPU_BUF_LEN) {
        vgpu_fail(s, VGPU_ERR_BAD_LENGTH);
        return;
    }
    if (!vgpu_link_is_up(&s->link)) {
        vgpu_fail(s, VGPU_ERR_NO_BACKEND);
        return;
    }
    if (!vgpu_link_has_room(&s->link, r->request_len)) {
        vgpu_fail(s, VGPU_ERR_QUEUE_FULL);
        return;
    }

    s->in_flight_id = r->request_id ? r->request_id : ++s->request_count;
    r->status = VGPU_STATUS_BUSY;
    timer_mod(s->timer,
              qemu_clock_get_ms(QEMU_CLOCK_REALTIME) + s->timeout_ms);
    vgpu_link_send_request(&s->link, s->in_flight_id, r->request,
                           r->request_len);
}

/*
 * The time is the host's (REALTIME): what it bounds, vgpud and the GPU, goes on
 * while the VM is paused, and so does its end. The CANCEL comes first: a
 * completion's message may ring the doorbell, and then a newer request is in
 * flight.
 */
static void vgpu_timed_out(void *opaque)
{
    VGPUStub *s = opaque;

    trace_vgpu_stub_timeout(s->link.sequence, s->timeout_ms);
    vgpu_link_send_cancel(&s->link, s->in_flight_id);
    if (vgpu_stub_busy(s)) { /* else the peer was found gone, which ended it */
        vgpu_fail(s, VGPU_ERR_TIMEOUT);
    }
}

void vgpu_stub_abandon(VGPUStub *s)
{
    if (vgpu_stub_busy(s)) {
        timer_del(s->timer);
        s->regs.status = VGPU_STATUS_IDLE;
        vgpu_link_send_cancel(&s->link, s->in_flight_id);
    }
}

void vgpu_stub_doorbell(VGPUStub *s, uint32_t value)
{
    if (value != VGPU_DOORBELL_SUBMIT && value != VGPU_DOORBELL_ACK) {
        qemu_log_mask(LOG_GUEST_ERROR,
                      "vgpu-stub: %u written to DOORBELL, which knows 0 and 1\n",
                      value);
    } else if (vgpu_stub_busy(s)) {
        s->doorbells_busy++;
        trace_vgpu_stub_doorbell_busy(s->doorbells_busy);
        qemu_log_mask(LOG_GUEST_ERROR, "vgpu-stub: DOORBELL while BUSY\n");
    } else if (value == VGPU_DOORBELL_SUBMIT) {
        vgpu_submit(s);
    } else {
        s->regs.status = VGPU_STATUS_IDLE;
    }
}

/* ---- what the link tells ---- */

static void vgpu_link_configured(void *opaque, bool changed, bool came_up)
{
    VGPUStub *s = opaque;
    const VGPUConfig *c = &s->link.config;
    uint32_t irq = (changed ? VGPU_IRQ_CONFIG : 0) |
                   (came_up ? VGPU_IRQ_LINK : 0);

    trace_vgpu_stub_config(c->vm_id, c->pool_id, c->priority);
    if (irq) { /* both in one message */
        vgpu_stub_irq_raise(s, irq);
    }
    if (came_up) {
        vgpu_window_link_up(s);
    }
}

static void vgpu_link_response(void *opaque, const uint8_t *message,
                               uint32_t len)
{
    VGPUStub *s = opaque;

    if (vgpu_stub_busy(s)) {
        vgpu_complete(s, vgpu_get_le32(message + 4), message, len);
    } else { /* it timed out or was reset meanwhile */
        trace_vgpu_stub_late_answer(s->link.sequence, s->link.sequence);
    }
}

static void vgpu_link_closed(void *opaque, bool was_up)
{
    VGPUStub *s = opaque;

    if (vgpu_stub_busy(s)) {
        vgpu_fail(s, VGPU_ERR_BACKEND_LOST);
    }
    if (was_up) {
        vgpu_window_link_lost(s);
        vgpu_stub_irq_raise(s, VGPU_IRQ_LINK);
    }
}

static void vgpu_link_window_status(void *opaque, bool ready, uint32_t end)
{
    vgpu_window_answered(opaque, ready, end);
}

static void vgpu_link_channel_status(void *opaque, uint32_t channel,
                                     uint32_t state, uint32_t end)
{
    vgpu_channels_told(opaque, channel, state, end);
}

static void vgpu_link_writable(void *opaque)
{
    vgpu_window_send(opaque);
}

static const VGPULinkOps vgpu_link_ops = {
    .configured = vgpu_link_configured,
    .response = vgpu_link_response,
    .closed = vgpu_link_closed,
    .window_status = vgpu_link_window_status,
    .channel_status = vgpu_link_channel_status,
    .writable = vgpu_link_writable,
};

/* ---- the device's configuration space ---- */

/* A guest that turns MSI off gets back the level of what is pending. */
static void vgpu_config_write(PCIDevice *pdev, uint32_t addr, uint32_t value,
                              int len)
{
    pci_default_write_config(pdev, addr, value, len);
    vgpu_stub_irq_update(VGPU_STUB(pdev), 0);
}

/* ---- the device's own life ---- */

/* Return: the priority of that name or number, or VGPU_PRIORITY_NUM. */
static uint32_t vgpu_parse_priority(const char *text)
{
    uint32_t i;
    unsigned int number;

    for (i = 0; i < VGPU_PRIORITY_NUM; i++) {
        if (!strcmp(text, vgpu_priority_names[i])) {
            return i;
        }
    }
    if (qemu_strtoui(text, NULL, 10, &number) < 0) {
        return VGPU_PRIORITY_NUM;
    }
    return MIN(number, VGPU_PRIORITY_NUM);
}

static bool vgpu_parse_options(VGPUStub *s, Error **errp)
{
    const char *pool = s->pool_id ? s->pool_id : "A";
    const char *priority = s->priority ? s->priority : "medium";

    if (strlen(pool) != 1 || *pool < 'A' || *pool > 'Z') {
        error_setg(errp, "pool_id must be a capital letter, not '%s'", pool);
        return false;
    }
    s->link.config.vm_id = s->link.vm_id;
    s->link.config.pool_id = *pool;
    s->link.config.priority = vgpu_parse_priority(priority);
    if (s->link.config.priority == VGPU_PRIORITY_NUM) {
        error_setg(errp, "priority must be low, medium or high, not '%s'",
                   priority);
        return false;
    }
    if (s->timeout_ms == 0) {
        error_setg(errp, "timeout_ms must not be 0: it is what keeps a guest "
                   "from waiting for ever");
        return false;
    }
    return true;
}

static void vgpu_realize(PCIDevice *pdev, Error **errp)
{
    VGPUStub *s = VGPU_STUB(pdev);
    int ret;

    if (!vgpu_parse_options(s, errp)) {
        return;
    }
    if (!vgpu_window_check(s, errp)) {
        return;
    }
    pci_config_set_interrupt_pin(pdev->config, 1);
    /* QEMU checks it in a saved state only if told to, and asserts it later. */
    pdev->cmask[PCI_INTERRUPT_PIN] = 0xff;
    ret = msi_init(pdev, 0, 1, true, false, NULL);
    if (ret < 0 && ret != -ENOTSUP) { /* a board without MSI has INTx */
        error_setg_errno(errp, -ret, "cannot add the MSI capability");
        return;
    }
    memory_region_init_io(&s->mmio, OBJECT(s), &vgpu_bar0_ops, s,
                          TYPE_VGPU_STUB, VGPU_BAR0_LEN);
    pci_register_bar(pdev, 0, PCI_BASE_ADDRESS_SPACE_MEMORY, &s->mmio);
    if (!vgpu_window_realize(s, errp)) {
        msi_uninit(pdev);
        return;
    }
    s->timer = timer_new_ms(QEMU_CLOCK_REALTIME, vgpu_timed_out, s);
    s->run_state_entry = qemu_add_vm_change_state_handler(vgpu_state_run, s);
    vgpu_link_start(&s->link, &vgpu_link_ops, s);
}

static void vgpu_exit(PCIDevice *pdev)
{
    VGPUStub *s = VGPU_STUB(pdev);

    vgpu_link_stop(&s->link);
    vgpu_window_exit(s);
    qemu_del_vm_change_state_handler(s->run_state_entry);
    timer_del(s->timer);
    timer_free(s->timer);
    msi_uninit(pdev);
}

static void vgpu_instance_init(Object *obj)
{
    vgpu_add_counter(obj, "x-doorbells-busy", &VGPU_STUB(obj)->doorbells_busy);
}

static VGPUProperty vgpu_properties[] = {
    DEFINE_PROP_CHR("chardev", VGPUStub, link.chr),
    DEFINE_PROP_UINT32("vm_id", VGPUStub, link.vm_id, 0),
    DEFINE_PROP_STRING("pool_id", VGPUStub, pool_id),
    DEFINE_PROP_STRING("priority", VGPUStub, priority),
    DEFINE_PROP_UINT32("timeout_ms", VGPUStub, timeout_ms, 30000),
    DEFINE_PROP_LINK("window", VGPUStub, window.backend, TYPE_MEMORY_BACKEND,
                     HostMemoryBackend *),
    DEFINE_PROP_STRING("programs-on-migrate", VGPUStub, window.on_migrate),
    DEFINE_PROP_UINT32("x-window-version", VGPUStub, window.version_shown,
                       VGPU_WINDOW_LAYOUT)
    VGPU_PROPERTY_LIST_END
};

static void vgpu_class_init(ObjectClass *klass, VGPUClassData *data)
{
    DeviceClass *dc = DEVICE_CLASS(klass);
    PCIDeviceClass *k = PCI_DEVICE_CLASS(klass);

    k->realize = vgpu_realize;
    k->exit = vgpu_exit;
    k->config_write = vgpu_config_write;
    k->vendor_id = VGPU_PCI_VENDOR_ID;
    k->device_id = VGPU_PCI_DEVICE_ID;
    k->class_id = VGPU_PCI_CLASS_ID;
    k->revision = VGPU_PCI_REVISION;
    dc->desc = "Virtual GPU that vgpud schedules";
    dc->vmsd = &vgpu_state_vmsd;
    device_class_set_legacy_reset(dc, vgpu_state_reset);
    device_class_set_props(dc, vgpu_properties);
    set_bit(DEVICE_CATEGORY_MISC, dc->categories);
}

static const TypeInfo vgpu_info = {
    .name = TYPE_VGPU_STUB,
    .parent = TYPE_PCI_DEVICE,
    .instance_size = sizeof(VGPUStub),
    .instance_init = vgpu_instance_init,
    .class_init = vgpu_class_init,
    .interfaces = (InterfaceInfo[]) {
        { INTERFACE_CONVENTIONAL_PCI_DEVICE },
        { },
    },
};

static void vgpu_register_types(void)
{
    type_register_static(&vgpu_info);
}

type_init(vgpu_register_types)

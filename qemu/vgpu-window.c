/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vgpu-window.c - memory that the guest's programs share with their workers on
 * the host, as BAR2
 *
 * The window is a memory backend of QEMU's. The device gives its descriptor to
 * vgpud, which has the first pages filled in and says that channels may be
 * opened. That holds for one connection, and until the guest may have written
 * over those pages: after a reset or a load the window is given again. That
 * waits until no channel is held, since vgpud takes a window only then.
 */

#include "qemu/osdep.h"
#include "qemu/error-report.h"
#include "qemu/log.h"
#include "migration/vmstate.h"
#include "trace.h"
#include "vgpu-channels.h"
#include "vgpu-window.h"
#include "vgpu_ends.h"

/* ---- what the guest sees ---- */

/* Return: why it is not ready; VGPU_END_NONE: vgpud is about to say. */
static uint32_t vgpu_window_end(const VGPUStub *s)
{
    const VGPUWindow *w = &s->window;

    if (!vgpu_link_is_up(&s->link)) {
        return VGPU_END_HOST_LOST;
    }
    if (!vgpu_link_has_programs(&s->link)) {
        return VGPU_END_LINK_OLD;
    }
    if (w->no_descriptors) {
        return VGPU_END_WINDOW_BAD;
    }
    return w->answered ? w->end : VGPU_END_NONE;
}

static bool vgpu_window_is_ready(const VGPUStub *s)
{
    return vgpu_link_has_programs(&s->link) && s->window.answered &&
           s->window.ready;
}

static uint32_t vgpu_window_status(const VGPUStub *s)
{
    return vgpu_window_is_ready(s) ? VGPU_WINDOW_READY :
           vgpu_window_end(s) << VGPU_WINDOW_END_SHIFT;
}

uint32_t vgpu_window_refusal(const VGPUStub *s)
{
    uint32_t end = vgpu_window_end(s);

    if (vgpu_window_is_ready(s)) {
        return VGPU_END_NONE;
    }
    return end ? end : VGPU_END_HOST_LOST;
}

/* The guest learns of a change as of one of pool and priority. */
static void vgpu_window_show(VGPUStub *s)
{
    uint32_t status = vgpu_window_status(s);

    if (status != s->window.status_shown) {
        s->window.status_shown = status;
        trace_vgpu_stub_window(s->window.generation, status);
        vgpu_stub_irq_raise(s, VGPU_IRQ_CONFIG);
    }
}

uint32_t vgpu_window_reg_read(VGPUStub *s, hwaddr addr)
{
    const VGPUWindow *w = &s->window;

    if (addr >= VGPU_CHANNEL_REGS && addr < VGPU_CHANNEL_REGS_END) {
        return vgpu_channels_reg_read(s, addr);
    }
    switch (addr) {
    case VGPU_REG_WINDOW_MAGIC:
        return VGPU_WINDOW_MAGIC;
    case VGPU_REG_WINDOW_VERSION:
        return w->version_shown;
    case VGPU_REG_GENERATION:
        return w->generation;
    case VGPU_REG_WINDOW_STATUS:
        return vgpu_window_status(s);
    case VGPU_REG_WINDOW_SIZE_LO:
        return w->len_bytes;
    case VGPU_REG_WINDOW_SIZE_HI:
        return w->len_bytes >> 32;
    case VGPU_REG_CHANNELS:
        return VGPU_CHANNELS;
    case VGPU_REG_CHANNEL_EVENTS_LO:
        return w->channels.events;
    case VGPU_REG_CHANNEL_EVENTS_HI:
        return w->channels.events >> 32;
    default:
        return 0; /* KICK, and the gaps */
    }
}

/* A good write to KICK does not come here: the core signals its eventfd. */
void vgpu_window_reg_write(VGPUStub *s, hwaddr addr, uint32_t value)
{
    if (addr >= VGPU_CHANNEL_REGS && addr < VGPU_CHANNEL_REGS_END) {
        vgpu_channels_reg_write(s, addr, value);
    } else if (addr == VGPU_REG_CHANNEL_EVENTS_LO) {
        vgpu_channels_clear_events(s, value);
    } else if (addr == VGPU_REG_CHANNEL_EVENTS_HI) {
        vgpu_channels_clear_events(s, (uint64_t)value << 32);
    } else {
        qemu_log_mask(LOG_GUEST_ERROR,
                      "vgpu-stub: write to read-only register 0x%03x\n",
                      (unsigned)addr);
    }
}

/* ---- what goes to vgpud ---- */

static void vgpu_window_cannot_give(VGPUStub *s)
{
    s->window.no_descriptors = true;
    warn_report_once("vgpu-stub: no program of the guest can use the GPU: its "
                     "chardev passes no descriptors (it takes a UNIX socket)");
    vgpu_window_show(s);
}

/*
 * While a state is loaded, its bytes may still come over what vgpud would fill
 * in. The VM does not run then, and without running it opens no channel.
 */
static bool vgpu_window_may_be_given(const VGPUStub *s)
{
    return !s->window.given && !s->window.no_descriptors &&
           runstate_is_running() && !vgpu_channels_held(s);
}

static bool vgpu_window_give(VGPUStub *s)
{
    VGPUWindow *w = &s->window;
    uint8_t payload[VGPU_WINDOW_LEN] = { 0 };
    int fd = memory_region_get_fd(w->memory);
    VGPUSent sent;

    vgpu_put_le64(payload, w->len_bytes);
    vgpu_put_le32(payload + 8, w->generation);
    sent = vgpu_link_send_alone(&s->link, VGPU_FRAME_WINDOW, payload,
                                sizeof(payload), &fd, 1);
    if (sent == VGPU_SENT_NEVER) {
        vgpu_window_cannot_give(s);
    }
    if (sent != VGPU_SENT) {
        return false;
    }
    w->given = vgpu_link_has_programs(&s->link);
    w->run_state_due = true;
    return w->given;
}

static bool vgpu_window_send_run_state(VGPUStub *s)
{
    uint8_t payload[VGPU_RUNSTATE_LEN] = { 0 };

    vgpu_put_le32(payload, runstate_is_running());
    if (vgpu_link_send_alone(&s->link, VGPU_FRAME_RUNSTATE, payload,
                             sizeof(payload), NULL, 0) != VGPU_SENT) {
        return false;
    }
    s->window.run_state_due = false;
    return true;
}

/* Return: whether something was sent, and so more may be. */
static bool vgpu_window_send_one(VGPUStub *s)
{
    if (vgpu_channels_send_one(s)) {
        return true;
    }
    if (vgpu_link_has_programs(&s->link) && vgpu_window_may_be_given(s) &&
        vgpu_window_give(s)) {
        return true;
    }
    return vgpu_link_has_programs(&s->link) && s->window.run_state_due &&
           vgpu_window_send_run_state(s);
}

void vgpu_window_send(VGPUStub *s)
{
    VGPUWindow *w = &s->window;

    if (!vgpu_window_exists(s) || w->sending) {
        return; /* the one that sends goes on with what is due now */
    }
    w->sending = true;
    while (vgpu_link_has_programs(&s->link) && vgpu_window_send_one(s)) {
        /* until the peer reads nothing, or all was said */
    }
    w->sending = false;
}

void vgpu_window_run_state(VGPUStub *s)
{
    s->window.run_state_due = true;
    vgpu_window_send(s);
}

/* ---- what comes from vgpud ---- */

static void vgpu_window_forget(VGPUWindow *w)
{
    w->given = w->answered = w->ready = false;
    w->end = VGPU_END_NONE;
}

void vgpu_window_link_up(VGPUStub *s)
{
    if (vgpu_window_exists(s)) {
        vgpu_window_forget(&s->window);
        s->window.no_descriptors = false;
        s->window.run_state_due = true;
        vgpu_channels_reaped(s);
        vgpu_window_show(s);
        vgpu_window_send(s);
    }
}

void vgpu_window_link_lost(VGPUStub *s)
{
    if (vgpu_window_exists(s)) {
        vgpu_window_forget(&s->window);
        s->window.generation++;
        vgpu_channels_lost(s);
        vgpu_window_show(s);
    }
}

/* One that comes while the window is to be given again is about the last. */
void vgpu_window_answered(VGPUStub *s, bool ready, uint32_t end)
{
    VGPUWindow *w = &s->window;

    if (w->given) {
        w->answered = true;
        w->ready = ready;
        w->end = end;
        vgpu_window_show(s);
    }
}

void vgpu_window_reset(VGPUStub *s)
{
    if (vgpu_window_exists(s)) {
        vgpu_window_forget(&s->window);
        s->window.generation++;
        vgpu_channels_reset(s);
        vgpu_window_send(s);
        s->window.status_shown = vgpu_window_status(s);
    }
}

void vgpu_window_pre_load(VGPUStub *s)
{
    vgpu_window_reset(s);
    memset(&s->window.saved, 0, sizeof(s->window.saved));
}

/* Return: the interrupts that this owes. */
uint32_t vgpu_window_post_load(VGPUStub *s)
{
    VGPUWindow *w = &s->window;
    uint32_t i;

    if (!vgpu_window_exists(s)) {
        return 0;
    }
    w->generation = MAX(w->generation, w->saved.generation) + 1;
    w->channels.events = w->saved.events;
    for (i = 0; i < VGPU_CHANNELS; i++) {
        vgpu_channels_load(s, i, w->saved.base[i], w->saved.state[i],
                           w->saved.error[i]);
    }
    vgpu_window_send(s);
    return VGPU_IRQ_CONFIG | (w->channels.events ? VGPU_IRQ_CHANNEL : 0);
}

/* ---- its life ---- */

/* Return: why this VM can have no window; NULL: it can. */
static const char *vgpu_window_obstacle(void)
{
    if (xen_enabled()) {
        return "under Xen";
    }
    if (vgpu_guest_is_confidential()) {
        return "in a confidential guest";
    }
    return NULL;
}

static bool vgpu_window_check_memory(MemoryRegion *memory, const char *id,
                                     Error **errp)
{
    uint64_t len_bytes = memory_region_size(memory);

    if (memory_region_get_fd(memory) < 0 ||
        !qemu_ram_is_shared(memory->ram_block)) {
        error_setg(errp, "window: memory backend '%s' is no shared memory with "
                   "a descriptor; use memory-backend-memfd", id);
        return false;
    }
    if (len_bytes < VGPU_WINDOW_LEAST || len_bytes > VGPU_WINDOW_MOST ||
        !is_power_of_2(len_bytes)) {
        error_setg(errp, "window: the size of memory backend '%s' must be a "
                   "power of two from 16M to 4G, not %" PRIu64 " bytes", id,
                   len_bytes);
        return false;
    }
    return true;
}

/* Under --only-migratable an open channel could never block a migration. */
static bool vgpu_window_check_migration(VGPUStub *s, Error **errp)
{
    const char *on_migrate = s->window.on_migrate;
    Error *reason = NULL;
    int ret;

    if (on_migrate && !strcmp(on_migrate, "lose")) {
        s->window.channels.lose_on_migrate = true;
        return true;
    }
    if (on_migrate && strcmp(on_migrate, "refuse")) {
        error_setg(errp, "programs-on-migrate must be refuse or lose, not '%s'",
                   on_migrate);
        return false;
    }
    if (!s->window.backend) {
        return true;
    }
    error_setg(&reason, "vgpu-stub");
    ret = vgpu_add_blocker(&reason);
    if (ret == 0) {
        vgpu_del_blocker(&reason);
    } else if (ret == -EACCES) {
        error_setg(errp, "--only-migratable and programs-on-migrate=refuse "
                   "contradict each other; use programs-on-migrate=lose");
        return false;
    }
    return true;
}

bool vgpu_window_check(VGPUStub *s, Error **errp)
{
    VGPUWindow *w = &s->window;
    const char *obstacle = vgpu_window_obstacle();
    MemoryRegion *memory;
    const char *id;

    if (!vgpu_window_check_migration(s, errp)) {
        return false;
    }
    if (!w->backend) {
        return true;
    }
    if (obstacle) {
        warn_report("vgpu-stub: programs of the guest cannot use the GPU %s: "
                    "the window is left out", obstacle);
        return true;
    }
    id = object_get_canonical_path_component(OBJECT(w->backend));
    if (host_memory_backend_is_mapped(w->backend)) {
        error_setg(errp, "window: memory backend '%s' is in use", id);
        return false;
    }
    memory = host_memory_backend_get_memory(w->backend);
    if (!vgpu_window_check_memory(memory, id, errp)) {
        return false;
    }
    w->memory = memory;
    w->len_bytes = memory_region_size(memory);
    s->link.programs = true;
    return true;
}

/*
 * Pages that a worker would be the first to touch would be charged to vgpud's
 * side, and their lack would end the worker by a signal.
 */
static bool vgpu_window_allocate(VGPUWindow *w, Error **errp)
{
    int ret;

    if (object_property_get_bool(OBJECT(w->backend), "prealloc", NULL)) {
        return true;
    }
    do {
        ret = fallocate(memory_region_get_fd(w->memory), 0, 0, w->len_bytes);
    } while (ret < 0 && errno == EINTR);
    if (ret < 0) {
        error_setg_errno(errp, errno, "window: its %" PRIu64 " MiB cannot be "
                         "allocated", w->len_bytes >> 20);
        return false;
    }
    return true;
}

bool vgpu_window_realize(VGPUStub *s, Error **errp)
{
    VGPUWindow *w = &s->window;

    if (!vgpu_window_exists(s)) {
        return true;
    }
    if (!vgpu_window_allocate(w, errp) || !vgpu_channels_realize(s, errp)) {
        w->memory = NULL;
        return false;
    }
    w->status_shown = vgpu_window_status(s);
    host_memory_backend_set_mapped(w->backend, true);
    vmstate_register_ram(w->memory, DEVICE(s));
    pci_register_bar(PCI_DEVICE(s), 2, PCI_BASE_ADDRESS_SPACE_MEMORY |
                     PCI_BASE_ADDRESS_MEM_PREFETCH |
                     PCI_BASE_ADDRESS_MEM_TYPE_64, w->memory);
    return true;
}

void vgpu_window_exit(VGPUStub *s)
{
    VGPUWindow *w = &s->window;

    if (vgpu_window_exists(s)) {
        vgpu_channels_exit(s);
        vmstate_unregister_ram(w->memory, DEVICE(s));
        host_memory_backend_set_mapped(w->backend, false);
    }
}

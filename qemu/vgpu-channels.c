/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vgpu-channels.c - the channels of a device with a window
 *
 * Theory of operation: the guest opens a channel, vgpud gives it a worker, and
 * from then on guest and worker speak by memory and two eventfds; none of that
 * passes here but the wake-up of the guest. What may happen in each state:
 *   CLOSED   the guest opens it
 *   OPENING  vgpud opens or refuses it, it is lost, the guest closes it
 *   OPEN     it is lost, the guest closes it
 *   LOST     the guest closes it
 *   CLOSING  vgpud says that it is closed
 *
 * `held` is apart from the state: as long as the host may write for a channel,
 * it does not become CLOSED. It is held from CHANNEL_OPEN until vgpud says that
 * it is closed, or until a vgpud greets on a new connection: that one has ended
 * all workers before.
 *
 * Frames are due rather than queued: a channel owes at most one CHANNEL_OPEN or
 * one CHANNEL_CLOSE, and what became needless before it was sent is not sent.
 * Each CHANNEL_CLOSE is answered once, and a channel is opened again only after
 * that: so an answer cannot be taken for one to a later CHANNEL_OPEN.
 */

#include "qemu/osdep.h"
#include "qemu/error-report.h"
#include "qemu/log.h"
#include "trace.h"
#include "vgpu-channels.h"
#include "vgpu-eventfds.h"
#include "vgpu_ends.h"

#define VGPU_CONTROL_PAGE_LEN 4096 /* bytes; CHANNEL_BASE counts in it */

#define VGPU_CHANNEL_STATE_TEXT(value, name, text) [value] = text,
static const char *const vgpu_channel_states[] = {
    VGPU_CHANNEL_STATE_TABLE(VGPU_CHANNEL_STATE_TEXT)
};

static bool vgpu_channel_is_live(const VGPUChannel *c)
{
    return c->state == VGPU_CHANNEL_OPENING || c->state == VGPU_CHANNEL_OPEN;
}

static uint64_t vgpu_channel_bit(const VGPUChannel *c)
{
    return 1ull << c->number;
}

/* ---- events ---- */

/* A bit that the guest has not seen yet makes no second interrupt. */
static void vgpu_channels_wake(VGPUStub *s, uint64_t events)
{
    VGPUChannels *all = &s->window.channels;
    bool is_news = (events & ~all->events) != 0 ||
                   !(s->regs.irq_status & VGPU_IRQ_CHANNEL);

    all->events |= events;
    if (events && is_news) {
        vgpu_stub_irq_raise(s, VGPU_IRQ_CHANNEL);
    }
}

static void vgpu_channel_called(EventNotifier *call)
{
    VGPUChannel *c = container_of(call, VGPUChannel, call);

    if (event_notifier_test_and_clear(call)) {
        vgpu_channels_wake(c->device, vgpu_channel_bit(c));
    }
}

void vgpu_channels_clear_events(VGPUStub *s, uint64_t seen)
{
    s->window.channels.events &= ~seen;
}

/* ---- states ---- */

/* A worker that is to go could call for ever: nothing listens to it. */
static void vgpu_channel_set(VGPUChannel *c, uint32_t state, uint32_t error)
{
    bool was_live = vgpu_channel_is_live(c);

    c->state = state;
    c->error = error;
    trace_vgpu_stub_channel(c->number, vgpu_channel_states[state], error,
                            c->held);
    if (vgpu_channel_is_live(c) != was_live) {
        event_notifier_set_handler(&c->call,
                                   was_live ? NULL : vgpu_channel_called);
    }
}

/* The host holds it no more. Return: whether its state changed with that. */
static bool vgpu_channel_released(VGPUChannel *c)
{
    c->held = c->open_due = c->close_due = c->close_asked = false;
    if (c->state != VGPU_CHANNEL_CLOSING) {
        return false;
    }
    vgpu_channel_set(c, VGPU_CHANNEL_CLOSED, c->error);
    return true;
}

bool vgpu_channels_held(const VGPUStub *s)
{
    uint32_t i;

    for (i = 0; i < VGPU_CHANNELS; i++) {
        if (s->window.channels.channels[i].held) {
            return true;
        }
    }
    return false;
}

/* Allows again what open or held channels had forbidden. */
static void vgpu_channels_settle(VGPUStub *s)
{
    VGPUChannels *all = &s->window.channels;
    bool live = false;
    uint32_t i;

    for (i = 0; i < VGPU_CHANNELS; i++) {
        live |= vgpu_channel_is_live(&all->channels[i]);
    }
    if (!live && all->blocker) {
        vgpu_del_blocker(&all->blocker);
    }
    if (all->discards_off && !vgpu_channels_held(s)) {
        vgpu_disable_discards(false);
        all->discards_off = false;
    }
}

/* Return: VGPU_END_NONE, or why no channel may be opened while QEMU is so. */
static uint32_t vgpu_channels_forbid(VGPUStub *s)
{
    VGPUChannels *all = &s->window.channels;

    if (!all->lose_on_migrate && !all->blocker) {
        error_setg(&all->blocker, "vgpu-stub: a program of the guest uses the "
                   "GPU (end it, or use programs-on-migrate=lose)");
        if (vgpu_add_blocker(&all->blocker) < 0) {
            return VGPU_END_MIGRATING;
        }
    }
    if (!all->discards_off) {
        if (vgpu_disable_discards(true) < 0) {
            warn_report_once("vgpu-stub: no program can use the GPU: another "
                             "device of this VM discards memory");
            return VGPU_END_WINDOW_BAD;
        }
        all->discards_off = true;
    }
    return VGPU_END_NONE;
}

static uint32_t vgpu_channel_refusal(VGPUChannel *c)
{
    VGPUStub *s = c->device;
    uint32_t end = vgpu_window_refusal(s);

    if (end != VGPU_END_NONE) {
        return end;
    }
    if (c->base >= s->window.len_bytes / VGPU_CONTROL_PAGE_LEN) {
        return VGPU_END_BAD_COMMAND;
    }
    return vgpu_channels_forbid(s);
}

static void vgpu_channel_open(VGPUChannel *c)
{
    uint32_t end = vgpu_channel_refusal(c);

    if (end != VGPU_END_NONE) {
        vgpu_channel_set(c, VGPU_CHANNEL_CLOSED, end);
        vgpu_channels_settle(c->device);
        return;
    }
    /* The program before it may have left them signalled. */
    event_notifier_test_and_clear(&c->kick);
    event_notifier_test_and_clear(&c->call);
    c->held = c->open_due = true;
    vgpu_channel_set(c, VGPU_CHANNEL_OPENING, VGPU_END_NONE);
    vgpu_window_send(c->device);
}

/* Has vgpud end its worker, if there is a vgpud. */
static void vgpu_channel_ask_to_close(VGPUChannel *c)
{
    if (c->held && !c->close_asked &&
        vgpu_link_has_programs(&c->device->link)) {
        c->close_due = c->close_asked = true;
    }
}

/* error: what the register shows from now on. */
static void vgpu_channel_close(VGPUChannel *c, uint32_t error)
{
    if (c->state == VGPU_CHANNEL_CLOSED || c->state == VGPU_CHANNEL_CLOSING) {
        return;
    }
    if (c->open_due) { /* vgpud has never heard of it */
        c->held = c->open_due = false;
    }
    vgpu_channel_ask_to_close(c);
    vgpu_channel_set(c, c->held ? VGPU_CHANNEL_CLOSING : VGPU_CHANNEL_CLOSED,
                     error);
}

/* ---- what vgpud says ---- */

/* Return: whether its state changed. */
static bool vgpu_channel_told(VGPUChannel *c, uint32_t state, uint32_t end)
{
    bool live = vgpu_channel_is_live(c);

    if (state == VGPU_CHANNEL_CLOSED) {
        bool refused = c->state == VGPU_CHANNEL_OPENING;
        bool closed = vgpu_channel_released(c);

        if (live) {
            vgpu_channel_set(c, refused ? VGPU_CHANNEL_CLOSED :
                                          VGPU_CHANNEL_LOST,
                             end ? end : VGPU_END_WORKER_LOST);
        }
        return live || closed;
    }
    if (!live || state == VGPU_CHANNEL_OPENING) {
        return false;
    }
    if (state == VGPU_CHANNEL_OPEN) {
        if (c->state == VGPU_CHANNEL_OPEN) {
            return false;
        }
        vgpu_channel_set(c, VGPU_CHANNEL_OPEN, VGPU_END_NONE);
        return true;
    }
    vgpu_channel_set(c, VGPU_CHANNEL_LOST, end ? end : VGPU_END_WORKER_LOST);
    return true;
}

void vgpu_channels_told(VGPUStub *s, uint32_t number, uint32_t state,
                        uint32_t end)
{
    VGPUChannel *c = &s->window.channels.channels[number];

    if (!c->held || c->open_due) {
        trace_vgpu_stub_channel_stray(number, state);
        return;
    }
    if (vgpu_channel_told(c, state, end)) {
        vgpu_channels_settle(s);
        vgpu_channels_wake(s, vgpu_channel_bit(c));
    }
    vgpu_window_send(s); /* the window, if that was the last one held */
}

void vgpu_channels_lost(VGPUStub *s)
{
    VGPUChannels *all = &s->window.channels;
    uint64_t changed = 0;
    uint32_t i;

    for (i = 0; i < VGPU_CHANNELS; i++) {
        VGPUChannel *c = &all->channels[i];

        c->held &= !c->open_due;
        c->open_due = c->close_due = c->close_asked = false;
        if (vgpu_channel_is_live(c)) {
            vgpu_channel_set(c, VGPU_CHANNEL_LOST, VGPU_END_HOST_LOST);
            changed |= vgpu_channel_bit(c);
        }
    }
    vgpu_channels_settle(s);
    vgpu_channels_wake(s, changed);
}

void vgpu_channels_reaped(VGPUStub *s)
{
    VGPUChannels *all = &s->window.channels;
    uint64_t changed = 0;
    uint32_t i;

    for (i = 0; i < VGPU_CHANNELS; i++) {
        if (vgpu_channel_released(&all->channels[i])) {
            changed |= vgpu_channel_bit(&all->channels[i]);
        }
    }
    vgpu_channels_settle(s);
    vgpu_channels_wake(s, changed);
}

/* ---- sending ---- */

static VGPUSent vgpu_channel_send(VGPUChannel *c, uint8_t type,
                                  const int *fds, uint32_t fd_num)
{
    uint8_t payload[VGPU_CHANNEL_OPEN_LEN] = { 0 };

    vgpu_put_le32(payload, c->number);
    vgpu_put_le32(payload + 4, c->base);
    return vgpu_link_send_alone(&c->device->link, type, payload,
                                sizeof(payload), fds, fd_num);
}

/*
 * What is due is noted as done before: when the connection ends while the
 * frame is sent, vgpud may have it.
 */
static bool vgpu_channel_send_open(VGPUChannel *c)
{
    const int fds[] = {
        event_notifier_get_fd(&c->kick),
        event_notifier_get_fd(&c->call),
    };
    VGPUSent sent;

    c->open_due = false;
    sent = vgpu_channel_send(c, VGPU_FRAME_CHANNEL_OPEN, fds, 2);
    if (sent == VGPU_SENT_NEVER) {
        vgpu_channels_told(c->device, c->number, VGPU_CHANNEL_CLOSED,
                           VGPU_END_WINDOW_BAD);
        return false;
    }
    if (sent != VGPU_SENT && vgpu_link_has_programs(&c->device->link)) {
        c->open_due = true;
    }
    return sent == VGPU_SENT;
}

static bool vgpu_channel_send_close(VGPUChannel *c)
{
    VGPUSent sent;

    c->close_due = false;
    sent = vgpu_channel_send(c, VGPU_FRAME_CHANNEL_CLOSE, NULL, 0);
    if (sent != VGPU_SENT && vgpu_link_has_programs(&c->device->link)) {
        c->close_due = true;
    }
    return sent == VGPU_SENT;
}

bool vgpu_channels_send_one(VGPUStub *s)
{
    uint32_t i;

    for (i = 0; i < VGPU_CHANNELS; i++) {
        VGPUChannel *c = &s->window.channels.channels[i];

        if (c->close_due) {
            return vgpu_channel_send_close(c);
        }
        if (c->open_due) {
            return vgpu_channel_send_open(c);
        }
    }
    return false;
}

/* ---- registers ---- */

static VGPUChannel *vgpu_channel_at(VGPUStub *s, hwaddr addr)
{
    uint32_t number = (addr - VGPU_CHANNEL_REGS) / 16;

    return &s->window.channels.channels[number];
}

uint32_t vgpu_channels_reg_read(VGPUStub *s, hwaddr addr)
{
    const VGPUChannel *c = vgpu_channel_at(s, addr);

    if (addr == VGPU_CHANNEL_BASE(c->number)) {
        return c->base;
    }
    if (addr == VGPU_CHANNEL_STATUS(c->number)) {
        return c->state;
    }
    if (addr == VGPU_CHANNEL_ERROR(c->number)) {
        return c->error;
    }
    return 0; /* CTRL */
}

static void vgpu_channel_ctrl(VGPUChannel *c, uint32_t value)
{
    if (value == VGPU_CHANNEL_CTRL_CLOSE) {
        vgpu_channel_close(c, c->error);
        vgpu_channels_settle(c->device);
        vgpu_window_send(c->device);
    } else if (value == VGPU_CHANNEL_CTRL_OPEN &&
               c->state == VGPU_CHANNEL_CLOSED) {
        vgpu_channel_open(c);
    } else {
        qemu_log_mask(LOG_GUEST_ERROR,
                      "vgpu-stub: %u written to CTRL of channel %u, which is "
                      "%s\n", value, c->number, vgpu_channel_states[c->state]);
    }
}

void vgpu_channels_reg_write(VGPUStub *s, hwaddr addr, uint32_t value)
{
    VGPUChannel *c = vgpu_channel_at(s, addr);

    if (addr == VGPU_CHANNEL_CTRL(c->number)) {
        vgpu_channel_ctrl(c, value);
    } else if (addr == VGPU_CHANNEL_BASE(c->number) &&
               c->state == VGPU_CHANNEL_CLOSED) {
        c->base = value;
    } else {
        qemu_log_mask(LOG_GUEST_ERROR, "vgpu-stub: write to 0x%03x, a "
                      "register that is read-only now\n", (unsigned)addr);
    }
}

/* ---- reset and load ---- */

void vgpu_channels_reset(VGPUStub *s)
{
    VGPUChannels *all = &s->window.channels;
    uint32_t i;

    for (i = 0; i < VGPU_CHANNELS; i++) {
        VGPUChannel *c = &all->channels[i];

        vgpu_channel_close(c, VGPU_END_RESET);
        c->base = 0;
        c->error = c->held ? VGPU_END_RESET : VGPU_END_NONE;
    }
    all->events = 0;
    vgpu_channels_settle(s);
}

/*
 * Programs stay behind: the guest finds them lost. A channel that the host
 * still holds for a program of before the load stays held.
 */
void vgpu_channels_load(VGPUStub *s, uint32_t number, uint32_t base,
                        uint32_t state, uint32_t error)
{
    VGPUChannel *c = &s->window.channels.channels[number];
    bool lost = state != VGPU_CHANNEL_CLOSED && state != VGPU_CHANNEL_CLOSING;

    c->base = base;
    if (lost) {
        if (state != VGPU_CHANNEL_LOST) {
            error = VGPU_END_MIGRATING;
        }
        vgpu_channel_set(c, VGPU_CHANNEL_LOST, error);
        s->window.channels.events |= vgpu_channel_bit(c);
    } else {
        vgpu_channel_set(c, c->held ? VGPU_CHANNEL_CLOSING :
                                      VGPU_CHANNEL_CLOSED, error);
    }
}

/* ---- life ---- */

bool vgpu_channels_realize(VGPUStub *s, Error **errp)
{
    uint32_t i;

    for (i = 0; i < VGPU_CHANNELS; i++) {
        s->window.channels.channels[i].device = s;
        s->window.channels.channels[i].number = i;
    }
    return vgpu_eventfds_make(s, errp);
}

void vgpu_channels_exit(VGPUStub *s)
{
    uint32_t i;

    for (i = 0; i < VGPU_CHANNELS; i++) {
        VGPUChannel *c = &s->window.channels.channels[i];

        c->held = false;
        vgpu_channel_set(c, VGPU_CHANNEL_CLOSED, VGPU_END_NONE);
    }
    vgpu_channels_settle(s);
    vgpu_eventfds_drop(s);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vgpu-link.c - the device's link to vgpud: a chardev, and frames over it
 *
 * What the link takes in each state (enum VGPULinkState):
 *   CLOSED   nothing; the chardev is not connected, or the peer was dropped
 *   OPENED   a HELLO, as the answer to ours
 *   REFUSED  nothing; vgpud said in its HELLO why it will close
 *   GREETED  a CONFIG, which makes it UP
 *   UP       CONFIG and RESPONSE; the only state in which requests are sent.
 *            From link version 2 on WINDOW_STATUS and CHANNEL_STATUS, too
 *
 * vgpu-out.c sends.
 */

#include "qemu/osdep.h"
#include "qemu/error-report.h"
#include "qemu/timer.h"
#include "trace.h"
#include "vgpu-link.h"
#include "vgpu_ends.h"
#include "vgpu_regs.h"

#define VGPU_COMPLAINT_INTERVAL_MS 1000

static const char *const vgpu_link_names[] = {
    "closed", "opened", "refused", "greeted", "up",
};

#define VGPU_ERROR_TEXT(value, name, text) [value] = text,
static const char *const vgpu_error_texts[VGPU_ERROR_NUM] = {
    VGPU_ERROR_TABLE(VGPU_ERROR_TEXT)
};

static const char *vgpu_label(const VGPULink *l)
{
    return l->chr.chr ? l->chr.chr->label : "none";
}

/* ---- its states ---- */

static void vgpu_link_set(VGPULink *l, VGPULinkState state)
{
    trace_vgpu_stub_link(vgpu_link_names[l->state], vgpu_link_names[state]);
    l->state = state;
}

static void vgpu_link_closed(VGPULink *l)
{
    bool was_up = l->state == VGPU_LINK_UP;

    vgpu_link_set(l, VGPU_LINK_CLOSED);
    vgpu_frame_reset(&l->parser);
    vgpu_out_reset(l);
    l->ops->closed(l->opaque, was_up);
}

static void vgpu_link_opened(VGPULink *l)
{
    uint8_t hello[VGPU_HELLO_LEN] = { 0 };

    if (l->state != VGPU_LINK_CLOSED) {
        vgpu_link_closed(l);
    }
    vgpu_link_set(l, VGPU_LINK_OPENED);
    vgpu_put_le32(hello, VGPU_LINK_VERSION);
    vgpu_put_le32(hello + 4, l->programs ? VGPU_LINK_VERSION_PROGRAMS :
                                           VGPU_LINK_VERSION);
    vgpu_out_send(l, VGPU_FRAME_HELLO, l->vm_id, 0, 0, hello, sizeof(hello));
}

/* Drops a peer that cannot be trusted; the chardev may connect again. */
static void vgpu_protocol_error(VGPULink *l, const char *what)
{
    int64_t now_ms = qemu_clock_get_ms(QEMU_CLOCK_REALTIME);

    if (now_ms - l->complaint_ms >= VGPU_COMPLAINT_INTERVAL_MS) {
        l->complaint_ms = now_ms;
        warn_report("vgpu-stub: chardev %s: the peer does not speak vgpud's "
                    "protocol: %s; disconnecting", vgpu_label(l), what);
    }
    qemu_chr_fe_disconnect(&l->chr);
    if (l->state != VGPU_LINK_CLOSED) {
        vgpu_link_closed(l); /* not every chardev reports that it closes */
    }
}

static void vgpu_refused(VGPULink *l, uint32_t status, const char *why)
{
    vgpu_link_set(l, VGPU_LINK_REFUSED);
    if (status != l->refused_status) {
        l->refused_status = status;
        warn_report("vgpu-stub: chardev %s: vgpud refuses this VM (vm_id %u): "
                    "%s", vgpu_label(l), l->vm_id, why);
    }
}

static void vgpu_take_hello(VGPULink *l, const uint8_t *payload)
{
    uint32_t version_min = vgpu_get_le32(payload);
    uint32_t version_max = vgpu_get_le32(payload + 4);
    uint32_t status = vgpu_get_le32(payload + 8);
    uint32_t ours = l->programs ? VGPU_LINK_VERSION_PROGRAMS :
                                  VGPU_LINK_VERSION;

    if (l->state != VGPU_LINK_OPENED) {
        vgpu_protocol_error(l, "a second HELLO");
    } else if (status >= VGPU_ERROR_NUM) {
        vgpu_protocol_error(l, "a HELLO with a status that does not exist");
    } else if (status != VGPU_ERR_OK) {
        vgpu_refused(l, status, vgpu_error_texts[status]);
    } else if (version_min > ours || version_max < VGPU_LINK_VERSION) {
        vgpu_refused(l, VGPU_ERR_BAD_VERSION,
                     "it speaks another version of the link; update QEMU's "
                     "device or vgpud");
    } else {
        l->version = MIN(version_max, ours);
        vgpu_link_set(l, VGPU_LINK_GREETED);
    }
}

bool vgpu_link_config_ok(const VGPUConfig *c)
{
    return c->pool_id >= 'A' && c->pool_id <= 'Z' &&
           c->priority < VGPU_PRIORITY_NUM;
}

bool vgpu_link_config_equal(const VGPUConfig *a, const VGPUConfig *b)
{
    return a->vm_id == b->vm_id && a->pool_id == b->pool_id &&
           a->priority == b->priority;
}

static void vgpu_take_config(VGPULink *l, const uint8_t *payload)
{
    VGPUConfig config = {
        .vm_id = vgpu_get_le32(payload),
        .pool_id = vgpu_get_le32(payload + 4),
        .priority = vgpu_get_le32(payload + 8),
    };
    bool changed, came_up;

    if (l->state != VGPU_LINK_GREETED && l->state != VGPU_LINK_UP) {
        vgpu_protocol_error(l, "a CONFIG before an accepting HELLO");
        return;
    }
    if (!vgpu_link_config_ok(&config)) {
        vgpu_protocol_error(l, "a CONFIG with a bad pool or priority");
        return;
    }
    trace_vgpu_stub_config(config.vm_id, config.pool_id, config.priority);
    changed = !vgpu_link_config_equal(&config, &l->config);
    came_up = l->state == VGPU_LINK_GREETED;
    l->config = config;
    if (came_up) {
        vgpu_link_set(l, VGPU_LINK_UP);
        l->refused_status = VGPU_ERR_OK;
    }
    l->ops->configured(l->opaque, changed, came_up);
}

/* Whether a response's fields agree with each other and with its length. */
static bool vgpu_response_ok(const uint8_t *message, uint32_t len)
{
    struct vgpu_response_header h;
    uint32_t results_end;

    h.version = vgpu_get_le32(message);
    h.status = vgpu_get_le32(message + 4);
    h.result_count = vgpu_get_le32(message + 8);
    h.data_offset = vgpu_get_le32(message + 12);
    h.data_length = vgpu_get_le32(message + 16);

    if (h.version != VGPU_MSG_VERSION || h.status >= VGPU_ERROR_NUM ||
        h.result_count > (len - VGPU_MSG_HEADER_LEN) / 4) {
        return false;
    }
    results_end = VGPU_MSG_HEADER_LEN + 4 * h.result_count;
    if (h.data_length == 0) {
        return h.data_offset == VGPU_MSG_HEADER_LEN && len == results_end;
    }
    return h.data_offset >= results_end && h.data_offset % 4 == 0 &&
           h.data_offset < len && h.data_length == len - h.data_offset;
}

static void vgpu_take_response(VGPULink *l, uint64_t sequence,
                               const uint8_t *message, uint32_t len)
{
    if (l->state != VGPU_LINK_UP) {
        vgpu_protocol_error(l, "a RESPONSE before CONFIG");
    } else if (sequence > l->sequence) {
        vgpu_protocol_error(l, "a RESPONSE to a request never sent");
    } else if (!vgpu_response_ok(message, len)) {
        vgpu_protocol_error(l, "a RESPONSE whose fields disagree");
    } else if (sequence < l->sequence) {
        trace_vgpu_stub_late_answer(sequence, l->sequence);
    } else {
        l->ops->response(l->opaque, message, len);
    }
}

static void vgpu_take_window_status(VGPULink *l, const uint8_t *payload)
{
    uint32_t ready = vgpu_get_le32(payload);
    uint32_t end = vgpu_get_le32(payload + 4);

    if (!vgpu_link_has_programs(l)) {
        vgpu_protocol_error(l, "a WINDOW_STATUS before its time");
    } else if (ready > 1 || end > VGPU_END_MOST) {
        vgpu_protocol_error(l, "a WINDOW_STATUS out of range");
    } else {
        l->ops->window_status(l->opaque, ready, end);
    }
}

static void vgpu_take_channel_status(VGPULink *l, const uint8_t *payload)
{
    uint32_t channel = vgpu_get_le32(payload);
    uint32_t state = vgpu_get_le32(payload + 4);
    uint32_t end = vgpu_get_le32(payload + 8);

    if (!vgpu_link_has_programs(l)) {
        vgpu_protocol_error(l, "a CHANNEL_STATUS before its time");
    } else if (channel >= VGPU_CHANNELS || state > VGPU_CHANNEL_CLOSING ||
               end > VGPU_END_MOST) {
        vgpu_protocol_error(l, "a CHANNEL_STATUS out of range");
    } else {
        l->ops->channel_status(l->opaque, channel, state, end);
    }
}

static void vgpu_take_frame(VGPULink *l)
{
    struct vgpu_frame_header h;
    const uint8_t *payload = vgpu_frame_take(&l->parser, &h);

    trace_vgpu_stub_frame_in(h.type, h.sequence, h.length);
    switch (h.type) {
    case VGPU_FRAME_HELLO:
        vgpu_take_hello(l, payload);
        break;
    case VGPU_FRAME_CONFIG:
        vgpu_take_config(l, payload);
        break;
    case VGPU_FRAME_RESPONSE:
        vgpu_take_response(l, h.sequence, payload, h.length);
        break;
    case VGPU_FRAME_WINDOW_STATUS:
        vgpu_take_window_status(l, payload);
        break;
    case VGPU_FRAME_CHANNEL_STATUS:
        vgpu_take_channel_status(l, payload);
        break;
    default:
        vgpu_protocol_error(l, "a frame that only the device sends");
        break;
    }
}

/*
 * Any amount would do, since vgpu_chr_read() takes frame after frame; a whole
 * one saves the second turn of the main loop that its payload would cost.
 */
static int vgpu_chr_can_read(void *opaque)
{
    return VGPU_FRAME_MAX;
}

/* No frame to the device has descriptors. Return: whether some came; closed. */
static bool vgpu_drop_descriptors(VGPULink *l)
{
    int fds[1];
    int num = qemu_chr_fe_get_msgfds(&l->chr, fds, G_N_ELEMENTS(fds));

    if (num > 0) {
        close(fds[0]); /* the chardev has closed the rest */
    }
    return num > 0;
}

static void vgpu_chr_read(void *opaque, const uint8_t *bytes, int len)
{
    VGPULink *l = opaque;

    if (vgpu_drop_descriptors(l)) {
        vgpu_protocol_error(l, "descriptors");
        return;
    }
    while (len > 0 && l->state != VGPU_LINK_CLOSED) {
        uint32_t used;

        switch (vgpu_frame_feed(&l->parser, bytes, len, &used)) {
        case VGPU_FRAME_BAD:
            vgpu_protocol_error(l, "a malformed frame");
            return;
        case VGPU_FRAME_READY:
            vgpu_take_frame(l);
            break;
        case VGPU_FRAME_MORE:
            break;
        }
        bytes += used;
        len -= used;
    }
}

static void vgpu_chr_event(void *opaque, QEMUChrEvent event)
{
    VGPULink *l = opaque;

    if (event == CHR_EVENT_OPENED) {
        vgpu_link_opened(l);
    } else if (event == CHR_EVENT_CLOSED && l->state != VGPU_LINK_CLOSED) {
        vgpu_link_closed(l);
    }
}

/* ---- its life ---- */

bool vgpu_link_is_up(const VGPULink *l)
{
    return l->state == VGPU_LINK_UP;
}

bool vgpu_link_has_programs(const VGPULink *l)
{
    return l->state == VGPU_LINK_UP &&
           l->version >= VGPU_LINK_VERSION_PROGRAMS;
}

void vgpu_link_start(VGPULink *l, const VGPULinkOps *ops, void *opaque)
{
    l->ops = ops;
    l->opaque = opaque;
    qemu_chr_fe_set_handlers(&l->chr, vgpu_chr_can_read, vgpu_chr_read,
                             vgpu_chr_event, NULL, l, NULL, true);
}

void vgpu_link_stop(VGPULink *l)
{
    qemu_chr_fe_set_handlers(&l->chr, NULL, NULL, NULL, NULL, NULL, NULL,
                             true);
    if (l->state != VGPU_LINK_CLOSED) {
        qemu_chr_fe_disconnect(&l->chr);
    }
    l->state = VGPU_LINK_CLOSED;
    vgpu_out_reset(l);
    qemu_chr_fe_deinit(&l->chr, false);
}

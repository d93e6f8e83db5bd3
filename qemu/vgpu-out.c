/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vgpu-out.c - frames on their way to vgpud
 *
 * qemu_chr_fe_write() may find that the peer is gone and raise CHR_EVENT_CLOSED
 * before it returns, with the chardev's write lock held. Hence a caller that
 * sends has finished with its own state before or looks at it anew, and the
 * CLOSED handler never writes.
 */

#include "qemu/osdep.h"
#include "trace.h"
#include "vgpu-link.h"

void vgpu_out_reset(VGPULink *l)
{
    l->out_len = 0;
    if (l->out_watch) {
        g_source_remove(l->out_watch);
        l->out_watch = 0;
    }
}

/* Whether all was sent, and none waits for the peer to read. */
static bool vgpu_out_is_empty(const VGPULink *l)
{
    return l->out_len == 0 && !l->out_watch;
}

static void vgpu_out_flush(VGPULink *l);

static gboolean vgpu_out_ready(VGPUWatchSource *source, GIOCondition cond,
                               void *opaque)
{
    VGPULink *l = opaque;

    l->out_watch = 0;
    vgpu_out_flush(l);
    if (vgpu_out_is_empty(l) && l->state == VGPU_LINK_UP) {
        l->ops->writable(l->opaque);
    }
    return G_SOURCE_REMOVE;
}

static void vgpu_out_wait(VGPULink *l)
{
    trace_vgpu_stub_out_waits(l->out_len);
    l->out_watch = qemu_chr_fe_add_watch(&l->chr, G_IO_OUT | G_IO_HUP,
                                         vgpu_out_ready, l);
}

static void vgpu_out_flush(VGPULink *l)
{
    while (l->out_len > 0 && !l->out_watch) {
        int sent = qemu_chr_fe_write(&l->chr, l->out, l->out_len);

        if (l->state == VGPU_LINK_CLOSED) {
            return;
        }
        if (sent > 0) {
            l->out_len -= sent;
            memmove(l->out, l->out + sent, l->out_len);
            continue;
        }
        vgpu_out_wait(l);
        if (!l->out_watch) {
            return; /* a broken connection: its CLOSED event follows */
        }
    }
}

void vgpu_out_send(VGPULink *l, uint8_t type, uint32_t vm_id,
                   uint32_t request_id, uint64_t sequence,
                   const uint8_t *payload, uint32_t len)
{
    struct vgpu_frame_header h = {
        .vm_id = vm_id,
        .request_id = request_id,
        .length = len,
        .pool_id = l->config.pool_id,
        .priority = l->config.priority,
        .type = type,
        .sequence = sequence,
    };

    g_assert(VGPU_LINK_OUT_LEN - l->out_len >= VGPU_FRAME_HEADER_LEN + len);
    trace_vgpu_stub_frame_out(type, sequence, len);
    vgpu_frame_put_header(l->out + l->out_len, &h);
    l->out_len += VGPU_FRAME_HEADER_LEN;
    if (len) {
        memcpy(l->out + l->out_len, payload, len);
        l->out_len += len;
    }
    vgpu_out_flush(l);
}

/* A request takes the room of its CANCEL too, so that one always fits. */
bool vgpu_link_has_room(const VGPULink *l, uint32_t request_len)
{
    return VGPU_LINK_OUT_LEN - l->out_len >=
           2 * VGPU_FRAME_HEADER_LEN + request_len;
}

void vgpu_link_send_request(VGPULink *l, uint32_t request_id,
                            const uint8_t *request, uint32_t len)
{
    l->sequence++;
    trace_vgpu_stub_submit(request_id, l->sequence, len);
    vgpu_out_send(l, VGPU_FRAME_REQUEST, l->config.vm_id, request_id,
                  l->sequence, request, len);
}

void vgpu_link_send_cancel(VGPULink *l, uint32_t request_id)
{
    trace_vgpu_stub_cancel(l->sequence);
    if (l->state == VGPU_LINK_UP) {
        vgpu_out_send(l, VGPU_FRAME_CANCEL, l->config.vm_id, request_id,
                      l->sequence, NULL, 0);
    }
}

/*
 * The socket takes a frame this short whole or not at all, so its descriptors
 * go with its first byte and with no other. The chardev keeps descriptors that
 * were not taken for its next write, which may be another frame's: they are
 * taken back from it.
 */
VGPUSent vgpu_link_send_alone(VGPULink *l, uint8_t type,
                              const uint8_t *payload, uint32_t len,
                              const int *fds, uint32_t fd_num)
{
    uint8_t frame[VGPU_FRAME_HEADER_LEN + 16];
    struct vgpu_frame_header h = {
        .vm_id = l->config.vm_id,
        .length = len,
        .type = type,
    };
    int sent;

    g_assert(len <= 16 && fd_num <= VGPU_FRAME_FDS_MAX);
    if (!vgpu_out_is_empty(l)) {
        return VGPU_SENT_WAITS;
    }
    if (fd_num && qemu_chr_fe_set_msgfds(&l->chr, (int *)fds, fd_num) < 0) {
        return VGPU_SENT_NEVER;
    }
    vgpu_frame_put_header(frame, &h);
    memcpy(frame + VGPU_FRAME_HEADER_LEN, payload, len);
    len += VGPU_FRAME_HEADER_LEN;
    sent = qemu_chr_fe_write(&l->chr, frame, len);
    if (l->state == VGPU_LINK_CLOSED) {
        return VGPU_SENT_WAITS;
    }
    if (sent <= 0) {
        if (fd_num) {
            qemu_chr_fe_set_msgfds(&l->chr, NULL, 0);
        }
        vgpu_out_wait(l);
        return VGPU_SENT_WAITS;
    }
    trace_vgpu_stub_frame_out(type, 0, len - VGPU_FRAME_HEADER_LEN);
    l->out_len = len - sent;
    memcpy(l->out, frame + sent, l->out_len);
    vgpu_out_flush(l);
    return VGPU_SENT;
}

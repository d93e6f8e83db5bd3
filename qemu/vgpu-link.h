/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vgpu-link.h - the device's link to vgpud: a chardev, and frames over it
 */

#ifndef VGPU_LINK_H
#define VGPU_LINK_H

#include "vgpu-compat.h"
#include "vgpu_frame.h"

/*
 * Room for a peer that is slow: several requests that timed out while it did
 * not read, each with its CANCEL.
 */
#define VGPU_LINK_OUT_LEN (4 * VGPU_FRAME_MAX)

typedef enum VGPULinkState {
    VGPU_LINK_CLOSED,
    VGPU_LINK_OPENED,
    VGPU_LINK_REFUSED,
    VGPU_LINK_GREETED,
    VGPU_LINK_UP,
} VGPULinkState;

/* The VM's settings, as vgpud has sent them. */
typedef struct VGPUConfig {
    uint32_t vm_id;
    uint32_t pool_id;
    uint32_t priority;
} VGPUConfig;

/* What the link tells its device. All functions are required. */
typedef struct VGPULinkOps {
    /*
     * vgpud has sent the VM's settings, which are in the link's config now.
     * changed: they differ from those before. came_up: the link is now up.
     */
    void (*configured)(void *opaque, bool changed, bool came_up);
    /* The answer to the newest request: len bytes, whose fields agree. */
    void (*response)(void *opaque, const uint8_t *message, uint32_t len);
    /* The connection has ended; was_up: after the link had come up. */
    void (*closed)(void *opaque, bool was_up);
    /*
     * Both below come from a vgpud that speaks of programs only, and their
     * numbers are within range. vgpud has looked at the window.
     */
    void (*window_status)(void *opaque, bool ready, uint32_t end);
    /* How a channel is: state of enum vgpu_channel_state, end of enum vgpu_end. */
    void (*channel_status)(void *opaque, uint32_t channel, uint32_t state,
                           uint32_t end);
    /* After vgpu_link_send_alone() said WAITS: it may be tried again. */
    void (*writable)(void *opaque);
} VGPULinkOps;

typedef enum VGPUSent {
    VGPU_SENT,
    VGPU_SENT_WAITS,            /* nothing was sent; ops->writable() follows */
    VGPU_SENT_NEVER,            /* this chardev cannot pass descriptors */
} VGPUSent;

typedef struct VGPULink {
    CharFrontend chr;           /* a property of the device */
    uint32_t vm_id;             /* a property, too: for HELLO; 0 says nothing */
    VGPUConfig config;
    uint64_t sequence;          /* of the newest request; only ever grows */
    bool programs;              /* offer what programs need; set before start */

    /* the rest is the link's own */
    const VGPULinkOps *ops;
    void *opaque;               /* for ops */
    VGPULinkState state;
    uint32_t version;           /* that vgpud agreed to */
    uint32_t refused_status;    /* last one warned of, 0 once the link was up */
    int64_t complaint_ms;       /* when a protocol error was last reported */
    struct vgpu_frame_parser parser;
    uint32_t out_len;
    guint out_watch;
    uint8_t out[VGPU_LINK_OUT_LEN];
} VGPULink;

/*
 * Takes the chardev into use. The chardev may be open already, and then ops
 * may be called before this returns.
 */
void vgpu_link_start(VGPULink *l, const VGPULinkOps *ops, void *opaque);

/* Hangs up, so that vgpud sees that the device is gone; ops are not called. */
void vgpu_link_stop(VGPULink *l);

/* Return: whether a request may be sent. */
bool vgpu_link_is_up(const VGPULink *l);

/* Return: whether a request of that many bytes, and its CANCEL, find room. */
bool vgpu_link_has_room(const VGPULink *l, uint32_t request_len);

/*
 * Sends a request under the next sequence number. The link is up and has room.
 * After it, the link may be closed; ops->closed() was called then.
 */
void vgpu_link_send_request(VGPULink *l, uint32_t request_id,
                            const uint8_t *request, uint32_t len);

/* Cancels the newest request, if vgpud is there; may close the link as well. */
void vgpu_link_send_cancel(VGPULink *l, uint32_t request_id);

/* Return: whether the link is up, and vgpud knows programs. */
bool vgpu_link_has_programs(const VGPULink *l);

/*
 * Sends a frame for programs by a write of its own. The link is up and
 * vgpud knows programs; len is at most 16. fds: fd_num descriptors go with the
 * frame. After it, the link may be closed; ops->closed() was called then.
 */
VGPUSent vgpu_link_send_alone(VGPULink *l, uint8_t type,
                              const uint8_t *payload, uint32_t len,
                              const int *fds, uint32_t fd_num);

/* Return: whether vgpud can have said this, the number of the VM apart. */
bool vgpu_link_config_ok(const VGPUConfig *c);

bool vgpu_link_config_equal(const VGPUConfig *a, const VGPUConfig *b);

/* ---- vgpu-out.c: for vgpu-link.c alone ---- */

/*
 * Queues one frame, for which there is room, and sends what the peer takes at
 * once. After it, the link may be closed.
 */
void vgpu_out_send(VGPULink *l, uint8_t type, uint32_t vm_id,
                   uint32_t request_id, uint64_t sequence,
                   const uint8_t *payload, uint32_t len);

/* Drops what was not sent. */
void vgpu_out_reset(VGPULink *l);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vgpu-device.h - the PCI device's state, for the files that make it up
 */

#ifndef VGPU_DEVICE_H
#define VGPU_DEVICE_H

#include "qemu/event_notifier.h"
#include "qom/object.h"
#include "vgpu-compat.h"
#include "vgpu-link.h"
#include "vgpu_regs.h"

#define TYPE_VGPU_STUB "vgpu-stub"
OBJECT_DECLARE_SIMPLE_TYPE(VGPUStub, VGPU_STUB)

/* The guest's side: zero after a reset, and migrated as it is. */
typedef struct VGPURegs {
    uint32_t status;
    uint32_t error_code;
    uint32_t request_len;
    uint32_t response_len;
    uint32_t irq_ctrl;
    uint32_t irq_status;
    uint32_t request_id;
    uint32_t timestamp_hi;      /* latched when the low half is read */
    uint32_t scratch;
    uint64_t timestamp_ns;
    uint8_t request[VGPU_BUF_LEN];
    uint8_t response[VGPU_BUF_LEN];
} VGPURegs;

/*
 * The host's side of the migrated state. It is loaded here and judged before
 * it touches the live state, for which the destination's own vgpud may have
 * newer values.
 */
typedef struct VGPUSaved {
    VGPUConfig config;
    bool link_up;
    uint32_t request_count;
    uint64_t sequence;
} VGPUSaved;

typedef struct VGPUChannel {
    VGPUStub *device;
    uint32_t number;

    /* registers */
    uint32_t base;
    uint32_t state;             /* enum vgpu_channel_state */
    uint32_t error;             /* enum vgpu_end */

    bool held;                  /* the host may write into its memory */
    bool open_due;              /* CHANNEL_OPEN is to be sent */
    bool close_due;             /* CHANNEL_CLOSE is to be sent */
    bool close_asked;           /* it is due, or was sent */
    EventNotifier kick;         /* signalled by KICK, read by the worker */
    EventNotifier call;         /* signalled by the worker, read here */
} VGPUChannel;

typedef struct VGPUChannels {
    uint64_t events;            /* CHANNEL_EVENTS, a bit for each channel */
    bool lose_on_migrate;       /* else an open channel blocks a migration */
    Error *blocker;             /* while it does */
    bool discards_off;          /* while one is held */
    VGPUChannel channels[VGPU_CHANNELS];
} VGPUChannels;

/* The window's part of the migrated state, loaded and judged as VGPUSaved. */
typedef struct VGPUWindowSaved {
    bool present;               /* not migrated: the stream has this part */
    uint32_t generation;
    uint64_t events;
    uint32_t base[VGPU_CHANNELS];
    uint32_t state[VGPU_CHANNELS];
    uint32_t error[VGPU_CHANNELS];
} VGPUWindowSaved;

/* Memory that guest and host share, BAR2; all of it is unused without one. */
typedef struct VGPUWindow {
    /* properties */
    HostMemoryBackend *backend;
    char *on_migrate;
    uint32_t version_shown;     /* WINDOW_VERSION, for tests of the guest's side */

    MemoryRegion *memory;       /* NULL: there is no window */
    uint64_t len_bytes;
    uint32_t generation;
    uint32_t status_shown;      /* WINDOW_STATUS that the guest was told of */
    bool given;                 /* this connection's vgpud has the window */
    bool answered;              /* and has answered; the two below are so */
    bool ready;
    uint32_t end;               /* why it is not ready */
    bool no_descriptors;        /* the chardev passes none */
    bool run_state_due;         /* RUNSTATE is to be sent */
    bool sending;

    VGPUChannels channels;
    VGPUWindowSaved saved;
} VGPUWindow;

struct VGPUStub {
    PCIDevice parent_obj;

    /* properties; those of the link are in it */
    char *pool_id;
    char *priority;
    uint32_t timeout_ms;

    MemoryRegion mmio;
    QEMUTimer *timer;
    VMChangeStateEntry *run_state_entry;

    VGPURegs regs;
    VGPULink link;              /* the host's side; survives a reset */
    VGPUSaved saved;
    uint32_t irq_owed;          /* by a load, until the VM runs */
    bool notifying;             /* a message is being written */
    VGPUWindow window;

    uint32_t request_count;     /* numbers requests that have REQUEST_ID 0 */
    uint32_t in_flight_id;      /* REQUEST_ID of the request while BUSY */
    uint64_t doorbells_busy;
};

/* ---- vgpu-stub.c ---- */

/* Return: whether a request is in flight. */
static inline bool vgpu_stub_busy(const VGPUStub *s)
{
    return s->regs.status == VGPU_STATUS_BUSY;
}

/*
 * Updates the interrupt line after any change of regs.irq_ctrl or
 * regs.irq_status. fresh: the bits that have become pending; each call with
 * one sends a message where the guest uses MSI.
 */
void vgpu_stub_irq_update(VGPUStub *s, uint32_t fresh);

/* The same for bits that become pending now. */
void vgpu_stub_irq_raise(VGPUStub *s, uint32_t bits);

/* The guest has written value to DOORBELL. */
void vgpu_stub_doorbell(VGPUStub *s, uint32_t value);

/* Drops a request in flight: the guest gets no end of it. */
void vgpu_stub_abandon(VGPUStub *s);

/* ---- vgpu-window.c: the rest of it is in vgpu-window.h ---- */

/* Return: whether the device has a window; its functions do nothing without. */
static inline bool vgpu_window_exists(const VGPUStub *s)
{
    return s->window.memory != NULL;
}

/* Return: the bits that INTERRUPT_CTRL and INTERRUPT_STATUS have. */
static inline uint32_t vgpu_window_irq_mask(const VGPUStub *s)
{
    return vgpu_window_exists(s) ? VGPU_IRQ_MASK_WINDOW : VGPU_IRQ_MASK;
}

/*
 * Sends what is due, as far as the peer takes it: channels' frames, the window
 * itself, whether the VM runs. After it, the link may be closed.
 */
void vgpu_window_send(VGPUStub *s);

/* Return: VGPU_END_NONE, or why no channel can be opened now. */
uint32_t vgpu_window_refusal(const VGPUStub *s);

#endif

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
 * What the link takes in each state (enum VGPULink):
 *   CLOSED   nothing; the chardev is not connected, or the peer was dropped
 *   OPENED   a HELLO, as the answer to ours
 *   REFUSED  nothing; vgpud said in its HELLO why it will close
 *   GREETED  a CONFIG, which makes it UP
 *   UP       CONFIG and RESPONSE; the only state in which requests are sent
 *
 * qemu_chr_fe_write() may find that the peer is gone and raise CHR_EVENT_CLOSED
 * before it returns, with the chardev's write lock held. Hence a caller of
 * vgpu_send() has finished with its own state before or looks at it anew, and
 * the CLOSED handler never writes.
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/cutils.h"
#include "qemu/error-report.h"
#include "qemu/log.h"
#include "qemu/module.h"
#include "qemu/timer.h"
#include "chardev/char-fe.h"
#include "hw/pci/msi.h"
#include "hw/qdev-properties.h"
#include "migration/vmstate.h"
#include "qom/object.h"
#include "trace.h"
#include "vgpu-compat.h"
#include "vgpu_frame.h"
#include "vgpu_regs.h"

#define TYPE_VGPU_STUB "vgpu-stub"
OBJECT_DECLARE_SIMPLE_TYPE(VGPUStub, VGPU_STUB)

/*
 * Room for a peer that is slow: several requests that timed out while it did
 * not read, each with its CANCEL.
 */
#define VGPU_OUT_LEN (4 * VGPU_FRAME_MAX)

#define VGPU_COMPLAINT_INTERVAL_MS 1000

typedef enum VGPULink {
    VGPU_LINK_CLOSED,
    VGPU_LINK_OPENED,
    VGPU_LINK_REFUSED,
    VGPU_LINK_GREETED,
    VGPU_LINK_UP,
} VGPULink;

static const char *const vgpu_link_names[] = {
    "closed", "opened", "refused", "greeted", "up",
};

#define VGPU_ERROR_TEXT(value, name, text) [value] = text,
static const char *const vgpu_error_texts[VGPU_ERROR_NUM] = {
    VGPU_ERROR_TABLE(VGPU_ERROR_TEXT)
};

#define VGPU_PRIORITY_TEXT(value, name, text) [value] = text,
static const char *const vgpu_priority_names[VGPU_PRIORITY_NUM] = {
    VGPU_PRIORITY_TABLE(VGPU_PRIORITY_TEXT)
};

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

/* The host's side: what vgpud says of this VM; survives a reset. */
typedef struct VGPUConfig {
    uint32_t vm_id;
    uint32_t pool_id;
    uint32_t priority;
} VGPUConfig;

/*
 * What migrates of the host's side. It is loaded here and judged before it
 * touches the live state, which the destination's own vgpud may know better.
 */
typedef struct VGPUSaved {
    VGPUConfig config;
    bool link_up;
    uint32_t request_count;
    uint64_t sequence;
} VGPUSaved;

struct VGPUStub {
    PCIDevice parent_obj;

    /* properties */
    CharFrontend chr;
    uint32_t vm_id;
    char *pool_id;
    char *priority;
    uint32_t timeout_ms;

    MemoryRegion mmio;
    QEMUTimer *timer;
    VMChangeStateEntry *run_state_entry;

    VGPURegs regs;
    VGPUConfig config;
    VGPUSaved saved;
    uint32_t irq_owed;          /* by a load, until the VM runs */
    bool notifying;             /* a message is being written */

    uint32_t request_count;     /* numbers requests that have REQUEST_ID 0 */
    uint64_t sequence;          /* of the newest request; only ever grows */
    uint32_t in_flight_id;      /* REQUEST_ID of the request while BUSY */
    uint64_t doorbells_busy;

    VGPULink link;
    uint32_t refused_status;    /* last one warned of, 0 once the link was up */
    int64_t complaint_ms;       /* when a protocol error was last reported */
    struct vgpu_frame_parser parser;
    uint32_t out_len;
    guint out_watch;
    uint8_t out[VGPU_OUT_LEN];
};

static bool vgpu_busy(const VGPUStub *s)
{
    return s->regs.status == VGPU_STATUS_BUSY;
}

static const char *vgpu_label(const VGPUStub *s)
{
    return s->chr.chr ? s->chr.chr->label : "none";
}

/* ---- interrupts ---- */

/*
 * Shows the interrupt lines what is pending; fresh bits make a message. The
 * guest chooses its address: aimed at DOORBELL, it may complete a request that
 * makes a message again. That one is left out; releases before 8.1 have no
 * guard of their own against going round without end.
 */
static void vgpu_irq_update(VGPUStub *s, uint32_t fresh)
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

static void vgpu_irq_raise(VGPUStub *s, uint32_t bits)
{
    s->regs.irq_status |= bits;
    vgpu_irq_update(s, bits);
}

/* ---- sending ---- */

static void vgpu_out_reset(VGPUStub *s)
{
    s->out_len = 0;
    if (s->out_watch) {
        g_source_remove(s->out_watch);
        s->out_watch = 0;
    }
}

static void vgpu_out_flush(VGPUStub *s);

static gboolean vgpu_out_ready(VGPUWatchSource *source, GIOCondition cond,
                               void *opaque)
{
    VGPUStub *s = opaque;

    s->out_watch = 0;
    vgpu_out_flush(s);
    return G_SOURCE_REMOVE;
}

static void vgpu_out_flush(VGPUStub *s)
{
    while (s->out_len > 0 && !s->out_watch) {
        int sent = qemu_chr_fe_write(&s->chr, s->out, s->out_len);

        if (s->link == VGPU_LINK_CLOSED) {
            return;
        }
        if (sent > 0) {
            s->out_len -= sent;
            memmove(s->out, s->out + sent, s->out_len);
            continue;
        }
        trace_vgpu_stub_out_waits(s->out_len);
        s->out_watch = qemu_chr_fe_add_watch(&s->chr, G_IO_OUT | G_IO_HUP,
                                             vgpu_out_ready, s);
        if (!s->out_watch) {
            return; /* a broken connection: its CLOSED event follows */
        }
    }
}

/*
 * Queues one frame and sends what the peer takes at once. After it, the link
 * may be closed.
 */
static void vgpu_send(VGPUStub *s, uint8_t type, uint32_t vm_id,
                      uint32_t request_id, uint64_t sequence,
                      const uint8_t *payload, uint32_t len)
{
    struct vgpu_frame_header h = {
        .vm_id = vm_id,
        .request_id = request_id,
        .length = len,
        .pool_id = s->config.pool_id,
        .priority = s->config.priority,
        .type = type,
        .sequence = sequence,
    };

    g_assert(VGPU_OUT_LEN - s->out_len >= VGPU_FRAME_HEADER_LEN + len);
    trace_vgpu_stub_frame_out(type, sequence, len);
    vgpu_frame_put_header(s->out + s->out_len, &h);
    s->out_len += VGPU_FRAME_HEADER_LEN;
    if (len) {
        memcpy(s->out + s->out_len, payload, len);
        s->out_len += len;
    }
    vgpu_out_flush(s);
}

/* A request takes the room of its CANCEL too, so that one always fits. */
static bool vgpu_out_has_room(const VGPUStub *s, uint32_t request_len)
{
    return VGPU_OUT_LEN - s->out_len >= 2 * VGPU_FRAME_HEADER_LEN + request_len;
}

static void vgpu_send_cancel(VGPUStub *s)
{
    trace_vgpu_stub_cancel(s->sequence);
    if (s->link == VGPU_LINK_UP) {
        vgpu_send(s, VGPU_FRAME_CANCEL, s->config.vm_id, s->in_flight_id,
                  s->sequence, NULL, 0);
    }
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
    vgpu_irq_raise(s, VGPU_IRQ_COMPLETION);
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
    if (s->link != VGPU_LINK_UP) {
        vgpu_fail(s, VGPU_ERR_NO_BACKEND);
        return;
    }
    if (!vgpu_out_has_room(s, r->request_len)) {
        vgpu_fail(s, VGPU_ERR_QUEUE_FULL);
        return;
    }

    s->in_flight_id = r->request_id ? r->request_id : ++s->request_count;
    s->sequence++;
    r->status = VGPU_STATUS_BUSY;
    timer_mod(s->timer,
              qemu_clock_get_ms(QEMU_CLOCK_REALTIME) + s->timeout_ms);
    trace_vgpu_stub_submit(s->in_flight_id, s->sequence, r->request_len);
    vgpu_send(s, VGPU_FRAME_REQUEST, s->config.vm_id, s->in_flight_id,
              s->sequence, r->request, r->request_len);
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

    trace_vgpu_stub_timeout(s->sequence, s->timeout_ms);
    vgpu_send_cancel(s);
    if (vgpu_busy(s)) { /* else the peer was found gone, which ended it */
        vgpu_fail(s, VGPU_ERR_TIMEOUT);
    }
}

static void vgpu_doorbell(VGPUStub *s, uint32_t value)
{
    if (value != VGPU_DOORBELL_SUBMIT && value != VGPU_DOORBELL_ACK) {
        qemu_log_mask(LOG_GUEST_ERROR,
                      "vgpu-stub: %u written to DOORBELL, which knows 0 and 1\n",
                      value);
    } else if (vgpu_busy(s)) {
        s->doorbells_busy++;
        trace_vgpu_stub_doorbell_busy(s->doorbells_busy);
        qemu_log_mask(LOG_GUEST_ERROR, "vgpu-stub: DOORBELL while BUSY\n");
    } else if (value == VGPU_DOORBELL_SUBMIT) {
        vgpu_submit(s);
    } else {
        s->regs.status = VGPU_STATUS_IDLE;
    }
}

/* ---- the link ---- */

static void vgpu_link_set(VGPUStub *s, VGPULink link)
{
    trace_vgpu_stub_link(vgpu_link_names[s->link], vgpu_link_names[link]);
    s->link = link;
}

static void vgpu_link_closed(VGPUStub *s)
{
    bool was_up = s->link == VGPU_LINK_UP;

    vgpu_link_set(s, VGPU_LINK_CLOSED);
    vgpu_frame_reset(&s->parser);
    vgpu_out_reset(s);
    if (vgpu_busy(s)) {
        vgpu_fail(s, VGPU_ERR_BACKEND_LOST);
    }
    if (was_up) {
        vgpu_irq_raise(s, VGPU_IRQ_LINK);
    }
}

static void vgpu_link_opened(VGPUStub *s)
{
    uint8_t hello[VGPU_HELLO_LEN] = { 0 };

    if (s->link != VGPU_LINK_CLOSED) {
        vgpu_link_closed(s);
    }
    vgpu_link_set(s, VGPU_LINK_OPENED);
    vgpu_put_le32(hello, VGPU_LINK_VERSION);
    vgpu_put_le32(hello + 4, VGPU_LINK_VERSION);
    vgpu_send(s, VGPU_FRAME_HELLO, s->vm_id, 0, 0, hello, sizeof(hello));
}

/* Drops a peer that cannot be trusted; the chardev may connect again. */
static void vgpu_protocol_error(VGPUStub *s, const char *what)
{
    int64_t now_ms = qemu_clock_get_ms(QEMU_CLOCK_REALTIME);

    if (now_ms - s->complaint_ms >= VGPU_COMPLAINT_INTERVAL_MS) {
        s->complaint_ms = now_ms;
        warn_report("vgpu-stub: chardev %s: the peer does not speak vgpud's "
                    "protocol: %s; disconnecting", vgpu_label(s), what);
    }
    qemu_chr_fe_disconnect(&s->chr);
    if (s->link != VGPU_LINK_CLOSED) {
        vgpu_link_closed(s); /* not every chardev reports that it closes */
    }
}

static void vgpu_refused(VGPUStub *s, uint32_t status, const char *why)
{
    vgpu_link_set(s, VGPU_LINK_REFUSED);
    if (status != s->refused_status) {
        s->refused_status = status;
        warn_report("vgpu-stub: chardev %s: vgpud refuses this VM (vm_id %u): "
                    "%s", vgpu_label(s), s->vm_id, why);
    }
}

static void vgpu_take_hello(VGPUStub *s, const uint8_t *payload)
{
    uint32_t version_min = vgpu_get_le32(payload);
    uint32_t version_max = vgpu_get_le32(payload + 4);
    uint32_t status = vgpu_get_le32(payload + 8);

    if (s->link != VGPU_LINK_OPENED) {
        vgpu_protocol_error(s, "a second HELLO");
    } else if (status >= VGPU_ERROR_NUM) {
        vgpu_protocol_error(s, "a HELLO with a status that does not exist");
    } else if (status != VGPU_ERR_OK) {
        vgpu_refused(s, status, vgpu_error_texts[status]);
    } else if (version_min > VGPU_LINK_VERSION ||
               version_max < VGPU_LINK_VERSION) {
        vgpu_refused(s, VGPU_ERR_BAD_VERSION,
                     "it speaks another version of the link; update QEMU's "
                     "device or vgpud");
    } else {
        vgpu_link_set(s, VGPU_LINK_GREETED);
    }
}

static bool vgpu_config_ok(const VGPUConfig *c)
{
    return c->pool_id >= 'A' && c->pool_id <= 'Z' &&
           c->priority < VGPU_PRIORITY_NUM;
}

static bool vgpu_config_equal(const VGPUConfig *a, const VGPUConfig *b)
{
    return a->vm_id == b->vm_id && a->pool_id == b->pool_id &&
           a->priority == b->priority;
}

static void vgpu_take_config(VGPUStub *s, const uint8_t *payload)
{
    VGPUConfig config = {
        .vm_id = vgpu_get_le32(payload),
        .pool_id = vgpu_get_le32(payload + 4),
        .priority = vgpu_get_le32(payload + 8),
    };
    uint32_t irq = 0;

    if (s->link != VGPU_LINK_GREETED && s->link != VGPU_LINK_UP) {
        vgpu_protocol_error(s, "a CONFIG before an accepting HELLO");
        return;
    }
    if (!vgpu_config_ok(&config)) {
        vgpu_protocol_error(s, "a CONFIG with a bad pool or priority");
        return;
    }
    trace_vgpu_stub_config(config.vm_id, config.pool_id, config.priority);
    if (!vgpu_config_equal(&config, &s->config)) {
        s->config = config;
        irq |= VGPU_IRQ_CONFIG;
    }
    if (s->link == VGPU_LINK_GREETED) {
        vgpu_link_set(s, VGPU_LINK_UP);
        s->refused_status = VGPU_ERR_OK;
        irq |= VGPU_IRQ_LINK;
    }
    if (irq) {
        vgpu_irq_raise(s, irq);
    }
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

static void vgpu_take_response(VGPUStub *s, uint64_t sequence,
                               const uint8_t *message, uint32_t len)
{
    if (s->link != VGPU_LINK_UP) {
        vgpu_protocol_error(s, "a RESPONSE before CONFIG");
    } else if (sequence > s->sequence) {
        vgpu_protocol_error(s, "a RESPONSE to a request never sent");
    } else if (!vgpu_response_ok(message, len)) {
        vgpu_protocol_error(s, "a RESPONSE whose fields disagree");
    } else if (sequence < s->sequence || !vgpu_busy(s)) {
        trace_vgpu_stub_late_answer(sequence, s->sequence);
    } else {
        vgpu_complete(s, vgpu_get_le32(message + 4), message, len);
    }
}

static void vgpu_take_frame(VGPUStub *s)
{
    struct vgpu_frame_header h;
    const uint8_t *payload = vgpu_frame_take(&s->parser, &h);

    trace_vgpu_stub_frame_in(h.type, h.sequence, h.length);
    switch (h.type) {
    case VGPU_FRAME_HELLO:
        vgpu_take_hello(s, payload);
        break;
    case VGPU_FRAME_CONFIG:
        vgpu_take_config(s, payload);
        break;
    case VGPU_FRAME_RESPONSE:
        vgpu_take_response(s, h.sequence, payload, h.length);
        break;
    default:
        vgpu_protocol_error(s, "a frame that only the device sends");
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

static void vgpu_chr_read(void *opaque, const uint8_t *bytes, int len)
{
    VGPUStub *s = opaque;

    while (len > 0 && s->link != VGPU_LINK_CLOSED) {
        uint32_t used;

        switch (vgpu_frame_feed(&s->parser, bytes, len, &used)) {
        case VGPU_FRAME_BAD:
            vgpu_protocol_error(s, "a malformed frame");
            return;
        case VGPU_FRAME_READY:
            vgpu_take_frame(s);
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
    VGPUStub *s = opaque;

    if (event == CHR_EVENT_OPENED) {
        vgpu_link_opened(s);
    } else if (event == CHR_EVENT_CLOSED && s->link != VGPU_LINK_CLOSED) {
        vgpu_link_closed(s);
    }
}

/* ---- BAR0 ---- */

static uint32_t vgpu_capabilities(const VGPUStub *s)
{
    return VGPU_CAP_INTERRUPT | VGPU_CAP_CRC32C | VGPU_CAP_LIVE_CONFIG |
           (s->link == VGPU_LINK_UP ? VGPU_CAP_LINK_UP : 0);
}

static uint32_t vgpu_reg_read(VGPUStub *s, hwaddr addr)
{
    VGPURegs *r = &s->regs;

    switch (addr) {
    case VGPU_REG_STATUS:
        return r->status;
    case VGPU_REG_POOL_ID:
        return s->config.pool_id;
    case VGPU_REG_PRIORITY:
        return s->config.priority;
    case VGPU_REG_VM_ID:
        return s->config.vm_id;
    case VGPU_REG_ERROR_CODE:
        return r->error_code;
    case VGPU_REG_REQUEST_LEN:
        return r->request_len;
    case VGPU_REG_RESPONSE_LEN:
        return r->response_len;
    case VGPU_REG_PROTOCOL_VER:
        return VGPU_PROTOCOL_VERSION;
    case VGPU_REG_CAPABILITIES:
        return vgpu_capabilities(s);
    case VGPU_REG_INTERRUPT_CTRL:
        return r->irq_ctrl;
    case VGPU_REG_INTERRUPT_STATUS:
        return r->irq_status;
    case VGPU_REG_REQUEST_ID:
        return r->request_id;
    case VGPU_REG_TIMESTAMP_LO:
        r->timestamp_hi = r->timestamp_ns >> 32;
        return r->timestamp_ns;
    case VGPU_REG_TIMESTAMP_HI:
        return r->timestamp_hi;
    case VGPU_REG_SCRATCH:
        return r->scratch;
    default:
        return 0; /* DOORBELL */
    }
}

static void vgpu_irq_enable(VGPUStub *s, uint32_t value)
{
    uint32_t before = s->regs.irq_ctrl;

    s->regs.irq_ctrl = value & VGPU_IRQ_MASK;
    vgpu_irq_update(s, s->regs.irq_status & ~before);
}

static void vgpu_reg_write(VGPUStub *s, hwaddr addr, uint32_t value)
{
    VGPURegs *r = &s->regs;

    switch (addr) {
    case VGPU_REG_DOORBELL:
        vgpu_doorbell(s, value);
        break;
    case VGPU_REG_REQUEST_LEN:
        r->request_len = value;
        break;
    case VGPU_REG_INTERRUPT_CTRL:
        vgpu_irq_enable(s, value);
        break;
    case VGPU_REG_INTERRUPT_STATUS:
        r->irq_status &= ~value;
        vgpu_irq_update(s, 0);
        break;
    case VGPU_REG_REQUEST_ID:
        r->request_id = value;
        break;
    case VGPU_REG_SCRATCH:
        r->scratch = value;
        break;
    default:
        qemu_log_mask(LOG_GUEST_ERROR,
                      "vgpu-stub: write to read-only register 0x%03x\n",
                      (unsigned)addr);
        break;
    }
}

static bool vgpu_within(hwaddr addr, unsigned size, hwaddr buffer)
{
    return addr >= buffer && addr + size <= buffer + VGPU_BUF_LEN;
}

static bool vgpu_is_reg(hwaddr addr, unsigned size)
{
    return addr < VGPU_REGS_LEN && size == 4 && addr % 4 == 0;
}

static uint64_t vgpu_mmio_read(void *opaque, hwaddr addr, unsigned size)
{
    VGPUStub *s = opaque;

    if (vgpu_is_reg(addr, size)) {
        return vgpu_reg_read(s, addr);
    }
    if (vgpu_within(addr, size, VGPU_REQUEST_BUF)) {
        return ldn_le_p(s->regs.request + addr - VGPU_REQUEST_BUF, size);
    }
    if (vgpu_within(addr, size, VGPU_RESPONSE_BUF)) {
        return ldn_le_p(s->regs.response + addr - VGPU_RESPONSE_BUF, size);
    }
    if (addr < VGPU_RESERVED) {
        qemu_log_mask(LOG_GUEST_ERROR,
                      "vgpu-stub: bad read of %u bytes at 0x%03x\n",
                      size, (unsigned)addr);
    }
    return 0;
}

static void vgpu_mmio_write(void *opaque, hwaddr addr, uint64_t value,
                            unsigned size)
{
    VGPUStub *s = opaque;

    if (vgpu_is_reg(addr, size)) {
        vgpu_reg_write(s, addr, value);
    } else if (vgpu_within(addr, size, VGPU_REQUEST_BUF) && !vgpu_busy(s)) {
        stn_le_p(s->regs.request + addr - VGPU_REQUEST_BUF, size, value);
    } else {
        qemu_log_mask(LOG_GUEST_ERROR,
                      "vgpu-stub: bad write of %u bytes at 0x%03x%s\n", size,
                      (unsigned)addr, vgpu_busy(s) ? " while BUSY" : "");
    }
}

/* Every access comes here, so that a wrong one is reported and reads 0. */
static const MemoryRegionOps vgpu_mmio_ops = {
    .read = vgpu_mmio_read,
    .write = vgpu_mmio_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 1, .max_access_size = 8, .unaligned = true },
    .impl = { .min_access_size = 1, .max_access_size = 8, .unaligned = true },
};

/* A guest that turns MSI off gets back the level of what is pending. */
static void vgpu_config_write(PCIDevice *pdev, uint32_t addr, uint32_t value,
                              int len)
{
    pci_default_write_config(pdev, addr, value, len);
    vgpu_irq_update(VGPU_STUB(pdev), 0);
}

/* ---- reset and migration ---- */

/* Leaves a request that is in flight without an end for the guest. */
static void vgpu_abandon(VGPUStub *s)
{
    if (vgpu_busy(s)) {
        timer_del(s->timer);
        s->regs.status = VGPU_STATUS_IDLE;
        vgpu_send_cancel(s);
    }
}

static void vgpu_reset(DeviceState *dev)
{
    VGPUStub *s = VGPU_STUB(dev);

    trace_vgpu_stub_reset(vgpu_busy(s));
    vgpu_abandon(s);
    memset(&s->regs, 0, sizeof(s->regs));
    vgpu_irq_update(s, 0);
}

static int vgpu_pre_save(void *opaque)
{
    VGPUStub *s = opaque;

    s->saved.config = s->config;
    s->saved.link_up = s->link == VGPU_LINK_UP;
    s->saved.request_count = s->request_count;
    s->saved.sequence = s->sequence;
    return 0;
}

/* A snapshot may be loaded into a device that is at work. */
static int vgpu_pre_load(void *opaque)
{
    vgpu_abandon(opaque);
    return 0;
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
    if (r->irq_ctrl & ~VGPU_IRQ_MASK) {
        return "irq_ctrl";
    }
    if (r->irq_status & ~VGPU_IRQ_MASK) {
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
    if (!vgpu_config_ok(&s->saved.config)) {
        return "pool_id or priority";
    }
    if (s->saved.sequence > INT64_MAX) {
        return "sequence";
    }
    return NULL;
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
    bool link_up = s->link == VGPU_LINK_UP;

    if (bad) {
        error_report("vgpu-stub: the saved state is not valid: %s", bad);
        memset(&s->regs, 0, sizeof(s->regs));
        return -EINVAL;
    }
    s->irq_owed = 0;
    s->request_count = MAX(s->request_count, s->saved.request_count);
    s->sequence = MAX(s->sequence, s->saved.sequence);
    if (!link_up) {
        s->config = s->saved.config;
    } else if (!vgpu_config_equal(&s->config, &s->saved.config)) {
        s->irq_owed |= VGPU_IRQ_CONFIG;
    }
    if (link_up != s->saved.link_up) {
        s->irq_owed |= VGPU_IRQ_LINK;
    }
    if (vgpu_busy(s)) {
        s->regs.error_code = VGPU_ERR_BACKEND_LOST;
        s->regs.timestamp_ns = qemu_clock_get_ns(QEMU_CLOCK_HOST);
        s->regs.status = VGPU_STATUS_ERROR;
        s->irq_owed |= VGPU_IRQ_COMPLETION;
    }
    s->regs.irq_status |= s->irq_owed;
    s->irq_owed = s->regs.irq_status;
    return 0;
}

static void vgpu_run_state(void *opaque, VGPURunning running, RunState state)
{
    VGPUStub *s = opaque;

    if (running && s->irq_owed) {
        vgpu_irq_update(s, s->irq_owed);
        s->irq_owed = 0;
    }
}

static const VMStateDescription vgpu_vmstate = {
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
};

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
    s->config.vm_id = s->vm_id;
    s->config.pool_id = *pool;
    s->config.priority = vgpu_parse_priority(priority);
    if (s->config.priority == VGPU_PRIORITY_NUM) {
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
    pci_config_set_interrupt_pin(pdev->config, 1);
    /* QEMU checks it in a saved state only if told to, and asserts it later. */
    pdev->cmask[PCI_INTERRUPT_PIN] = 0xff;
    ret = msi_init(pdev, 0, 1, true, false, NULL);
    if (ret < 0 && ret != -ENOTSUP) { /* a board without MSI has INTx */
        error_setg_errno(errp, -ret, "cannot add the MSI capability");
        return;
    }
    memory_region_init_io(&s->mmio, OBJECT(s), &vgpu_mmio_ops, s,
                          TYPE_VGPU_STUB, VGPU_BAR0_LEN);
    pci_register_bar(pdev, 0, PCI_BASE_ADDRESS_SPACE_MEMORY, &s->mmio);
    s->timer = timer_new_ms(QEMU_CLOCK_REALTIME, vgpu_timed_out, s);
    s->run_state_entry = qemu_add_vm_change_state_handler(vgpu_run_state, s);
    qemu_chr_fe_set_handlers(&s->chr, vgpu_chr_can_read, vgpu_chr_read,
                             vgpu_chr_event, NULL, s, NULL, true);
}

/* Hangs up, so that vgpud sees that the device is gone. */
static void vgpu_exit(PCIDevice *pdev)
{
    VGPUStub *s = VGPU_STUB(pdev);

    qemu_chr_fe_set_handlers(&s->chr, NULL, NULL, NULL, NULL, NULL, NULL,
                             true);
    if (s->link != VGPU_LINK_CLOSED) {
        qemu_chr_fe_disconnect(&s->chr);
    }
    s->link = VGPU_LINK_CLOSED;
    vgpu_out_reset(s);
    qemu_chr_fe_deinit(&s->chr, false);
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
    DEFINE_PROP_CHR("chardev", VGPUStub, chr),
    DEFINE_PROP_UINT32("vm_id", VGPUStub, vm_id, 0),
    DEFINE_PROP_STRING("pool_id", VGPUStub, pool_id),
    DEFINE_PROP_STRING("priority", VGPUStub, priority),
    DEFINE_PROP_UINT32("timeout_ms", VGPUStub, timeout_ms, 30000)
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
    dc->vmsd = &vgpu_vmstate;
    device_class_set_legacy_reset(dc, vgpu_reset);
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

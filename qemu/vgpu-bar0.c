/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vgpu-bar0.c - the guest's registers and the buffers of its requests
 */

#include "qemu/osdep.h"
#include "qemu/log.h"
#include "vgpu-bar0.h"
#include "vgpu-window.h"

static uint32_t vgpu_capabilities(const VGPUStub *s)
{
    return VGPU_CAP_INTERRUPT | VGPU_CAP_CRC32C | VGPU_CAP_LIVE_CONFIG |
           (vgpu_window_exists(s) ? VGPU_CAP_WINDOW : 0) |
           (vgpu_link_is_up(&s->link) ? VGPU_CAP_LINK_UP : 0);
}

static uint32_t vgpu_reg_read(VGPUStub *s, hwaddr addr)
{
    VGPURegs *r = &s->regs;

    switch (addr) {
    case VGPU_REG_STATUS:
        return r->status;
    case VGPU_REG_POOL_ID:
        return s->link.config.pool_id;
    case VGPU_REG_PRIORITY:
        return s->link.config.priority;
    case VGPU_REG_VM_ID:
        return s->link.config.vm_id;
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

    s->regs.irq_ctrl = value & vgpu_window_irq_mask(s);
    vgpu_stub_irq_update(s, s->regs.irq_status & ~before);
}

static void vgpu_reg_write(VGPUStub *s, hwaddr addr, uint32_t value)
{
    VGPURegs *r = &s->regs;

    switch (addr) {
    case VGPU_REG_DOORBELL:
        vgpu_stub_doorbell(s, value);
        break;
    case VGPU_REG_REQUEST_LEN:
        r->request_len = value;
        break;
    case VGPU_REG_INTERRUPT_CTRL:
        vgpu_irq_enable(s, value);
        break;
    case VGPU_REG_INTERRUPT_STATUS:
        r->irq_status &= ~value;
        vgpu_stub_irq_update(s, 0);
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

/* Whether it is one of the registers that only a device with a window has. */
static bool vgpu_is_window_reg(const VGPUStub *s, hwaddr addr, unsigned size)
{
    return vgpu_window_exists(s) && addr >= VGPU_WINDOW_REGS &&
           addr < VGPU_RESERVED && size == 4 && addr % 4 == 0;
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
    if (vgpu_is_window_reg(s, addr, size)) {
        return vgpu_window_reg_read(s, addr);
    }
    if (addr < (vgpu_window_exists(s) ? VGPU_RESERVED : VGPU_WINDOW_REGS)) {
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
    } else if (vgpu_within(addr, size, VGPU_REQUEST_BUF) &&
               !vgpu_stub_busy(s)) {
        stn_le_p(s->regs.request + addr - VGPU_REQUEST_BUF, size, value);
    } else if (vgpu_is_window_reg(s, addr, size)) {
        vgpu_window_reg_write(s, addr, value);
    } else {
        qemu_log_mask(LOG_GUEST_ERROR,
                      "vgpu-stub: bad write of %u bytes at 0x%03x%s\n", size,
                      (unsigned)addr, vgpu_stub_busy(s) ? " while BUSY" : "");
    }
}

/* Every access comes here, so that a wrong one is reported and reads 0. */
const MemoryRegionOps vgpu_bar0_ops = {
    .read = vgpu_mmio_read,
    .write = vgpu_mmio_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 1, .max_access_size = 8, .unaligned = true },
    .impl = { .min_access_size = 1, .max_access_size = 8, .unaligned = true },
};

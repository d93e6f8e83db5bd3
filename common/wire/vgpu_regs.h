/* SPDX-License-Identifier: MIT */
/* vgpu_regs.h - the guest's view of the vgpu-stub PCI device: ids, BAR0 layout, register values */

#ifndef VGPU_REGS_H
#define VGPU_REGS_H

#include <stdint.h>

#define VGPU_PCI_VENDOR_ID 0x1234
#define VGPU_PCI_DEVICE_ID 0x7667
#define VGPU_PCI_CLASS_ID 0x1200 /* processing accelerator, programming interface 0 */
#define VGPU_PCI_REVISION 0x01

#define VGPU_BAR0_LEN 0x1000u /* bytes */

/*
 * The sixteen registers, one home: X(offset, NAME, access, what it is). Each is 32 bits wide,
 * little endian, and takes aligned 4-byte accesses only.
 */
#define VGPU_REG_TABLE(X)                                                                  \
	X(0x000, DOORBELL, "RW", "write 1: submit, write 0: acknowledge; reads 0")         \
	X(0x004, STATUS, "RO", "0 idle, 1 busy, 2 done, 3 error")                          \
	X(0x008, POOL_ID, "RO", "pool of this VM, an ASCII letter")                        \
	X(0x00c, PRIORITY, "RO", "0 low, 1 medium, 2 high")                                \
	X(0x010, VM_ID, "RO", "number of this VM")                                         \
	X(0x014, ERROR_CODE, "RO", "why STATUS is error")                                  \
	X(0x018, REQUEST_LEN, "RW", "bytes of the request, 1 to 1024")                     \
	X(0x01c, RESPONSE_LEN, "RO", "bytes of the response")                              \
	X(0x020, PROTOCOL_VER, "RO", "version of this interface")                          \
	X(0x024, CAPABILITIES, "RO", "what the device can do, and whether its link is up") \
	X(0x028, INTERRUPT_CTRL, "RW", "interrupt sources enabled")                        \
	X(0x02c, INTERRUPT_STATUS, "RW1C", "interrupt sources pending")                    \
	X(0x030, REQUEST_ID, "RW",                                                         \
	  "the guest's number for its request; left 0, the device counts")                 \
	X(0x034, TIMESTAMP_LO, "RO", "completion, ns since the Unix epoch, low half")      \
	X(0x038, TIMESTAMP_HI, "RO", "high half, latched when the low half is read")       \
	X(0x03c, SCRATCH, "RW", "free for the guest's use")

#define VGPU_REG_ENUM(offset, name, access, text) VGPU_REG_##name = offset,
enum vgpu_reg { VGPU_REG_TABLE(VGPU_REG_ENUM) };
#undef VGPU_REG_ENUM
#define VGPU_REG_NUM 16
#define VGPU_REGS_LEN 0x40u /* bytes */

#define VGPU_REQUEST_BUF 0x040u	 /* 1024 bytes, RW, takes accesses of 1 to 8 bytes */
#define VGPU_RESPONSE_BUF 0x440u /* 1024 bytes, RO, takes 1 to 8 bytes; 0 past RESPONSE_LEN */
#define VGPU_BUF_LEN 1024u	 /* bytes of each buffer */

/*
 * From here on: reads 0, writes ignored, unless CAPABILITIES has VGPU_CAP_WINDOW. With it the registers
 * for programs of the guest come, and the rest is reserved from VGPU_RESERVED on.
 */
#define VGPU_WINDOW_REGS 0x840u
#define VGPU_RESERVED 0xcc0u

/* The registers for programs, one home: X(offset, NAME, access, what it is), of the same form. */
#define VGPU_WINDOW_REG_TABLE(X)                                                             \
	X(0x840, WINDOW_MAGIC, "RO", "VGPU_WINDOW_MAGIC")                                    \
	X(0x844, WINDOW_VERSION, "RO", "version of these registers and of channels")         \
	X(0x848, GENERATION, "RO", "counts up when the host's side of all channels is lost") \
	X(0x84c, WINDOW_STATUS, "RO", "whether channels can be opened, or why not")          \
	X(0x850, WINDOW_SIZE_LO, "RO", "bytes of BAR2, low half")                            \
	X(0x854, WINDOW_SIZE_HI, "RO", "high half")                                          \
	X(0x858, CHANNELS, "RO", "how many channels there are")                              \
	X(0x860, CHANNEL_EVENTS_LO, "RW1C", "channels 0 to 31 whose programs to wake")       \
	X(0x864, CHANNEL_EVENTS_HI, "RW1C", "channels 32 on")

#define VGPU_REG_ENUM(offset, name, access, text) VGPU_REG_##name = offset,
enum vgpu_window_reg { VGPU_WINDOW_REG_TABLE(VGPU_REG_ENUM) };
#undef VGPU_REG_ENUM

/* The registers of channel n. */
#define VGPU_CHANNELS 48u	 /* of a device */
#define VGPU_CHANNEL_REGS 0x900u /* four registers for each channel */
#define VGPU_CHANNEL_REGS_END 0xc00u
#define VGPU_CHANNEL_BASE(n) (0x900u + 16u * (n)) /* RW while closed: its control page, in pages */
#define VGPU_CHANNEL_CTRL(n) (0x904u + 16u * (n)) /* WO: 1 open, 0 close */
#define VGPU_CHANNEL_STATUS(n) (0x908u + 16u * (n)) /* RO: enum vgpu_channel_state (vgpu_proto.h) */
#define VGPU_CHANNEL_ERROR(n) (0x90cu + 16u * (n))  /* RO: enum vgpu_end (vgpu_ends.h) */
#define VGPU_KICKS 0xc00u
#define VGPU_KICK(n) (0xc00u + 4u * (n)) /* WO, any value: the worker sleeps, commands are there */

#define VGPU_CHANNEL_CTRL_CLOSE 0u
#define VGPU_CHANNEL_CTRL_OPEN 1u

/* WINDOW_STATUS */
#define VGPU_WINDOW_READY (1u << 0)
#define VGPU_WINDOW_END_SHIFT 8 /* bits 8 to 15: enum vgpu_end, why it is not ready */

/* The window itself, BAR2: what page 0 of it and the registers above say. */
#define VGPU_WINDOW_MAGIC 0x32555047u  /* "GPU2" */
#define VGPU_WINDOW_LAYOUT 0x00020000u /* of WINDOW_VERSION, and of what vgpu_channel.h describes */
#define VGPU_WINDOW_LEAST (16ull << 20) /* bytes; a size is a power of two */
#define VGPU_WINDOW_MOST (4ull << 30)	/* bytes */

/* DOORBELL */
#define VGPU_DOORBELL_ACK 0u
#define VGPU_DOORBELL_SUBMIT 1u

/* STATUS: X(value, NAME, "name") */
#define VGPU_STATUS_TABLE(X) \
	X(0, IDLE, "idle") X(1, BUSY, "busy") X(2, DONE, "done") X(3, ERROR, "error")
#define VGPU_STATUS_ENUM(value, name, text) VGPU_STATUS_##name = value,
enum vgpu_status { VGPU_STATUS_TABLE(VGPU_STATUS_ENUM) };
#undef VGPU_STATUS_ENUM

/* POOL_ID: an ASCII capital letter */
#define VGPU_POOL_A 0x41u
#define VGPU_POOL_B 0x42u

/* PRIORITY: X(value, NAME, "name") */
#define VGPU_PRIORITY_TABLE(X) X(0, LOW, "low") X(1, MEDIUM, "medium") X(2, HIGH, "high")
#define VGPU_PRIORITY_ENUM(value, name, text) VGPU_PRIORITY_##name = value,
enum vgpu_priority { VGPU_PRIORITY_TABLE(VGPU_PRIORITY_ENUM) VGPU_PRIORITY_NUM };
#undef VGPU_PRIORITY_ENUM

#define VGPU_PROTOCOL_VERSION 0x00010000u

/* CAPABILITIES; bits 17 to 23 are kept */
#define VGPU_CAP_INTERRUPT (1u << 0)
#define VGPU_CAP_CRC32C (1u << 1)
#define VGPU_CAP_LIVE_CONFIG (1u << 2)
#define VGPU_CAP_WINDOW (1u << 16) /* there is a window, and the registers from 0x840 on */
#define VGPU_CAP_LINK_UP (1u << 31)

/* INTERRUPT_CTRL and INTERRUPT_STATUS */
#define VGPU_IRQ_COMPLETION (1u << 0)
#define VGPU_IRQ_CONFIG (1u << 1)
#define VGPU_IRQ_LINK (1u << 2)
#define VGPU_IRQ_MASK 0x7u
#define VGPU_IRQ_CHANNEL (1u << 3) /* of a device with a window: CHANNEL_EVENTS */
#define VGPU_IRQ_MASK_WINDOW 0xfu

#endif

/* SPDX-License-Identifier: MIT */
/* vgpu_proto.h - what travels: request and response messages, and the frames between device and
 * daemon */

#ifndef VGPU_PROTO_H
#define VGPU_PROTO_H

#include <stdint.h>

/*
 * All fields are little endian. The structures below give names and offsets; code that runs on
 * bytes from outside goes through vgpu_get_le32() and its kin on a private copy.
 */

#define VGPU_MSG_VERSION 0x00010000u
#define VGPU_MSG_HEADER_LEN 32u /* bytes, of a request and of a response */
#define VGPU_MSG_MAX 1024u	/* bytes, header included */

/* A request: header, then param_count params of 4 bytes, then the data. */
struct vgpu_request_header {
	uint32_t version;     /* VGPU_MSG_VERSION */
	uint32_t opcode;      /* enum vgpu_opcode */
	uint32_t flags;	      /* VGPU_FLAG_* */
	uint32_t param_count; /* number of params */
	uint32_t data_offset; /* of the data; of the params (32) when there is no data */
	uint32_t data_length; /* bytes */
	uint32_t crc32c;      /* with VGPU_FLAG_CRC32C, else 0 */
	uint32_t reserved;    /* 0 */
};

/* A response: header, then result_count results of 4 bytes, then the data. */
struct vgpu_response_header {
	uint32_t version;
	uint32_t status; /* enum vgpu_error */
	uint32_t result_count;
	uint32_t data_offset; /* of the data; of the results (32) when there is no data */
	uint32_t data_length; /* bytes */
	uint32_t exec_time_us;
	uint32_t crc32c; /* when the request had one, else 0 */
	uint32_t reserved;
};

/* crc32c covers the whole message, taken with the field itself 0 (CRC-32C as in RFC 3720). */
#define VGPU_FLAG_CRC32C (1u << 0)
#define VGPU_FLAG_MASK VGPU_FLAG_CRC32C
#define VGPU_REQUEST_CRC_OFFSET 24u
#define VGPU_RESPONSE_CRC_OFFSET 24u

/*
 * The opcodes, one home: X(value, NAME, "name", params, data_unit, what it does).
 * params: how many it takes, exactly. data_unit: 0, it takes no data; else data_length is a
 * positive multiple of it. Opcodes from VGPU_OPCODE_TEST on make a fault happen, so that an
 * administrator can see how the host deals with it; it refuses them unless its configuration allows
 * them (test_opcodes).
 */
#define VGPU_OPCODE_TABLE(X)                                                               \
	X(0x0000, NOP, "nop", 0, 0, "nothing, through the whole path")                     \
	X(0x0001, CUDA_KERNEL, "add", 2, 0, "int32 sum of two params")                     \
	X(0x0002, VECTOR_ADD, "vector-add", 0, 8, "n int32 of a, n of b; answers n sums")  \
	X(0x0003, DEVICE_INFO, "info", 0, 0, "which executor answers, and on what device") \
	X(0xF001, TEST_FAULT, "test-fault", 0, 0, "a kernel that uses an illegal address") \
	X(0xF002, TEST_HANG, "test-hang", 0, 0, "a kernel that never ends")

#define VGPU_OPCODE_ENUM(value, name, text, params, data_unit, what) VGPU_OP_##name = value,
enum vgpu_opcode { VGPU_OPCODE_TABLE(VGPU_OPCODE_ENUM) };
#undef VGPU_OPCODE_ENUM
#define VGPU_OPCODE_NUM 6
#define VGPU_OPCODE_TEST 0xF000u

/* Results of DEVICE_INFO, in this order; its data is the device's name, UTF-8, no terminator. */
enum vgpu_info_result {
	VGPU_INFO_EXECUTOR, /* enum vgpu_executor */
	VGPU_INFO_CC_MAJOR, /* compute capability; 0 on a CPU */
	VGPU_INFO_CC_MINOR,
	VGPU_INFO_MEMORY_MIB,	   /* memory of the device */
	VGPU_INFO_MULTIPROCESSORS, /* of a GPU; online processors of a CPU */
	VGPU_INFO_DRIVER_VERSION,  /* CUDA's number, 13000 for 13.0; 0 on a CPU */
	VGPU_INFO_NUM
};

/* X(value, NAME, "name") */
#define VGPU_EXECUTOR_TABLE(X) X(0, NONE, "none") X(1, CPU, "cpu") X(2, CUDA, "cuda")
#define VGPU_EXECUTOR_ENUM(value, name, text) VGPU_EXECUTOR_##name = value,
enum vgpu_executor { VGPU_EXECUTOR_TABLE(VGPU_EXECUTOR_ENUM) };
#undef VGPU_EXECUTOR_ENUM

/* The error codes of ERROR_CODE and of a response's status, one home: X(value, NAME, in words). */
#define VGPU_ERROR_TABLE(X)                                                            \
	X(0, OK, "no error")                                                           \
	X(1, BAD_REQUEST, "the request is malformed")                                  \
	X(2, BAD_VERSION, "the request's version is not supported")                    \
	X(3, BAD_OPCODE, "the request's opcode is unknown")                            \
	X(4, BAD_LENGTH, "the request's length and its contents disagree")             \
	X(5, BAD_CRC, "the request's checksum is wrong")                               \
	X(6, NO_BACKEND, "the host's vgpud is not connected")                          \
	X(7, BACKEND_LOST, "the host's vgpud went away while the request was with it") \
	X(8, TIMEOUT, "the request passed its deadline")                               \
	X(9, QUEUE_FULL, "this VM has too many requests waiting")                      \
	X(10, PAUSED, "the administrator paused this VM")                              \
	X(11, DENIED, "the host does not allow it")                                    \
	X(12, CANCELLED, "the request was cancelled")                                  \
	X(13, GPU_FAULT, "the GPU or its worker failed while it ran the request")      \
	X(14, GPU_HUNG, "the request ran too long and was stopped")                    \
	X(15, NO_DEVICE, "the pool has no GPU that works")                             \
	X(16, LEDGER_FULL, "the host cannot record the request: its ledger is full")   \
	X(17, INTERNAL, "the host made an error of its own")

#define VGPU_ERROR_ENUM(value, name, text) VGPU_ERR_##name = value,
enum vgpu_error { VGPU_ERROR_TABLE(VGPU_ERROR_ENUM) };
#undef VGPU_ERROR_ENUM
#define VGPU_ERROR_NUM 18

/*
 * The link: frames on a stream socket between the device in QEMU and the daemon. A header of 24
 * bytes, then length bytes of payload.
 */
struct vgpu_frame_header {
	uint32_t vm_id;	     /* compared by the daemon, never believed; 0: not known yet */
	uint32_t request_id; /* the guest's number for the request */
	uint32_t length;     /* bytes of payload, at most VGPU_FRAME_PAYLOAD_MAX */
	uint8_t pool_id;
	uint8_t priority;
	uint8_t type;	   /* enum vgpu_frame_type */
	uint8_t flags;	   /* 0 */
	uint64_t sequence; /* private to device and daemon: never shown to the guest */
};

#define VGPU_FRAME_HEADER_LEN 24u
#define VGPU_FRAME_PAYLOAD_MAX 1024u
#define VGPU_FRAME_MAX (VGPU_FRAME_HEADER_LEN + VGPU_FRAME_PAYLOAD_MAX)

/*
 * X(value, NAME, "name", least payload, most payload, descriptors). The device opens with HELLO; the
 * daemon answers with HELLO, then CONFIG. A frame that comes before its time closes the connection.
 *
 * From WINDOW on: link version 2, for programs of the guest (vgpu_channel.h). A frame with descriptors
 * is sent by a call of its own, while nothing is unsent; the receiver closes the connection when one
 * is missing, or one too many came.
 */
#define VGPU_FRAME_TABLE(X)                                                                      \
	X(1, HELLO, "hello", 16, 1024, 0)	/* both ways: struct vgpu_hello */               \
	X(2, CONFIG, "config", 16, 1024, 0)	/* to the device: struct vgpu_config */          \
	X(3, REQUEST, "request", 1, 1024, 0)	/* to the daemon: a request message */           \
	X(4, RESPONSE, "response", 32, 1024, 0) /* to the device: a response, sequence echoed */ \
	X(5, CANCEL, "cancel", 0, 0, 0)		/* to the daemon: the guest no longer waits */   \
	X(6, WINDOW, "window", 16, 1024, 1)	/* to the daemon: struct vgpu_window_frame */    \
	X(7, WINDOW_STATUS, "window-status", 16, 1024, 0)    /* to the device */                 \
	X(8, CHANNEL_OPEN, "channel-open", 16, 1024, 2)	     /* to the daemon: kick, call */     \
	X(9, CHANNEL_CLOSE, "channel-close", 16, 1024, 0)    /* to the daemon */                 \
	X(10, CHANNEL_STATUS, "channel-status", 16, 1024, 0) /* to the device */                 \
	X(11, RUNSTATE, "runstate", 16, 1024, 0) /* to the daemon: the VM runs, or is stopped */

#define VGPU_FRAME_ENUM(value, name, text, least, most, fds) VGPU_FRAME_##name = value,
enum vgpu_frame_type { VGPU_FRAME_TABLE(VGPU_FRAME_ENUM) VGPU_FRAME_TYPE_NUM };
#undef VGPU_FRAME_ENUM

#define VGPU_FRAME_FDS_MAX 2u /* descriptors of one frame */

#define VGPU_LINK_VERSION 1u	      /* requests alone */
#define VGPU_LINK_VERSION_PROGRAMS 2u /* programs too: what this header describes */

/* Payload of HELLO. Later versions may append; a reader ignores what it does not know. */
struct vgpu_hello {
	uint32_t version_min; /* lowest link version the sender speaks */
	uint32_t version_max; /* highest */
	uint32_t status;      /* from the daemon: OK, or why it closes now (enum vgpu_error; to a
				 program also enum vgpu_end); from the device: 0 */
	uint32_t reserved;
};
#define VGPU_HELLO_LEN 16u

/* Payload of CONFIG: what the guest's registers show from now on. */
struct vgpu_config {
	uint32_t vm_id;
	uint32_t pool_id;
	uint32_t priority;
	uint32_t reserved;
};
#define VGPU_CONFIG_LEN 16u

/*
 * Payload of WINDOW; its descriptor is the window's memory. It comes before any channel is opened. A
 * device sends it again, with a new generation, after it was reset or its state was loaded, once all
 * its channels are closed: then the window's first pages must be filled in again.
 */
struct vgpu_window_frame {
	uint64_t size_bytes;
	uint32_t generation;
	uint32_t flags; /* VGPU_WINDOW_OF_PROGRAM */
};
#define VGPU_WINDOW_LEN 16u
/* The sender is a program that made the window for itself, not a VM's device. */
#define VGPU_WINDOW_OF_PROGRAM 1u

/* Payload of WINDOW_STATUS, which answers WINDOW and comes again when it changes. */
struct vgpu_window_status {
	uint32_t ready; /* 1: the window's first pages are filled in, and channels may be opened */
	uint32_t error; /* enum vgpu_end: why it is not ready */
	uint32_t reserved[2];
};
#define VGPU_WINDOW_STATUS_LEN 16u

/*
 * Payload of CHANNEL_OPEN, with two eventfds: the worker reads the first (kick), the program is woken
 * by the second (call). CHANNEL_CLOSE has the same, without descriptors; only the channel counts.
 * Each CHANNEL_CLOSE is answered by exactly one CHANNEL_STATUS that says closed, and a channel is opened
 * again only after that.
 */
struct vgpu_channel_open {
	uint32_t channel;      /* below VGPU_CHANNELS */
	uint32_t control_page; /* where the control page lies in the window, in pages */
	uint32_t reserved[2];
};
#define VGPU_CHANNEL_OPEN_LEN 16u

/* X(value, NAME, "name"): states of a channel. Closed: no byte of the window is written for it. */
#define VGPU_CHANNEL_STATE_TABLE(X) \
	X(0, CLOSED, "closed")      \
	X(1, OPENING, "opening") X(2, OPEN, "open") X(3, LOST, "lost") X(4, CLOSING, "closing")
#define VGPU_CHANNEL_STATE_ENUM(value, name, text) VGPU_CHANNEL_##name = value,
enum vgpu_channel_state { VGPU_CHANNEL_STATE_TABLE(VGPU_CHANNEL_STATE_ENUM) };
#undef VGPU_CHANNEL_STATE_ENUM

/* Payload of CHANNEL_STATUS. */
struct vgpu_channel_status {
	uint32_t channel;
	uint32_t state; /* enum vgpu_channel_state */
	uint32_t error; /* enum vgpu_end: why it was refused or lost */
	uint32_t reserved;
};
#define VGPU_CHANNEL_STATUS_LEN 16u

/* Payload of RUNSTATE. */
struct vgpu_runstate {
	uint32_t running; /* 1, or 0: the VM is paused or stopped */
	uint32_t reserved[3];
};
#define VGPU_RUNSTATE_LEN 16u

static inline uint32_t vgpu_get_le32(const void *at)
{
	const uint8_t *b = at;

	return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static inline uint64_t vgpu_get_le64(const void *at)
{
	const uint8_t *b = at;

	return (uint64_t)vgpu_get_le32(b) | (uint64_t)vgpu_get_le32(b + 4) << 32;
}

static inline void vgpu_put_le32(void *at, uint32_t value)
{
	uint8_t *b = at;

	b[0] = (uint8_t)value;
	b[1] = (uint8_t)(value >> 8);
	b[2] = (uint8_t)(value >> 16);
	b[3] = (uint8_t)(value >> 24);
}

static inline void vgpu_put_le64(void *at, uint64_t value)
{
	uint8_t *b = at;

	vgpu_put_le32(b, (uint32_t)value);
	vgpu_put_le32(b + 4, (uint32_t)(value >> 32));
}

#endif

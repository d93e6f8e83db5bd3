# SPDX-License-Identifier: GPL-2.0-or-later
# abi.py - the guest's registers, written down apart from the C header so that each checks the other
"""
Messages, frames and error codes are in tests/lib/proto.py; here they get short names. Imported first,
this puts tests/ on the path for the modules that come after it.
"""
import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib.proto import HEADER_LEN, VERSION, Err, Op, Priority, Type, pack_words  # noqa: E402
from lib.proto import request as _request  # noqa: E402

VENDOR_ID = 0x1234
DEVICE_ID = 0x7667
CLASS_ID = 0x1200
BAR0_LEN = 0x1000

# registers
DOORBELL = 0x000
STATUS = 0x004
POOL_ID = 0x008
PRIORITY = 0x00C
VM_ID = 0x010
ERROR_CODE = 0x014
REQUEST_LEN = 0x018
RESPONSE_LEN = 0x01C
PROTOCOL_VER = 0x020
CAPABILITIES = 0x024
INTERRUPT_CTRL = 0x028
INTERRUPT_STATUS = 0x02C
REQUEST_ID = 0x030
TIMESTAMP_LO = 0x034
TIMESTAMP_HI = 0x038
SCRATCH = 0x03C

REGISTERS = range(0x000, 0x040, 4)
READ_ONLY = (STATUS, POOL_ID, PRIORITY, VM_ID, ERROR_CODE, RESPONSE_LEN, PROTOCOL_VER, CAPABILITIES,
             TIMESTAMP_LO, TIMESTAMP_HI)
REQUEST_BUF = 0x040
RESPONSE_BUF = 0x440
BUF_LEN = 1024
RESERVED = 0x840

# of a device with a window
WINDOW_MAGIC = 0x840
WINDOW_VERSION = 0x844
GENERATION = 0x848
WINDOW_READY = 0x84C  # the register WINDOW_STATUS; that name is a frame's
WINDOW_SIZE_LO = 0x850
WINDOW_SIZE_HI = 0x854
CHANNELS = 0x858
EVENTS_LO = 0x860
EVENTS_HI = 0x864
CHANNEL_NUM = 48
WINDOW_RESERVED = 0xCC0


def channel_base(n):
    return 0x900 + 16 * n


def channel_ctrl(n):
    return 0x904 + 16 * n


def channel_status(n):
    return 0x908 + 16 * n


def channel_error(n):
    return 0x90C + 16 * n


def kick(n):
    return 0xC00 + 4 * n


CLOSE, OPEN = 0, 1
CLOSED, OPENING, OPENED, LOST, CLOSING = range(5)
(END_PROGRAMS_OFF, END_TOO_MANY, END_WINDOW_BAD, END_WORKER_NOT_STARTED, END_MIGRATING, END_BAD_COMMAND,
 END_WORKER_LOST, END_HOST_LOST, END_RESET, END_LINK_OLD) = 18, 19, 22, 26, 27, 31, 32, 33, 34, 35

SUBMIT, ACK = 1, 0
IDLE, BUSY, DONE, ERROR = range(4)
POOL_A, POOL_B = 0x41, 0x42
LOW, MEDIUM, HIGH = Priority

CAP_FIXED = 0x7  # interrupts, CRC32C, live config
CAP_WINDOW = 1 << 16
CAP_LINK_UP = 1 << 31

IRQ_COMPLETION, IRQ_CONFIG, IRQ_LINK, IRQ_CHANNEL = 1, 2, 4, 8

(OK, BAD_REQUEST, BAD_VERSION, BAD_OPCODE, BAD_LENGTH, BAD_CRC, NO_BACKEND, BACKEND_LOST, TIMEOUT,
 QUEUE_FULL, PAUSED, DENIED, CANCELLED, GPU_FAULT, GPU_HUNG, NO_DEVICE, LEDGER_FULL, INTERNAL) = Err

(HELLO, CONFIG, REQUEST, RESPONSE, CANCEL,
 WINDOW, WINDOW_STATUS, CHANNEL_OPEN, CHANNEL_CLOSE, CHANNEL_STATUS, RUNSTATE) = Type


def request(params=(100, 200)):
    """A good request message. The device looks into none, so it needs no bad ones."""
    return _request(Op.CUDA_KERNEL, params)


def response(results=(300,), data=b"", *, version=VERSION, status=OK, result_count=None,
             data_offset=None, data_length=None, exec_time_us=7):
    """A response message; each field of the header can be given a value of its own to make it malformed."""
    results = pack_words(results)
    if data_offset is None:
        data_offset = HEADER_LEN + (len(results) if data else 0)
    head = struct.pack("<8I", version, status, len(results) // 4 if result_count is None else result_count,
                       data_offset, len(data) if data_length is None else data_length, exec_time_us, 0, 0)
    return head + results + data

# SPDX-License-Identifier: GPL-2.0-or-later
# migstream.py - finds a device's fields in a saved QEMU stream, to put wrong values there
import dataclasses
import json
import struct

QEMU_VM_EOF, QEMU_VM_SECTION_FULL, QEMU_VM_SUBSECTION, QEMU_VM_DESCRIPTION = 0x00, 0x04, 0x05, 0x06


@dataclasses.dataclass
class Field:
    name: str
    at: int  # offset in the stream
    length: int  # bytes


def _description(stream):
    """The JSON text that ends the stream: a type byte, four of length, the text."""
    at = len(stream)
    while (at := stream.rfind(bytes([QEMU_VM_DESCRIPTION]), 0, at)) >= 0:
        if int.from_bytes(stream[at + 1:at + 5], "big") == len(stream) - at - 5:
            return json.loads(stream[at + 5:])
    raise AssertionError("the stream has no description")


def _walk(fields, prefix, at):
    for field in fields:
        name = prefix + field["name"] + (f"[{field['index']}]" if "index" in field else "")
        length = field["size"] * field.get("array_len", 1)
        if "struct" in field and "array_len" not in field:
            yield from _walk(field["struct"]["fields"], name + ".", at)
        else:
            yield Field(name, at, length)
        at += length


class Stream:
    def __init__(self, data, vmsd_name):
        self.data = data
        self.subsections = []
        device = next(d for d in _description(data)["devices"] if d["vmsd_name"] == vmsd_name)
        # section type and id, then the name with its length, instance and version
        name = device["name"].encode()
        head = bytes([len(name)]) + name + struct.pack(">2I", device["instance_id"], device["version"])
        at = data.find(head)
        if at < 5 or data[at - 5] != QEMU_VM_SECTION_FULL:
            raise AssertionError(f"no section of {vmsd_name}")
        self.section_at = at - 5
        self.start = at + len(head)
        self.version_at = self.start - 4
        self.fields = {f.name: f for f in _walk(device["fields"], "", self.start)}
        last = list(self.fields.values())[-1]
        self.end = last.at + last.length
        for part in device.get("subsections", ()):
            self.end = self._take_subsection(part, self.end)
        self.section_end = self.end + 5  # a footer: type and id again

    def _take_subsection(self, part, at):
        """Its fields go among the device's. Return: where it ends."""
        name = part["vmsd_name"].encode()
        head = bytes([QEMU_VM_SUBSECTION, len(name)]) + name + struct.pack(">I", part["version"])
        if self.data[at:at + len(head)] != head:
            raise AssertionError(f"no subsection {part['vmsd_name']}")
        self.subsections.append(part["vmsd_name"])
        for field in _walk(part["fields"], "", at + len(head)):
            self.fields[field.name] = field
            end = field.at + field.length
        return end

    def get(self, name):
        field = self.fields[name]
        return int.from_bytes(self.data[field.at:field.at + field.length], "big")

    def patched(self, **values):
        """A copy with other values in these fields; '__' in a name stands for '.'."""
        data = bytearray(self.data)
        for name, value in values.items():
            field = self.fields[name.replace("__", ".")]
            data[field.at:field.at + field.length] = value.to_bytes(field.length, "big")
        return bytes(data)

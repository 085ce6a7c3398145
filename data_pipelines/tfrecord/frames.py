"""How long the records of a shard say that they are, seen before TensorFlow asks for as much memory.

A record is its length (8 bytes), a sum of these, the record, a sum of that. TensorFlow's reader believes a length whose
sum is right, and ends the process where there is no memory for it.
"""

import struct

import tensorflow as tf

AT_ONCE = 1 << 22
HEAD, TAIL = 12, 4  # bytes before and behind each record


def find_impossible_record(path: str) -> str:
    """Returns what is said of the first record that is longer than its whole file, or "" where there is none.

    Damage to a length is not looked for: TensorFlow notices it by the sum, and says so.
    """
    size, at, number = tf.io.gfile.stat(path).length, 0, 0
    is_local = "://" not in path
    with open(path, "rb") if is_local else tf.io.gfile.GFile(path, "rb") as file:
        while at + HEAD <= size:
            head = file.read(HEAD)
            length, stated = struct.unpack("<QI", head)
            if stated != _mask(_sum_bytes(head[:8])):
                return ""
            if length > size:
                return f"record {number} says that it has {length:,} bytes, more than its file"
            at, number = at + HEAD + length + TAIL, number + 1
            if is_local:
                file.seek(at)
                continue
            left = length + TAIL
            while left and (block := file.read(min(left, AT_ONCE))):
                left -= len(block)
    return ""


def _make_table() -> list[int]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)  # noqa: PLW2901
        table.append(value)
    return table


_TABLE = _make_table()  # of CRC-32C


def _sum_bytes(content: bytes) -> int:
    value = 0xFFFFFFFF
    for byte in content:
        value = value >> 8 ^ _TABLE[(value ^ byte) & 0xFF]
    return value ^ 0xFFFFFFFF


def _mask(value: int) -> int:
    return ((value >> 15 | value << 17) + 0xA282EAD8) & 0xFFFFFFFF

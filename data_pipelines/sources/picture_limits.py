"""What a picture's file may cost beyond its pixels, told from its bytes before anything is decoded.

A limit of pixels alone leaves a file of some kilobytes that takes minutes: a JPEG is decoded once for every scan, the
headers of JPEG and PNG are read piece by piece in Python, and so are run lengths of BMP. What cameras and programs
write stays far below every limit: a progressive JPEG has about 10 scans, a PNG with pieces of 8 kB some thousands.

    scans of a JPEG         100     64 million pixels with as many empty ones take about 2 s
    segments of a JPEG      10 000  a depth map or a film behind the picture has some hundreds
    chunks of a PNG         100 000
    run-length BMP          8 million pixels, and as many bytes
"""

import re
import struct

MOST_SCANS = 100
MOST_SEGMENTS = 10_000
MOST_STRAY = 65_536  # bytes between segments before the first scan, which are read one by one
MOST_CHUNKS = 100_000
MOST_RUNS = 8_000_000

_MARKER = re.compile(rb"\xff+([\x01-\xfe])")
# Restarts are part of a scan.
_AFTER_SCAN = re.compile(rb"\xff+([\x01-\xcf\xd8-\xfe])")
_ALONE = {0x01, *range(0xD0, 0xD9)}  # markers that have no length: TEM, RST, SOI
_SCAN, _END = 0xDA, 0xD9
_PNG = b"\x89PNG\r\n\x1a\n"


def find_excess(data: bytes) -> str | None:
    """Returns what of a picture's file is more than is looked at, as the end of a sentence; None where nothing is."""
    if data[:2] == b"\xff\xd8":
        return _find_jpeg_excess(data)
    if data[:8] == _PNG:
        return _find_png_excess(data)
    if data[:2] == b"BM":
        return _find_bmp_excess(data)
    return None


def _find_jpeg_excess(data: bytes) -> str | None:
    scans = segments = stray = 0
    place = 2
    while marker := (_AFTER_SCAN if scans else _MARKER).search(data, place):
        if not scans:
            stray += marker.start(1) - 1 - place
        kind, place = marker[1][0], marker.end()
        if kind == _END:
            break
        segments += 1
        scans += kind == _SCAN
        if scans > MOST_SCANS:
            return f"has more than {MOST_SCANS} scans, usual are 10; save it again as a plain JPEG"
        if segments > MOST_SEGMENTS or stray > MOST_STRAY:
            return "has more in its header than any camera writes; save it again"
        if kind not in _ALONE:
            (length,) = struct.unpack(">H", data[place : place + 2].rjust(2, b"\0"))
            if length < 2:
                break
            place += length
    return None


def _find_png_excess(data: bytes) -> str | None:
    place, chunks = 8, 0
    while place + 8 <= len(data) and data[place + 4 : place + 8] != b"IEND":
        place += 12 + int.from_bytes(data[place : place + 4], "big")
        chunks += 1
        if chunks > MOST_CHUNKS:
            return f"is in more than {MOST_CHUNKS} pieces; save it again"
    return None


def _find_bmp_excess(data: bytes) -> str | None:
    if len(data) < 34:
        return None
    header, width, height, _, _, compression = struct.unpack("<IiiHHI", data[14:34])
    if header >= 40 and compression in (1, 2) and max(len(data), abs(width) * abs(height)) > MOST_RUNS:
        return f"is a BMP of run lengths with more than {MOST_RUNS} pixels or bytes; save it as PNG"
    return None

"""Text files whose last line is a comment with the digest of the others, by which damage is seen."""

import hashlib

MARK = "# SHA-256 of the lines above: "


def seal_text(text: str) -> str:
    """Returns lines, the last of which ends, with their digest as one more."""
    return f"{text}{MARK}{hashlib.sha256(text.encode()).hexdigest()}\n"


def is_damaged(content: bytes) -> bool:
    """Returns whether a file is not what was sealed; one without a digest is of before, and not told."""
    head, mark, digest = content.rpartition(MARK.encode())
    return bool(mark) and digest != hashlib.sha256(head).hexdigest().encode() + b"\n"

"""How a command ends when something is wrong: one sentence, not a traceback.

Errors of these kinds are about what the user gave or what the machine has, and their text says what, where and what to
do. Anything else is a defect of this program and keeps its traceback.
"""

import errno
import re

import tensorflow as tf

REFUSALS = (ValueError, OSError, tf.errors.OpError)


def describe_error(error: Exception) -> str:
    """Returns the sentence to print for an error that is one of `REFUSALS`."""
    full = isinstance(error, tf.errors.ResourceExhaustedError) or getattr(error, "errno", None) == errno.ENOSPC
    if full or "No space left" in str(error):
        return f"the disk is full ({error}). What was finished is kept: free room and start again with the same flags."
    if isinstance(error, tf.errors.OpError):
        # Without the names of graph nodes and ops, which stand before and behind.
        return re.sub(r"\{\{[^}]*\}\}|\[\[.*|\[Op:.*", "", str(error.message), flags=re.DOTALL).strip()
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    return str(error)

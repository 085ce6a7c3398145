"""What has to happen before TensorFlow is loaded. Every command and every test imports this first.

- Settings of TensorFlow and of the C library's allocator, each only where the user has not set it.
- TensorFlow is imported with standard error held back, so that its remarks about this machine do not stand before the
  first line of a command. What remains after the known remarks are taken away is printed.
- What Pillow remarks on damaged files is not shown: a picture that cannot be used is refused in a sentence.
- Ctrl-C ends the process with one line and status 130, also in the seconds that the imports take.

A program that uses the Python API sets up TensorFlow as it likes; nothing here runs unless this module is imported.
"""

import ctypes
import os
import re
import sys
import tempfile
import warnings
from collections.abc import Callable
from types import TracebackType

ENVIRONMENT = {
    # Errors of TensorFlow's C++ only; what is wrong arrives as a Python exception as well.
    "TF_CPP_MIN_LOG_LEVEL": "3",
    # TensorFlow leaves oneDNN off on CPUs without AVX-512 VNNI, where a training step with it takes half of the time.
    "TF_ENABLE_ONEDNN_OPTS": "1",
}
# Tensors of a few megabytes would otherwise be mapped and unmapped with every step: 1 900 page faults a picture, a
# third of the time of a training in the kernel. The names are those of the environment, the numbers those of malloc.h.
ALLOCATOR = {"MALLOC_MMAP_MAX_": (-4, 0), "MALLOC_TRIM_THRESHOLD_": (-1, -1)}

# Remarks that say nothing about the work: how TensorFlow was built, that there is no GPU, that a library of one was
# registered twice. A line of any other kind is shown.
REMARKS = re.compile(
    r"WARNING: All log messages before absl::InitializeLog"
    r"|I0000 |\d{4}-\d\d-\d\d [\d:.]+: I "
    r"|.*(cudart_stub|cuda_dnn|cuda_fft|cuda_blas|computation_placer|cuda_executor|gpu_device)\.cc:"
    r"|.*TF-TRT Warning"
)


def set_environment() -> None:
    """Sets what TensorFlow and child processes read from the environment, where the user has not."""
    for name, value in {**ENVIRONMENT, **{name: str(value) for name, (_, value) in ALLOCATOR.items()}}.items():
        os.environ.setdefault(name, value)


def set_allocator() -> None:
    """Sets glibc's allocator as `MALLOC_...` in the environment would have at the start of this process."""
    set_option: Callable | None = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if set_option is None:  # another C library
        return
    for name, (option, _) in ALLOCATOR.items():
        set_option(option, int(os.environ[name]))


def remove_remarks(text: str) -> str:
    """Returns the lines of `text` that are not one of TensorFlow's `REMARKS`."""
    return "".join(line for line in text.splitlines(keepends=True) if not REMARKS.match(line))


def import_tensorflow() -> None:
    """Imports TensorFlow with its remarks held back; they are shown if `TF_CPP_MIN_LOG_LEVEL` is below 2."""
    if "tensorflow" in sys.modules or int(os.environ["TF_CPP_MIN_LOG_LEVEL"]) < 2:
        return
    sys.stderr.flush()
    with tempfile.TemporaryFile() as held_back:
        stderr = os.dup(2)
        os.dup2(held_back.fileno(), 2)
        try:
            import tensorflow  # noqa: F401
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            held_back.seek(0)
            sys.stderr.write(remove_remarks(held_back.read().decode(errors="replace")))
            sys.stderr.flush()


def end_at_interrupt(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """Ends the process where Ctrl-C was not answered before; shows any other error as Python does."""
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)
        return
    sys.stdout.flush()
    print("\nstopped by SIGINT", file=sys.stderr, flush=True)
    os._exit(130)  # at once, without what half imported modules want to do at the end


sys.excepthook = end_at_interrupt
set_environment()
set_allocator()
warnings.filterwarnings("ignore", module=r"PIL\.")
import_tensorflow()

"""Whether what the program did with something bad was right: one sentence that says what and where, or the truth."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from data_pipelines.runtime.errors import REFUSALS, describe_error

PATIENCE = 60  # seconds, far more than anything here takes


class HangError(BaseException):
    """It took too long. No Exception, so that nothing on the way takes it for a refusal."""


class Trial(NamedTuple):
    """What came of a trial.

    Attributes:
        result: that was returned; None for a refusal.
        refusal: the sentence; "" where there was none.
        failure: what was wrong with how it ended; "" where nothing was.
        seconds: that it took.
    """

    result: Any
    refusal: str
    failure: str
    seconds: float


@contextmanager
def limit_time(seconds: int) -> Iterator[None]:
    """Raises HangError in the context when it takes longer; to be used in the main thread."""

    def stop(*_):
        raise HangError

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def try_out(action: Callable[[], Any], names: tuple[str, ...]) -> Trial:
    """Does something that may be refused.

    Args:
        action: returns a result, or refuses as a command does.
        names: of which a refusal must name one, such as the folder.
    """
    began = time.monotonic()
    result, refusal, failure = None, "", ""
    try:
        with limit_time(PATIENCE):
            result = action()
    except HangError:
        failure = f"took more than {PATIENCE} s"
    except REFUSALS as error:
        refusal = describe_error(error)
        failure = find_fault(refusal, names)
    except MemoryError:
        failure = "ran out of memory"
    except Exception as error:  # what a user would see as a traceback
        failure = f"a traceback: {type(error).__name__}: {error}".splitlines()[0][:300]
    return Trial(result, refusal, failure, time.monotonic() - began)


def find_fault(sentence: str, names: tuple[str, ...]) -> str:
    """Returns what is wrong with a refusal, "" where it is one sentence that says where."""
    if not sentence.strip():
        return "was refused without a word"
    if "\n" in sentence.strip():
        return f"was refused in several lines: {' / '.join(sentence.strip().splitlines())[:300]}"
    if len(sentence) > 2000:
        return f"was refused in {len(sentence):,} characters: {sentence[:200]}"
    if not any(name in sentence for name in names):
        return f"was refused without saying where: {sentence[:300]}"
    return ""

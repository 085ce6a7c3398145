"""Many requests at once to a served model: every answer is that of the first, and memory stays what it is."""

import threading
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from fgseg_tf.model.weights import load_packaged
from fgseg_tf.serving import saved_model
from torturing.outcome import Chamber, Outcome

FULL, THREADS, DIFFERENT = 20_000, 16, 8  # requests, who ask at once, pairs of pictures
HEIGHT, WIDTH, SIDE = 60, 80, 64
MOST_GROWTH = 64  # megabytes after the first tenth


def run(chamber: Chamber) -> Iterator[Outcome]:
    """Yields one row."""
    yield ask_often(chamber)


def ask_often(chamber: Chamber) -> Outcome:
    """Sends requests from several threads."""
    outcome = Outcome(f"requests of {THREADS} threads, bytes and arrays by turns", chamber.count(FULL))
    folder = str(chamber.folder / "model")
    saved_model.save(load_packaged("small")[0], SIDE, 256.0, folder)
    model = tf.saved_model.load(folder)
    rng = np.random.default_rng(chamber.seed)
    pictures = rng.integers(0, 256, (DIFFERENT, 2, HEIGHT, WIDTH, 3)).astype(np.uint8)
    files = [[tf.io.encode_png(picture).numpy() for picture in pair] for pair in pictures]
    by_array, by_bytes = model.signatures[saved_model.DEFAULT], model.signatures[saved_model.BYTES]

    def ask(number: int) -> list[bytes]:
        pair = number % DIFFERENT
        if number // DIFFERENT % 2:
            bg, fg_bg = (tf.constant([file]) for file in files[pair])
            answer = by_bytes(bg_bytes=bg, fg_bg_bytes=fg_bg)
        else:
            bg, fg_bg = (tf.constant(picture[None]) for picture in pictures[pair])
            answer = by_array(bg=bg, fg_bg=fg_bg)
        return [tf.io.serialize_tensor(answer[name]).numpy() for name in sorted(answer)]

    first = [ask(number) for number in range(2 * DIFFERENT)]
    lock, left = threading.Lock(), iter(range(outcome.tried))
    done, after_a_tenth = 0, 0

    def work() -> None:
        nonlocal done, after_a_tenth
        while True:
            with lock:
                number = next(left, None)
            if number is None:
                return
            try:
                wrong = "" if ask(number) == first[number % (2 * DIFFERENT)] else "another answer than the first"
            except Exception as error:  # whatever a client would be told
                wrong = f"{type(error).__name__}: {error}"[:200]
            with lock:
                done += 1
                if done == max(1, outcome.tried // 10):
                    after_a_tenth = read_memory()
                if wrong:
                    outcome.failures.append(f"request {number}: {wrong}")

    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    grown = (read_memory() - after_a_tenth) / 2**20
    if grown > MOST_GROWTH:
        outcome.failures.append(f"memory grew by {grown:.0f} MB after the first tenth of the requests")
    outcome.figure = f"memory {after_a_tenth / 2**20:,.0f} MB after a tenth, {grown:+.0f} MB at the end"
    return outcome


def read_memory() -> int:
    """Returns the bytes of memory that this process has now."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

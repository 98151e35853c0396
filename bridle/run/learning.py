"""A block of updates beside the loop: computed in a thread, waited for with an ear for a stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent import futures

SLOW = 2.0
"""Seconds of a block of updates after which the next one is waited for, so that a stop need not wait for its end."""
PATIENCE = 3.0
"""Seconds that a stop waits for such a block."""
POLL = 0.05
"""Seconds between two looks at whether a stop was asked for."""

NAME = "learner"
"""Of the thread."""


def is_over(patience: float = PATIENCE) -> bool:
    """Has every block of updates come to its end, within so many seconds? While one has not, the interpreter must not be left in
    the ordinary way: it would cut a thread off inside of XLA, which aborts the process."""
    end = time.perf_counter() + patience
    left = [thread for thread in threading.enumerate() if thread.name == NAME]
    for thread in left:
        thread.join(max(0.0, end - time.perf_counter()))
    return not any(thread.is_alive() for thread in left)


class Learning:
    """A block of updates that is computed in a thread of its own, so that envs go on meanwhile.

    A process that leaves does not wait for it.
    """

    def __init__(self, function: Callable, *args):
        self.future: futures.Future = futures.Future()
        self.seconds = 0.0
        threading.Thread(target=self._run, args=(function, args), name=NAME, daemon=True).start()

    def _run(self, function: Callable, args: tuple) -> None:
        begin = time.perf_counter()
        try:
            result = function(*args)
        except BaseException as error:  # noqa: BLE001 (raised again by `result`)
            self.future.set_exception(error)
        else:
            self.seconds = time.perf_counter() - begin
            self.future.set_result(result)

    def wait(self, stop: Callable[[], bool]) -> bool:
        """Wait for the end; False if a stop was asked for and `PATIENCE` more seconds did not bring it."""
        asked: float | None = None
        while not self.future.done():
            futures.wait([self.future], timeout=POLL)
            if asked is None and stop():
                asked = time.perf_counter()
            if asked is not None and time.perf_counter() - asked > PATIENCE:
                return self.future.done()
        return True

"""Stopping on a signal: the first one asks the loop to save and leave, the second one leaves at once."""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import Self

OF_A_DRIVER = tuple(x for x in signal.Signals if x.name in ("SIGINT", "SIGTERM", "SIGHUP"))
"""What a process must hear whose children are in sessions of their own, so that no terminal reaches them."""
_SHOW_CURSOR = "\033[?25h"


class Stopper:
    """`with Stopper() as stopper:` then poll `stopper()`. Outside the main thread, which alone gets signals, a no-op.

    With `grace`, the process ends that many seconds after the signal even if whoever polls has not come to it.
    """

    def __init__(self, signals: tuple[int, ...] = (signal.SIGINT, signal.SIGTERM), grace: float | None = None):
        self.signals, self.grace = signals, grace
        self._timer: threading.Timer | None = None
        self.received: int | None = None
        """The signal that came, if one did."""
        self._old: dict[int, object] = {}

    def __call__(self) -> bool:
        """Was a stop asked for?"""
        return self.received is not None

    @property
    def exit_code(self) -> int:
        """What the process should exit with: 0, or 128 + the signal (143 after SIGTERM)."""
        return 0 if self.received is None else 128 + self.received

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._old = {number: signal.signal(number, self._handle) for number in self.signals}
        return self

    def __exit__(self, *error) -> None:
        for number, handler in self._old.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._old = {}
        if self._timer is not None:
            self._timer.cancel()

    def _handle(self, number: int, frame) -> None:
        if self.received is None:
            self.received = number
            if self.grace is not None:
                os.write(2, b"bridle: stopping: saving first (once more: leave at once)\n")
                self._timer = threading.Timer(self.grace, self._leave, (number, self.grace))
                self._timer.daemon = True
                self._timer.start()
            return
        self._leave(number)

    def _leave(self, number: int, waited: float | None = None) -> None:
        if sys.stdout is not None and sys.stdout.isatty():
            # A live display hides it; print may be in the middle of a call.
            os.write(sys.stdout.fileno(), _SHOW_CURSOR.encode())
        if waited is not None:
            text = (
                f"bridle: not done with stopping after {waited:g} s: the last checkpoint stands; resume goes on from it"
            )
            os.write(2, f"{text}\n".encode())
        os._exit(128 + number)

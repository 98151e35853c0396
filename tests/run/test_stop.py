"""Stopping on a signal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import bridle
from bridle.run.stop import Stopper

CODE = """
import sys, time
from bridle.run.stop import Stopper
with Stopper() as stopper:
    print("ready", flush=True)
    while not stopper():
        time.sleep(0.01)
    print("saving", flush=True)
    if sys.argv[1] == "slow":
        time.sleep(30)
print("saved", flush=True)
sys.exit(stopper.exit_code)
"""


def start(how: str) -> subprocess.Popen:
    child = subprocess.Popen(
        [sys.executable, "-c", CODE, how], stdout=subprocess.PIPE, text=True, cwd=Path(bridle.__file__).parents[1]
    )
    assert child.stdout.readline() == "ready\n"
    return child


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_lets_the_loop_save_and_leave(number):
    child = start("quick")
    child.send_signal(number)
    assert child.stdout.read() == "saving\nsaved\n"
    assert child.wait(5) == 128 + number


def test_the_second_signal_leaves_at_once():
    child = start("slow")
    child.send_signal(signal.SIGTERM)
    assert child.stdout.readline() == "saving\n"
    child.send_signal(signal.SIGINT)
    assert child.wait(5) == 128 + signal.SIGINT
    assert child.stdout.read() == ""


def test_old_handlers_come_back():
    before = [signal.getsignal(x) for x in (signal.SIGINT, signal.SIGTERM)]
    with Stopper() as stopper:
        assert not stopper()
        assert stopper.exit_code == 0
        os.kill(os.getpid(), signal.SIGTERM)
        assert stopper()
        assert stopper.exit_code == 143
    assert [signal.getsignal(x) for x in (signal.SIGINT, signal.SIGTERM)] == before


def test_outside_the_main_thread_it_does_nothing():
    told = []

    def run():
        with Stopper() as stopper:
            told.append(stopper())

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert told == [False]
    assert signal.getsignal(signal.SIGTERM) is before

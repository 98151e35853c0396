"""A block of updates in a thread: what a process that leaves must know of it."""

import threading

from bridle.run.learning import Learning, is_over


def test_a_block_under_way_is_waited_for_and_no_longer_than_told():
    go = threading.Event()
    learning = Learning(go.wait)
    assert not is_over(0.05)
    go.set()
    assert is_over(10.0) and learning.future.result()

"""Metrics in CSV and TensorBoard, and the display."""

from __future__ import annotations

import io
import math
import re
import time

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorboardX.proto.event_pb2 import Event

from bridle.run.log import Display, Log, duration, read


def events(folder) -> list[tuple[str, int, float]]:
    """(tag, step, value) of each scalar that TensorBoard would show, after its purges."""
    shown = []
    for path in sorted(folder.glob("events/*"), key=lambda x: x.stat().st_mtime_ns):
        data = path.read_bytes()
        while data:
            size = int.from_bytes(data[:8], "little")
            event = Event.FromString(data[12 : 12 + size])
            data = data[16 + size :]
            if event.session_log.status == 1:
                shown = [x for x in shown if x[1] < event.step]
            shown += [(x.tag, event.step, x.simple_value) for x in event.summary.value]
    return shown


def test_columns_may_come_later_and_blanks_read_as_nan(tmp_path):
    with Log(tmp_path, ["eval/return"]) as log:
        log.write({"step": 10, "policy/q": np.float32(0.1)})
        log.write({"step": 20, "policy/q": jnp.asarray(2.0), "eval/return": 3, "new,odd": True})
        log.write({"step": 30, "eval/return": float("nan")})
    columns = read(tmp_path / "metrics.csv")
    assert list(columns) == ["step", "eval/return", "policy/q", "new,odd"]
    assert columns["step"].dtype == np.int64
    np.testing.assert_array_equal(columns["step"], [10, 20, 30])
    np.testing.assert_array_equal(columns["eval/return"], [np.nan, 3, np.nan])
    np.testing.assert_array_equal(columns["policy/q"], [np.float32(0.1), 2, np.nan])
    np.testing.assert_array_equal(columns["new,odd"], [np.nan, 1, np.nan])


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.dictionaries(st.text("abc/,\"' ", min_size=1), st.floats() | st.integers(-(2**53), 2**53), max_size=4))
)
def test_every_number_comes_back_exactly(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("log")
    with Log(folder, events=False) as log:
        for step, row in enumerate(rows):
            log.write({**row, "step": step})
    columns = read(folder / "metrics.csv")
    for step, row in enumerate(rows):
        for name in columns.keys() - {"step"}:
            np.testing.assert_array_equal(columns[name][step], row.get(name, math.nan))


def test_a_row_is_on_the_disk_at_once_and_a_torn_line_is_dropped(tmp_path):
    log = Log(tmp_path, events=False)
    log.write({"step": 1, "a": 1.5})
    assert read(tmp_path / "metrics.csv")["a"].tolist() == [1.5]
    with open(tmp_path / "metrics.csv", "a") as file:
        file.write("2,2.")
    assert read(tmp_path / "metrics.csv")["step"].tolist() == [1]
    with Log(tmp_path, events=False) as again:
        again.write({"step": 2, "a": 2.25})
    assert read(tmp_path / "metrics.csv")["a"].tolist() == [1.5, 2.25]


def test_after_a_resume_no_row_stands_twice(tmp_path):
    with Log(tmp_path) as log:
        for step in (10, 20, 30, 40):
            log.write({"step": step, "a": step})
    with Log(tmp_path, ["b"]) as log:
        log.cut(20)
        for step in (30, 40, 50):
            log.write({"step": step, "a": -step, "b": 1})
    columns = read(tmp_path / "metrics.csv")
    assert columns["step"].tolist() == [10, 20, 30, 40, 50]
    assert columns["a"].tolist() == [10, 20, -30, -40, -50]
    shown = [(step, value) for tag, step, value in events(tmp_path) if tag == "a"]
    assert shown == [(10, 10), (20, 20), (30, -30), (40, -40), (50, -50)]


def test_only_numbers_are_logged(tmp_path):
    with Log(tmp_path, events=False) as log:
        for wrong in ("text", np.zeros(2), None, [1]):
            with pytest.raises(ValueError, match="metric a = .*; allowed: one number"):
                log.write({"step": 1, "a": wrong})


def test_reading_what_is_no_metrics_says_so(tmp_path):
    with pytest.raises(FileNotFoundError, match="logged nothing yet"):
        read(tmp_path / "metrics.csv")
    (tmp_path / "metrics.csv").write_text("a,b\n1,x\n")
    with pytest.raises(ValueError, match="no file of metrics"):
        read(tmp_path / "metrics.csv")


def test_without_a_terminal_each_row_is_one_line_that_tells_training_and_evaluation_apart(tmp_path):
    out = io.StringIO()
    with Display(tmp_path, 1_500_000, (10.0,), stream=out) as display:
        display.tick(5_000, 100)
        display.row({"step": 5_000, "episode/return": 3.0, "episode/cost": 12.25})
        display.row({"step": 15_000, "episode/return": 5.0, "episode/cost": 9, "eval/return": 312.4, "eval/cost": 4.2})
        display.row({"step": 1_500_000, "eval/return": -1.0, "eval/cost": 11})
        display.say("a note [not markup]")
    lines = out.getvalue().splitlines()
    assert [line.rpartition(" | ")[0].rpartition(" | ")[0] for line in lines[:3]] == [
        "step     5,000/1,500,000 | train return     3.0 cost  12.25 | eval return       - cost      -      ",
        "step    15,000/1,500,000 | train return     5.0 cost   9.00 | eval return   312.4 cost   4.20 <= 10",
        "step 1,500,000/1,500,000 | train return       - cost      - | eval return    -1.0 cost  11.00  > 10",
    ]
    assert all("steps/s" in line and "| eta " in line for line in lines[:3])
    assert lines[3] == "a note [not markup]"
    assert (tmp_path / "log.txt").read_text().splitlines() == lines


def test_on_a_terminal_the_table_is_green_when_feasible_and_red_when_not(tmp_path):
    out = io.StringIO()
    with Display(tmp_path, 100, (10.0, 1.0), ("cost/a", "cost/b"), stream=out, live=True, title="sac") as display:
        display.row({"step": 50, "eval/return": 1, "eval/cost/a": 4, "eval/cost/b": 2, "constraint/multiplier": 0.5})
        display.row({"step": 75, "episode/return": 6, "episode/cost/a": 30, "episode/cost/b": 0})
        display.tick(75, 10)
        display.say("a note [not markup]")
    text = out.getvalue()
    assert re.search(r"\x1b\[32m *4.00 <= 10", text)
    assert re.search(r"\x1b\[31m *2.00  > 1", text)
    plain = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", text)
    assert re.search(r"train +6.0 +30.00  > 10 +0.00 <= 1 *\n", plain)
    assert re.search(r"eval +1.0 +4.00 <= 10 +2.00  > 1 +at step 50 *\n", plain)
    for word in ("sac", "75/100", "constraint/multiplier", "a note [not markup]"):
        assert word in text
    assert len((tmp_path / "log.txt").read_text().splitlines()) == 3


def test_a_tick_costs_nearly_nothing(tmp_path):
    with Display(tmp_path, 10**6, (10.0,), stream=io.StringIO(), live=True) as display:
        begin = time.perf_counter()
        for step in range(10_000):
            display.tick(step, step)
        assert time.perf_counter() - begin < 0.5


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59.6, "1m00s"), (432, "7m12s"), (3780, "1h03m"), (187_200, "2d04h"), (math.inf, "?"), (math.nan, "?")],
)
def test_durations_read_well(seconds, text):
    assert duration(seconds) == text

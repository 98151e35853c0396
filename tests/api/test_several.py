"""Several seeds at once: each run is the one that its seed alone would leave, and fails, stops and resumes by itself."""

import os
import re
import signal
import subprocess
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import bridle
from bridle import cli
from bridle.algorithms import config_class
from bridle.api import asked, several
from bridle.api.session import Result
from bridle.envs import toy
from bridle.run import checkpoint, folder, log

SMALL = {"hidden": (16,), "batch": 32, "every": 64, "times": 2, "warmup": 64, "memory": 1_000}
QUICK = {"num_envs": 4, "eval_every": 200, "eval_episodes": 3, "log_every": 100, "checkpoint_every": 500}
TOY = "toy/Corridor-v0"
ROAD = """
import sys
from bridle.envs import toy

def make(num_envs):
    world = toy.make("toy/Corridor-v0", num_envs)
    if "seed-1" in " ".join(sys.argv):
        def step(action):
            raise ArithmeticError("the motor broke")
        world.step = step
    return world
"""


def assert_same(one: Path, other: Path) -> None:
    """The same rows of metrics, and every array of the last checkpoint, to the last bit."""
    mine, theirs = (log.read(path / "metrics.csv") for path in (one, other))
    assert set(mine) == set(theirs)
    for name in mine:
        if not name.startswith("time/"):
            np.testing.assert_array_equal(mine[name], theirs[name], err_msg=name)
    arrays, others = (checkpoint.load_arrays(path)[0] for path in (one, other))
    assert set(arrays) == set(others)
    for name in arrays:
        assert arrays[name].tobytes() == others[name].tobytes(), name


def train(env, path, **told):
    return bridle.train("sac", env, run=str(path), **{**SMALL, **QUICK, **told})


def terminated_when(ready, work):
    """What `work` gives, to which a SIGTERM comes as soon as it is `ready`."""

    def interrupt():
        end = time.monotonic() + 400
        try:
            while not ready() and time.monotonic() < end:
                time.sleep(0.05)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        return work()
    finally:
        thread.join()


def rows_of(path: Path) -> int:
    """Rows of metrics so far."""
    file = path / "metrics.csv"
    return len(log.read(file)["step"]) if file.exists() else 0


def command_lines() -> list[str]:
    """Of all processes, one a line."""
    return subprocess.run(["ps", "-ww", "-eo", "args"], capture_output=True, text=True, check=True).stdout.splitlines()


# Side by side: processes ----------------------------------------------------------------------------------------------


def test_side_by_side_one_crashes_and_the_other_is_what_it_is_alone_and_saves_when_told_to(
    tmp_path, monkeypatch, capsys
):
    (tmp_path / "roads.py").write_text(ROAD)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    here = tmp_path / "both"
    said = here / "seed-1" / "log.txt"
    gone = lambda: not any(str(here / "seed-1") in line for line in command_lines())
    crashed = lambda: rows_of(here / "seed-0") > 1 and said.exists() and "motor" in said.read_text() and gone()
    bad, good = terminated_when(crashed, lambda: train("roads:make", here, seeds=(1, 0), steps=10_000_000))
    assert (bad.run, good.run) == (here / "seed-1", here / "seed-0")
    assert (bad.exit_code, bad.error.partition(" (")[0]) == (1, "ArithmeticError: the motor broke")
    assert (good.exit_code, good.error) == (143, None)
    assert good.step == checkpoint.steps(good.run)[-1] >= 100
    told = capsys.readouterr()
    assert "bridle: seed 1: ArithmeticError: the motor broke" in told.err
    assert re.search(r"^seed 0  step +128/10,000,000 +\| train return ", told.out, re.MULTILINE)
    assert f"seed 0  stopped at step {good.step:,} and saved; go on with: bridle resume {good.run}" in told.out
    end = good.step + 64
    last = bridle.resume(good.run, end)
    alone = train("roads:make", tmp_path / "alone", seed=0, steps=end)
    assert (last.returns, last.cost, last.feasible) == (alone.returns, alone.cost, alone.feasible)
    assert_same(last.run, alone.run)


def test_a_result_is_read_from_the_folder_as_the_run_itself_told_it(tmp_path):
    run = train(TOY, tmp_path / "run", seed=0, steps=200)
    assert several._told(run.run, 0) == run
    folder.create(tmp_path / "fresh", folder.open_run(run.run).config)
    assert several._told(tmp_path / "fresh", 143) == Result(tmp_path / "fresh", 0, None, None, None, 143)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, True),
        ({"seeds": (3,)}, False),
        ({"env": toy.make}, False),
        ({"name": "mine:Config"}, False),
        ({"options": asked.Options(device="gpu")}, False),
    ],
)
def test_what_has_no_name_or_needs_an_accelerator_stays_in_this_process(change, told):
    what = asked.Asked("sac", config_class("sac")(), asked.Options(), seeds=(0, 1))
    assert several.can_leave(what._replace(**change)) == told


# One after another, here ----------------------------------------------------------------------------------------------


def test_an_object_is_trained_here_by_one_seed_after_another_and_one_that_fails_stops_itself_alone(tmp_path, capsys):
    runs = iter(range(100))

    def make(num_envs):
        world, number = toy.make(TOY, num_envs), next(runs)
        if number == 4:  # two worlds to look at what was asked, two of each seed
            world.step = lambda action: 1 / 0
        return world

    found = train(make, tmp_path / "all", seeds=(5, 6, 7), steps=320)
    assert [one.exit_code for one in found] == [0, 1, 0]
    assert [one.step for one in found] == [320, 0, 320]
    assert found[1].error == "ZeroDivisionError: division by zero"
    assert "bridle: seed 6: ZeroDivisionError: division by zero" in capsys.readouterr().err
    for one, seed in ((found[0], 5), (found[2], 7)):
        alone = train(lambda num_envs: toy.make(TOY, num_envs), tmp_path / str(seed), seed=seed, steps=320)
        assert one._replace(run=alone.run) == alone
        assert_same(one.run, alone.run)


def test_a_seed_that_was_stopped_before_its_turn_is_begun_by_resume(tmp_path, capsys):
    make = lambda num_envs: toy.make(TOY, num_envs)
    begun = lambda: rows_of(tmp_path / "all" / "seed-0") > 0
    first, second = terminated_when(begun, lambda: train(make, tmp_path / "all", seeds=[0, 1], steps=10_000_000))
    assert first.exit_code == second.exit_code == 143
    assert (first.step > 0, second.step) == (True, 0)
    assert f"seed 1 was not begun; begin it with: bridle resume {second.run}" in capsys.readouterr().out
    found = bridle.resume(second.run, 128, env=make)
    assert_same(found.run, train(make, tmp_path / "alone", seed=1, steps=128).run)
    assert "seed 1, cpu" in (second.run / "log.txt").read_text()


def test_a_run_that_has_rows_but_no_checkpoint_is_not_begun_anew(tmp_path):
    run = train(TOY, tmp_path / "run", steps=128).run
    (run / "checkpoints").rename(run / "lost")
    with pytest.raises(FileNotFoundError, match="holds no checkpoint"):
        bridle.resume(run)


# What is asked --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seeds", "told"),
    [
        ((), r"seeds = \(\); allowed: one or more integers in \[0, 2\^31\)"),
        ((0, -1), r"seeds = \(0, -1\); allowed: one or more integers"),
        ((2**31,), "allowed: one or more integers"),
        (("a",), "allowed: one or more integers"),
        (3, "seeds = 3; allowed: one or more integers"),
        ((4, 2, 4), "seeds has 4 twice"),
    ],
)
def test_seeds_that_cannot_be_are_refused(seeds, told):
    with pytest.raises(ValueError, match=told):
        bridle.train("sac", TOY, seeds=seeds)


def test_seed_and_seeds_exclude_each_other():
    with pytest.raises(ValueError, match="seed and seeds are both told"):
        bridle.train("sac", TOY, seed=0, seeds=(0, 1))


def test_nothing_is_begun_where_a_folder_is_taken(tmp_path):
    (tmp_path / "seed-1").mkdir()
    (tmp_path / "seed-1" / "mine.txt").touch()
    with pytest.raises(FileExistsError, match="seed-1 exists and is not empty"):
        train(TOY, tmp_path, seeds=(0, 1))
    assert not (tmp_path / "seed-0").exists()
    (tmp_path / "config.json").touch()
    with pytest.raises(FileExistsError, match="is a run folder itself"):
        train(TOY, tmp_path, seeds=(2, 3))


def test_without_a_folder_each_seed_gets_the_one_it_would_get_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    what = asked.resolve("sac", TOY, None, {**SMALL, **QUICK, "seeds": range(2)})
    _, paths = several._create(what)
    assert [path.parent for path in paths.values()] == [Path("runs/toy-Corridor-v0/sac")] * 2
    for seed, path in paths.items():
        assert path.name.startswith(f"seed-{seed}-2")
        config = folder.open_run(path).config
        assert (config["options"]["seed"], config["options"]["run"]) == (seed, str(path))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--seeds 0 1 0", "seeds has 0 twice"),
        ("--seeds 0 -1", "seeds = (0, -1); allowed: one or more integers in [0, 2^31)"),
        ("--seeds", "--seeds needs a value"),
        ("--seeds --steps 100", "--seeds needs a value"),
        ("--seed 3 --seeds 0 1", "--seed is for one run, --seeds for several"),
    ],
)
def test_the_command_line_refuses_what_cannot_be(words, told, capsys):
    assert cli.main(["train", "sac", "--env", TOY, *words.split()]) == 2
    assert told in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(("codes", "code"), [((0, 0), 0), ((0, 1), 1)])
def test_the_command_line_leaves_with_the_worst_of_the_codes(codes, code, monkeypatch):
    asked_for = []

    def pretend(what, grace):
        asked_for.append((what.seeds, what.options.run))
        return tuple(Result(Path(), 0, None, None, None, code) for code in codes)

    monkeypatch.setattr("bridle.api.several.train", pretend)
    assert cli.main(["train", "sac", "--env", TOY, "--seeds", "1", "2", "--run", "there"]) == code
    assert asked_for == [((1, 2), "there")]


@pytest.mark.parametrize(
    ("words", "seeds", "seed"),
    [("", (4, 5), 0), ("--seeds 6 7", (6, 7), 0), ("--seed 8", (), 8)],
)
def test_a_flag_wins_over_what_a_file_says_of_seeds(words, seeds, seed, tmp_path):
    file = tmp_path / "settings.toml"
    file.write_text("seeds = [4, 5]\n")
    what = cli.asked_for(["sac", "--config", str(file), *words.split()])
    assert (what.seeds, what.options.seed) == (seeds, seed)

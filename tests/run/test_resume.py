"""A run that is stopped and resumed is the run that never stopped, bit for bit where the world tells its state."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import bridle
from bridle.run import checkpoint, log
from bridle.run.checkpoint import load_arrays
from bridle.run.disk import read_manifest
from bridle.run.diverged import Diverged

SMALL = {
    "hidden": (16,),
    "batch": 32,
    "every": 64,
    "times": 2,
    "warmup": 100,
    "memory": 1_200,  # the ring goes round
    "samples": 4,
    "num_envs": 4,
    "eval_every": 500,
    "eval_episodes": 3,
    "log_every": 300,
    "checkpoint_every": 700,
    "cost_limit": 3.0,
}
TOY = "toy/Corridor-v0"


def rows_of(path: Path) -> dict[str, np.ndarray]:
    """metrics.csv without what depends on the clock."""
    return {name: x for name, x in log.read(path / "metrics.csv").items() if not name.startswith("time/")}


def assert_same(one: Path, other: Path) -> None:
    """The same rows, learner, actor, open episodes and replay, to the last bit."""
    mine, theirs = rows_of(one), rows_of(other)
    assert set(mine) == set(theirs)
    for name in mine:
        np.testing.assert_array_equal(mine[name], theirs[name], err_msg=name)
    assert len(set(mine["step"])) == len(mine["step"])
    arrays, facts = load_arrays(one)
    others, other_facts = load_arrays(other)
    assert set(arrays) == set(others)
    for name in arrays:
        assert arrays[name].tobytes() == others[name].tobytes(), name
    assert {k: v for k, v in facts.items() if k != "seconds"} == {
        k: v for k, v in other_facts.items() if k != "seconds"
    }
    assert best_of(one) == best_of(other)
    loaded, expected = (checkpoint.load(path, None).rows for path in (one, other))
    for name, column in loaded.whole.items():
        assert column.tobytes() == expected.whole[name].tobytes(), name
    assert replay(loaded) == replay(expected)


def best_of(run: Path) -> tuple[dict, bytes]:
    """What is known of the best policy, and the policy."""
    (actor,) = (run / "best").glob("actor-*.safetensors")
    return read_manifest(run / "best")["facts"], actor.read_bytes()


def replay(rows) -> dict[str, bytes]:
    """Every column of the rows that a checkpoint holds."""
    chunks = list(rows.chunks)
    return {name: b"".join(x[name].tobytes() for *_, x in chunks) for name in chunks[0][2]}


@pytest.mark.parametrize(
    ("env", "stop"),  # on the grid of blocks, and in the middle of everything
    [(TOY, 512), (TOY, 777), ("SafetyBallCircle-v0", 1_000), ("SafetyCarCircle-v0", 777)],
)
def test_training_to_2n_is_training_to_n_and_resuming(tmp_path, env, stop):
    whole = bridle.train("cvpo", env, steps=1_536, run=str(tmp_path / "whole"), **SMALL)
    first = bridle.train("cvpo", env, steps=stop, run=str(tmp_path / "parts"), **SMALL)
    last = bridle.resume(first.run, steps=1_536)
    assert first.step == -(-stop // 4) * 4
    assert (last.step, last.returns, last.cost) == (whole.step, whole.returns, whole.cost)
    assert_same(whole.run, last.run)


VALUES = {"hidden": (16,), "batch": 32, "passes": 2}
ON_POLICY = {"rollout": 128, "hidden": (16,), "values": VALUES}
MODEL = {"hidden": (16,), "decay": (1e-6,), "members": 3, "elites": 2, "batch": 16, "max_updates": 4}
LEARNERS = {
    "ppo-lag": ON_POLICY | {"batch": 32},
    "trpo-pid": ON_POLICY,
    "cpo": ON_POLICY,
    "focops": ON_POLICY | {"batch": 32},
    "cmbpo": {"policy": {"hidden": (16,), "values": VALUES}, "model": MODEL, "explore": 128, "first_updates": 8, "fit_every": 64,
              "real": 128, "min_real": 64, "max_real": 160, "paths": 16, "longest": 5, "batch": 200, "memory": 600},
    "mbpo-pid": {"hidden": (16,), "model": MODEL, "batch": 32, "every": 64, "times": 4, "warmup": 128, "first_updates": 8,
                 "fit_every": 128, "paths": 64, "schedule": (1, 2, 1, 3), "epoch": 256, "dreams": 400, "memory": 600},
}  # fmt: skip


@pytest.mark.parametrize("name", LEARNERS)
def test_so_does_every_learner_with_its_rollouts_models_and_archives(tmp_path, name):
    own = ("num_envs", "eval_every", "eval_episodes", "log_every", "checkpoint_every", "cost_limit")
    settings = {key: SMALL[key] for key in own} | LEARNERS[name]
    whole = bridle.train(name, TOY, steps=1_024, run=str(tmp_path / "whole"), **settings)
    first = bridle.train(name, TOY, steps=597, run=str(tmp_path / "parts"), **settings)
    last = bridle.resume(first.run, steps=1_024)
    assert (last.step, last.returns, last.cost) == (whole.step, whole.returns, whole.cost)
    assert_same(whole.run, last.run)


def test_a_closing_evaluation_is_taken_back_where_only_the_row_was_due(tmp_path):
    settings = {**SMALL, "log_every": 64, "eval_every": 512}
    whole = bridle.train("cvpo", TOY, steps=1_024, run=str(tmp_path / "whole"), **settings)
    first = bridle.train("cvpo", TOY, steps=640, run=str(tmp_path / "parts"), **settings)
    assert np.isfinite(rows_of(first.run)["eval/return"][-1])
    bridle.resume(first.run, steps=1_024)
    assert_same(whole.run, first.run)
    at_640 = rows_of(first.run)["step"] == 640
    assert np.isnan(rows_of(first.run)["eval/return"][at_640])


def test_many_interruptions_leave_no_trace(tmp_path):
    whole = bridle.train("cvpo", TOY, steps=1_500, run=str(tmp_path / "whole"), **SMALL)
    bridle.train("cvpo", TOY, steps=10, run=str(tmp_path / "parts"), **SMALL)
    for steps in (333, 400, 1_023, 1_500):
        bridle.resume(tmp_path / "parts", steps)
    assert_same(whole.run, tmp_path / "parts")


def test_a_complete_run_is_left_as_it_is(tmp_path, capsys):
    run = bridle.train("cvpo", TOY, steps=64, run=str(tmp_path / "run"), **SMALL).run
    before = (run / "metrics.csv").read_text()
    assert bridle.resume(run).step == 64
    assert "is complete" in capsys.readouterr().out
    assert (run / "metrics.csv").read_text() == before
    with pytest.raises(ValueError, match="steps = 64, but .* stands at step 64"):
        bridle.resume(run, 64)


def test_sigterm_in_mid_run_saves_and_resumes_bit_for_bit(tmp_path):
    settings = [f"--{k.replace('_', '-')}={v}" for k, v in SMALL.items() if k != "hidden"]
    base = [sys.executable, "-m", "bridle", "train", "cvpo", "--env", TOY, "--hidden", "16", *settings]
    parts = tmp_path / "parts"
    process = subprocess.Popen([*base, "--steps", "1_000_000", "--run", str(parts)], stdout=subprocess.PIPE, text=True)
    while not (parts / "metrics.csv").exists() or len((parts / "metrics.csv").read_text().splitlines()) < 4:
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    begun = time.monotonic()
    out, _ = process.communicate(timeout=20)
    assert time.monotonic() - begun < 10
    assert process.returncode == 128 + signal.SIGTERM
    assert "stopped at step" in out
    step = checkpoint.steps(parts)[-1]
    bridle.resume(parts, step + 500)
    whole = bridle.train("cvpo", TOY, steps=step + 500, run=str(tmp_path / "whole"), **SMALL)
    assert_same(whole.run, parts)


def test_sigterm_in_a_block_of_updates_that_takes_longer_than_the_grace_saves_what_came_before_it(tmp_path):
    settings = {**SMALL, "times": 50_000, "memory": 400, "eval_every": 10**6, "log_every": 10**6}
    flags = [f"--{k.replace('_', '-')}={v}" for k, v in settings.items() if k != "hidden"]
    base = [sys.executable, "-m", "bridle", "train", "cvpo", "--env", TOY, "--hidden", "64", "64", *flags]
    run = tmp_path / "run"
    process = subprocess.Popen([*base, "--run", str(run)], stdout=subprocess.PIPE, text=True)
    while not checkpoint.steps(run):
        assert process.poll() is None
        time.sleep(0.05)
    time.sleep(5)  # compiling, or computing
    process.send_signal(signal.SIGTERM)
    begun = time.monotonic()
    out, _ = process.communicate(timeout=20)
    assert time.monotonic() - begun < 10
    assert process.returncode == 128 + signal.SIGTERM
    assert "stopped at step 128 and saved" in out, out
    facts = checkpoint.load_arrays(run)[1]
    assert facts["step"] == facts["due"]["policy"] == 128 and facts["updates"] == 0


def test_a_damaged_newest_checkpoint_falls_back_to_the_one_before_and_the_run_goes_on(tmp_path, capsys):
    whole = bridle.train("cvpo", TOY, steps=1_536, run=str(tmp_path / "whole"), **SMALL)
    parts = bridle.train("cvpo", TOY, steps=1_400, run=str(tmp_path / "parts"), **SMALL).run
    newest = checkpoint.newest(parts)
    arrays = newest / "arrays.safetensors"
    arrays.write_bytes(arrays.read_bytes()[:1000])
    last = bridle.resume(parts, steps=1_536)
    said = capsys.readouterr().out
    assert "going back to the checkpoint before it" in said and str(newest.name) in said
    assert (last.step, last.returns) == (whole.step, whole.returns)
    for name, column in rows_of(whole.run).items():
        np.testing.assert_array_equal(column, rows_of(parts)[name], err_msg=name)


def test_kill_9_loses_only_what_came_after_the_last_checkpoint(tmp_path):
    code = (
        "import bridle, json, sys; "
        "bridle.train('cvpo', 'toy/Corridor-v0', steps=100_000, run=sys.argv[1], **json.loads(sys.argv[2]))"
    )
    parts = tmp_path / "parts"
    words = [sys.executable, "-c", code, str(parts), json.dumps({**SMALL, "checkpoint_every": 400})]
    process = subprocess.Popen(
        words, stdout=subprocess.DEVNULL, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    )
    while len(checkpoint.steps(parts)) < 2:
        assert process.poll() is None
        time.sleep(0.05)
    process.kill()
    process.wait()
    step = checkpoint.steps(parts)[-1]
    bridle.resume(parts, step + 300)
    settings = {**SMALL, "checkpoint_every": 400}
    whole = bridle.train("cvpo", TOY, steps=step + 300, run=str(tmp_path / "whole"), **settings)
    assert_same(whole.run, parts)


def test_a_world_without_state_goes_on_with_fresh_episodes(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("bridle.envs.toy.Ring.get_state", lambda self: None)
    run = bridle.train("cvpo", TOY, steps=510, run=str(tmp_path / "run"), **SMALL).run
    bridle.resume(run, 1_024)
    assert "open episodes were dropped" in capsys.readouterr().out
    rows = checkpoint.load(run, None).rows
    assert list(rows.whole["cuts"]) == [127]  # the last row before the stop counts as truncated
    bridle.resume(run, 1_100)
    assert list(checkpoint.load(run, None).rows.whole["cuts"]) == [127, 255]


def test_divergence_keeps_the_last_good_checkpoint(tmp_path):
    settings = {**SMALL, "checkpoint_every": 128}
    run = tmp_path / "run"
    with pytest.raises(Diverged, match="update 'policy' diverged at step .* first bad leaf"):
        bridle.train("cvpo", TOY, steps=20_000, run=str(run), **settings, critic_rate=1e30)
    arrays, _ = load_arrays(run)
    assert all(np.isfinite(x).all() for x in arrays.values() if x.dtype.kind == "f")
    assert "Diverged" in (run / "log.txt").read_text()

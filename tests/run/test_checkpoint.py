"""Checkpoints: exact, atomic, cheap, and never wrong in silence."""

from __future__ import annotations

import errno
import inspect
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import bridle
from bridle.run import arrays, best, checkpoint, disk
from bridle.run.best import is_better
from bridle.run.checkpoint import Saver, load, load_arrays, save


class Ring:
    """A time-major ring of 3 envs; row t holds t."""

    def __init__(self, capacity: int, lineage: int = 0):
        self.capacity, self.total = capacity, 0
        self.columns = {"obs": np.zeros((capacity, 3, 2), np.float32), "action": np.zeros((capacity, 3), np.int64)}
        self.whole = {"priority": np.zeros((capacity, 3), np.float32)}
        self.lineage = lineage

    def add(self, rows: int) -> None:
        for t in range(self.total, self.total + rows):
            self.columns["obs"][t % self.capacity] = t
            self.columns["action"][t % self.capacity] = t + 1000 * self.lineage
        self.total += rows

    def slice(self, first: int, last: int) -> dict[str, np.ndarray]:
        assert max(0, self.total - self.capacity) <= first <= last <= self.total
        index = np.arange(first, last) % self.capacity
        return {name: x[index] for name, x in self.columns.items()}

    def held(self) -> dict[str, np.ndarray]:
        return self.slice(max(0, self.total - self.capacity), self.total)


def rows_of(loaded) -> dict[str, np.ndarray]:
    parts, end = [], None
    for first, last, columns in loaded.rows.chunks:
        assert end in (None, first)
        assert all(len(x) == last - first for x in columns.values())
        parts.append(columns)
        end = last
    assert end == loaded.rows.total
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def same(a, b) -> bool:
    a, b = map(np.asarray, (a, b))
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def damage(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at % len(data)] ^= 0xFF
    path.write_bytes(bytes(data))


TREE = {"w": np.arange(4, dtype=np.float32), "n": np.int64(7)}

REPOSITORY = Path(bridle.__file__).parents[1]

# --- trees -------------------------------------------------------------------------------------------------------------

DTYPES = [np.float32, np.float64, np.float16, ml_dtypes.bfloat16, np.bool_, np.uint8, np.int32, np.int64, np.uint32]


@st.composite
def leaves(draw):
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
    size = int(np.prod(shape)) * dtype.itemsize
    bits = draw(st.binary(min_size=size, max_size=size))
    raw = np.frombuffer(bytes(b & 1 for b in bits) if dtype == np.bool_ else bits, dtype)
    return raw.reshape(shape)


TREES = st.recursive(
    leaves() | st.none(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text("ab/.%_'\n", max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(TREES)
def test_any_tree_comes_back_bit_for_bit(tmp_path_factory, tree):
    path = tmp_path_factory.mktemp("tree") / "x.safetensors"
    seal = arrays.write(path, arrays.flatten(tree))
    back = arrays.restore(tree, arrays.read(path, seal))
    assert jax.tree.structure(back) == jax.tree.structure(tree)
    assert all(map(same, jax.tree.leaves(back), jax.tree.leaves(tree)))


class Pair(NamedTuple):
    first: jax.Array
    second: jax.Array


def test_jax_leaves_modules_and_weak_types_come_back_as_they_were(tmp_path):
    net = eqx.nn.Linear(2, 3, key=jax.random.PRNGKey(0))
    tree = {"net": net, "pair": Pair(jnp.asarray(1.0), jnp.ones((2, 0), jnp.bfloat16)), "key": jax.random.PRNGKey(3)}
    save(tmp_path, 10, tree, {})
    for like in (tree, jax.eval_shape(lambda: tree)):
        back = load(tmp_path, like).tree
        for a, b in zip(jax.tree.leaves(back), jax.tree.leaves(tree), strict=True):
            assert isinstance(a, jax.Array)
            assert same(a, b)
            assert a.weak_type == b.weak_type
    named, facts = load_arrays(tmp_path)
    assert set(arrays.below(named, "net")) == {"weight", "bias"}
    assert facts == {}
    assert same(arrays.restore(net, arrays.below(named, "net")).weight, net.weight)


def test_files_are_plain_safetensors(tmp_path):
    path = save(tmp_path, 0, TREE, {})
    assert same(safetensors.numpy.load_file(path / "arrays.safetensors")["w"], TREE["w"])


@pytest.mark.parametrize(
    ("like", "told"),
    [
        ({"w": np.zeros(5, np.float32), "n": np.int64(0)}, r"w was saved as float32\[4\], but float32\[5\]"),
        ({"w": np.zeros(4, np.float16), "n": np.int64(0)}, r"w was saved as float32\[4\], but float16\[4\]"),
        ({**TREE, "new": np.zeros(2)}, r"new \(float64\[2\]\) is not in what was saved"),
        ({"w": TREE["w"]}, r"n \(int64\[\]\) was saved, but is not expected"),
    ],
)
def test_another_structure_is_an_error_that_names_the_leaf(tmp_path, like, told):
    save(tmp_path, 0, TREE, {})
    with pytest.raises(ValueError, match=told):
        load(tmp_path, like)


@pytest.mark.parametrize("leaf", [jax.random.key(0), jnp.tanh, "text", np.array(["a"]), np.complex128(1)])
def test_a_leaf_that_cannot_be_saved_is_named(leaf):
    with pytest.raises(ValueError, match="leaf a/0 is"):
        arrays.flatten({"a": [leaf]})


def test_facts_come_back_and_others_are_refused(tmp_path):
    facts = {
        "updates": np.int64(3),
        "costs": (1.5, float("inf")),
        "note": "\u00e9",
        "big": 2**70,
        "nested": {"a": None},
    }
    save(tmp_path, 0, TREE, facts)
    told = {**facts, "updates": 3, "costs": [1.5, float("inf")]}
    assert load(tmp_path, TREE).facts == told
    with pytest.raises(ValueError, match="JSON"):
        save(tmp_path, 1, TREE, {"f": len})


# --- damage ------------------------------------------------------------------------------------------------------------


def test_damage_anywhere_goes_back_or_fails_but_never_loads_wrong_data(tmp_path):
    ring = Ring(50)
    saver = Saver(tmp_path, keep=3, background=False)
    for i in range(3):
        ring.add(4)
        saver.save(i, {"w": np.full(3, i, np.float32)}, {"i": i, "text": "some"}, ring)
    newest = tmp_path / "checkpoints" / "step-000000002"
    shared = sorted((tmp_path / "checkpoints" / "rows").iterdir())
    rng = np.random.default_rng(0)
    for path in [*newest.iterdir(), *shared]:
        whole = path.read_bytes()
        for at in {0, 8, len(whole) - 1, *rng.integers(0, len(whole), 40).tolist()}:
            damage(path, at)
            told = []
            try:
                loaded = load(tmp_path, {"w": np.zeros(3, np.float32)}, say=told.append)
            except OSError as error:
                assert path == shared[0]  # the only file that every checkpoint needs
                assert "restore the folder from a copy" in str(error)
            else:
                i = loaded.facts["i"]
                assert loaded.step == i
                assert loaded.facts["text"] == "some"
                assert (loaded.tree["w"] == i).all()
                assert same(rows_of(loaded)["obs"][:, 0, 0], np.arange(4.0 * (i + 1), dtype=np.float32))
                assert i == 2 or told  # a byte of white space in a manifest may differ unnoticed
            path.write_bytes(whole)
        os.truncate(path, len(whole) // 2)
        if path != shared[0]:
            with pytest.warns(UserWarning, match=re.escape(path.name)):
                assert load(tmp_path, {"w": np.zeros(3, np.float32)}).step < 2
        path.unlink()
        if path != shared[0]:
            with pytest.warns(UserWarning, match=re.escape(path.name)):
                assert load(tmp_path, {"w": np.zeros(3, np.float32)}).step < 2
        path.write_bytes(whole)


def test_arrays_load_without_rows_when_rows_are_damaged(tmp_path):
    ring = Ring(10)
    ring.add(5)
    save(tmp_path, 1, TREE, {}, ring)
    damage(next((tmp_path / "checkpoints" / "rows").iterdir()), 90)
    assert load(tmp_path, TREE, with_rows=False).step == 1
    with pytest.raises(OSError, match="no checkpoint of .* is whole"):
        load(tmp_path, TREE, say=lambda text: None)


def test_no_checkpoint_yet_and_no_such_step_say_what_there_is(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no checkpoint: nothing was saved there"):
        load(tmp_path, TREE)
    save(tmp_path, 15_000, TREE, {})
    with pytest.raises(FileNotFoundError, match="listed are those at 15,000"):
        load(tmp_path, TREE, step=3)


def test_a_newer_format_is_an_error_that_says_to_upgrade(tmp_path, monkeypatch):
    save(tmp_path, 1, TREE, {})
    monkeypatch.setattr(disk, "FORMAT", 3)
    save(tmp_path, 2, TREE, {})
    monkeypatch.setattr(disk, "FORMAT", 2)
    with pytest.raises(ValueError, match=r"made by a newer bridle.*format 3;.*reads up to 2\): upgrade bridle"):
        load(tmp_path, TREE)


def test_a_full_disk_leaves_what_was_saved_before(tmp_path, monkeypatch):
    ring = Ring(10)
    ring.add(3)
    saver = Saver(tmp_path, parent=save(tmp_path, 1, TREE, {}, ring))
    ring.add(3)
    before = sorted(x.name for x in tmp_path.rglob("*"))

    def full(handle):
        if full.left == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        full.left -= 1

    monkeypatch.setattr(disk.os, "fsync", full)
    for full.left in (0, 1, 2):  # arrays, columns that are saved whole, new rows
        saver.save(2, TREE, {}, ring)
        with pytest.raises(OSError, match="is full .* what was saved before is whole") as error:
            saver.wait()
        assert error.value.errno == errno.ENOSPC
        assert sorted(x.name for x in tmp_path.rglob("*")) == before
    monkeypatch.undo()
    assert load(tmp_path, TREE).step == 1
    saver.save(2, TREE, {}, ring)
    saver.wait()
    assert load(tmp_path, TREE).step == 2


# --- kills -------------------------------------------------------------------------------------------------------------

FORKED = """
import os, sys
from pathlib import Path
import numpy as np
from bridle.run.checkpoint import Saver, load
folder = Path(sys.argv[1])

def tell(word, number):  # in one write, which two processes on one pipe cannot mix
    os.write(1, f"{word} {number}\\n".encode())

def live():
    ring, step, parent = Ring(40), 0, None
    if list(folder.glob("checkpoints/step-*")):
        loaded = load(folder, {"w": np.zeros(3, np.float32)})
        step, parent = loaded.step, loaded.path
        assert (loaded.tree["w"] == step).all()
        ring.add(3 * step)
        assert all(same(x, ring.held()[name]) for name, x in rows_of(loaded).items())
    saver = Saver(folder, keep=2, parent=parent)
    tell("at", step)
    while True:
        step += 1
        ring.add(3)
        saver.save(step, {"w": np.full(3, step, np.float32)}, {}, ring)
        saver.wait()
        tell("saved", step)

for line in sys.stdin:
    if (pid := os.fork()) == 0:
        live()
    tell("pid", pid)
    os.waitpid(pid, 0)
    tell("dead", pid)
"""


@pytest.mark.skipif(os.name != "posix", reason="kills a fork")
def test_a_kill_at_any_moment_loses_nothing_that_was_announced(tmp_path):
    parts = ["from __future__ import annotations", *map(inspect.getsource, (Ring, rows_of, same)), FORKED]
    command = [sys.executable, "-c", "\n".join(parts), str(tmp_path)]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY)
    rng, announced = np.random.default_rng(0), 0
    for _ in range(15):
        server.stdin.write("\n")
        server.stdin.flush()
        told = {}
        while not {"pid", "at", "saved"} <= told.keys():
            word, number = server.stdout.readline().split()
            told[word] = int(number)
        assert told["at"] >= announced
        time.sleep(rng.uniform(0, 0.06))
        os.kill(told["pid"], signal.SIGKILL)
        while "dead" not in told:
            line = server.stdout.readline()
            if re.fullmatch(r"(saved|dead) \d+\n", line):  # a last word may be cut short, with "dead" behind it
                told[line.split()[0]] = int(line.split()[1])
            elif "dead" in line:
                told["dead"] = 0
        announced = told["saved"]
        loaded = load(tmp_path, {"w": np.zeros(3, np.float32)}, say=pytest.fail)
        assert loaded.step >= announced
        assert (loaded.tree["w"] == loaded.step).all()
        assert loaded.rows.total == 3 * loaded.step
    server.stdin.close()
    assert server.wait(10) == 0
    assert announced >= 15
    assert not list((tmp_path / "checkpoints").glob(".tmp-*"))
    assert len(list((tmp_path / "checkpoints").glob("step-*"))) <= 3


# --- keeping, chunks, lineage ------------------------------------------------------------------------------------------


def test_the_last_k_are_kept_and_chunks_that_none_needs_are_deleted(tmp_path):
    ring = Ring(20)
    saver = Saver(tmp_path, keep=2, background=False)
    for i in range(12):
        ring.add(5)
        saver.save(i, TREE, {}, ring)
        assert checkpoint.steps(tmp_path) == list(range(max(0, i - 1), i + 1))
    firsts = sorted(int(x.name.split("-")[1]) for x in (tmp_path / "checkpoints" / "rows").iterdir())
    assert firsts[0] >= 60 - 20 - 5 - 5
    for step in (10, 11):
        rows = rows_of(load(tmp_path, TREE, step=step))
        assert same(rows["obs"][:, 0, 0], np.arange(5 * step + 5 - 20, 5 * step + 5, dtype=np.float32))


def test_a_save_writes_the_new_rows_alone(tmp_path, monkeypatch):
    ring = Ring(1000)
    sizes = []
    real = arrays.write

    def counting(path, named):
        if path.name == "fresh":
            sizes.append(len(named["obs"]))
        return real(path, named)

    monkeypatch.setattr(checkpoint, "write", counting)
    saver = Saver(tmp_path, background=False)
    for i in range(15):
        ring.add(100)
        saver.save(i, TREE, {}, ring)
    assert sizes == [100] * 15
    assert all(same(x, ring.held()[name]) for name, x in rows_of(load(tmp_path, TREE)).items())


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=40), st.integers(1, 300))
def test_small_saves_stay_few_files_and_every_row_comes_back(tmp_path_factory, adds, capacity):
    folder = tmp_path_factory.mktemp("run")
    ring = Ring(capacity)
    saver = Saver(folder, keep=1, background=False)
    for i, n in enumerate(adds):
        ring.add(n)
        saver.save(i, {}, {}, ring)
    loaded = load(folder, {})
    assert len(loaded.rows.parts) <= 32 + 10
    assert loaded.rows.total == sum(adds)
    if sum(adds):
        assert all(same(x, ring.held()[name]) for name, x in rows_of(loaded).items())


def test_columns_that_updates_write_back_are_saved_whole(tmp_path):
    ring = Ring(10)
    ring.add(4)
    saver = Saver(tmp_path, background=False)
    saver.save(1, TREE, {}, ring)
    ring.whole["priority"][0] = 5.0
    saver.save(2, TREE, {}, ring)
    assert (load(tmp_path, TREE).rows.whole["priority"][0] == 5).all()
    assert (load(tmp_path, TREE, step=1).rows.whole["priority"] == 0).all()


def test_rows_of_two_continuations_are_never_mixed(tmp_path):
    ring = Ring(100)
    saver = Saver(tmp_path, keep=5, background=False)
    for i in range(1, 5):
        ring.add(10)
        saver.save(i, {}, {"line": 0}, ring)
    resumed = load(tmp_path, {}, step=2)
    other = Ring(100)
    other.add(20)
    other.lineage = 1
    saver = Saver(tmp_path, keep=5, parent=resumed.path, background=False)
    other.add(10)
    saver.save(3, {}, {"line": 1}, other)
    newest = load(tmp_path, {})  # the later save, although the step of another continuation is higher
    assert (newest.step, newest.facts) == (3, {"line": 1})
    assert all(same(x, other.held()[name]) for name, x in rows_of(newest).items())
    dead = load(tmp_path, {}, step=4)
    assert all(same(x, ring.held()[name]) for name, x in rows_of(dead).items())
    damage(newest.path / "arrays.safetensors", 0)
    damage(newest.path / "manifest.json", 40)
    other.add(10)
    saver.save(4, {}, {"line": 1}, other)  # its parent is damaged now, so all rows are written anew
    assert all(same(x, other.held()[name]) for name, x in rows_of(load(tmp_path, {}, say=str)).items())


def test_going_back_stays_on_the_line_of_the_last_save(tmp_path):
    first = save(tmp_path, 1, {}, {"line": 0})
    save(tmp_path, 9, {}, {"line": 0})
    newest = save(tmp_path, 2, {}, {"line": 1}, parent=first)
    assert load(tmp_path, {}).path == newest
    damage(newest / "arrays.safetensors", 0)
    assert load(tmp_path, {}, say=str).path == first


def test_the_background_save_keeps_what_it_was_given(tmp_path, monkeypatch):
    gate = threading.Event()
    real = checkpoint._commit

    def slow(*args):
        gate.wait(5)
        return real(*args)

    monkeypatch.setattr(checkpoint, "_commit", slow)
    ring, tree, facts = Ring(4), {"w": np.ones(3)}, {"a": [1]}
    ring.add(4)
    held = ring.held()
    saver = Saver(tmp_path)
    saver.save(1, tree, facts, ring)
    tree["w"][:] = 2
    facts["a"].append(2)
    ring.add(4)
    ring.whole["priority"][:] = 9
    gate.set()
    assert saver.wait() == tmp_path / "checkpoints" / "step-000000001"
    loaded = load(tmp_path, {"w": np.zeros(3)})
    assert (loaded.tree["w"] == 1).all()
    assert loaded.facts == {"a": [1]}
    assert all(same(x, held[name]) for name, x in rows_of(loaded).items())
    assert (loaded.rows.whole["priority"] == 0).all()


def test_what_a_killed_process_left_is_swept_but_not_what_a_live_one_writes(tmp_path):
    home = tmp_path / "checkpoints"
    save(tmp_path, 1, TREE, {})
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    host = disk.socket.gethostname()
    for pid in (dead.pid, os.getppid()):
        (home / f".tmp-{pid}@{host}@{time.time_ns()}").mkdir()
    (home / f".tmp-1@elsewhere@{time.time_ns()}").mkdir()
    (home / ".tmp-1@elsewhere@12345").mkdir()
    load(tmp_path, TREE)
    assert len(list(home.glob(".tmp-*"))) == 2
    assert not list(home.glob(f".tmp-{dead.pid}@*"))


# --- best --------------------------------------------------------------------------------------------------------------


def found(value, *cost):
    return {"return": value, "cost": list(cost), "limit": [10.0] * len(cost)}


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (found(1, 10), found(100, 10.1)),
        (found(2, 9), found(1, 0)),
        (found(0, 11), found(100, 12)),
        (found(3, 12), found(2, 12)),
        (found(0, 9, 9), found(5, 0, 11)),
        (found(-1), found(-2)),
        (found(-5, 99), found(float("nan"), 0)),
        (found(-5, 99), found(0, float("nan"))),
    ],
)
def test_feasible_comes_first_then_the_return_then_the_smaller_excess(better, worse):
    assert is_better(better, worse)
    assert not is_better(worse, better)
    assert not is_better(better, better)
    assert is_better(better, None)


def test_an_evaluation_that_is_not_finite_is_never_the_best():
    assert not is_better(found(float("nan"), 1), None)


def test_best_is_replaced_by_a_better_actor_alone(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no actor yet"):
        best.load(tmp_path, {"w": np.zeros(2)})
    for value, cost, saved in ((1.0, 20.0, True), (0.5, 5.0, True), (9.0, 11.0, False), (0.6, 6.0, True)):
        assert best.save(tmp_path, {"w": np.full(2, value)}, {**found(value, cost), "step": 3}) is saved
        assert len(list((tmp_path / "best").iterdir())) == 2
    actor, facts = best.load(tmp_path, {"w": np.zeros(2)})
    assert actor["w"][0] == facts["return"] == 0.6
    damage(next((tmp_path / "best").glob("*.safetensors")), 70)
    with pytest.raises(OSError, match="damaged"):
        best.load(tmp_path, {"w": np.zeros(2)})


# --- the package -------------------------------------------------------------------------------------------------------


def test_no_source_of_the_package_can_unpickle():
    loads = re.compile(
        r"^\s*(?:import|from)\s+(?:c?pickle|cloudpickle|dill|joblib|shelve|marshal)\b|allow_pickle\s*=\s*True"
    )
    for path in Path(bridle.__file__).parent.rglob("*.py"):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            assert not loads.search(line), f"{path}:{number}: {line}"


def test_a_closing_evaluation_counts_until_one_comes_that_is_due(tmp_path):
    found = lambda value, cost, closing: {"return": value, "cost": [cost], "limit": [10.0], "closing": closing}
    like = {"w": np.zeros(2)}
    assert best.save(tmp_path, {"w": np.ones(2)}, found(5.0, 60.0, False))
    assert best.save(tmp_path, {"w": np.full(2, 2.0)}, found(4.0, 3.0, True))
    assert best.load(tmp_path, like)[0]["w"][0] == 2.0, "feasible, so better, though nothing was due"
    assert best.save(tmp_path, {"w": np.full(2, 3.0)}, found(6.0, 50.0, False))
    assert best.load(tmp_path, like)[0]["w"][0] == 3.0, "the run went on: what was not due was never evaluated"
    assert not best.save(tmp_path, {"w": np.full(2, 4.0)}, found(1.0, 99.0, True))
    assert best.load(tmp_path, like)[0]["w"][0] == 3.0

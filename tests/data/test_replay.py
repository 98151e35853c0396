"""The ring and its five draws against a list that forgets nothing."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from bridle.core.algorithm import Batch, Everything, Finished, Latest, Sequences
from bridle.core.types import Continuous, Discrete, Leaf, Spec, Transition
from bridle.data.replay import Ring

N = 3


def spec(**changes):
    return Spec(**{"name": "numbers", "obs": Leaf((2,)), "action": Continuous(1), "num_envs": N, **changes})


class Oracle:
    """Every row that was ever lived, in a list; obs is (time, env), so that each row knows what it is."""

    def __init__(self, capacity, seed=0, ends=0.2, dummies=False):
        self.ring = Ring(spec(), capacity * N - N + 1, {}, (("priority", 1.0),))
        assert self.ring.capacity == capacity
        self.rows, self.random, self.ends, self.dummies = [], np.random.default_rng(seed), ends, dummies
        self.sums = [[0.0, 0.0, 0] for _ in range(N)]
        self.finished = []

    def add(self, count):
        for _ in range(count):
            t, was = len(self.rows), self.rows[-1] if self.rows else None
            dummy = (was.terminated | was.truncated) if was and self.dummies else np.zeros(N, bool)
            terminated, truncated = (self.random.random((2, N)) < self.ends) & ~dummy
            row = Transition(
                obs=np.stack([np.full(N, t), np.arange(N)], -1).astype(np.float32),
                action=np.full((N, 1), t, np.float32),
                reward=self.random.normal(size=N).astype(np.float32),
                cost=self.random.random((N, 1)).astype(np.float32),
                next_obs=np.stack([np.full(N, t + 1), np.arange(N)], -1).astype(np.float32),
                terminated=terminated,
                truncated=truncated,
                valid=~dummy,
                extras={},
            )
            told = self.ring.add(row, (t + 1) * N)
            self.rows.append(row)
            assert len(told) == self._note(row, (t + 1) * N)

    def _note(self, row, step):
        before = len(self.finished)
        for i in np.flatnonzero(row.valid):
            s = self.sums[i]
            s[0], s[1], s[2] = s[0] + row.reward[i], s[1] + row.cost[i, 0], s[2] + 1
            if row.terminated[i] or row.truncated[i]:
                self.finished.append((step, *s))
                self.sums[i] = [0.0, 0.0, 0]
        return len(self.finished) - before

    def draw(self, draw, times=1, since=0, seed=0):
        return self.ring.draw(draw, times, len(self.rows) * N, since, np.random.default_rng(seed))

    def held(self):
        """(time, env) of each row that a ring of this capacity still has."""
        first = max(0, len(self.rows) - self.ring.capacity)
        return {(t, i) for t in range(first, len(self.rows)) for i in range(N)}

    def check(self, rows, index):
        """Each drawn row is what was lived at the time and env that its obs tells, and lies where `index` says."""
        for at, (obs, where) in enumerate(zip(rows.obs.reshape(-1, 2), np.ravel(index), strict=True)):
            t, i = int(obs[0]), int(obs[1])
            assert (t, i) in self.held() and where == t % self.ring.capacity * N + i
            lived = self.rows[t]
            for name in ("reward", "terminated", "truncated", "valid"):
                assert getattr(rows, name).reshape(-1)[at] == getattr(lived, name)[i], name
            assert rows.cost.reshape(-1, 1)[at] == lived.cost[i] and rows.action.reshape(-1, 1)[at] == lived.action[i]
            assert (rows.next_obs.reshape(-1, 2)[at] == lived.next_obs[i]).all()


worlds = st.builds(
    SimpleNamespace,
    capacity=st.integers(1, 9),
    adds=st.integers(1, 30),
    seed=st.integers(0, 10_000),
    ends=st.sampled_from([0.0, 0.2, 0.5]),
    dummies=st.booleans(),
)


def grown(world):
    oracle = Oracle(world.capacity, world.seed, world.ends, world.dummies)
    oracle.add(world.adds)
    return oracle


@settings(max_examples=60, deadline=None)
@given(worlds)
def test_a_batch_holds_valid_rows_that_are_still_there(world):
    oracle, draw = grown(world), Batch(4)
    if oracle.ring.ready(draw, 0):
        drawn = oracle.draw(draw, times=3, seed=world.seed)
        assert drawn.rows.valid.all() and drawn.index.shape == (3, 4) and (drawn.probability == 1).all()
        assert (drawn.step == len(oracle.rows) * N).all() and drawn.step.shape == (3,)
        oracle.check(drawn.rows, drawn.index)


def test_every_valid_row_is_drawn_equally_often():
    oracle = Oracle(7, dummies=True, ends=0.3)
    oracle.add(24)
    drawn = oracle.draw(Batch(30_000))
    rows = sorted((t, i) for t, i in oracle.held() if oracle.rows[t].valid[i])
    assert len(rows) < 7 * N, "some rows are dummies"
    counts = [((drawn.rows.obs[0] == (t, i)).all(-1)).sum() for t, i in rows]
    assert sum(counts) == 30_000 and chisquare(counts).pvalue > 1e-3


@settings(max_examples=60, deadline=None)
@given(worlds, st.integers(1, 6))
def test_sequences_are_consecutive_rows_of_one_env_and_never_straddle_the_newest(world, length):
    oracle, draw = grown(world), Sequences(3, length)
    if oracle.ring.ready(draw, 0):
        drawn = oracle.draw(draw, times=2, seed=world.seed)
        time, env = drawn.rows.obs[..., 0], drawn.rows.obs[..., 1]
        assert time.shape == (2, 3, length)
        assert (np.diff(time, axis=-1) == 1).all() and (np.diff(env, axis=-1) == 0).all()
        assert drawn.rows.valid[..., 0].all()
        oracle.check(drawn.rows, drawn.index)


@settings(max_examples=40, deadline=None)
@given(worlds, st.integers(1, 9))
def test_latest_is_the_newest_rows_of_every_env_oldest_first(world, length):
    oracle, draw = grown(world), Latest(length)
    enough = min(world.adds, world.capacity) >= length
    assert oracle.ring.ready(draw, 0) == enough
    if enough:
        drawn = oracle.draw(draw)
        expected = np.arange(world.adds - length, world.adds)[:, None].repeat(N, 1)
        np.testing.assert_array_equal(drawn.rows.obs[0, ..., 0], expected)
        np.testing.assert_array_equal(drawn.rows.obs[0, ..., 1], np.tile(np.arange(N), (length, 1)))
        oracle.check(drawn.rows, drawn.index)


@settings(max_examples=40, deadline=None)
@given(worlds)
def test_everything_is_the_whole_ring_with_empty_and_dummy_rows_masked(world):
    oracle = grown(world)
    drawn = oracle.draw(Everything())
    assert drawn.rows.valid.shape == (1, world.capacity, N)
    valid = drawn.rows.valid[0]
    there = {(int(t), int(i)) for t, i in drawn.rows.obs[0][valid]}
    assert there == {(t, i) for t, i in oracle.held() if oracle.rows[t].valid[i]} and valid.sum() == len(there)


@settings(max_examples=60, deadline=None)
@given(worlds, st.integers(0, 30), st.integers(1, 5))
def test_finished_tells_the_last_episodes_since_the_update_last_ran(world, since_row, size):
    oracle, since = grown(world), since_row * N
    expected = [episode for episode in oracle.finished if episode[0] > since][-size:]
    assert oracle.ring.ready(Finished(size), since) == bool(expected)
    drawn = oracle.draw(Finished(size), times=2, since=since)
    episodes = drawn.rows
    assert episodes.valid.shape == (2, size) and episodes.cost.shape == (2, size, 1)
    assert episodes.valid[1].sum() == len(expected) and episodes.valid[1, : len(expected)].all()
    for i, (_, total, cost, length) in enumerate(expected):
        np.testing.assert_allclose(episodes.returns[1, i], total, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(episodes.cost[1, i, 0], cost, rtol=1e-4)
        assert episodes.length[1, i] == length
    assert (episodes.cost[1, len(expected) :] == 0).all()


@pytest.mark.parametrize("draw", [Batch(1), Sequences(1, 2)])
def test_a_ring_without_a_valid_row_to_begin_with_is_not_ready(draw):
    """One env whose episodes last a step: every other row is a dummy."""
    ring = Ring(spec(num_envs=1), 2, {})
    oracle = Oracle(1)
    oracle.add(1)
    one = Transition(*(leaf[:1] for leaf in oracle.rows[0][:-1]), {})
    dummy = one._replace(valid=np.array([False]))
    for t, row in enumerate([one, dummy, one if draw == Sequences(1, 2) else dummy]):
        ring.add(row, t)
    assert not ring.ready(draw, 0)
    ring.add(one, 3)
    assert ring.ready(draw, 0)


def test_priorities_decide_how_often_a_row_is_drawn_and_are_written_back():
    oracle = Oracle(5, ends=0.3, dummies=True)
    oracle.add(12)
    every = oracle.draw(Everything())
    priority = 1.0 + np.arange(5 * N).reshape(1, 5, N)
    oracle.ring.write(every.index, {"priority": priority})
    drawn = oracle.draw(Batch(40_000, by="priority"), seed=1)
    weight = np.where(every.rows.valid, priority, 0.0).reshape(-1)
    counts = np.bincount(drawn.index.reshape(-1), minlength=5 * N)
    assert (counts[weight == 0] == 0).all(), "dummies are never drawn"
    chosen = weight > 0
    assert chisquare(counts[chosen], 40_000 * weight[chosen] / weight.sum()).pvalue > 1e-3
    expected = weight / weight.sum() * 5 * N
    np.testing.assert_allclose(drawn.probability.reshape(-1), expected[drawn.index.reshape(-1)], rtol=1e-5)
    np.testing.assert_array_equal(drawn.rows.extras["priority"].reshape(-1), weight[drawn.index.reshape(-1)])
    oracle.check(drawn._replace(index=None).rows, drawn.index)


def test_what_was_written_back_changes_the_next_draw_and_a_fresh_row_begins_anew():
    oracle = Oracle(4, ends=0.0)
    oracle.add(4)
    drawn = oracle.draw(Batch(60, by="priority"))
    oracle.ring.write(drawn.index, {"priority": np.zeros(drawn.index.shape)})
    oracle.ring.write(np.array([5]), {"priority": np.array([2.0])})
    assert (oracle.draw(Batch(50, by="priority")).index == 5).all()
    oracle.add(1)  # over the oldest row, index 0 to 2
    assert set(np.unique(oracle.draw(Batch(500, by="priority")).index)) == {0, 1, 2, 5}


@settings(max_examples=40, deadline=None)
@given(worlds, st.integers(1, 20), st.integers(0, 5), st.booleans())
def test_a_ring_comes_back_from_its_slices_wherever_they_were_cut(world, more, cut, forget):
    """Chunks are written at two times; a later one may have overwritten rows of an earlier one."""
    oracle = grown(world)
    ring, first = oracle.ring, oracle.ring.total - oracle.ring.held
    middle = ring.total
    early = (first, middle, ring.slice(first, middle))
    if forget:
        ring.forget_open_episodes()
        oracle.sums = [[0.0, 0.0, 0] for _ in range(N)]
        oracle.rows[-1] = oracle.rows[-1]._replace(truncated=oracle.rows[-1].truncated | ~oracle.rows[-1].terminated)
    oracle.add(more)
    ring.write(np.arange(min(cut, world.capacity * N)), {"priority": np.full(min(cut, world.capacity * N), 9.0)})
    begin = max(middle, ring.total - ring.capacity)
    chunks = [early, (begin, ring.total, ring.slice(begin, ring.total))]
    back = Ring(spec(), ring.capacity * N, {}, (("priority", 1.0),))
    whole = {name: array.copy() for name, array in ring.whole.items()}
    back.refill(whole, iter(chunks), ring.total)
    assert back.total == ring.total
    for draw in (Everything(), Finished(4)):
        ours, theirs = (one.draw(draw, 1, 7, 0, np.random.default_rng(0)) for one in (ring, back))
        assert str(ours) == str(theirs)
    oracle.add(3)
    tail = ring.slice(ring.total - min(3, ring.capacity), ring.total)
    for row in oracle.rows[-3:]:
        back.add(row, 10**6)
    for name, column in back.slice(ring.total - min(3, ring.capacity), ring.total).items():
        np.testing.assert_array_equal(column, tail[name])


def test_dropped_episodes_end_in_a_truncation_and_start_their_sums_anew():
    oracle = Oracle(6, ends=0.0)
    oracle.add(4)
    oracle.ring.rows.terminated[3, 0] = True
    oracle.ring.forget_open_episodes()
    last = oracle.draw(Latest(1)).rows
    np.testing.assert_array_equal(last.truncated[0, 0], [False, True, True])
    assert not oracle.ring.ready(Latest(1), 0), "what was lived before the cut is no stretch of what is lived now"
    oracle.sums, oracle.ends = [[0.0, 0.0, 0] for _ in range(N)], 1.0
    oracle.add(1)
    episodes = oracle.draw(Finished(3)).rows
    assert (episodes.length == 1).all() and episodes.valid.all()
    assert oracle.ring.ready(Latest(1), 0) and not oracle.ring.ready(Latest(2), 0)


def test_a_dict_of_image_and_vector_keeps_its_types():
    leaves = {"image": Leaf((4, 4, 1), "uint8"), "vector": Leaf((2,))}
    ring = Ring(spec(obs=leaves, action=Discrete(5)), 4 * N, {"log_prob": np.zeros(N, np.float32)})
    random = np.random.default_rng(0)
    for t in range(6):
        obs = {
            "image": random.integers(0, 255, (N, 4, 4, 1)).astype(np.uint8),
            "vector": np.full((N, 2), t, np.float32),
        }
        flag, number = np.zeros(N, bool), np.zeros(N, np.float32)
        action = np.full(N, t % 5, np.int32)
        ring.add(Transition(obs, action, number, number[:, None], obs, flag, flag, ~flag, {"log_prob": number + t}), t)
    rows = ring.draw(Sequences(8, 2), 1, 0, 0, random).rows
    assert rows.obs["image"].dtype == np.uint8 and rows.obs["image"].shape == (1, 8, 2, 4, 4, 1)
    assert rows.action.dtype == np.int32 and (rows.action == rows.obs["vector"][..., 0] % 5).all()
    np.testing.assert_array_equal(rows.extras["log_prob"], rows.obs["vector"][..., 0])


def test_two_rings_draw_the_same_from_the_same_generator():
    oracle = Oracle(6)
    oracle.add(10)
    for draw in (Batch(8), Batch(8, by="priority"), Sequences(4, 3)):
        assert str(oracle.draw(draw, 2, seed=3)) == str(oracle.draw(draw, 2, seed=3))
        assert str(oracle.draw(draw, 2, seed=3)) != str(oracle.draw(draw, 2, seed=4))

"""The one loop: schedules, the lag of acting behind learning, the absolute grid, donation, divergence."""

import time
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bridle.core.algorithm import Algorithm, Batch, Finished, Latest, Update
from bridle.core.types import Drawn
from bridle.data.replay import Ring
from bridle.envs import make
from bridle.run import learning
from bridle.run import train as loop
from bridle.run.collect import Collector
from bridle.run.diverged import Diverged
from bridle.run.train import Duty, begin, train

# A family that learns nothing and counts: its state is how often each update ran -------------------------------------


class Source:
    """Lives nothing; notes the actor that each block was lived with."""

    def __init__(self, num_envs=4):
        self.num_envs, self.actors = num_envs, []

    def gather(self, actor, step, rows):
        self.actors.append((step, jax.device_get(actor)))
        return [None] * rows


class Memory:
    """Holds nothing; ready from `start` on; notes what was asked of it."""

    def __init__(self, start=0):
        self.start, self.total, self.draws, self.written = start, 0, [], []

    def add(self, row, step):
        self.total = step
        return []

    def ready(self, draw, since):
        return self.total >= self.start

    def draw(self, draw, times, step, since, rng):
        self.draws.append((step, since, int(rng.integers(1 << 30))))
        return Drawn(np.zeros((times, 1), np.float32), np.zeros((times, 1), np.int32), None, np.full(times, step, "f4"))

    def write(self, index, writes):
        self.written.append(writes)


def counting(name, **when):
    def step(state, data, key):
        return {**state, name: state[name] + 1}, {"count": state[name]}, {}

    return Update(name, Batch(1), step, **when)


def algorithm(*updates, overlap=False, **changes):
    names = [update.name for update in updates]
    return Algorithm(
        init=lambda key: {name: jnp.zeros(()) for name in names},
        actor=lambda state: state,
        begin=lambda num_envs: (),
        act=None,
        updates=updates,
        memory=100,
        overlap=overlap,
    )._replace(**changes)


def run(family, total, num_envs=4, memory=None, **args):
    """(env steps -> how often each update ran by then, without overlap), and everything else."""
    source, memory, counts = Source(num_envs), memory or Memory(), {}

    def note(progress, *_):
        if not family.overlap:  # else an update is under way, which has taken the state
            counts[progress.step] = jax.device_get(progress.state)

    progress = train(family, source, memory, total, 0, begin(family, 0), report=note, **args)
    return SimpleNamespace(counts=counts, progress=progress, source=source, memory=memory)


@pytest.mark.parametrize("num_envs", [1, 4, 6])
@pytest.mark.parametrize(
    ("every", "start", "until"), [(1, 0, None), (7, 0, None), (10, 23, None), (5, 12, 61), (8, 0, 40)]
)
def test_an_update_runs_as_often_as_its_time_came_and_no_run_is_dropped(every, start, until, num_envs):
    found = run(algorithm(counting("one", every=every, start=start, until=until)), 120, num_envs)
    block = max(1, every // num_envs) * num_envs
    assert next(iter(found.counts)) == block and len(found.counts) == -(-120 // block)
    for step, counts in found.counts.items():
        if step % block == 0:
            last = step if until is None else min(step, until)
            assert counts["one"] == max(0, (last - start) // every), step


def test_updates_of_different_intervals_do_not_hinder_each_other():
    family = algorithm(counting("often", every=8), counting("rarely", every=36, start=20), counting("odd", every=13))
    for step, counts in run(family, 400).counts.items():
        assert (counts["often"], counts["odd"]) == (step // 8, step // 13)
        assert counts["rarely"] == max(0, (step - 20) // 36)


def test_times_are_so_many_steps_in_one_run_drawn_at_once():
    found = run(algorithm(counting("many", every=8, times=5)), 40)
    assert found.counts[40]["many"] == 25 and found.progress.updates == 25 and len(found.memory.draws) == 5


@pytest.mark.parametrize("overlap", [False, True])
def test_a_callable_interval_is_read_from_the_state_at_the_end_of_each_run(overlap):
    ran = []

    class Noting(Memory):
        def draw(self, draw, times, step, since, rng):
            if draw == Batch(2):
                ran.append(step)
            return super().draw(draw, times, step, since, rng)

    double = lambda state, data, key: ({**state, "gap": 2 * state["gap"]}, {}, {})
    grows = Update("grows", Batch(2), double, every=lambda state: state["gap"], start=10)
    family = algorithm(grows, counting("ticks", every=4), overlap=overlap)
    family = family._replace(init=lambda key: {"gap": jnp.full((), 5), "ticks": jnp.zeros(())})
    run(family, 200, memory=Noting())
    assert ran == [12, 24, 44, 84, 164], "gaps of 10, 20, 40, 80 env steps, on a grid of 4"


def test_a_run_whose_draw_is_not_ready_is_skipped_and_not_made_up_for():
    found = run(algorithm(counting("one", every=4)), 80, memory=Memory(start=41))
    assert [found.counts[step]["one"] for step in (40, 44, 80)] == [0, 1, 10]


def test_a_draw_is_told_when_its_update_last_ran():
    found = run(algorithm(counting("one", every=2)), 12)
    assert [(step, since) for step, since, _ in found.memory.draws] == [
        (4, 0),
        (4, 4),
        (8, 4),
        (8, 8),
        (12, 8),
        (12, 12),
    ]


def test_each_draw_has_random_numbers_of_its_own():
    numbers = [number for *_, number in run(algorithm(counting("a", every=2), counting("b", every=2)), 40).memory.draws]
    assert len(set(numbers)) == len(numbers) == 40


@pytest.mark.parametrize(("overlap", "lag"), [(True, 2), (False, 1)])
def test_the_lag_of_acting_behind_learning_is_fixed(overlap, lag):
    """With overlap block k+1 acts with the actor after update block k-1, without it with that after block k."""
    found = run(algorithm(counting("one", every=8), overlap=overlap), 80)
    assert [float(actor["one"]) for _, actor in found.source.actors] == [max(0, k - lag) for k in range(1, 11)]
    assert found.progress.state["one"] == 10


def test_acting_reads_nothing_that_an_update_has_donated():
    """The actor is the whole state, which every update donates, and is read in each block of overlapping env steps."""

    class Reading(Source):
        def gather(self, actor, step, rows):
            self.kept = [*getattr(self, "kept", []), actor]
            return super().gather(actor, step, rows)

    family, source = algorithm(counting("one", every=8, times=3), overlap=True), Reading()
    start = begin(family, 0)
    given = start.state
    train(family, source, Memory(), 200, 0, start)
    assert given["one"].is_deleted(), "updates do donate the state"
    assert [float(actor["one"]) for actor in source.kept][-1] > 0, "and no actor was deleted with it"


def test_a_state_that_is_given_is_not_taken_away():
    mine = {"one": jnp.ones(())}
    family = algorithm(counting("one", every=8))
    done = train(family, Source(), Memory(), 80, 0, begin(family, 0, mine))
    assert mine["one"] == 1 and done.state["one"] == 11


def test_each_update_compiles_exactly_once():
    traced = []

    def step(state, data, key):
        traced.append(data.step)
        return {"x": state["x"] * 0.5 + jax.random.normal(key)}, {"x": state["x"]}, {}

    family = algorithm(Update("one", Batch(1), step, every=4, times=2))._replace(init=lambda key: {"x": jnp.zeros(())})
    run(family, 4)
    once = len(traced)
    traced.clear()
    run(family, 400)
    assert len(traced) == once, "a hundred runs are traced as often as one"


def test_metrics_are_told_under_the_name_of_their_update_as_means():
    told = []
    family = algorithm(counting("one", every=4, times=3))
    train(family, Source(), Memory(), 8, 0, begin(family, 0), report=lambda progress, metrics, _: told.append(metrics))
    assert [metrics for metrics in told if metrics] == [{"one/count": 1.0}, {"one/count": 4.0}]


def test_with_overlap_no_metric_is_lost_at_the_end():
    told = []
    family = algorithm(counting("one", every=4), overlap=True)
    train(family, Source(), Memory(), 16, 0, begin(family, 0), report=lambda progress, metrics, _: told.append(metrics))
    assert [m["one/count"] for m in told if m] == [0.0, 1.0, 2.0, 3.0]


@pytest.mark.parametrize("overlap", [True, False])
def test_divergence_names_the_update_the_metric_and_the_first_bad_leaf(overlap):
    def step(state, data, key):
        bad = jnp.where(data.step >= 24, jnp.nan, 1.0)
        return {**state, "b": {"w": state["b"]["w"] * bad}, "c": state["c"] * bad}, {"fine": 1.0, "loss": bad}, {}

    family = algorithm(counting("n", every=8), Update("policy", Batch(1), step, every=8), overlap=overlap)
    family = family._replace(
        init=lambda key: {"n": jnp.zeros(()), "a": jnp.arange(2), "b": {"w": jnp.ones(3)}, "c": jnp.ones(())}
    )
    with pytest.raises(Diverged, match="update 'policy' diverged") as told:
        run(family, 80)
    error = told.value
    assert (error.update, error.metric, error.leaf) == ("policy", "loss", "['b']['w']")
    assert error.step == 24


def test_a_duty_comes_when_due_and_at_the_end_and_sees_what_was_learned():
    seen = []
    family = algorithm(counting("one", every=8), overlap=True)
    duty = Duty(20, lambda progress: seen.append((progress.step, float(progress.state["one"]))))
    run(family, 90, num_envs=2, duties=[duty])
    assert seen == [(24, 3.0), (40, 5.0), (64, 8.0), (80, 10.0), (90, 11.0)]


def test_learning_does_not_notice_its_duties():
    lazy, busy = (
        run(algorithm(counting("one", every=8), overlap=True), 90, duties=duties)
        for duties in ([], [Duty(8, lambda progress: None)])
    )
    assert str(lazy.source.actors) == str(busy.source.actors) and lazy.memory.draws == busy.memory.draws


def test_a_stop_is_heard_between_blocks_and_keeps_what_was_learned():
    source, told = Source(), []
    family = algorithm(counting("one", every=8), overlap=True)
    heard = {"report": lambda *_: told.append(1), "stop": lambda: len(told) >= 5}
    progress = train(family, source, Memory(), 10**6, 0, begin(family, 0), **heard)
    assert progress.step == 40 and progress.state["one"] == 5


# A small family on a toy world, with the real ring -------------------------------------------------------------------


def follower(overlap, by=None, times=2):
    """The actor is a running mean of random actions and rewards: whatever is drawn or lived otherwise changes it."""

    def step(state, data, key):
        rows = data.rows
        mean = 0.9 * state["mean"] + 0.1 * jnp.tanh(rows.reward.mean() + jax.random.normal(key, (1,)))
        priority = jnp.abs(rows.reward) + jnp.abs(mean[0])
        return {**state, "mean": mean}, {"mean": mean[0]}, {"priority": priority}

    def heed(state, data, key):
        cost = jnp.where(data.rows.valid[:, None], data.rows.cost, 0.0).sum()
        return {**state, "cost": state["cost"] + cost}, {"cost": cost}, {}

    def look(state, data, key):
        return {**state, "mean": 0.99 * state["mean"] + 0.01 * data.rows.action.mean((0, 1))}, {}, {}

    return Algorithm(
        init=lambda key: {"mean": jax.random.normal(key, (1,)), "cost": jnp.zeros(())},
        actor=lambda state: state["mean"],
        begin=lambda num_envs: (),
        act=lambda actor, carry, obs, key, explore: (
            carry,
            jnp.tanh(actor + jax.random.normal(key, (len(obs), 1))),
            {},
        ),
        updates=(
            Update("policy", Batch(8, by), step, every=12, start=20, times=times),
            Update("cost", Finished(4), heed, every=50),
            Update("latest", Latest(5), look, every=30),
        ),
        memory=120,
        warmup=30,
        overlap=overlap,
        columns=(("priority", 1.0),),
    )


def live(family, *totals, num_envs=3):
    """Train to each total in turn, each time with a new collector and the open episodes of the one before."""
    world = make("toy/Corridor-v0", num_envs)
    progress = begin(family, 5)
    ring, state = Ring(world.spec, family.memory, {}, family.columns), None
    for total in totals:
        collector = Collector(make("toy/Corridor-v0", num_envs), family, 5)
        if state is not None:
            collector.set_state(jax.device_get(state))
        progress = train(family, collector, ring, total, 5, progress)
        state = collector.get_state()
    return progress, ring, state


@pytest.mark.parametrize("overlap", [True, False])
@pytest.mark.parametrize("first", [60, 81, 100, 131])
def test_training_to_n_and_on_to_2n_is_training_to_2n(first, overlap):
    """Also for n off the grid of blocks, and off that of the copies."""
    family = follower(overlap, by="priority")
    at_once, in_parts = live(family, 2 * first), live(family, first, 2 * first)
    assert at_once[0].step == in_parts[0].step >= 2 * first
    assert (at_once[0].due, at_once[0].since, at_once[0].updates) == (
        in_parts[0].due,
        in_parts[0].since,
        in_parts[0].updates,
    )
    parts = lambda found: (found[0].state, found[0].actor, found[1].rows, found[2])
    for a, b in zip(jax.tree.leaves(parts(at_once)), jax.tree.leaves(parts(in_parts)), strict=True):
        np.testing.assert_array_equal(a, b)


def test_timing_changes_no_number(monkeypatch):
    quick = live(follower(True, by="priority"), 200)[0]
    slow_learn = loop.learn

    def learn(*args):
        time.sleep(0.01)
        return slow_learn(*args)

    monkeypatch.setattr(loop, "learn", learn)
    np.testing.assert_array_equal(quick.state["mean"], live(follower(True, by="priority"), 200)[0].state["mean"])


@pytest.mark.parametrize("overlap", [True, False])
def test_what_an_update_writes_back_reaches_the_rows_it_drew(overlap):
    drawn = []

    class Watched(Ring):
        def write(self, index, writes):
            super().write(index, writes)
            if writes:
                drawn.append((index, writes["priority"]))

    family = follower(overlap)
    world = make("toy/Corridor-v0", 3)
    collector, ring = Collector(world, family, 1), Watched(world.spec, 10_000, {}, family.columns)
    train(family, collector, ring, 120, 1, begin(family, 1))
    expected = np.where(np.arange(ring.capacity * 3) < ring.total * 3, np.float32(1), np.float32(0))
    for index, priority in drawn:
        expected[index.reshape(-1)] = priority.reshape(-1)
    assert len(drawn) > 5 and (expected > 1).sum() > 30
    np.testing.assert_array_equal(ring.rows.extras["priority"].reshape(-1), expected)
    reward = ring.rows.reward.reshape(-1)
    index, priority = drawn[-1]
    size = priority.reshape(-1) - np.abs(reward[index.reshape(-1)])  # |mean| of one of the two steps
    assert len(np.unique(np.round(size, 4))) <= 2


def test_another_seed_is_another_training():
    one, other = (
        train(f, c, Ring(c.spec, 120, {}, f.columns), 100, seed, begin(f, seed))
        for seed in (1, 2)
        for f in [follower(True)]
        for c in [Collector(make("toy/Corridor-v0", 3), f, seed)]
    )
    assert one.state["mean"] != other.state["mean"]


@pytest.mark.parametrize("overlap", [True, False])
def test_a_stop_in_a_long_block_goes_back_to_before_it_and_going_on_gives_the_same_bits(overlap, monkeypatch):
    family, quick, blocks = follower(overlap, by="priority"), loop.learn, []
    whole = live(family, 200)[0]

    def learn(*args):
        blocks.append(args[-1])
        time.sleep(0.3 if len(blocks) == 5 else 0.0)
        return quick(*args)

    monkeypatch.setattr(loop, "learn", learn)
    monkeypatch.setattr(loop, "SLOW", -1.0)  # every block counts as long
    monkeypatch.setattr(learning, "PATIENCE", 0.0)
    world = make("toy/Corridor-v0", 3)
    ring, collector, told = Ring(world.spec, family.memory, {}, family.columns), Collector(world, family, 5), []
    note = {"report": lambda progress, metrics, episodes: told.append(progress.step)}
    stop = lambda: len(blocks) >= 5
    stopped = train(family, collector, ring, 200, 5, begin(family, 5), stop=stop, **note)
    assert stopped.step == blocks[4] < 200 and min(stopped.due.values()) <= stopped.step
    assert stopped.updates < whole.updates and stopped.step in told
    time.sleep(0.5)  # the block that nobody waits for comes to its end, and changes nothing
    again = train(family, collector, ring, 200, 5, stopped, **note)
    assert blocks[5] == blocks[4], "the updates that were owed come first"
    assert (again.step, again.updates, again.due) == (whole.step, whole.updates, whole.due)
    for a, b in zip(
        jax.tree.leaves((again.state, again.actor)), jax.tree.leaves((whole.state, whole.actor)), strict=True
    ):
        np.testing.assert_array_equal(a, b)

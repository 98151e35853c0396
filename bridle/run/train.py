"""The one loop: live a block, learn a block, do what is due. No word of it names a family of algorithms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from bridle.core.algorithm import Algorithm, Update
from bridle.run.collect import base_key, generator
from bridle.run.diverged import Diverged, first_bad_leaf
from bridle.run.learning import SLOW, Learning


class Duty(NamedTuple):
    """Something to do every so many env steps that learning never reads back; also once at the end."""

    every: int
    do: Callable[[Progress], None]


@dataclass
class Progress:
    """Where a training stands: all that a checkpoint must hold beside the memory and the open episodes."""

    state: Any
    """The learner's, after every update that was due. Only duties may read it: while a block is learnt, as `report` may
    find it, its buffers are given away."""
    actor: Any
    """What the next block acts with."""
    step: int = 0
    """Env steps, summed over all copies."""
    updates: int = 0
    """Gradient steps."""
    due: dict[str, int] = field(default_factory=dict)
    """When each update runs next."""
    since: dict[str, int] = field(default_factory=dict)
    """When each last ran."""


copy = jax.jit(lambda tree: jax.tree.map(jnp.copy, tree))


def begin(algorithm: Algorithm, seed: int, state=None) -> Progress:
    """The progress of a training that has not begun; `state` is drawn from the seed if none is given."""
    state = algorithm.init(base_key(seed, "init")) if state is None else state
    state = copy(state)
    due = {u.name: u.start + (u.every if isinstance(u.every, int) else 0) for u in algorithm.updates}
    return Progress(state, copy(algorithm.actor(state)), due=due, since=dict.fromkeys(due, 0))


def compiled(update: Update):
    """(state, data with leading [times], key, step, tick) -> state, metrics averaged over `times`, writes."""

    def run(state, data, key, step, tick):
        key = jax.random.fold_in(jax.random.fold_in(key, step), tick)

        def one(state, item):
            drawn, i = item
            state, metrics, writes = update.step(state, drawn, jax.random.fold_in(key, i))
            return state, (metrics, writes)

        state, (metrics, writes) = jax.lax.scan(one, state, (data, jnp.arange(update.times)))
        return state, {name: values.mean() for name, values in metrics.items()}, writes

    return jax.jit(run, donate_argnums=0)


def block_rows(algorithm: Algorithm, num_envs: int) -> int:
    """Steps of each env between two looks at what is due: the shortest interval between runs of any update."""
    everys = [u.every for u in algorithm.updates if isinstance(u.every, int)]
    return max(1, min(everys, default=64 * num_envs) // num_envs)


def train(
    algorithm: Algorithm,
    source,
    memory,
    total: int,
    seed: int,
    progress: Progress,
    duties: Sequence[Duty] = (),
    report: Callable[[Progress, dict[str, float], list], None] = lambda progress, metrics, episodes: None,
    stop: Callable[[], bool] = lambda: False,
) -> Progress:
    """Go on until `total` env steps, or until `stop()`.

    `source.gather(actor, step, rows)` lives, `memory` remembers (see `data/replay.py`). With overlap, block k+1 is
    lived while the updates after block k are computed, with the actor after the updates before block k: a fixed lag, so
    that no number depends on timing. Blocks lie on an absolute grid of env steps: a run that stops in mid-block and
    goes on later lives the same as one that never stopped. Where updates take seconds, they are waited for before envs
    go on, and a stop that comes meanwhile goes back to the moment before them: what `train` returns then owes them
    still, and begins with them when it is called again.
    """
    runs = {update.name: compiled(update) for update in algorithm.updates}
    key = base_key(seed, "updates")
    block = block_rows(algorithm, source.num_envs) * source.num_envs
    learning: Learning | None = None
    slow = True  # the first block compiles
    interrupted = progress.step % block == 0 and any(due <= progress.step for due in progress.due.values())
    while interrupted or (progress.step < total and not stop()):
        if not interrupted:
            end = min((progress.step // block + 1) * block, total)
            rows = -(-(end - progress.step) // source.num_envs)
            lived = source.gather(progress.actor, progress.step, rows)
            metrics, slow, learning = settle(learning, progress, memory), took_long(learning, slow), None
            episodes = []
            for row in lived:
                progress.step += source.num_envs
                episodes += memory.add(row, progress.step)
            report(progress, metrics, episodes)
        interrupted = False
        if progress.step % block == 0:
            progress.actor = copy(algorithm.actor(progress.state))
            before = snapshot(progress) if slow else None
            jobs = owed(algorithm, progress, memory, seed)
            if jobs:
                learning = Learning(learn, runs, jobs, progress.state, key, progress.step)
                if before is not None and not learning.wait(stop):
                    return before
            if not algorithm.overlap:
                report(progress, settle(learning, progress, memory), [])
                slow, learning = took_long(learning, slow), None
                progress.actor = copy(algorithm.actor(progress.state))
        for duty in duties:
            if progress.step >= total or is_due(duty.every, progress.step, block):
                late = settle(learning, progress, memory)
                slow, learning = took_long(learning, slow), None
                if late:
                    report(progress, late, [])
                duty.do(progress)
    late = settle(learning, progress, memory)
    if late:
        report(progress, late, [])
    return progress


def took_long(learning: Learning | None, before: bool) -> bool:
    """Must the next updates be waited for with an ear for a stop? As before, where none were computed."""
    return before if learning is None else learning.seconds > SLOW


def snapshot(progress: Progress) -> Progress:
    """A progress that lasts, though the updates to come are given the buffers of this one."""
    return replace(progress, state=copy(progress.state), due=dict(progress.due), since=dict(progress.since))


def is_due(every: int, step: int, block: int) -> bool:
    """Has a multiple of `every` come in the block that ends at `step`? Never in mid-block, where only a stop can lie."""
    return step % block == 0 and step // every > (step - block) // every


class Job(NamedTuple):
    """One run of an update, with what it draws."""

    update: Update
    data: Any
    tick: int


def owed(algorithm: Algorithm, progress: Progress, memory, seed: int) -> list[Job]:
    """The runs that are due by now, none dropped; an update whose draw is not ready is skipped."""
    jobs = []
    for number, update in enumerate(algorithm.updates):
        name, tick, now = update.name, 0, progress.step
        while progress.due[name] <= (now if update.until is None else min(now, update.until)):
            ready = memory.ready(update.draw, progress.since[name])
            if ready:
                rng = generator(seed, "draws", now, number, tick)
                jobs.append(Job(update, memory.draw(update.draw, update.times, now, progress.since[name], rng), tick))
                tick += 1
                progress.since[name] = now
            progress.due[name] += update.every if isinstance(update.every, int) else now - progress.due[name] + 1
            if ready and not isinstance(update.every, int):
                break
    return jobs


def learn(runs, jobs: list[Job], state, key, step: int):
    """Run the jobs one after another; in a thread of its own, so that envs go on meanwhile."""
    done = []
    for number, job in enumerate(jobs):
        place = np.uint32(step), np.uint32(number * 65_536 + job.tick)
        state, metrics, writes = runs[job.update.name](state, job.data, key, *place)
        every = None if isinstance(job.update.every, int) else int(job.update.every(state))
        done.append((job, jax.device_get(metrics), jax.device_get(writes), every))
    return jax.block_until_ready(state), done


def settle(learning: Learning | None, progress: Progress, memory) -> dict[str, float]:
    """Wait for the updates under way and take over what they yield: their metrics as `update/name`."""
    if learning is None:
        return {}
    progress.state, done = learning.future.result()
    collected: dict[str, list] = {}
    for job, metrics, writes, every in done:
        memory.write(job.data.index, writes)
        progress.updates += job.update.times * job.update.gradient
        if every is not None:
            progress.due[job.update.name] = progress.since[job.update.name] + max(1, every)
        for name, value in metrics.items():
            if not np.isfinite(value):
                raise Diverged(job.update.name, progress.step, name, first_bad_leaf(progress.state))
            collected.setdefault(f"{job.update.name}/{name}", []).append(float(value))
    return {name: float(np.mean(values)) for name, values in collected.items()}

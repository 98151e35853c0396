"""bridle beside other libraries: each installed in an environment of its own, timed in turns with bridle on the same cores.

    python benchmarks/peers/run.py --room ~/peers > benchmarks/results/peers.md    # all; about half an hour, installing apart
    python benchmarks/peers/run.py sbx --rounds 2 --seconds 5                      # one, to see that it works

Needs Python 3.11 (`--python`), since two of the peers have no wheels for a newer one. Progress goes to standard error.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from recipes import environment
from timing.clock import commit, machine, spread, verdict


class Way(NamedTuple):
    """A row of the table: how the peer and bridle are run, and how many times the peer's speed bridle has to reach."""

    name: str
    theirs: str
    """What the peer's side is told."""
    ours: str
    """What `ours.py` is told."""
    mark: float | None


class Peer(NamedTuple):
    """What is compared with a peer."""

    task: str
    unit: str
    ways: tuple[Way, ...]
    home: str | None = None
    """The peer whose environment it shares, if it has none of its own."""


WORLDS = tuple(
    f"Safety{task}"
    for task in ("PointGoal1-v0", "CarGoal1-v0", "PointButton1-v0", "DoggoGoal1-v0", "HalfCheetahVelocity-v1")
)
HALFCHEETAH = "SAC on HalfCheetah-v5, 256x256, batch 256, one update a step"
PEERS = {
    "fsrl": Peer(
        "SAC-Lag, 60 observations and 2 actions, 128x128, 2+2 critics, batch 256, 2-step targets; update and its draw",
        "updates/s",
        (Way("FSRL", "", "updates", 3.0),),
    ),
    "sbx": Peer(
        HALFCHEETAH,
        "env steps/s",
        (
            Way("SBX, an update after each step", "", "halfcheetah", 1.25),
            Way("SBX, 64 updates after 64 steps", "blocks", "halfcheetah", None),
        ),
    ),
    "sb3": Peer(HALFCHEETAH, "env steps/s", (Way("Stable-Baselines3", "", "halfcheetah", 1.8),)),
    "omnisafe": Peer(
        "SAC-Lag on SafetyPointGoal1-v0, 256x256, 2+1 critics, batch 256, one update a step",
        "env steps/s",
        (
            Way("OmniSafe; both move the actor at every second update", "", "pointgoal", 2.5),
            Way("OmniSafe; bridle moves it at every update", "", "pointgoal-often", None),
        ),
    ),
    "omnisafe_on_policy": Peer(
        "whole epochs of 4,000 steps, 64x64, limit 25; theirs on OmniSafe's task, ours on our own of that name",
        "env steps/s",
        (
            Way(
                "OmniSafe PPOLag, 40 passes of 63 x 64",
                "PPOLag SafetyPointGoal1-v0",
                "ppo-lag SafetyPointGoal1-v0",
                15.0,
            ),
            Way("OmniSafe CPO", "CPO SafetyPointGoal1-v0", "cpo SafetyPointGoal1-v0", 30.0),
            Way(
                "OmniSafe PPOLag, 40 passes of 63 x 64",
                "PPOLag SafetyHalfCheetahVelocity-v1",
                "ppo-lag SafetyHalfCheetahVelocity-v1",
                10.0,
            ),
        ),
        home="omnisafe",
    ),
    "safety_gymnasium": Peer(
        "a world alone, random actions, resets included; theirs one copy, ours 64 in one process",
        "env steps/s",
        tuple(Way(f"Safety-Gymnasium, {id}", id, id, None) for id in WORLDS),
        home="omnisafe",
    ),
    "mbrl": Peer(
        "fitting dynamics, 7 members of 4 x 200, 17 observations and 6 actions, 256 rows a member; ours with draws and hold-out rows",
        "updates/s",
        (Way("mbrl-lib", "", "dynamics", 1.3),),
    ),
}
NOTES = """In a round every side runs once, one right after another, in turns forwards and backwards. Ratio: bridle's speed over
the peer's in the same round. By processor time: the same of what was done in a second of processor time, which other work on the
machine disturbs less. Every process has the same cores and as many threads. Counting begins when learning goes on and all is
compiled, and lasts {seconds:g} s.

End to end is the peer's `learn` and ours by `bridle.train`: env, policy, replay, updates, rows of metrics, and no evaluation. Off-policy
it is as `--num-envs 1 --every 64 --times 64 --n-step 1` would have it, and since Safety-Gymnasium does not run beside current NumPy,
bridle's SafetyPointGoal1-v0 is a process of OmniSafe's environment behind a pipe; on-policy it is 32 copies of our own world, with as
many passes and minibatches as the peer's."""


def main(words: list[str] | None = None) -> int:
    """Install, measure in turns, print the table."""
    told = arguments(words)
    pin(told.cores)
    names = told.peers or list(PEERS)
    print(heading(told, names))
    versions = []
    with tempfile.TemporaryDirectory() as aside:
        for name in names:
            try:
                rows, version = compare(name, told, (told.room or Path(aside)).absolute())
            except (subprocess.CalledProcessError, RuntimeError) as error:  # the others can still be compared
                say(f"{name}: {error}")
                rows, version = (
                    [f"| {PEERS[name].task} | {name} | failed: {str(error).splitlines()[0]} |" + " |" * 6],
                    [],
                )
            print("\n".join(rows), flush=True)
            versions += version
    print("\n" + NOTES.format(seconds=told.seconds) + "\n\nVersions:\n\n" + "\n".join(dict.fromkeys(versions)))
    return 0


def arguments(words: list[str] | None) -> argparse.Namespace:
    """What the command line asks."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("peers", nargs="*", metavar="PEER", help=f"{', '.join(PEERS)}; all, if none is named")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each side")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each run is counted")
    parser.add_argument("--cores", type=int, default=2, help="cores and threads of each process")
    parser.add_argument(
        "--room", type=Path, help="where environments are kept; by default they are made anew and removed"
    )
    parser.add_argument("--python", default=shutil.which("python3.11") or sys.executable, help="makes the environments")
    parser.add_argument(
        "--pip", action="append", default=[], help="a further word for pip, such as an index of CPU builds"
    )
    told = parser.parse_args(words)
    if unknown := [name for name in told.peers if name not in PEERS]:
        parser.error(f"no peer {unknown[0]!r}; allowed: {', '.join(PEERS)}")
    return told


def pin(cores: int) -> None:
    """All that is started stays on the first `cores` of this process's cores, where the system can do that, and off GPUs."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    os.environ |= {"OMP_NUM_THREADS": str(cores), "JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": ""}


def heading(told: argparse.Namespace, names: list[str]) -> str:
    """What is measured on what, and the head of the table."""
    which = "" if len(names) == len(PEERS) else " " + " ".join(names)
    command = f"python benchmarks/peers/run.py{which} --rounds {told.rounds} --seconds {told.seconds:g}"
    return (
        f"# bridle beside other libraries\n\n`{command}`, {time.strftime('%Y-%m-%d')}, commit {commit()}; {machine()}, "
        f"{told.cores} threads. Medians of {told.rounds} rounds, smallest and greatest in brackets.\n\n"
        f"| what | peer | the peer | bridle | unit | ratio | mark | | by processor time |\n|---|---|---|---|---|---|---|---|---|"
    )


def compare(name: str, told: argparse.Namespace, room: Path) -> tuple[list[str], list[str]]:
    """Rows of the table, one for each way of the peer; and the versions of both sides."""
    peer = PEERS[name]
    say(f"{name}: its environment")
    python = environment(peer.home or name, room, told.python, told.pip)
    theirs = [[str(python), str(HERE / f"peer_{name}.py"), way.theirs] for way in peer.ways]
    ours = [[sys.executable, str(HERE / "ours.py"), way.ours, "--python", str(python)] for way in peer.ways]
    found: dict[tuple[str, ...], list[dict]] = {tuple(side): [] for side in theirs + ours}  # each once
    say(f"{name}: once each, unmeasured")
    for side in found:
        measure(side, 0.0, told.cores)
    for number in range(told.rounds):
        for side in list(found)[:: 1 if number % 2 else -1]:
            found[side].append(measure(side, told.seconds, told.cores))
            say(f"{name} {number + 1}/{told.rounds}: {' '.join(side[1:3])} {speed(found[side][-1]):.1f} {peer.unit}")
    rows = [
        row(peer, way, found[tuple(them)], found[tuple(us)])
        for way, them, us in zip(peer.ways, theirs, ours, strict=True)
    ]
    versions = [", ".join(map(" ".join, runs[0]["versions"].items())) for runs in found.values()]
    return rows, [f"- {version}" for version in versions]


def measure(side: tuple[str, ...], seconds: float, threads: int) -> dict:
    """What one side tells of itself."""
    here = os.environ | {"PYTHONPATH": str(HERE.parents[1])}
    words = [word for word in side if word] + ["--seconds", str(seconds), "--threads", str(threads)]
    with tempfile.TemporaryDirectory() as aside:
        done = subprocess.run(words, cwd=aside, env=here, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(
            f"{' '.join(words)} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
        )
    return json.loads(done.stdout.splitlines()[-1])


def speed(found: dict, clock: str = "seconds") -> float:
    """Counted in a second, of the wall clock or of processor time (`cpu`)."""
    return found["count"] / found[clock]


def row(peer: Peer, way: Way, theirs: list[dict], ours: list[dict]) -> str:
    """A line of the table."""
    ratios, efforts = (
        [speed(us, clock) / speed(them, clock) for us, them in zip(ours, theirs, strict=True)]
        for clock in ("seconds", "cpu")
    )
    times = lambda values: f"**{median(values):.2f}** ({min(values):.2f}-{max(values):.2f})"
    return "| " + " | ".join(
        [
            peer.task,
            way.name,
            spread([speed(x) for x in theirs]),
            spread([speed(x) for x in ours]),
            peer.unit,
            times(ratios),
            f"{way.mark:g}" if way.mark else "",
            verdict(median(ratios), way.mark),
            times(efforts),
        ]
    ) + " |"  # fmt: skip


def say(text: str) -> None:
    """To whoever waits."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())

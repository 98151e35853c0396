"""How fast env steps, updates and whole runs are here, beside the machine's own ceiling, measured in the same run.

    python benchmarks/speed.py            # about 15 minutes; writes benchmarks/results/speed.md
    python benchmarks/speed.py --quick    # two minutes, to see that it works; writes nothing

FLOPs are counted by the plain formula of the algorithm as it is written: a dense layer costs 2 in out a row, backward is twice
forward (once, where only the input's gradient is asked for), and every network is evaluated where the algorithm evaluates it
(`timing/flops.py`). Work that our code saves thus counts for us, and padding it with work that nobody needs does not. The
ceiling is the same products of the same shapes and dtype alone, without anything between them.

Beside other libraries: `benchmarks/peers/run.py`.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("JAX_PLATFORMS", "cpu")

from timing.clock import commit, machine
from timing.runs import runs
from timing.updates import updates
from timing.worlds import worlds

import bridle
from bridle.run import device, folder

RESULT = Path(__file__).parent / "results" / "speed.md"
TIMES = 32
"""Updates in one scan."""


def main(words: list[str] | None = None) -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few and short repeats; nothing is written")
    parser.add_argument("--repeats", type=int, default=9, help="alternating repeats; medians of these are told")
    parser.add_argument("--steps", type=int, default=320_000, help="env steps of the run whose checkpoints are timed")
    parser.add_argument(
        "--only", choices=("worlds", "updates", "runs"), action="append", help="a part; nothing is written"
    )
    parser.add_argument("--out", type=Path, default=RESULT)
    told = parser.parse_args(words)
    repeats, seconds, steps = (2, 0.1, 8_000) if told.quick else (told.repeats, 0.7, told.steps)
    device.remember()
    report = [heading(repeats)]
    parts = {
        "worlds": lambda: worlds(repeats, seconds),
        "updates": lambda: updates(repeats, seconds, 2 if told.quick else TIMES),
        "runs": lambda: runs(repeats, steps),
    }
    for name in told.only or parts:
        report.append(parts[name]())
        print(report[-1], flush=True)
    if not told.quick and not told.only:
        told.out.parent.mkdir(parents=True, exist_ok=True)
        told.out.write_text("\n".join(report))
        print(f"written to {told.out}")
    return 0


def heading(repeats: int) -> str:
    """What was measured on what."""
    words = sys.argv[1:]
    told = "".join(f" {word}" for i, word in enumerate(words) if "--out" not in (word, words[i - 1]))
    versions = ", ".join(
        f"{k} {v}" for k, v in folder.versions().items() if k in ("python", "jax", "numpy", "mujoco") and v
    )
    return (
        f"# Speed\n\n`python benchmarks/speed.py{told}`, {time.strftime('%Y-%m-%d')}, commit {commit()}, bridle {bridle.__version__}, "
        f"{versions}; {machine()}. Medians of {repeats} alternating repeats, smallest and greatest "
        f"in brackets. What is counted and how: [`benchmarks/README.md`](../README.md).\n"
    )


if __name__ == "__main__":
    sys.exit(main())

"""How fast dynamics are learned and lived in here, beside the machine's own ceiling, measured in the same run.

    python benchmarks/model.py            # about four minutes; prints
    python benchmarks/model.py --quick    # to see that it works

Beside mbrl-lib: `benchmarks/peers/run.py mbrl`.
"""

from __future__ import annotations

import argparse
import os
import sys
import time

os.environ.setdefault("JAX_PLATFORMS", "cpu")

from timing.clock import commit, machine
from timing.models import epochs, models

from bridle.run import device


def main(words: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few and short repeats")
    parser.add_argument("--repeats", type=int, default=7, help="alternating repeats; medians of these are told")
    told = parser.parse_args(words)
    device.remember()
    quick = told.quick
    print(
        f"# Speed of models\n\n{time.strftime('%Y-%m-%d')}, commit {commit()}; {machine()}. Medians of {2 if told.quick else told.repeats} repeats.\n"
    )
    print(models(2 if quick else told.repeats, 0.1 if quick else 1.0, 8 if quick else 200, 500 if quick else 20_000))
    print(epochs(1, 3_000) if quick else epochs(3))
    return 0


if __name__ == "__main__":
    sys.exit(main())

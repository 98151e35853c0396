"""Where the boards go and where the corridor is, as pure functions of NumPy arrays."""

from __future__ import annotations

import numpy as np

SLOPE = float(np.tan(np.pi / 6))
"""Of the corridor beside x: it runs 30 degrees to the left, to the right, to the left again, and then along x."""


def pull(time):
    """Control of the cheetah's board at `time` (s): forward, and for a while backward every 3 pi = 9.42 s."""
    return 0.02 * np.sin(time / 3.0) ** 2 - 0.004


def lead(time):
    """x of the hopper's board at `time` (s): it stands still every 2 pi s, and does 1 m/s on the whole."""
    return 3.0 + time + np.sin(time)


def middle(x):
    """y of the corridor's middle at `x`; without the original's gaps, which fall into its last piece at exactly 20, 60 and 100."""
    return SLOPE * np.where(x < 20.0, x, np.where(x < 60.0, 40.0 - x, np.where(x < 100.0, x - 80.0, 20.0)))

"""Settings of ours that are not the default."""

from __future__ import annotations

from bridle.algorithms.presets.preset import Preset

PRESETS: dict[str, Preset] = {
    "demo": Preset(
        "cvpo",
        {"aim": 0.3},
        {"env": "SafetyCarCircle-v0", "cost_limit": (10.0,), "steps": 500_000, "seed": 501},
        "our default, cut short and kept well under the limit: what `make demo` trains in a few minutes",
        "",
    ),
}

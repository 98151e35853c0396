"""On-policy learners on Safety Gym's tasks, beside the figures of OmniSafe and FSRL."""

from __future__ import annotations

from pages.page import Page

OTHERS = {
    "SafetyPointGoal1-v0": {
        "OmniSafe": {"ppo-lag": "13.0 / 25.8", "trpo-lag": "18.5 / 23", "cpo": "20.5 / 28.8", "focops": "15.0 / 33.7",
                     "ppo-pid": "8.4 / 25.7", "trpo-pid": "19.2 / 21.4"},
        "FSRL": {"ppo-lag": "14.5 at 5 M", "trpo-lag": "19.5 at 5 M", "cpo": "15.5 at 5 M", "focops": "10 at 5 M"},
    },
    "SafetyHalfCheetahVelocity-v1": {
        "OmniSafe": {"ppo-lag": "2946 / 3.4", "trpo-lag": "2885 / 9", "cpo": "2786 / 4.7", "focops": "2965 / 2.4",
                     "ppo-pid": "2838 / 8"},
        "FSRL": {"ppo-lag": "1850 at 5 M", "trpo-lag": "2070 at 5 M", "cpo": "1740 at 5 M", "focops": "1080 at 5 M"},
    },
}  # fmt: skip
"""Return / cost under limit 25: OmniSafe's at 10 M steps from its published data files, FSRL's read off its plots, approximately."""

PAGE = Page(
    "On-policy learners on Safety Gym's tasks",
    "on_policy",
    """OmniSafe's figures are those of its published data files, at 10 M steps; FSRL's are read off its plots, approximately, and tell returns
alone; both under limit 25, on Safety-Gymnasium 1.0. Evaluations sample actions, as those of the others do.""",
    OTHERS,
    " --held-out 50",
)

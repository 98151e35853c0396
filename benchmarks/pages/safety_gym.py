"""Safety Gym's navigation and velocity tasks, beside the figures of OmniSafe and FSRL."""

from __future__ import annotations

from pages.page import Page

OTHERS = {
    "SafetyPointGoal1-v0": {
        "OmniSafe": {"sac-lag": "21.5 / 19.2 at 3 M", "td3-lag": "25.3 / 28 at 3 M", "ddpg-lag": "17.2 / 20.3 at 3 M",
                     "sac-pid": "15.9 / 27.5 at 3 M", "td3-pid": "18.8 / 12.2 at 3 M"},
        "FSRL": {"cvpo": "24 / ~25 at 5 M", "sac-lag": "< 0 / - at 5 M", "ddpg-lag": "< 0 / - at 5 M"},
    },
    "SafetyPointButton1-v0": {"FSRL": {"cvpo": "10 / - at 5 M"}},
    "SafetyHalfCheetahVelocity-v1": {
        "OmniSafe": {"sac-lag": "2834 / 0 at 1 M", "td3-lag": "2741 / 10.5 at 1 M", "ddpg-lag": "2743 / 0.3 at 1 M",
                     "sac-pid": "2689 / 21.4 at 1 M", "td3-pid": "2696 / 35.9 at 1 M", "ddpg-pid": "2738 / 36 at 1 M"},
        "FSRL": {"cvpo": "1800 / <= 25 at 5 M", "sac-lag": "2700 / <= 25 at 5 M", "ddpg-lag": "2700 / <= 25 at 5 M"},
    },
    "SafetyCarGoal1-v0": {
        "OmniSafe": {"sac-lag": "10.8 / 22.7 at 3 M", "td3-lag": "7.3 / 33.8 at 3 M", "td3-pid": "27.3 / 9.5 at 3 M"},
    },
    "SafetyPointPush1-v0": {"FSRL": {"cvpo": "13 / - at 5 M"}},
    "SafetyHopperVelocity-v1": {
        "OmniSafe": {"sac-lag": "963 / 20 at 1 M", "td3-lag": "929 / 40.7 at 1 M", "ddpg-lag": "1093 / 15 at 1 M"},
    },
}  # fmt: skip
"""Return / cost under limit 25: OmniSafe's from its published data files, FSRL's read off its plots, approximately."""

PAGE = Page(
    "Safety Gym: navigation and velocity tasks",
    "safety_gym",
    """OmniSafe's figures are those of its published data files, FSRL's are read off its plots, approximately; both under limit 25, on Safety-Gymnasium 1.0.
Held-out layouts: return / cost of the last policy over 50 episodes whose layouts no training with `layout=random` can meet.""",
    OTHERS,
    " --held-out 50",
)

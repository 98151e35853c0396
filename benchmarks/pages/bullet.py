"""Circle and Run of Bullet-Safety-Gym, beside FSRL's figures."""

from __future__ import annotations

from pages.page import Page

FSRL = {
    "SafetyCarCircle-v0": (1.5, {"cvpo": "433 / 5.5", "sac": "334 / -", "ddpg": "418 / 8.8"}),
    "SafetyBallCircle-v0": (0.8, {"cvpo": "695 / 10", "sac": "673 / 7", "ddpg": "779 / 5.4"}),
    "SafetyDroneCircle-v0": (4.0, {"cvpo": "603 / 8.3", "sac": "680 / -", "ddpg": "541 / 12.5"}),
    "SafetyCarRun-v0": (0.3, dict.fromkeys(("cvpo", "sac", "ddpg"), "560-575 / -")),
    "SafetyBallRun-v0": (0.5, {"cvpo": "450 / < 10", "ddpg": "805 / 31"}),
    "SafetyDroneRun-v0": (1.5, {"cvpo": "438 / -", "sac": "379 / -", "ddpg": "392 / 6.8"}),
    "SafetyAntRun-v0": (2.25, {"cvpo": "711 / 11.8", "ddpg": "701 / 10.5"}),
}
"""Million env steps, and return / cost of each algorithm at their end: means of three seeds, read off the plots of its published
report within 3 %, for limit 10; of SafetyCarRun a range that most of its algorithms reach, of SafetyAntRun 2 to 2.5."""

PAGE = Page(
    "Circle and Run of Bullet-Safety-Gym",
    "bullet",
    """FSRL's figures are means of three seeds, read off its plots (3 %), of CVPO, of SAC-Lagrangian (its multiplier is a PID controller; here beside both of
ours) and of DDPG-Lagrangian. They were measured in PyBullet, ours on our own physics, which is
[calibrated to it](../../docs/tasks/bullet.md) within 5 to 10 %: a few per cent between the columns mean nothing.""",
    {env: {f"FSRL at {millions:g} M": told} for env, (millions, told) in FSRL.items()},
)

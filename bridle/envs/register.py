"""Tells Gymnasium our ids, all of them in the namespace `bridle/`; and imports no simulator."""

from __future__ import annotations


def register() -> None:
    """Register every id once; nothing outside `bridle/` is touched."""
    import gymnasium

    from bridle.envs.bullet import TASKS

    for task in TASKS:
        name = f"bridle/{task}"
        if name not in gymnasium.registry:
            # The horizon depends on the dialect, so the environment truncates itself and no TimeLimit is asked for.
            entry = "bridle.envs.bullet.single:BulletEnv"
            gymnasium.register(name, entry_point=entry, kwargs={"task": task})


# Gymnasium 1.4 loads no plugins by itself: `gymnasium.make("bridle.envs.register:bridle/SafetyCarCircle-v0")` imports
# this module first.
register()

"""Tells Gymnasium our ids, all of them in the namespace `bridle/`; and imports no simulator."""

from __future__ import annotations

import importlib.util
import sys
from importlib.abc import MetaPathFinder


def register() -> None:
    """Register every id once; nothing outside `bridle/` is touched."""
    import gymnasium

    from bridle.envs import bullet, safe_mujoco, safety_gym, velocity

    for entry, tasks in (
        ("bridle.envs.bullet.single:BulletEnv", bullet.TASKS),
        ("bridle.envs.safety_gym.single:NavigationEnv", safety_gym.TASKS),
        ("bridle.envs.velocity.single:VelocityEnv", velocity.TASKS),
        ("bridle.envs.safe_mujoco.single:SafeMujocoEnv", safe_mujoco.TASKS),
    ):
        for task in tasks:
            name = f"bridle/{task}"
            if name not in gymnasium.registry:
                # The horizon is an argument, so the environment truncates itself and no TimeLimit is asked for.
                gymnasium.register(name, entry_point=entry, kwargs={"task": task})


def register_with_gymnasium() -> None:
    """Register now, or as soon as somebody imports Gymnasium, which we do not import ourselves: it takes 0.3 s.

    Gymnasium 1.4 reads no entry points any more, so `import bridle` stands for ours, before or after `import gymnasium`.
    """
    if hasattr(sys.modules.get("gymnasium"), "registry"):
        register()
    elif not any(isinstance(finder, _Watch) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Watch())


class _Watch(MetaPathFinder):
    """Leaves itself at the first import of Gymnasium, and registers at its end."""

    def find_spec(self, fullname, path=None, target=None):
        if fullname != "gymnasium":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def load_and_register(module):
                load(module)
                register()

            spec.loader.exec_module = load_and_register
        return spec

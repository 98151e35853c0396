"""How each peer is installed, in an environment of its own: pinned, as it still resolves and runs on Python 3.11."""

from __future__ import annotations

import subprocess
from pathlib import Path

TORCH = "torch==2.13.0"
RECIPES: dict[str, tuple[tuple[str, ...], ...]] = {
    "fsrl": (
        (TORCH,),
        ("fast-safe-rl==0.1.0", "tianshou==0.5.1"),
        ("numpy==1.26.4", "setuptools==69.5.1"),  # what its dependencies need at run time, against torch's word
    ),
    "sbx": (
        (TORCH,),
        ("sbx-rl==0.28.0", "stable-baselines3==2.9.2", "jax==0.10.2", "gymnasium[mujoco]==1.4.0", "mujoco==4.0.0"),
    ),
    "sb3": (
        (TORCH,),
        ("stable-baselines3==2.9.2", "gymnasium[mujoco]==1.4.0", "mujoco==4.0.0"),
    ),
    "omnisafe": (  # its own pins cannot be met: pandas 2.0.3 with any NumPy of Python 3.11, pygame 2.1.0 without a wheel
        (TORCH,),
        ("gymnasium==0.28.1", "mujoco==2.3.3", "numpy==1.26.4", "pandas==2.3.3", "pygame==2.6.1", "pyyaml==6.0.3",
         "xmltodict==1.0.4", "imageio==2.38.1", "moviepy==2.2.1", "rich==15.0.0", "typer==0.29.2", "seaborn==0.13.2",
         "matplotlib==3.11.2", "tensorboard==2.21.0", "wandb==0.31.0", "gdown==6.5.1", "scikit-learn==1.9.1",
         "scipy==1.17.1", "joblib==1.6.0", "gpytorch==1.15.2"),
        ("--no-deps", "omnisafe==0.5.0", "safety-gymnasium==1.0.0", "gymnasium-robotics==1.2.2", "pettingzoo==1.24.3"),
    ),
    "mbrl": (  # its own pins of gymnasium and hydra-core do not resolve beside a current torch, and its networks need neither
        (TORCH,),
        ("numpy==1.26.4", "gymnasium==1.4.0", "hydra-core==1.3.8", "omegaconf==2.3.1", "matplotlib==3.11.2", "tqdm==4.70.1",
         "termcolor==3.3.0", "imageio==2.38.1"),
        ("--no-deps", "mbrl==0.2.0"),
    ),
}  # fmt: skip
"""Peer -> what pip is told, call by call."""


def environment(peer: str, room: Path, base: str, pip: list[str]) -> Path:
    """The python of the peer's environment under `room`, made by the python `base` where it is not there yet; `pip` are
    further words for every call of it. An installation that fails is a `CalledProcessError`."""
    home, recipe = room / peer, repr(RECIPES[peer])
    python, stamp = home / "bin" / "python", home / "recipe"
    if stamp.exists() and stamp.read_text() == recipe:
        return python
    subprocess.run([base, "-m", "venv", "--clear", str(home)], check=True)
    for words in RECIPES[peer]:
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *pip, *words]
        subprocess.run(install, check=True, stdout=subprocess.DEVNULL)
    stamp.write_text(recipe)
    return python

"""Gymnasium's MuJoCo models, as text to build on and as models."""

from __future__ import annotations

import re
from pathlib import Path


def text_of(file: str) -> tuple[str, float | None]:
    """Gymnasium's XML file, and the total mass (kg) that it asks for, which `compiled` gives it.

    MuJoCo warns of that attribute (`settotalmass`, of the cheetah alone) and says what to do instead: it gives the same model
    to the bit.
    """
    import gymnasium

    text = (Path(gymnasium.__file__).parent / "envs" / "mujoco" / "assets" / file).read_text()
    mass = re.search(r' settotalmass="([0-9.]+)"', text)
    return (text, None) if mass is None else (text.replace(mass[0], ""), float(mass[1]))


def compiled(text: str, mass: float | None):
    """The model of an XML text, scaled to a total mass (kg) if one is given."""
    import mujoco

    model = mujoco.MjModel.from_xml_string(text)
    if mass is not None:
        mujoco.mj_setTotalmass(model, mass)
        mujoco.mj_setConst(model, mujoco.MjData(model))
    return model

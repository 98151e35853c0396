"""Settings by name: what a paper or another library trained with, in our words; plain tables, one file for each source.

They lie here and not in `study/`, since `api` speaks of them too. A description says what of the original a preset cannot
bring back. In all of them the E-step solves its dual exactly, where the originals stop early.
"""

from __future__ import annotations

from bridle.algorithms.presets import cmbpo, cvpo_safe_rl, ensembles, fsrl, icml22, mbpo, omnisafe, ours
from bridle.algorithms.presets.preset import Preset

SOURCES = (cvpo_safe_rl, fsrl, omnisafe, ensembles, icml22, cmbpo, mbpo, ours)
PRESETS: dict[str, Preset] = {name: preset for source in SOURCES for name, preset in source.PRESETS.items()}

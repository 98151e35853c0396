"""What a preset is: settings, and how they differ from what was published."""

from __future__ import annotations

from typing import Any, NamedTuple


class Preset(NamedTuple):
    """What a user would otherwise type."""

    algorithm: str
    config: dict[str, Any]
    """Fields of the algorithm's config."""
    options: dict[str, Any]
    """Fields of `run.options.Options`."""
    about: str
    """One line."""
    differs: str
    """What is not as it was published; empty where nothing was."""
    suite: str = ""
    """The suite of tasks that it was tuned for by us, if it was."""

"""CMBPO beside CPO and TRPO on its tasks."""

from __future__ import annotations

from pages.page import Page

PAGE = Page(
    "Model-based constrained learning",
    "model_based",
    """Nobody's figures stand beside ours: the curves of the paper (Zanger et al. 2021) could not be read. Evaluations sample actions.""",
    {},
)

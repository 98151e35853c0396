"""What stands on each page of learning results: its head, and what others have published."""

from __future__ import annotations

from pages import bullet, model_based, on_policy, safety_gym
from pages.page import Page

PAGES: dict[str, Page] = {
    "bullet": bullet.PAGE,
    "safety_gym": safety_gym.PAGE,
    "on_policy": on_policy.PAGE,
    "model_based": model_based.PAGE,
}

"""Deep deterministic policy gradient, DDPG (Lillicrap et al. 2016, arXiv:1509.02971): TD3 with one critic, no delay, no smoothing."""

from __future__ import annotations

from dataclasses import dataclass

from bridle.algorithms import td3


@dataclass(frozen=True)
class Config(td3.Config):
    """Deep deterministic policy gradient."""

    critics: int = 1
    """Critics of reward; the least of them counts in targets, the first in the actor's loss."""
    target_noise: float = 0.0
    """Standard deviation of what is added to the next action of a target."""
    actor_every: int = 1
    """Updates of the critics for each one of the actor and of the targets."""
    target_rate: float = 0.005
    """polyak: how fast targets follow, each time that the actor learns."""

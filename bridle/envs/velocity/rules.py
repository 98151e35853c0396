"""Obs, reward, cost and the end of an episode, as pure functions of arrays; `xp` is numpy or jax.numpy.

`qpos [N Q]` and `qvel [N V]` are MuJoCo's, `more [N M]` is what else a robot tells (`Robot.tells`, flat), `control [N A]`
is in the actuators' units and `velocity [N 2]` in m/s.
"""

from __future__ import annotations

from functools import partial

from bridle.core.types import Rules
from bridle.envs.velocity.robots import Robot


def obs(robot: Robot, qpos, qvel, more, xp):
    """[N O]: positions but the first, velocities, then what else the robot tells."""
    if robot.fastest < float("inf"):
        qvel = xp.clip(qvel, -robot.fastest, robot.fastest)
    parts = [qpos[:, robot.hidden :], qvel]
    if robot.tells:
        parts += [more[:, : robot.forces], forces(robot, more, xp)]
    return xp.concatenate(parts, 1)


def forces(robot: Robot, more, xp):
    """Contact force and torque on each body, [N 6B]."""
    told = more[:, robot.forces :]
    return xp.clip(told, -robot.strongest, robot.strongest) if robot.strongest < float("inf") else told


def healthy(robot: Robot, qpos, qvel, xp):
    """bool [N]: neither fallen nor leaning too far nor out of bounds. Not being healthy terminates an episode."""
    if robot.height is None:
        return xp.ones(len(qpos), bool)
    # A tree's root has its height third, a plane's second and its lean third.
    planar = robot.hidden == 1
    z = qpos[:, 1 if planar else 2]
    well = (robot.height[0] < z) & (z < robot.height[1])
    if planar:
        well &= abs(qpos[:, 2]) < robot.tilt
    if robot.bound is not None:
        well &= (abs(qpos[:, 2:]) < robot.bound).all(1) & (abs(qvel) < robot.bound).all(1)
    return well


def reward(robot: Robot, velocity, control, well, more, xp):
    """[N]: speed along x, and being healthy (`well`, bool [N]), less the price of control and of contact."""
    earned = robot.forward * velocity[:, 0] - robot.control * (control * control).sum(1)
    if robot.alive:
        earned = earned + robot.alive * well
    if robot.contact:
        hit = forces(robot, more, xp)
        earned = earned - xp.minimum(robot.contact * (hit * hit).sum(1), robot.dearest)
    return earned


def speed(robot: Robot, velocity, xp):
    """[N], m/s: in the plane where the robot can turn, along x (negative when backwards) where not."""
    if robot.place is None:
        return velocity[:, 0]
    return xp.sqrt(velocity[:, 0] ** 2 + velocity[:, 1] ** 2)


def cost(robot: Robot, velocity, xp):
    """[N]: 1.0 where the robot is faster than its threshold."""
    return (speed(robot, velocity, xp) > robot.threshold) * 1.0


def rules(robot: Robot) -> Rules:
    """What obs tell: whether an episode ends. Cost and reward are of the way of an env step, which obs do not tell."""
    return Rules(terminated=partial(terminated, robot))


def terminated(robot: Robot, obs, action, next_obs):
    """bool [...]: not `healthy`, by obs alone: to the rounding of float32, and without a hopper's velocities beyond 100, which
    obs cut to 10."""
    z = next_obs[..., 0]
    if robot.height is None:
        return abs(z) < 0.0
    well = (robot.height[0] < z) & (z < robot.height[1])
    if robot.hidden == 1:
        well = well & (abs(next_obs[..., 1]) < robot.tilt)
    if robot.bound is not None:
        well = well & (abs(next_obs[..., 1:]) < robot.bound).all(-1)
    return ~well

"""How the drone flies: thrust, damping and motors, sub-step by sub-step.

An action asks each rotor for up to 10 % more or less than the speed of hovering. The thrust answers at once, and holds
its direction in the world for the whole env step. Motors keep the rotors at speed; what Bullet's damping takes from the
rotors turns the body. In the air this is Bullet to three digits (`docs/tasks/bullet.md`).

A state is `[22 ...]` = position (3), quaternion (4), velocity (3), spin (3), speed of each rotor about the body's z (4),
angle of each (4), links on the ground (1); in m, rad and s, in the frame of the world. All runs on NumPy and JAX arrays
alike through `xp`.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from bridle.envs.bullet.drone import ground
from bridle.envs.bullet.drone.airframe import (
    ARM,
    BOX,
    GRAVITY,
    HALF,
    HUBS,
    MASS,
    RISE,
    ROTOR,
    ROTOR_TILT,
    TILT,
    TORQUE,
    YAW,
    between,
    cross,
    dot,
    into,
    length,
    rotation,
    turned,
)
from bridle.envs.bullet.table import Timing

DRAG = 0.04
"""Bullet's damping of every link: acceleration -(0.04 + 0.04 |v|) v, and alike for spin."""

HOVER = 461.52279
"""Rotor speed that carries the drone, rad/s."""
RANGE = 0.1
"""Share of it that full action adds."""
TURNS = (1.0, -1.0, 1.0, -1.0)
"""Sense in which each rotor turns about z."""
PITCH = 4.7 * 0.0254
"""Of the propellers, m per turn."""
LIFT = 1.225 * math.pi * 0.14**2 * (0.28 / 3.29546 / PITCH) ** 1.5
"""Thrust is LIFT * (u^2 - u v0), u = turns per second * PITCH, v0 = speed along the axis: air density, disc, fit."""


def begin(xy, yaw, timing: Timing, xp):
    """State `[22 ...]` at rest on the ground at `xy [2 ...]`, rotors still, after the uncontrolled step of a reset.

    In Bullet motors go on towards what the last episode asked of them in that step; here an episode knows no other.
    """
    z, links = _settled(timing)
    zero = xp.zeros_like(yaw)
    rows = [xy[0], xy[1], zero + z, zero, zero, xp.sin(0.5 * yaw), xp.cos(0.5 * yaw), *[zero] * 14, zero + links]
    return xp.stack(rows)


@functools.cache
def _settled(timing: Timing) -> tuple[float, float]:
    """Height (m) and touching links of a drone that has lain on the ground for one env step."""
    state = np.zeros((22, 1))
    state[2], state[6] = HALF[2], 1.0
    zero = np.zeros(1)
    state = advance(state, (zero,) * 4, (zero,) * 4, timing, False, np)
    return float(state[2, 0]), float(state[21, 0])


def move(state, action, timing: Timing, walls: bool, xp):
    """State `[22 ...]` one env step later under `action [4 ...]`, each from -1 to 1."""
    speed = [HOVER * (1.0 + RANGE * between(a, -1.0, 1.0, xp)) for a in action]
    up = [row[2] for row in rotation(state[3:7])]
    along = dot(up, state[7:10])
    wind = [PITCH / (2 * math.pi) * n for n in speed]
    return advance(state, [LIFT * u * (u - along) for u in wind], speed, timing, walls, xp)


def advance(state, thrust, speed, timing: Timing, walls: bool, xp):
    """One env step under the `thrust` of each rotor (N), while motors drive the rotors to `speed` (rad/s)."""
    h = timing.substep
    place, turn, v, w = list(state[:3]), state[3:7], list(state[7:10]), list(state[10:13])
    rotors, angle, links = state[13:17], state[17:21], state[21]
    target = xp.stack([s * n for s, n in zip(TURNS, speed)])
    # Bullet asks for the direction of a thrust before it has moved the rotors along with the last sub-step.
    axis = [row[2] for row in rotation(turned(turn, w, -h, xp))]
    total = thrust[0] + thrust[1] + thrust[2] + thrust[3]
    lever = (ARM * (thrust[0] - thrust[2]), ARM * (thrust[3] - thrust[1]), RISE * total)
    lift = [total / MASS * a for a in axis]
    lift[2] = lift[2] - GRAVITY
    for _ in range(timing.substeps):
        r = rotation(turn)
        kept = 1.0 - h * DRAG * (1.0 + length(v, xp))
        v = [kept * u + h * a for u, a in zip(v, lift)]
        w, rotors, kick = _spin(w, rotors, r, cross(lever, into(r, axis)), target, h, xp)
        v, w, rotors, links = ground.press(place, r, v, w, (rotors, angle, target, kick), h, walls, xp)
        place = [x + h * u for x, u in zip(place, v)]
        turn = turned(turn, w, h, xp)
        angle = angle + h * rotors
    angle = angle - ground.EDGE * xp.floor(angle / ground.EDGE)
    return xp.concatenate([xp.stack([*place, *turn, *v, *w]), rotors, angle, links[None]])


def _spin(w, rotors, r, torque, target, h, xp):
    """Spin of the body (world), rotor speeds and angular impulses of the motors (N m s) after one sub-step.

    `torque` is that of the thrusts (N m, body); Euler's equations, damping and motors do the rest.
    """
    p, q, s = into(r, w)
    drag = DRAG * (1.0 + length(w, xp))
    # Rotors are damped by their own spin, which is that of the body and theirs together.
    turning = rotors + s
    drags = DRAG * (1.0 + xp.sqrt(turning * turning + (p * p + q * q)))
    across = BOX * drag + ROTOR_TILT * drags.sum(0)
    along = (YAW - TILT) * s + ROTOR * turning.sum(0)
    dp = (h / TILT) * (torque[0] - across * p - along * q)
    dq = (h / TILT) * (torque[1] - across * q + along * p)
    free = turning * (1.0 - h * drags)
    # The rotors, as points, are damped by their speed, which is 0.34 m times the spin.
    less = (HUBS / YAW) * DRAG * (1.0 - ARM) * xp.abs(s)
    yaw = s * (1.0 - h * (drag - less)) + (h / YAW) * torque[2]
    # Motors make the speeds relative to the body what they should be, all at once, as far as their torque goes.
    wanted = (YAW * yaw + ROTOR * (free - target).sum(0)) / (YAW + 4 * ROTOR)
    kick = between(ROTOR * (target + wanted - free), -h * TORQUE, h * TORQUE, xp)
    yaw = yaw - kick.sum(0) / YAW
    change = (dp, dq, yaw - s)
    w = [w[k] + dot(r[k], change) for k in range(3)]
    return w, free + kick / ROTOR - yaw, kick

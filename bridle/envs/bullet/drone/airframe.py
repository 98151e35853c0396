"""The drone's body: its mass, inertia and places, and how vectors turn between body and world.

AscTec Hummingbird at twice its size: a box of 0.6 x 0.6 x 0.34 m and 1.4 kg, and four rotors of 5 g; the inertia of the
box is that of an even one. Vectors are sequences of three arrays, quaternions are (x, y, z, w).
"""

from __future__ import annotations

MASS = 1.42
"""Box and rotors, kg."""
GRAVITY = 9.81
HALF = (0.3, 0.3, 0.17)
"""Half the sides of the box, m; on the ground its centre is 0.17 m high."""
ARM, RISE = 0.34, 0.02
"""Rotors are 0.34 m ahead, right, behind, left of the centre and 0.02 m above it."""
BOX = 0.05665
"""Inertia about x and y of the box with the masses of the rotors, kg m2."""
ROTOR, ROTOR_TILT = 2.6696e-4, 1.3359e-4
"""Inertia of one rotor about its axis and across it, kg m2."""
TILT = BOX + 4 * ROTOR_TILT
"""Inertia about x and y, kg m2."""
HUBS = 4 * 0.005 * ARM**2
"""Inertia about z of the rotors as points, kg m2."""
YAW = 0.084 + HUBS
"""Inertia about z, kg m2, without the rotors' own: motors stand between."""
TORQUE = 23.444
"""What one motor can do, N m. At sub-steps of 1/240 s, spinning up from rest takes two of them."""


def between(x, low, high, xp):
    """`x`, cut to `low` and `high`."""
    return xp.minimum(xp.maximum(x, low), high)


def rotation(turn):
    """Rows of the matrix from body to world of a quaternion (x, y, z, w)."""
    x, y, z, w = turn
    return (
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )


def turned(turn, w, h, xp):
    """Quaternion after `h` seconds of spin `w` (world)."""
    speed = length(w, xp) + 1e-12
    scale = xp.sin((0.5 * h) * speed) / speed
    c, (a, b, d) = xp.cos((0.5 * h) * speed), [scale * u for u in w]
    x, y, z, o = turn
    new = (
        c * x + a * o + b * z - d * y,
        c * y + b * o + d * x - a * z,
        c * z + d * o + a * y - b * x,
        c * o - a * x - b * y - d * z,
    )
    norm = 1.0 / xp.sqrt(new[0] * new[0] + new[1] * new[1] + new[2] * new[2] + new[3] * new[3])
    return [norm * u for u in new]


def dot(a, b):
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def cross(a, b):
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


def length(a, xp):
    return xp.sqrt(dot(a, a))


def into(r, a):
    """A vector of the world in the frame of the body."""
    return [r[0][k] * a[0] + r[1][k] * a[1] + r[2][k] * a[2] for k in range(3)]

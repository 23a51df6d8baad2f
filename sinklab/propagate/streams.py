"""Random numbers addressed by what they are for, so that the order of work does not matter.

Every error has a name, every draw of it an address: the label of the level that shares it (a model, a
species, a plot), or the tile of rows that it belongs to. A generator is made from seed, name and
address alone. The same address gives the same numbers in another process, another run, and another
inventory, which is how two inventories share an error.
"""

import hashlib

import numpy as np

#: Rows and draws that are computed at once; part of the address, so changing them changes digits.
ROWS, DRAWS = 1024, 64


def key(seed: int, *address) -> int:
    """A number of 64 bits made of the seed and an address."""
    text = "\x1f".join(map(str, (seed, *address)))
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8"), digest_size=8).digest(), "little")


def stream(seed: int, *address) -> np.random.Generator:
    """Generator of one address."""
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence(key(seed, *address))))


def shared_normals(seed: int, name: str, levels, n_draw: int) -> np.ndarray:
    """Standard normal draws of levels that share an error, shape (n_level, n_draw).

    The first draws of a level do not depend on how many follow, nor on the other levels.
    """
    out = np.empty((len(levels), n_draw))
    for row, level in zip(out, levels, strict=True):
        stream(seed, name, level).standard_normal(out=row)
    return out


def inside(generator, centre, sd, low, high, normal) -> np.ndarray:
    """``centre + sd * normal``, with values outside the limits drawn again.

    Parameters
    ----------
    generator : Generator or None
        Without one, as where many rows share a draw, values are cut at the limits.
    centre, sd : array, shape (n,)
    low, high : float
        A centre outside the limits is not drawn for ever: after 100 rounds the limit is taken.
    normal : array, shape (n_draw, n)
        Standard normal numbers; overwritten.
    """
    value = np.multiply(normal, sd, out=normal)
    value += centre
    # Least and greatest first: they make no mask of the whole array.
    if value.min() >= low and value.max() <= high:
        return value
    if generator is not None:
        draw, row = np.nonzero((value < low) | (value > high))
        for _ in range(100):
            again = centre[row] + sd[row] * generator.standard_normal(len(row))
            value[draw, row] = again
            out = (again < low) | (again > high)
            draw, row = draw[out], row[out]
            if not len(row):
                return value
    return np.clip(value, low, high, out=value)

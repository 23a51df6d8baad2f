r"""Values of pooled coefficients, standardised by what the data and the other groups say of each.

Given the distribution over the groups, with mean :math:`\mu` and covariance :math:`LL'`, and a quadratic
approximation of the likelihood of a group's own trees, with information :math:`I` and slope :math:`r` at
:math:`\mu`, the value of a group is

.. math:: \theta = \mu + L u, \quad u = C'^{-1}(C^{-1} L' r + z), \quad CC' = 1 + L' I L, \quad z \sim N(0, 1).

The sampler moves z. With many trees this is the group's own estimate and error (the centred form), with none
the distribution over the groups (the non-centred form), and each group and direction stands where its data put
it: a species of three trees whose level is known and whose slope is not is both at once. The approximation
only chooses coordinates; the density of u, standard normal, and the likelihood are exact. All of it is smooth
where a spread is 0, so spreads may change their sign (see :mod:`.scalars`).

Source
------
Papaspiliopoulos O., Roberts G.O., Skoeld M. (2007) A general framework for the parametrization of
hierarchical models. Statistical Science 22:59-73.
"""

import numpy as np


def group_values(builder, c: int, block, z, library):
    """Values of one block.

    Parameters
    ----------
    builder : Builder or Unknowns
        Where scalar unknowns and data are found.
    c : int
        Number of the block.
    block : Block
    z : tensor, shape (…, K S)
        What the sampler moves.
    library : module
        PyTensor's tensors, or numpy.

    Returns
    -------
    theta : list of tensor, shape (…, S)
        One for each coefficient, on the sampled scale.
    u : list of tensor, shape (…, S)
        Deviations in units of the spread between the groups.
    log_size : tensor, shape (…, S)
        Logarithm of their size per unit of z.
    """
    near, size = builder.near.groups[c], len(block.parameters)
    root = _root(builder, block)
    mean = [builder.scalar("mean", p) for p in block.parameters]
    pair = {(i, j): near.information[:, i, j] for i in range(size) for j in range(i + 1)}
    held = {(i, j): builder.hold(f"information_{c}_{i}_{j}", own) for (i, j), own in pair.items()}
    own = [[held[max(i, j), min(i, j)] for j in range(size)] for i in range(size)]
    slope = _slope(builder, c, near, own, mean)
    z = [z[..., i * len(block.levels) : (i + 1) * len(block.levels)] for i in range(size)]
    u, log_size = _standardised(root, own, slope, z, library)
    return [mean[i] + _product(root[i], u, range(i + 1)) for i in range(size)], u, log_size


def _root(builder, block) -> list[list]:
    """Lower triangular root of the covariance over the groups; None where it is 0 by construction."""
    spread = [builder.scalar("spread", p, natural=True) for p in block.parameters]
    if not block.correlated:
        return [[None] * i + [s] for i, s in enumerate(spread)]
    rows = builder.conditionals[f"correlation({block.column})"].full
    return [[spread[i] * rows[i][j] for j in range(i + 1)] for i in range(len(spread))]


def _slope(builder, c, near, own, mean) -> list:
    """Slope of the likelihood of each group's own trees at the mean over the groups."""
    common = [builder.t[j] - builder.held["start"][j] for j in range(near.cross.shape[2])]
    begin = builder.hold(f"mean_{c}", near.mean)
    moved = [m - begin[i] for i, m in enumerate(mean)]
    out = []
    for i in range(len(mean)):
        value = builder.hold(f"pull_{c}_{i}", near.pull[:, i])
        for j, shift in enumerate(common):
            value = value - builder.hold(f"cross_{c}_{i}_{j}", near.cross[:, i, j]) * shift
        out.append(value - _product(own[i], moved, range(len(mean))))
    return out


def _product(left, right, over):
    """Sum of products, those with None left out."""
    return sum(left[k] * right[k] for k in over if left[k] is not None)


def _standardised(root, own, slope, z, library):
    """Deviations u in units of the root, and the logarithm of their size per unit of z."""
    size = len(root)
    column = [[root[i][j] if i >= j else None for i in range(size)] for j in range(size)]
    everything = range(size)
    times = [[_product(column[j], own[i], everything) for j in everything] for i in everything]
    lower, half, log_size = [], [], 0.0
    for i in everything:
        row = []
        for j in range(i):
            known = _product(column[i], [times[k][j] for k in everything], everything)
            row.append((known - _product(row, lower[j], range(j))) / lower[j][j])
        known = _product(column[i], [times[k][i] for k in everything], everything)
        left = 1.0 + known - sum(x**2 for x in row)
        lower.append([*row, library.sqrt(left)])
        log_size = log_size - 0.5 * library.log(left)
        half.append((_product(column[i], slope, everything) - _product(row, half, range(i))) / lower[i][i])
    u = [None] * size
    for i in reversed(everything):
        above = sum(lower[k][i] * u[k] for k in range(i + 1, size))
        u[i] = (half[i] + z[i] - above) / lower[i][i]
    return u, log_size


def resolution(near) -> np.ndarray:
    """Size (K,) below which the data cannot tell a spread from 0.

    The likelihood of a variance near 0 has half the summed squares of the groups' information for its own
    information; its square root, the standard error of a spread that is 0, is returned.
    """
    scale = np.sqrt(np.einsum("skk->sk", near.information).clip(1e-300))
    unit = near.information / scale[:, :, None] / scale[:, None, :] + 1e-6 * np.eye(scale.shape[1])
    alone = scale**2 / np.einsum("skk->sk", np.linalg.inv(unit))
    return (2 / (alone**2).sum(axis=0)) ** 0.25

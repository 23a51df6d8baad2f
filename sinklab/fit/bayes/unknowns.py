"""What the sampler moved, as the unknowns of the model: the same formulas as in the model, with numpy."""

import numpy as np

from sinklab.fit.bayes import vines
from sinklab.fit.bayes.groups import group_values

#: Numbers held at once: draws times values of the groups of one portion.
PORTION = 1_000_000


class Unknowns:
    """Stands where the model's builder stands for :func:`.groups.group_values`, with draws in place of tensors.

    Parameters
    ----------
    builder : Builder
        Its model has been built.
    z : array, shape (D, n)
        Points of the sampler: scalar unknowns, then each block, then what else there is.
    """

    def __init__(self, builder, z):
        self.near, self.scalars, self.spec = builder.near, builder.scalars, builder.spec
        s, size = self.scalars, len(self.scalars.keys)
        self.held = {"start": np.array(s.start)}
        self.flat = self.held["start"] + z[:, :size] @ s.root().T
        # One column for each draw, against which groups stand in rows.
        self.t = self.flat.T[:, :, None]
        self.conditionals = {
            name: vines.Conditionals(
                vines.cholesky(np.tanh(self.t[at : at + len(alpha)]), d, np.sqrt), np.sqrt
            )
            for name, (at, d, alpha, _) in s.vines.items()
        }
        self.z, at = [], size
        for block in self.spec.blocks:
            n = len(block.levels) * len(block.parameters)
            self.z.append(z[:, at : at + n])
            at += n

    def hold(self, name, array):
        """Data as they are."""
        return np.asarray(array)

    def scalar(self, kind, name, natural=False):
        """One unknown (D, 1), on the sampled or on its natural scale."""
        at = self.scalars.place(kind, name)
        if not natural:
            return self.t[at]
        return self.scalars.unit[at] * np.sinh(self.t[at]) if self.scalars.folded[at] else np.exp(self.t[at])

    def group(self, c) -> np.ndarray:
        """Values of one block, (D, K, S)."""
        theta, *_ = group_values(self, c, self.spec.blocks[c], self.z[c], np)
        return np.stack(theta, axis=1)


def unknowns(builder, z) -> dict[str, np.ndarray]:
    """Scalar unknowns and values of the groups.

    Parameters
    ----------
    builder : Builder
    z : array, shape (D, n)

    Returns
    -------
    found : dict of array
        ``t`` (D, P), and ``group_0`` and so on (D, K, S), named as in the model.
    """
    step = max(1, PORTION // z.shape[1])
    portions = [Unknowns(builder, z[begin : begin + step]) for begin in range(0, len(z), step)]
    found = {"t": np.concatenate([p.flat for p in portions])}
    for c in range(len(builder.spec.blocks)):
        found[f"group_{c}"] = np.concatenate([p.group(c) for p in portions])
    return found

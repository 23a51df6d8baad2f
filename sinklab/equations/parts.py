"""Parts of a system: what one equation brings by itself, and what identities make of the others."""

import numpy as np

from sinklab.equations.compile import Compiled
from sinklab.equations.tree import names


def _line(system, response):
    return next(e for e in system.equations if e.response == response)


def parameters_of(system, response) -> tuple[str, ...]:
    """Parameters of a response once earlier left sides are substituted, in the order of the system."""
    lines = {e.response: e for e in system.equations}
    waiting, seen = [response], set()
    while waiting:
        found = {n.name for n in names(lines[waiting.pop()].right)} - seen
        seen |= found
        waiting += [name for name in found if name in lines]
    return tuple(p for p in system.parameters if p in seen)


def own_parameters(system, response) -> tuple[str, ...]:
    """Parameters that appear first in this equation."""
    earlier = set()
    for equation in system.equations:
        here = dict.fromkeys(n.name for n in names(equation.right))
        if equation.response == response:
            return tuple(p for p in here if p in system.parameters and p not in earlier)
        earlier |= set(here)
    return ()


def inputs_of(system, response) -> tuple[str, ...]:
    """Predictors and earlier left sides that stand in an equation as written."""
    found = dict.fromkeys(n.name for n in names(_line(system, response).right))
    return tuple(name for name in found if name not in system.parameters)


def written_mean(system, response, values, known) -> np.ndarray:
    """Mean of one equation as written, earlier left sides taken from ``known``.

    Parameters
    ----------
    values : mapping of str to float
        The parameters that stand in the equation; others are ignored.
    known : mapping of str to array, shape (n,)
        Predictors and earlier left sides.
    """
    present = [p for p in system.parameters if p in {n.name for n in names(_line(system, response).right)}]
    compiled = Compiled((_line(system, response),), (response,), present)
    n = len(next(iter(known.values())))
    return compiled.mean_matrix(np.array([values[p] for p in present]), known, n)[:, 0]


def complete(system, means, columns) -> dict[str, np.ndarray]:
    """Add the identities to given means of the free responses.

    Parameters
    ----------
    means : mapping of str to array, shape (n,)
    columns : mapping of str to array, shape (n,)
        The predictors.

    Returns
    -------
    means : dict
        All responses, in the order of the system.
    """
    out = dict(means)
    if system.identities:
        values, _ = _identities(system, means, columns)
        out |= values
    return {r: out[r] for r in system.responses}


def slopes(system, means, columns) -> dict[str, dict[str, np.ndarray]]:
    """Derivative of each identity by each free response that it is made of.

    Returns
    -------
    slopes : dict of dict of array, shape (n,)
        ``slopes[identity][free response]``; for ``agb = stem + branch`` both are 1.
    """
    return _identities(system, means, columns)[1] if system.identities else {}


def _identities(system, means, columns):
    lines = tuple(_line(system, r) for r in system.identities)
    compiled = Compiled(lines, system.identities, system.free)
    n = len(next(iter(means.values())))
    evaluator = compiled.at({c: columns[c] for c in compiled.columns}, n)
    # Every free response takes the place of a parameter, with one value for each row.
    theta = np.empty(len(system.free), dtype=object)
    for i, response in enumerate(system.free):
        theta[i] = np.asarray(means[response], dtype=float)
    found = compiled._full_program.run(evaluator._full_start, theta)
    m = len(system.identities)
    values = {r: np.broadcast_to(found[i], (n,)) for i, r in enumerate(system.identities)}
    derivatives = {r: {} for r in system.identities}
    for (i, j, _), slope in zip(compiled._jacobian_cells, found[m:], strict=True):
        derivatives[system.identities[i]][system.free[j]] = np.broadcast_to(slope, (n,))
    return values, derivatives

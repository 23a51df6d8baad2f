"""Compile once, sample often: the same draws for the same seed, whatever the cache and the cores.

The log-density and its slope are compiled from one text (:mod:`.source`), without fast-math, with which code that is
loaded would differ from code just compiled. They are kept for the life of the process under the structure of the
equations, groups and patterns, and beyond it (:mod:`.machine_code`); other data of that structure are put beside
them. nutpie moves the standardised variables alone; the unknowns are worked out from its draws (:mod:`.unknowns`).
"""

import ctypes
import os
from contextlib import suppress
from dataclasses import dataclass, fields

import numpy as np

from sinklab.errors import ConvergenceError
from sinklab.fit.bayes import machine_code, source
from sinklab.fit.bayes.unknowns import unknowns
from sinklab.language import tr

_compiled = {}


@dataclass(frozen=True)
class Functions:
    """What nutpie calls: the log-density with its slope, and a copy of the point that is drawn."""

    density: object
    drawn: object

    def at(self, data, point):
        """Log-density and slope by the machine code."""
        point, slope, value = np.ascontiguousarray(point), np.zeros(len(point)), np.zeros(1)
        failed = self.density.ctypes(
            len(point), _pointer(point), _pointer(slope), _pointer(value), data.ctypes.data
        )
        return (np.nan if failed else value[0]), slope


def available_cores() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def sample(builder, draws: int, tune: int, chains: int, cores: int | None, seed: int, accept: float):
    """Sample the posterior.

    Parameters
    ----------
    builder : Builder
    draws, tune, chains : int
    cores : int, optional
        Chains that run at the same time.
    seed : int
    accept : float
        Acceptance rate that the step size is tuned to.

    Returns
    -------
    posterior : dict of array, shape (chain, draw, …)
        See :func:`.unknowns.unknowns`.
    statistics : dict of array, shape (chain, draw)
        ``diverging, energy``.
    """
    import nutpie

    model, functions = compiled(builder)
    size = sum(v.type.shape[0] for v in model.value_vars)
    trace = nutpie.sample(
        _for_nutpie(functions, source.block(builder.arrays, builder.sizes), size),
        draws=draws,
        tune=tune,
        chains=chains,
        cores=min(cores or available_cores(), chains),
        seed=seed,
        target_accept=accept,
        save_warmup=False,
        progress_bar=False,
    )
    z = trace["posterior"]["z"].values
    found = unknowns(builder, z.reshape(-1, size))
    posterior = {name: values.reshape(chains, draws, *values.shape[1:]) for name, values in found.items()}
    statistics = trace["sample_stats"]
    return posterior, {n: np.asarray(statistics[n].values) for n in ("diverging", "energy")}


def _for_nutpie(functions, data, size):
    """A model as nutpie samples it: one variable, which begins between -1 and 1."""
    from nutpie.compile_pymc import CompiledPyMCModel

    given = {
        "dims": {},
        "compiled_logp_func": functions.density,
        "compiled_expand_func": functions.drawn,
        "initial_point_func": lambda seed: np.random.default_rng(seed).uniform(-1, 1, size),
        "shared_data": {},
        "shared_var_keys": {},
        "user_data": data,
        "n_expanded": size,
        "shape_info": (["z"], [slice(0, size)], [(size,)]),
        "logp_func": None,
        "expand_func": None,
        "reparameterized_names": [],
        "_n_dim": size,
        "_shapes": {"z": (size,)},
        "_coords": {"unconstrained_parameter": [f"z_{i}" for i in range(size)]},
    }
    # Which of them it has depends on the version.
    return CompiledPyMCModel(**{f.name: given[f.name] for f in fields(CompiledPyMCModel) if f.name in given})


def compiled(builder):
    """The model of a builder, and the functions of its structure.

    Raises
    ------
    ConvergenceError
        Code that was just compiled disagrees with the graph of the model.
    """
    model = builder.build()
    key = repr(builder.structure)
    if key not in _compiled:
        _compiled[key] = _verified(model, builder, machine_code.path_of(key))
    return model, _compiled[key]


def _verified(model, builder, path) -> Functions:
    """Load or compile machine code, and make sure that it computes the model."""
    expected = reference(model)
    kept = machine_code.load(path)
    if kept is not None:
        with suppress(Exception):
            functions = _functions({name: machine_code.Code(kept[name]) for name in source.NAMES})
            if agrees(functions, builder, expected):
                return functions
    codes = {name: machine_code.Code() for name in source.NAMES}
    functions = _functions(codes, source.functions(*source.density(model, builder.arrays, builder.sizes)))
    if not agrees(functions, builder, expected):
        raise ConvergenceError(
            tr(
                "the compiled model does not compute what its equations say; please report the versions of pytensor, "
                "numba and nutpie",
                "编译后的模型与方程不一致；请报告 pytensor、numba、nutpie 的版本",
            )
        )
    if all(code.content for code in codes.values()):
        machine_code.store(path, {name: code.content for name, code in codes.items()})
    return functions


def _functions(codes, written=None) -> Functions:
    """Machine code of what was written, or what is kept of it, in the form that nutpie calls it in."""
    from numba.core.types import CPointer, double, int64, uint64, voidptr

    numbers = CPointer(double)
    signatures = {
        "density": int64(uint64, numbers, numbers, numbers, voidptr),
        "drawn": int64(uint64, uint64, numbers, numbers, voidptr),
    }
    written = written or dict.fromkeys(signatures, lambda: None)
    return Functions(**{n: machine_code.callback(written[n], signatures[n], codes[n]) for n in signatures})


def reference(model):
    """A point, and there the log-density and the deterministic quantities, by PyTensor's plain interpreter.

    Returns
    -------
    point : array
        All free variables, one after another.
    logp : float
    quantities : dict of array
    """
    import pytensor
    from pytensor.compile.mode import Mode

    rng = np.random.default_rng(0)
    # Shapes of the standardised variables are fixed when the model is made.
    parts = [0.1 * rng.standard_normal(v.type.shape) for v in model.value_vars]
    wanted = [model.logp(), *model.replace_rvs_by_values(model.deterministics)]
    plain = Mode(linker="py", optimizer="fast_compile")
    function = pytensor.function(model.value_vars, wanted, mode=plain, on_unused_input="ignore")
    logp, *found = function(*parts)
    names = [d.name for d in model.deterministics]
    return np.concatenate(parts), float(logp), dict(zip(names, found, strict=True))


def agrees(functions, builder, expected) -> bool:
    """Whether machine code gives the reference, and a slope that is the one of its own log-density.

    Parameters
    ----------
    functions : Functions
    builder : Builder
        Of a model that has been built; its data are used.
    expected : tuple
        See :func:`reference`.
    """
    point, logp, quantities = expected
    data = source.block(builder.arrays, builder.sizes)
    value, slope = functions.at(data, point)
    step = 1e-5 * np.random.default_rng(1).standard_normal(len(point))
    above, below = (functions.at(data, point + sign * step)[0] for sign in (1, -1))
    directional = float(slope @ step)
    # The difference of two log-densities keeps about ten digits fewer than they have.
    tolerance = 1e-3 * abs(directional) + 1e-9 * (1 + abs(logp))
    if not np.isclose(value, logp, rtol=1e-8) or not abs(0.5 * (above - below) - directional) <= tolerance:
        return False
    found = unknowns(builder, point[None])
    return all(np.allclose(found[n][0], q, rtol=1e-8, atol=1e-10) for n, q in quantities.items())


def _pointer(array):
    return array.ctypes.data_as(ctypes.POINTER(ctypes.c_double))

"""Compile once, sample often: the same draws for the same seed, whatever the cache and the cores.

Fast-math is off for that (:mod:`.backend`). A compiled model is kept for the life of the process under the
structure of its equations, groups and patterns, and its machine code beyond it (:mod:`.machine_code`); other data of
that structure are put into it.
"""

import ctypes
import os
from contextlib import suppress

import numpy as np

from sinklab.errors import ConvergenceError
from sinklab.fit.bayes import machine_code
from sinklab.fit.bayes.backend import settings
from sinklab.language import tr

_compiled = {}


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
        The deterministic quantities of the model by name.
    statistics : dict of array, shape (chain, draw)
        ``diverging, energy``.
    """
    import nutpie

    compiled = _compile(builder)
    trace = nutpie.sample(
        compiled,
        draws=draws,
        tune=tune,
        chains=chains,
        cores=min(cores or available_cores(), chains),
        seed=seed,
        target_accept=accept,
        save_warmup=False,
        progress_bar=False,
    )
    posterior = {name: trace["posterior"][name].values for name in trace["posterior"].data_vars}
    posterior = {n: v for n, v in posterior.items() if n == "t" or n.startswith("group_")}
    found = trace["sample_stats"]
    return posterior, {n: np.asarray(found[n].values) for n in ("diverging", "energy")}


def _compile(builder):
    """Compiled model of the builder's structure, with the builder's data."""
    with settings():
        model = builder.build()
        key = repr(builder.structure)
        if key not in _compiled:
            _compiled[key] = _verified(model, machine_code.path_of(key))
            return _compiled[key]
    compiled = _compiled[key]
    used = {getattr(v, "name", v) for v in getattr(compiled, "shared_var_keys", compiled.shared_data)}
    return compiled.with_data(**{n: a for n, a in builder.arrays.items() if n in used})


def _verified(model, path):
    """Load or compile machine code, and make sure that it computes the model.

    Raises
    ------
    ConvergenceError
        Code that was just compiled disagrees with the graph of the model.
    """
    import nutpie

    expected = reference(model)
    found = machine_code.load(path)
    if found is not None:
        with suppress(Exception), machine_code.kept(model, found):
            compiled = nutpie.compile_pymc_model(model)
            if agrees(compiled, expected):
                return compiled
    with machine_code.kept(model, None) as noted:
        compiled = nutpie.compile_pymc_model(model)
    if not agrees(compiled, expected):
        raise ConvergenceError(
            tr(
                "the compiled model does not compute what its equations say; please report the versions of pytensor, "
                "numba and nutpie",
                "编译后的模型与方程不一致；请报告 pytensor、numba、nutpie 的版本",
            )
        )
    if noted["complete"]:
        machine_code.store(path, noted)
    return compiled


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


def agrees(compiled, expected) -> bool:
    """Whether machine code gives the reference, and a gradient that is the slope of its own log-density."""
    point, logp, quantities = expected
    value, slope = _native(compiled, point)
    step = 1e-5 * np.random.default_rng(1).standard_normal(len(point))
    above, below = (_native(compiled, point + sign * step)[0] for sign in (1, -1))
    directional = float(slope @ step)
    # The difference of two log-densities keeps about ten digits fewer than they have.
    tolerance = 1e-3 * abs(directional) + 1e-9 * (1 + abs(logp))
    if not np.isclose(value, logp, rtol=1e-8) or not abs(0.5 * (above - below) - directional) <= tolerance:
        return False
    names, slices, shapes = compiled.shape_info
    out = np.zeros(compiled.n_expanded)
    compiled.compiled_expand_func.ctypes(
        len(point), len(out), _pointer(point), _pointer(out), compiled.user_data.ctypes.data
    )
    found = {n: out[at].reshape(shape) for n, at, shape in zip(names, slices, shapes, strict=True)}
    return all(np.allclose(found[n], q, rtol=1e-8, atol=1e-10) for n, q in quantities.items())


def _native(compiled, point):
    """Log-density and gradient by the machine code."""
    point, slope, value = np.ascontiguousarray(point), np.zeros(len(point)), np.zeros(1)
    failed = compiled.compiled_logp_func.ctypes(
        len(point), _pointer(point), _pointer(slope), _pointer(value), compiled.user_data.ctypes.data
    )
    return (np.nan if failed else value[0]), slope


def _pointer(array):
    return array.ctypes.data_as(ctypes.POINTER(ctypes.c_double))

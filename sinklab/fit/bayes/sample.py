"""Compile once, sample often: the same draws for the same seed, whatever the cache and the cores.

PyTensor's fast-math is off, because with it the code read back from a compile cache differs from the code
just compiled, and so do the draws. A compiled model is kept for the life of the process under the
structure of its equations, groups and patterns; other data of that structure are put into it.
"""

import os

import numpy as np

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
    import pytensor

    with pytensor.config.change_flags(numba__fastmath=False):
        model = builder.build()
        key = repr(builder.structure)
        if key not in _compiled:
            import nutpie

            _compiled[key] = nutpie.compile_pymc_model(model)
            return _compiled[key]
    compiled = _compiled[key]
    used = {getattr(v, "name", v) for v in getattr(compiled, "shared_var_keys", compiled.shared_data)}
    return compiled.with_data(**{n: a for n, a in builder.arrays.items() if n in used})

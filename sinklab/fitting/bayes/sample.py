"""Compile once, sample often: the same draws for the same seed, whatever the cache and the cores.

The log-density, its slope and the unknowns are machine code of one text (:mod:`.writer`), compared with the graph of
the model before they are used, and kept for the life of the process under the structure of the equations, groups and
patterns; other data of that structure are put beside them. A model that cannot be written so is compiled by nutpie
itself. nutpie moves the standardised variables; the unknowns are worked out for each draw that it keeps.
"""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sinklab import paths
from sinklab.fitting.bayes import writer
from sinklab.language import tr

_compiled: dict[str, Any] = {}


@dataclass(frozen=True)
class Written:
    """A model whose log-density was written and compiled here; ``n`` numbers are sampled, ``n_out`` come out."""

    function: Any
    n: int
    n_out: int

    def at(self, data, point):
        """Log-density and slope at a point, from a block of data (:func:`.writer.block`)."""
        value, out = self._everything(data, point)
        return value, out[: self.n]

    def _everything(self, data, point):
        out = np.zeros(self.n_out)
        return self.function(np.array(point, float), out, data, data.view(float)), out

    def with_data(self, builder):
        """As nutpie samples it, beginning between -1 and 1."""
        from nutpie.compiled_pyfunc import from_pyfunc

        data, names = writer.block(builder.arrays, builder.sizes), list(builder.shapes)
        return from_pyfunc(
            self.n,
            lambda: lambda point: self.at(data, point),
            lambda *_: lambda point: self.unknowns(builder, data, point),
            [np.dtype("float64")] * len(names),
            list(builder.shapes.values()),
            names,
            make_initial_point_fn=lambda seed: np.random.default_rng(seed).uniform(-1, 1, self.n),
        )

    def unknowns(self, builder, data, point) -> dict[str, np.ndarray]:
        """Scalar unknowns and values of the groups at a point, named as in the model."""
        found, at, told = {}, 0, self._everything(data, point)[1][self.n :]
        for name, shape in builder.shapes.items():
            found[name] = told[at : at + int(np.prod(shape))].reshape(shape)
            at += found[name].size
        return found


@dataclass(frozen=True)
class ByNutpie:
    """A model that nutpie compiled."""

    compiled: Any

    def with_data(self, builder):
        """With the data of a builder in place of those it was compiled with."""
        kept = self.compiled.shared_data
        return self.compiled.with_data(**{n: a for n, a in builder.arrays.items() if n in kept})


def compile_model(builder):
    """The model of a builder, and the code of its structure, compiled unless this process has it already.

    Parameters
    ----------
    builder : Builder

    Returns
    -------
    model : pymc.Model
    code : Written or ByNutpie
    """
    model = builder.build()
    key = repr(builder.structure)
    if key not in _compiled:
        _compiled[key] = _code(model, builder)
    return model, _compiled[key]


def _code(model, builder):
    """Code that computes the model: ours, or nutpie's where ours cannot or does not."""
    import nutpie
    import pytensor

    try:
        text = writer.density(model, builder.told, builder.arrays, builder.sizes)
        function = writer.compile_text(text, Path(pytensor.config.compiledir) / "sinklab")
        n = sum(v.type.shape[0] for v in model.value_vars)
        code = Written(function, n, n + sum(int(np.prod(s)) for s in builder.shapes.values()))
        if agrees(code, builder, reference(model)):
            return code
        why = tr("the compiled model does not compute what its equations say", "编译后的模型与方程不一致")
    except writer.Unknown as error:
        why = str(error)
    warnings.warn(
        tr(
            f"{why}; nutpie compiles it, which takes longer; please report it with the equations",
            f"{why}；改由 nutpie 编译，耗时较长；请连同方程一并报告",
        ),
        stacklevel=2,
    )
    # With fast-math, code that is loaded would differ from code that was just compiled.
    with pytensor.config.change_flags(numba__fastmath=False):
        return ByNutpie(nutpie.compile_pymc_model(model, var_names=list(builder.shapes)))


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


def agrees(code, builder, expected) -> bool:
    """Whether written code gives the reference, and a slope that is the one of its own log-density.

    Parameters
    ----------
    code : Written
    builder : Builder
        Of a model that has been built; its data are used.
    expected : tuple
        See :func:`reference`.
    """
    point, logp, quantities = expected
    data = writer.block(builder.arrays, builder.sizes)
    value, slope = code.at(data, point)
    step = 1e-5 * np.random.default_rng(1).standard_normal(len(point))
    above, below = (code.at(data, point + sign * step)[0] for sign in (1, -1))
    directional = float(slope @ step)
    # The difference of two log-densities keeps about ten digits fewer than they have.
    tolerance = 1e-3 * abs(directional) + 1e-9 * (1 + abs(logp))
    if not np.isclose(value, logp, rtol=1e-8) or not abs(0.5 * (above - below) - directional) <= tolerance:
        return False
    found = code.unknowns(builder, data, point)
    return all(np.allclose(found[n], q, rtol=1e-8, atol=1e-10) for n, q in quantities.items())


def sample_posterior(
    builder, draws: int, tune: int, chains: int, cores: int | None, seed: int, accept: float
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
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
        Scalar unknowns ``t`` (…, P), and values ``group_0`` and so on (…, K, S), named as in the model.
    statistics : dict of array, shape (chain, draw)
        ``diverging, energy``.
    """
    import nutpie

    _, code = compile_model(builder)
    trace = nutpie.sample(
        code.with_data(builder),
        draws=draws,
        tune=tune,
        chains=chains,
        cores=min(cores or paths.processors(), chains),
        seed=seed,
        target_accept=accept,
        save_warmup=False,
        progress_bar=False,
    )
    posterior, statistics = trace["posterior"], trace["sample_stats"]
    return (
        {name: np.asarray(posterior[name].values) for name in builder.shapes},
        {name: np.asarray(statistics[name].values) for name in ("diverging", "energy")},
    )

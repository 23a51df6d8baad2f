"""Compile once, sample often: the same draws for the same seed, whatever the cache and the cores.

The log-density and its slope are machine code of one text (:mod:`.writer`), compared with the graph of the model
before they are used, and kept for the life of the process under the structure of the equations, groups and patterns;
other data of that structure are put beside them. A model that cannot be written so is compiled by nutpie itself.
nutpie moves the standardised variables alone; the unknowns are worked out from its draws with the formulas of the
model, by numpy.
"""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sinklab import paths
from sinklab.fitting.bayes import writer
from sinklab.fitting.bayes.model import Conditionals, cholesky, group_values
from sinklab.language import tr

_compiled: dict[str, Any] = {}


@dataclass(frozen=True)
class Written:
    """A model whose log-density was written and compiled here."""

    function: Any

    def at(self, data, point):
        """Log-density and slope at a point, from a block of data (:func:`.writer.block`)."""
        slope = np.zeros(len(point))
        return self.function(np.array(point, float), slope, data, data.view(float)), slope

    def with_data(self, builder, variables):
        """As nutpie samples it, beginning between -1 and 1."""
        from nutpie.compiled_pyfunc import from_pyfunc

        names, shapes, places = variables
        n, data = places[-1].stop, writer.block(builder.arrays, builder.sizes)
        return from_pyfunc(
            n,
            lambda: lambda point: self.at(data, point),
            lambda *_: lambda point: {k: np.array(point[i]) for k, i in zip(names, places, strict=True)},
            [np.dtype("float64")] * len(names),
            shapes,
            names,
            make_initial_point_fn=lambda seed: np.random.default_rng(seed).uniform(-1, 1, n),
        )


@dataclass(frozen=True)
class ByNutpie:
    """A model that nutpie compiled."""

    compiled: Any

    def with_data(self, builder, variables):
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
        text = writer.density(model, builder.arrays, builder.sizes)
        code = Written(writer.compile_text(text, Path(pytensor.config.compiledir) / "sinklab"))
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
        return ByNutpie(nutpie.compile_pymc_model(model, var_names=[]))


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
    found = unknowns(builder, point[None])
    return all(np.allclose(found[n][0], q, rtol=1e-8, atol=1e-10) for n, q in quantities.items())


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
        See :func:`unknowns`.
    statistics : dict of array, shape (chain, draw)
        ``diverging, energy``.
    """
    import nutpie

    model, code = compile_model(builder)
    names, shapes = [v.name for v in model.value_vars], [v.type.shape for v in model.value_vars]
    ends = np.cumsum([0, *(shape[0] for shape in shapes)]).tolist()
    places = [slice(*pair) for pair in zip(ends, ends[1:], strict=False)]
    trace = nutpie.sample(
        code.with_data(builder, (names, shapes, places)),
        draws=draws,
        tune=tune,
        chains=chains,
        cores=min(cores or paths.processors(), chains),
        seed=seed,
        target_accept=accept,
        save_warmup=False,
        progress_bar=False,
    )
    z = np.concatenate([trace["posterior"][name].values for name in names], axis=2)
    found = unknowns(builder, z.reshape(-1, ends[-1]))
    posterior = {name: values.reshape(chains, draws, *values.shape[1:]) for name, values in found.items()}
    statistics = trace["sample_stats"]
    return posterior, {n: np.asarray(statistics[n].values) for n in ("diverging", "energy")}


# What the sampler moved, as the unknowns of the model.

#: Numbers held at once: draws times values of the groups of one portion.
PORTION = 1_000_000


class Unknowns:
    """Stands where the model's builder stands for :func:`.model.group_values`, with draws in place of tensors.

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
            name: Conditionals(cholesky(np.tanh(self.t[at : at + len(alpha)]), d, np.sqrt), np.sqrt)
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

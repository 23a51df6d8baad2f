"""What a preloaded parent does once so that its kernels need not: drawing, and compiling models to be sampled.

Neither leaves anything behind but time saved. A figure is drawn and forgotten; a posterior's machine code is
made and not run, and each kernel puts its own data into it, as every later fit of one process does.
"""

import contextlib
import io
import sys

#: Models beyond this number are left to the kernels: many structures are seldom shared by many jobs.
MODELS = 8
#: Parameters of a notebook that make the model what it is, whatever the data.
_MODEL = ("notebook", "source", "equations", "method", "variance", "by")


def models(tasks) -> list[dict]:
    """Parameters of one job for each model that several jobs sample, those of most jobs first.

    Parameters
    ----------
    tasks : list of dict
        From :func:`sinklab.runs.execute.task_of`.
    """
    found: dict[str, list[dict]] = {}
    for task in tasks:
        given = task.get("parameters", {}) | {"notebook": task.get("notebook")}
        if given.get("method") == "bayes" and {"source", "equations"} <= given.keys() and not given.get("by"):
            found.setdefault(repr([given.get(name) for name in _MODEL]), []).append(given)
    shared = sorted((jobs for jobs in found.values() if len(jobs) > 1), key=len, reverse=True)
    return [jobs[0] for jobs in shared[:MODELS]]


def draw() -> None:
    """Draw a figure: fonts, formulae and encoders are then at hand."""
    if "matplotlib" not in sys.modules:
        return
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    from sinklab import fonts

    with rc_context({"mathtext.fontset": "stix", "font.family": [fonts.register(), "DejaVu Sans"]}):
        figure = Figure(figsize=(2, 2), layout="constrained")
        left, right = figure.subplots(1, 2)
        left.loglog([1, 20], [1, 300], "o", label="树 $10^{2}$")
        left.legend()
        right.errorbar([1, 2], [2, 3], yerr=1)
        right.fill_between([1, 2], [1, 2], [2, 3])
        figure.savefig(io.BytesIO(), format="png")


def compile_model(given: dict) -> None:
    """Compile the model that a notebook with these parameters samples; nothing is sampled."""
    from sinklab import System, datasets
    from sinklab.fit.bayes import engine, sample
    from sinklab.fit.bayes.model import Builder
    from sinklab.fit.bayes.spec import read_spec
    from sinklab.fit.prepare import prepare

    data = datasets.load(given["source"], given.get("where") or {})
    system = System.parse(given["equations"]).bind(data.columns)
    prepared = prepare(data, system, given["source"], totals=True)
    spec = read_spec(prepared, given.get("variance", "lognormal"), None, None, True)
    sample.compiled(Builder(spec, *engine._priors(spec, prepared.frame, None, 0)))


def rehearse(wanted) -> None:
    """Draw and compile; what cannot be done here is the notebook's affair."""
    for work, arguments in ((draw, ()), *((compile_model, (given,)) for given in wanted)):
        with contextlib.suppress(Exception):
            work(*arguments)

"""Fit and pool again, from the data and the settings that a table names."""

import re

from sinklab.errors import SinklabError
from sinklab.language import tr
from sinklab.tables import pack


def refit(frames, key: str, record: dict, inputs):
    """Fit one model again.

    Parameters
    ----------
    frames : dict of DataFrame
        The files of the package.
    key : str
        Id of the model.
    record : dict
        What ``provenance.json`` keeps of it.
    inputs : Inputs

    Returns
    -------
    fit : FitResult or None
        None when the data cannot be had; then ``inputs.missing`` says why.

    Raises
    ------
    SinklabError
        The fit fails where it succeeded before.
    """
    import sinklab.fit as engines
    from sinklab.equations import System

    source, certificate = record["source"], record.get("certificate") or {}
    if record["method"] not in engines.METHODS:
        known = ", ".join(engines.METHODS)
        inputs.missing.append(
            tr(
                f"{key}: method {record['method']} cannot be refitted here (only {known})",
                f"{key}：此处无法重新拟合方法 {record['method']}（仅支持 {known}）",
            )
        )
        return None
    lines = frames["equations"].query("model_id == @key").sort_values("equation_order")
    system = System.parse(_with_groups("\n".join(lines["equation"]), frames, key))
    model = frames["models"].set_index("model_id").loc[key]
    numeric = {*frames["ranges"].query("model_id == @key")["predictor"], *system.responses}
    sampling = {}
    if record["method"] == "bayes":
        sampling = _sampling(key, certificate, inputs)
        if sampling is None:
            return None
    data = inputs.frame(source, numeric)
    if data is None:
        return None
    if source.get("by"):
        level = data[source["by"]].map(lambda value: f"{value}")
        data = data[level == model["label"]]
    variance = ",".join(f"{r}={spec}" for r, spec in record["variance"].items())
    found = engines.fit(
        data,
        system,
        method=record["method"],
        variance=variance if record["method"] != "ols-log" else "none",
        estimator=certificate.get("estimator") or "ml",
        start=certificate.get("start"),
        bounds=certificate.get("bounds"),
        correction=record["correction"],
        level=record["level"],
        # A bootstrap leaves its own seed here; the estimates depend on neither.
        seed=int(record["seed"]),
        label=model["label"],
        name=str(source.get("name") or "data"),
        **sampling,
    )
    told = certificate.get("bootstrap")
    if told:
        from sinklab.fit.bootstrap import bootstrap

        wanted = {k: told[k] for k in ("n", "kind", "group", "interval", "seed")}
        found = bootstrap(found, **wanted)
    return found


def _sampling(key, certificate, inputs) -> dict | None:
    """Options of a Bayesian fit, None when its record does not hold them."""
    options = certificate.get("options")
    if options is None:
        inputs.missing.append(
            tr(
                f"{key}: a posterior whose options (pooling, measurement error, tuning) are not recorded cannot be "
                "sampled again",
                f"{key}：未记录抽样选项（合并方式、测量误差、调整次数）的后验分布无法重新抽样",
            )
        )
        return None
    priors = {name: told["prior"] for name, told in (certificate.get("priors") or {}).items()}
    return {**options, "priors": priors, "draws": certificate["draws"], "chains": certificate["chains"]}


def noise_of(record) -> tuple[int, bool]:
    """Effective number of draws behind the uncertainty of a model, and whether its estimates are drawn too."""
    certificate = record.get("certificate") or {}
    if record["method"] == "bayes":
        checks = certificate.get("checks") or {}
        return max(int((checks.get("ess_bulk") or {}).get("value") or 0), 1), True
    return int((certificate.get("bootstrap") or {}).get("n") or 0), False


def _with_groups(text, frames, key) -> str:
    """Equations with the group column of each parameter that varies at random, as they were fitted."""
    if "random_effects" not in frames:
        return text
    rows = frames["random_effects"].query("model_id == @key")
    for name, column in dict.fromkeys(zip(rows["row"], rows["group_column"], strict=True)):
        text = re.sub(rf"\b{re.escape(name)}\b", f"{name}[{column}]", text)
    return text


def frames_of(fit, key: str, frames) -> dict:
    """Files of one recomputed model, laid out as the package lays them out.

    Raises
    ------
    TableError
        The recomputed fit could not become a table.
    """
    pack.check_fits([fit])
    stored = frames["models"].set_index("model_id").loc[key]
    classes = frames["indices"].query("model_id == @key")["class_column"]
    by_class = next((c for c in classes if c), None)
    made = pack.pack([fit], [stored["status"]], [stored["source"]], stored["group_column"], None, by_class)
    return {
        name: frame.assign(model_id=key) if "model_id" in frame else frame for name, frame in made.items()
    }


def pool_again(values, about: dict, inputs):
    """Pool the scalar values again from printed rows.

    Parameters
    ----------
    values : DataFrame
        The file ``values.csv``.
    about : dict
        ``provenance.json``.
    inputs : Inputs

    Returns
    -------
    pooled : DataFrame or None
        None when the values were not pooled from ``literature:``, or their rows cannot be had.
    """
    import pandas as pd

    from sinklab import pooling

    taken = [record["source"] for record in about["models"].values()]
    # Values that say how else they were summarised (levels, draws) are not those of a pooling.
    sources = [
        s
        for s in about["data"]
        if s not in taken and str(s.get("spec", "")).startswith("literature:") and not s.get("summary")
    ]
    if len(sources) != 1:
        inputs.missing.append(
            tr(
                f"values.csv: {len(values)} values were not pooled from one file of data/literature, so "
                "nothing says how to recompute them",
                f"values.csv：{len(values)} 个取值并非由 data/literature 的一个文件汇总得出，无从重算",
            )
        )
        return None
    rows = inputs.frame(sources[0])
    if rows is None:
        return None
    parts = []
    for (variable, level), part in values.groupby(["variable", "level"], sort=False, dropna=False):
        by = [piece.partition("=")[0] for piece in str(part["group"].iloc[0]).split(";") if piece]
        try:
            parts.append(pooling.summarise(rows, variable, by, level=float(level)))
        except (SinklabError, KeyError, ValueError) as error:
            inputs.missing.append(f"values.csv, {variable}: {error}")
    return pd.concat(parts, ignore_index=True) if parts else None

"""The public names as a user writes them; ``mypy --strict`` reads this file, nothing runs it."""

from pathlib import Path

import pandas as pd

import sinklab as sl


def trees_to_table(folder: Path) -> pd.DataFrame:
    """From felled trees to a table, and back to predictions."""
    trees = sl.read_study("chinese_fir_simulated")
    model = sl.System.parse("stem = a1*dbh**b1\nbranch = a2*dbh**b2\nagb = stem + branch")
    fit: sl.FitResult = sl.fit(trees, model, method="nsur", variance="power:mean")
    several: list[sl.FitResult] = sl.fit_by(trees, model, by="site")
    ranked: pd.DataFrame = sl.compare({"one": fit, "two": several[0]})
    pulled: pd.DataFrame = sl.influence(fit, group="site")
    held = sl.validate(fit, "leave:site").indices()
    local: sl.FitResult = sl.calibrated(fit, trees.head(5))
    sl.bootstrap(fit, n=200, kind="case", seed=1)
    sl.average({"one": fit, "two": local}, trees)
    table = sl.Table.from_fits([fit], table_id="agb_forest_cunninghamia", version="1.0.0")
    written: Path = table.write(folder)
    agreed: bool = sl.verify(written).agreed
    print(
        ranked,
        pulled,
        held,
        agreed,
        sl.list_tables(folder),
        sl.variable("dbh").unit,
        sl.species("杉木").name_zh,
    )
    return fit.predict(trees, level=0.95)


def values(frame: pd.DataFrame) -> sl.Distribution:
    """Scalar parameters with their spread."""
    sl.write_csv(sl.summarise(frame, "carbon_fraction", by=["group"]), "summary.csv")
    print(sl.published().head(), sl.look_up("agb", "pinus_massoniana"), sl.tr("mean", "均值"))
    return sl.from_moments(0.5, 0.02, "beta")


def handle(path: str) -> pd.DataFrame | None:
    """One class of errors for everything that input can be wrong in."""
    try:
        return sl.read_csv(path)
    except sl.SinklabError as error:
        print(error)
        return None

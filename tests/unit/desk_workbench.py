"""A copy of the workbench in a temporary folder, for drafts and reviews, with the tables that they stand on."""

import os
import shutil
from contextlib import contextmanager
from pathlib import Path

from sinklab import language

REPOSITORY = Path(__file__).resolve().parents[2]


@contextmanager
def copied(folder: Path, drafts: str = ""):
    """Data and templates of the repository, and the descriptions of drafts that fit a pattern; the workbench meanwhile."""
    root = folder / "工作台"
    shutil.copytree(REPOSITORY / "data", root / "data", ignore=shutil.ignore_patterns("open"))
    shutil.copytree(REPOSITORY / "reports" / "templates", root / "reports" / "templates")
    (root / "reports" / "drafts").mkdir()
    for path in (REPOSITORY / "reports" / "drafts").glob(drafts) if drafts else ():
        shutil.copy(path, root / "reports" / "drafts")
    before = dict(os.environ)
    os.environ["SINKLAB_ROOT"] = str(root)
    language.set_language("en")
    yield root.resolve()
    language.set_language(None)
    os.environ.clear()
    os.environ.update(before)


def alone(name: str) -> None:
    """Let a description of this workbench have its model of diameter and height alone, without that of the diameter."""
    from sinklab import paths

    path = paths.reports("drafts", f"{name}.yml")
    kept = [line for line in path.read_text(encoding="utf-8").splitlines() if "_diameter@" not in line]
    path.write_text("\n".join(kept) + "\n", encoding="utf-8")


def write_fir(equations: str, *table_ids: str):
    """Write tables of simulated Chinese fir."""
    import sinklab as sl
    from sinklab.data import open_data
    from sinklab.tables.table import Table

    fit = sl.fit(open_data.load("study:chinese_fir_simulated"), equations)
    for table_id in table_ids:
        Table.from_fits([fit], table_id, "0.1.0").write()


def write_carbon_fractions(where=None):
    """Write the table of carbon fractions in print."""
    from sinklab.data import open_data
    from sinklab.evidence import pooling
    from sinklab.tables.table import Table

    printed = open_data.load("literature:carbon_fraction", where)
    values = pooling.summarise(printed, "carbon_fraction", by=["species_id", "component"])
    Table.from_values(values, "carbon_fraction_forest_china", "0.1.0", source=printed.attrs["source"]).write()

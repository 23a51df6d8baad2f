"""A parameter table: models and scalar values with their joint uncertainty, written as a folder."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from sinklab import paths, provenance, vocabulary
from sinklab.errors import DataError, TableError
from sinklab.language import tr
from sinklab.results import FitResult
from sinklab.tables import acceptance, origin, pack, package, store
from sinklab.tables.apply import choose_model, find_number, predict_by_group
from sinklab.tables.naming import SYSTEMS, check_status, check_table_id, check_version, system_of
from sinklab.tables.schema import FILES, SCHEMA_VERSION
from sinklab.tables.unpack import unpack


@dataclass(frozen=True, eq=False)
class Table:
    """One version of a parameter table.

    ``frames`` holds the files by name (``models``, ``equations``, ``coefficients`` … ``values``,
    ``checks``, ``draws``), ``provenance`` what the numbers were made from. Make one with
    :meth:`from_fits`, :meth:`from_values` or :meth:`read`.
    """

    table_id: str
    version: str
    frames: dict[str, pd.DataFrame]
    provenance: dict
    title: str
    title_zh: str
    sources: tuple[dict, ...]

    @classmethod
    def from_fits(
        cls,
        fits,
        table_id: str,
        version: str,
        status: str | None = None,
        title=None,
        values: pd.DataFrame | None = None,
        source: dict | None = None,
        by: str | None = None,
        components: dict[str, str] | None = None,
        by_class: str | None = None,
    ) -> "Table":
        """Make a table of fitted models, and of scalar values beside them.

        Parameters
        ----------
        fits : FitResult or sequence of FitResult
            Several fits need different labels.
        table_id, version : str
            ``<response>_<system>_<group>`` and ``major.minor.patch``.
        status : str, optional
            ``draft`` when left out. Whatever is asked for, a number from simulated data is a
            ``demonstration``.
        title : str or (str, str), optional
            Title, or English and Chinese titles; made from the table id when left out.
        values : DataFrame, optional
            Scalar distributions, columns as in ``values.csv``.
        source : dict, optional
            Says or corrects where the data of the fits come from: ``spec`` or ``name``, ``origin``
            (measured, simulated, printed), ``citation``, ``licence`` …
        by : str, optional
            Data column whose levels are the labels of the fits; the column the fits were grouped by
            when left out.
        components : dict, optional
            What was weighed, a component id of the vocabulary by response.
        by_class : str, optional
            Column of the data of the fits; indices are given for each of its values too.

        Raises
        ------
        TableError
            Ids that do not fit, fits that did not converge or have no source, unknown statuses.
        """
        fits = [fits] if isinstance(fits, FitResult) else list(fits)
        check_table_id(table_id)
        check_version(version)
        wanted = check_status(status or "draft")
        pack.check_fits(fits)
        origins = [origin.of_fit(fit, source) for fit in fits]
        statuses = [origin.status_for(o, wanted) for o in origins]
        group = by if by is not None else origin.group_column(fits)
        names = [origin.text(o) for o in origins]
        frames = pack.pack(fits, statuses, names, group, components, by_class)
        record = {
            key: origin.model_record(fit, o)
            for key, fit, o in zip(frames["models"]["model_id"], fits, origins, strict=True)
        }
        if values is not None:
            beside = dict(values.attrs.get("source") or {}) | (source or {})
            frames["values"] = origin.complete_values(values, wanted, beside)
            origins.append(beside)
        return cls._assemble(table_id, version, frames, record, title, origins)

    @classmethod
    def from_values(
        cls,
        values: pd.DataFrame,
        table_id: str,
        version: str,
        status: str | None = None,
        title=None,
        source: dict | None = None,
    ) -> "Table":
        """Make a table of scalar distributions (carbon fractions, wood densities, soil values …).

        Parameters
        ----------
        values : DataFrame
            Columns as in ``values.csv``; at least ``name, mean`` and ``unit`` (or ``variable``).
            A ``status`` column can lower the status of a row, never raise it.
        table_id, version, status, title
            See :meth:`from_fits`.
        source : dict, optional
            As in :meth:`from_fits`; the ``attrs["source"]`` of ``values`` when left out.
        """
        check_table_id(table_id)
        check_version(version)
        wanted = check_status(status or "draft")
        source = dict(values.attrs.get("source") or {}) | (source or {})
        frames = {"values": origin.complete_values(values, wanted, source)}
        return cls._assemble(table_id, version, frames, {}, title, [source])

    @classmethod
    def _assemble(cls, table_id, version, frames, record, title, origins) -> "Table":
        frames["checks"] = acceptance.checks(frames, table_id)
        about = {"schema_version": SCHEMA_VERSION} | provenance.software()
        about |= {"data": origin.distinct(origins), "models": record}
        if title is None:
            title = _default_title(table_id, "en"), _default_title(table_id, "zh")
        title_en, title_zh = (title, title) if isinstance(title, str) else title
        sources = origin.package_sources(origins, frames)
        return cls(table_id, version, frames, package.portable(about), title_en, title_zh, tuple(sources))

    @classmethod
    def read(cls, ref, root=None) -> "Table":
        """Read a table.

        Parameters
        ----------
        ref : path or str
            A folder, ``id@version``, or ``id`` for the latest version.
        root : path, optional
            Folder that holds the tables; ``params/`` of the workbench when left out.

        Raises
        ------
        TableError
            There is none, or its files are not the ones that were written.
        """
        folder = store.resolve(ref, root)
        frames, about, head = package.read_folder(folder)
        table_id, version = check_table_id(head.get("name")), check_version(head.get("version"))
        titles = head.get("title", table_id), head.get("title_zh", table_id)
        return cls(table_id, version, frames, about, *titles, tuple(head.get("sources", ())))

    def write(self, root=None) -> Path:
        """Write the table to ``root/<table_id>/<version>``; the same table gives the same bytes.

        Parameters
        ----------
        root : path, optional
            ``params/`` of the workbench when left out.

        Returns
        -------
        folder : Path

        Raises
        ------
        TableError
            A cell must not be written, the folder holds another reviewed or published table, or it
            cannot be replaced. What was there before stays.
        """
        base = Path(root) if root is not None else paths.params()
        folder = base / self.table_id / self.version
        try:
            package.write_folder(folder, self.frames, self.provenance, self.description())
        except OSError as error:
            raise TableError(
                tr(
                    f"{folder}: cannot be written ({error}); is a file of it open in a spreadsheet?",
                    f"{folder}：无法写入（{error}）；是否有文件正在电子表格中打开？",
                )
            ) from error
        return folder

    def description(self) -> dict:
        """Properties of the package itself, as ``datapackage.json`` has them."""
        return {
            "name": self.table_id,
            "version": self.version,
            "title": self.title,
            "title_zh": self.title_zh,
            "licenses": [package.LICENCE],
            "sources": list(self.sources),
            "sinklab": {
                "schema_version": SCHEMA_VERSION,
                "status": self.status,
                "system": system_of(self.table_id),
                "n_model": self._count("models"),
                "n_equation": self._count("equations"),
                "n_value": self._count("values"),
            },
        }

    def _count(self, name) -> int:
        return len(self.frames[name]) if name in self.frames else 0

    @property
    def ref(self) -> str:
        """``id@version``, as drafts cite it."""
        return f"{self.table_id}@{self.version}"

    @property
    def status(self) -> str:
        """Status of the table: that of its weakest row."""
        return pack.table_status(self.frames)

    @cached_property
    def models(self) -> tuple[FitResult, ...]:
        """The fitted models, rebuilt from the numbers of the table; they hold no trees."""
        return unpack(self.frames, self.provenance) if "models" in self.frames else ()

    @property
    def values(self) -> pd.DataFrame:
        """Scalar distributions, columns as in ``values.csv``; empty when there are none."""
        return self.frames.get("values", pd.DataFrame(columns=[f.name for f in FILES["values"]]))

    @property
    def checks(self) -> pd.DataFrame:
        """Checks passed and failed, columns as in ``checks.csv``."""
        return self.frames["checks"]

    def model(self, key: str | None = None) -> FitResult:
        """Return one model by its id or label; without ``key`` the only one."""
        return self.models[choose_model(self.frames.get("models"), key, self.ref)]

    def predict(
        self,
        data,
        level: float = 0.95,
        kind: str = "mean",
        model: str | None = None,
        intervals: str | None = None,
    ) -> pd.DataFrame:
        """Predict every response of the table.

        Parameters
        ----------
        data : DataFrame
            Predictors in the units of ``ranges.csv``, and the group column when the table has one.
        level, kind, intervals
            See :func:`sinklab.prediction.predict`.
        model : str, optional
            Id or label of one model, for all rows.

        Returns
        -------
        prediction : DataFrame, index of ``data``

        Raises
        ------
        TableError
            Several models and no way to choose, or groups that the table does not have.
        """
        models = self.frames.get("models")
        column = "" if models is None or model is not None else models["group_column"].iloc[0]
        if not column:
            return self.model(model).predict(data, level=level, kind=kind, intervals=intervals)
        return predict_by_group(
            self.models, models, column, data, self.ref, level=level, kind=kind, intervals=intervals
        )

    def value(self, name: str, column: str = "value", model: str | None = None):
        """One number of the table by name, as drafts cite it.

        Parameters
        ----------
        name : str
            A coefficient (``a1``, ``a1[site]``) or a scalar value (``carbon_fraction``,
            ``carbon_fraction[stem]``).
        column : str
            ``value`` (the estimate or the mean), ``status``, ``source``, or another column of
            ``coefficients.csv`` or ``values.csv``.
        model : str, optional
            Id or label of the model, when several have the coefficient.

        Returns
        -------
        number : float or str

        Raises
        ------
        TableError
            No or several numbers of that name, or no such column.
        """
        return find_number(self.frames, name, column, model, self.ref)


def _default_title(table_id, lang) -> str:
    """Title from the parts of an id: ``agb_forest_betula`` gives "aboveground biomass: forest, betula"."""
    system = system_of(table_id)
    head, _, rest = table_id.partition(f"_{system}") if system else ("", "", table_id)
    group = rest.strip("_")
    try:
        species = vocabulary.species(group)
        group = species.name_zh if lang == "zh" else species.name_latin
    except DataError:
        group = group.replace("_", " ")
    if not system:
        return group
    label = vocabulary.label(head, lang)
    if lang == "zh":
        return f"{label}：{SYSTEMS[system]}{'，' if group else ''}{group}"
    return f"{label}: {system}{', ' if group else ''}{group}"

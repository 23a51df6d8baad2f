"""Parameter tables: made of models and scalar values, written and read, found, and used.

A table is a folder ``params/<table_id>/<version>`` with the joint uncertainty of its numbers, their checks and
their origin. It is found by folder, by ``id@version``, or by id (the latest version); it predicts with the
model that applies to a row, and gives a number by its name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sinklab import paths
from sinklab.data import vocabulary
from sinklab.data.files import is_number
from sinklab.language import SetTable, TableError, first_rows, heads, listing, number, reader_language, tr
from sinklab.language import table as columns_of_text
from sinklab.results.fit_result import FitResult
from sinklab.results.indices import index_head, rule_source
from sinklab.results.summary import values_sentence
from sinklab.tables import checks, pack, package
from sinklab.tables.package import ModelRecord, Provenance, name_of, origin_of, package_sources, status_for
from sinklab.tables.schema import (
    DEMONSTRATION,
    DESCRIPTOR,
    LICENCE,
    REFUSED,
    SCHEMA_VERSION,
    check_status,
    check_table_id,
    check_version,
    columns_of,
    default_title,
    next_version,
    readable,
    status_label,
    subject_label,
    system_of,
    version_key,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Rows that a table shows of itself in a notebook.
SHOWN = 12


@dataclass(frozen=True, eq=False, repr=False)
class Table:
    """One version of a parameter table.

    ``frames`` holds the files by name (``models``, ``equations``, ``coefficients`` … ``values``,
    ``checks``, ``draws``), ``provenance`` what the numbers were made from. Make one with
    :meth:`from_fits`, :meth:`from_values` or :meth:`read`.

    Examples
    --------
    >>> sl.Table.from_fits([fit], 'stem_forest_cunninghamia', '0.1.0').value('b', 'status')
    'demonstration'
    """

    table_id: str
    version: str
    frames: dict[str, pd.DataFrame]
    provenance: Provenance
    title: str
    title_zh: str
    sources: tuple[dict, ...]

    @classmethod
    def from_fits(
        cls,
        fits: Sequence[FitResult],
        table_id: str,
        version: str,
        status: str | None = None,
        title: str | Mapping[str, str] | None = None,
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
            Ids that do not fit, fits that did not converge or have no source, unknown statuses, or no fit that passes
        the gate (``data/rules/gate.csv``); single fits that do not pass stay out, with a row of ``checks``.
        """
        fits = [fits] if isinstance(fits, FitResult) else list(fits)
        check_table_id(table_id)
        check_version(version)
        wanted = check_status(status or "draft")
        pack.check_fits(fits)
        fits, refused = checks.pass_gate(fits)
        origins = [origin_of(fit, source) for fit in fits]
        statuses = [status_for(origin, wanted) for origin in origins]
        group = by if by is not None else pack.group_column(fits)
        names, system = [name_of(o) for o in origins], system_of(table_id)
        frames = pack.pack_table(fits, statuses, names, group, components, by_class, system)
        keys = frames["models"]["model_id"]
        records = {key: ModelRecord.of(fit, o) for key, fit, o in zip(keys, fits, origins, strict=True)}
        if values is not None:
            beside = dict(values.attrs.get("source") or {}) | (source or {})
            complete = pack.complete_values(values, wanted, beside, system)
            frames["values"], more = checks.refuse_values(complete)
            refused += more
            origins.append(beside)
        return cls._assemble(table_id, version, frames, records, title, origins, refused)

    @classmethod
    def from_values(
        cls,
        values: pd.DataFrame,
        table_id: str,
        version: str,
        status: str | None = None,
        title: str | Mapping[str, str] | None = None,
        source: dict | None = None,
        refused: Mapping[str, checks.Refusal] | None = None,
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
        refused : mapping of str to Refusal, optional
            Rows by name that must not be used, for a reason that their numbers do not show.
        """
        check_table_id(table_id)
        check_version(version)
        wanted = check_status(status or "draft")
        source = dict(values.attrs.get("source") or {}) | (source or {})
        complete = pack.complete_values(values, wanted, source, system_of(table_id))
        whole, rows = checks.refuse_values(complete, refused)
        return cls._assemble(table_id, version, {"values": whole}, {}, title, [source], rows)

    @classmethod
    def _assemble(cls, table_id, version, frames, records, title, origins, refused) -> "Table":
        found = checks.run_checks(frames, table_id)
        rows = pd.DataFrame(refused, columns=columns_of("checks"))
        frames["checks"] = pd.concat([found, rows], ignore_index=True) if refused else found
        if title is None:
            title = default_title(table_id, "en"), default_title(table_id, "zh")
        title_en, title_zh = (title, title) if isinstance(title, str) else title
        about, sources = Provenance.here(origins, records), tuple(package_sources(origins, frames))
        return cls(table_id, version, frames, about, title_en, title_zh, sources)

    @classmethod
    def read(cls, ref: str | Path, root: str | Path | None = None) -> "Table":
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
            There is none, its files are not the ones that were written, or its numbers cannot be used.
        """
        folder = resolve(ref, root)
        frames, head = package.read_folder(folder)
        table_id, version = check_table_id(head.get("name")), check_version(head.get("version"))
        titles = head.get("title", table_id), head.get("title_zh", table_id)
        about = frames.pop("provenance")
        found = cls(table_id, version, frames, about, *titles, tuple(head.get("sources", ())))
        if faults := checks.number_faults(frames, lambda: found.models):
            raise TableError(f"{folder}:\n{listing(faults)}")
        return found

    def write(self, root: str | Path | None = None) -> Path:
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
                f"{folder}: cannot be written ({error}); is a file of it open in a spreadsheet?",
                f"{folder}：无法写入（{error}）；是否有文件正在电子表格中打开？",
            ) from error
        return folder

    def save(
        self, root: str | Path | None = None, version: str = "", overwrite: bool = False
    ) -> tuple[Path, str]:
        """Write the table without replacing a version that is there.

        Parameters
        ----------
        root : path, optional
            ``params/`` of the workbench when left out.
        version : str
            Version wanted. When left out, that of the table for its first, else the next patch after the latest;
            the latest itself where it holds these numbers already.
        overwrite : bool
            Replace the version wanted, or the latest one.

        Returns
        -------
        folder : Path
        how : str
            ``first``, ``beside`` other versions, ``same`` as it was, or ``replaced``.

        Raises
        ------
        TableError
            The version wanted is there, or what :meth:`write` refuses.
        """
        base = Path(root) if root is not None else paths.params()
        self._refuse_taken(base, version, overwrite)
        # Two at once would both take the version that is free.
        with paths.turn(base):
            return self._save(base, version, overwrite)

    def _refuse_taken(self, base: Path, version: str, overwrite: bool) -> list[str]:
        """Versions that are there; the one that is wanted must not be."""
        known = versions(base / self.table_id) if (base / self.table_id).is_dir() else []
        if version in known and not overwrite:
            free = next_version(known[-1], "patch")
            raise TableError(
                f"{self.table_id}@{version} is there and stays; take {free}, or ask to overwrite it (--overwrite)",
                f"{self.table_id}@{version} 已存在，予以保留；请改用 {free}，或要求覆盖（--overwrite）",
            )
        return known

    def _save(self, base: Path, version: str, overwrite: bool) -> tuple[Path, str]:
        known = self._refuse_taken(base, version, overwrite)
        wanted = version or (known[-1] if known else self.version)
        made = replace(self, version=wanted)
        if wanted not in known:
            return made.write(base), "beside" if known else "first"
        folder = base / self.table_id / wanted
        if package.holds(folder, made.frames, made.provenance, made.description()):
            return folder, "same"
        if overwrite:
            return made.write(base), "replaced"
        return replace(self, version=next_version(wanted, "patch")).write(base), "beside"

    def description(self) -> dict:
        """Properties of the package itself, as ``datapackage.json`` has them."""
        return {
            "name": self.table_id,
            "version": self.version,
            "title": self.title,
            "title_zh": self.title_zh,
            "licenses": [LICENCE],
            "sources": list(self.sources),
            "sinklab": {
                "schema_version": SCHEMA_VERSION,
                "status": self.status,
                "system": system_of(self.table_id),
            }
            | {
                f"n_{name[:-1]}": len(self.frames.get(name, ())) for name in ("models", "equations", "values")
            },
        }

    @property
    def ecosystem(self) -> str:
        """Ecosystem that its id names, "" where none is."""
        return system_of(self.table_id)

    @property
    def ref(self) -> str:
        """``id@version``, as drafts cite it."""
        return f"{self.table_id}@{self.version}"

    @property
    def status(self) -> str:
        """Status of the table: that of its weakest row."""
        return pack.table_status(self.frames)

    @vocabulary.in_its_words
    def __repr__(self) -> str:
        """At most twelve lines: what the table holds, how good it is, which checks failed."""
        return "\n".join([self._headline(), *self._lines()])

    def _repr_html_(self) -> str:
        return self.set_table().to_html()

    @vocabulary.in_its_words
    def set_table(self) -> SetTable:
        """What the table holds and how good it is, for a notebook, LaTeX or Word.

        Examples
        --------
        >>> "tabular" in table.set_table().to_latex()
        True
        """
        blocks: list[Any] = ["\n".join(self._lines())]
        if "indices" in self.frames:
            told = self.frames["indices"]
            told = told[told["class_column"].fillna("") == ""]
            indices = [c for c in ("n", "R2", "SEE", "TRE", "MPE", "MPSE") if c in told]
            # Pooled equations have no trees to be judged by.
            told = told[told[indices].notna().any(axis=1)]
            rows = [[self._of(row), *(number(row[c], 4) for c in indices)] for row in told.to_dict("records")]
            blocks += first_rows(SHOWN, tr("Indices", "评价指标"), ["", *map(index_head, indices)], rows)
        if "indices" in self.frames and not len(told):
            header = heads("|parameter|value|std. error", "|参数|估计值|标准误")
            rows = [
                [self._of({"model_id": fit.label, "response": ""}), name, *(number(v, 4) for v in row)]
                for fit in self.models
                for name, row in zip(fit.labels, fit.parameters[["value", "se"]].to_numpy(float), strict=True)
            ]
            blocks += first_rows(SHOWN, tr("Parameters", "参数"), header, rows)
        if len(self.values):
            header = heads("|mean|sd|2.5 %|97.5 %|unit|studies", "|均值|标准差|2.5 %|97.5 %|单位|研究数")
            rows = [
                [
                    subject_label(f"{row['variable'] or row['name']} [{row['group']}]"),
                    *(number(row[c], 4) for c in ("mean", "sd", "q025", "q975")),
                    vocabulary.units_symbol(row["unit"]),
                    row["n_study"],
                ]
                for row in self.values.fillna({"variable": "", "group": "", "unit": ""}).to_dict("records")
            ]
            blocks += first_rows(SHOWN, tr("Values", "取值"), header, rows)
        return SetTable(self._headline(), *blocks)

    @vocabulary.in_its_words
    def summary(self) -> str:
        """The whole table as text: equations, coefficients, indices, ranges, values, failed checks, origin."""
        blocks = [_head(self), tr(*DEMONSTRATION) if self.status == "demonstration" else ""]
        blocks += [model.summary() for model in self.models]
        blocks += [_values(self), _checks(self), _origin(self)]
        return "\n\n".join(block for block in blocks if block)

    def plot(
        self,
        kind: str | None = None,
        response: str | None = None,
        path: str | Path | None = None,
        lang: str | None = None,
        model: str | None = None,
    ) -> "Figure":
        """Draw the table; see :meth:`FitResult.plot`.

        Parameters
        ----------
        kind : str, optional
            ``values`` (means with their intervals), or a kind of figure of a fit that needs no trees: ``fit``, ``log``,
            ``sites``. A table with models is drawn as ``fit`` when left out, another as ``values``.
        response : str, optional
            Of a model; the variable of the values.
        model : str, optional
            Id or label, when there are several.

        Raises
        ------
        SinklabError
            Unknown kinds, nothing of that kind, or several models and no way to choose.

        Examples
        --------
        >>> Table.read("growth_forest_abies").plot("log")  # doctest: +SKIP
        """
        draw = import_module("sinklab.plots").drawn
        if kind == "values" or (kind is None and "models" not in self.frames):
            return draw(self, "values", path, lang, response)
        return draw(self.model(model), kind or "fit", path, lang, response)

    def _headline(self) -> str:
        title = self.title_zh if reader_language() == "zh" else self.title
        return f"{self.ref} · {status_label(self.status)} · {title}"

    def _lines(self) -> list[str]:
        lines = [
            f"  {fit.label or fit.method}: "
            + ", ".join(f"{vocabulary.label(response)} n={n}" for response, n in fit.n.items())
            for fit in self.models[:4]
        ]
        more, n_value = len(self.models) - 4, len(self.values)
        lines += [tr(f"  and {more} more models", f"  另有 {more} 个模型")] if more > 0 else []
        lines += [tr(f"  {n_value} values", f"  取值 {n_value} 个")] if n_value else []
        failed = self.checks[~self.checks["passed"].astype(bool)]
        n, good = len(self.checks), len(self.checks) - len(failed)
        lines.append(tr(f"  checks: {good} of {n} passed", f"  检查：{n} 项中 {good} 项通过"))
        words = [
            f"    ✗ {self._of(row)}{tr(': ', '：')}{readable(row[tr('message_en', 'message_zh')])}"
            for row in failed.astype(object).fillna("").to_dict("records")
        ]
        return [*lines, *dict.fromkeys(words)][:11]

    def _of(self, row: Mapping[str, Any]) -> str:
        """Model and response of a row; the model only where there are several."""
        several = len(self.frames.get("models", ())) > 1
        return " ".join(
            filter(None, [row["model_id"] if several else "", subject_label(row["response"] or "")])
        )

    @cached_property
    def models(self) -> tuple[FitResult, ...]:
        """The fitted models, rebuilt from the numbers of the table; they hold no trees."""
        return pack.unpack(self.frames, self.provenance) if "models" in self.frames else ()

    @property
    def values(self) -> pd.DataFrame:
        """Scalar distributions, columns as in ``values.csv``; empty when there are none."""
        return self.frames.get("values", pd.DataFrame(columns=columns_of("values")))

    @property
    def checks(self) -> pd.DataFrame:
        """Checks passed and failed, columns as in ``checks.csv``."""
        return self.frames["checks"]

    def model(self, key: str | None = None) -> FitResult:
        """Return one model by its id or label; without ``key`` the only one."""
        return self.models[_choose_model(self.frames.get("models"), key, self.ref)]

    def predict(
        self,
        data: pd.DataFrame | Mapping[str, Any],
        level: float = 0.95,
        kind: str = "mean",
        model: str | None = None,
        intervals: str | None = None,
        of: str | None = None,
    ) -> pd.DataFrame:
        """Predict every response of the table.

        Parameters
        ----------
        data : DataFrame
            Predictors in the units of ``ranges.csv``, and the group column when the table has one.
        level, kind, intervals, of
            See :func:`sinklab.results.prediction.predict`.
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
        options = {"level": level, "kind": kind, "intervals": intervals, "of": of}
        if not column:
            return self.model(model).predict(data, **options)
        return _predict_by_group(self.models, models, column, data, self.ref, **options)

    def value(self, name: str, column: str = "value", model: str | None = None) -> Any:
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
        return _find_number(self.frames, name, column, model, self.ref)


def publish(
    names: Mapping[str, Any],
    notebook: str = "",
    *,
    fits: Sequence[FitResult] = (),
    values: pd.DataFrame | None = None,
    source: Mapping[str, Any] | None = None,
    summary: str = "",
    **options: Any,
) -> pd.DataFrame:
    """Write the table that a notebook has made, and print where it lies and its status.

    Parameters
    ----------
    names : mapping
        ``globals()`` of the notebook, with its parameters ``table_id``, ``version``, ``title_en`` and ``title_zh``.
    notebook : str
        File name in ``notebooks/``, where its table is verified by running it again; blank where fits and pooled values
        are found again from their data alone.
    fits : sequence of FitResult
    values : DataFrame, optional
        Scalar distributions, beside the fits or alone.
    source : mapping, optional
        Of :meth:`Table.from_fits`; ``attrs["source"]`` of the values when left out.
    summary : str
        How the values were made.
    **options
        More of :meth:`Table.from_fits` or :meth:`Table.from_values`.

    Returns
    -------
    failed : DataFrame
        The checks that the table does not pass.

    Raises
    ------
    TableError
        As the makers of tables.

    Examples
    --------
    >>> names = {'table_id': 'stem_forest_cunninghamia', 'version': '0.1.0', 'title_en': 'Fir', 'title_zh': '杉木'}
    >>> failed = sl.publish(names, fits=[fit], source=trees.attrs['source'])
    params/stem_forest_cunninghamia/0.1.0 demonstration
    """
    made = {"recipe": paths.recipe(notebook, dict(names))} if notebook else {}
    made |= {"summary": summary} if summary else {}
    if source is not None:
        options["source"] = {**source, **made}
    elif values is not None:
        values = values.copy()
        values.attrs["source"] = {**values.attrs.get("source", {}), **made}
    about = names["table_id"], names["version"]
    title = names["title_en"], names["title_zh"]
    if fits:
        table = Table.from_fits(fits, *about, title=title, values=values, **options)
    else:
        table = Table.from_values(values, *about, title=title, **options)
    print(paths.relative(table.write()), table.status)
    checks = table.frames["checks"]
    return checks[~checks["passed"].astype(bool)]


# The whole table as text.


def _head(table) -> str:
    title = tr(table.title, table.title_zh)
    return f"{title}\n{table.ref} · {tr('status', '状态')}: {status_label(table.status)}"


def _values(table) -> str:
    frame = table.values
    if frame.empty:
        return ""
    header = heads(
        "value|for|mean|lower|upper|unit|n|studies|distribution|status",
        "参数|分组|均值|下限|上限|单位|n|研究数|分布|状态",
    )
    rows = []
    for row in frame.to_dict("records"):
        names = [vocabulary.label(row["variable"] or row["name"]), vocabulary.group_label(row["group"])]
        numbers = [number(row[c], 5) for c in ("mean", "q025", "q975")]
        counts = [number(row[c]) for c in ("n", "n_study")]
        rows.append([*names, *numbers, row["unit"], *counts, row["family"], status_label(row["status"])])
    title = tr("Values (2.5 % and 97.5 % quantiles)", "标量参数（2.5% 与 97.5% 分位数）")
    return f"{title}\n{columns_of_text(header, rows)}\n{values_sentence(frame, table.provenance.data)}"


def _checks(table) -> str:
    checks = table.checks
    failed = checks[~checks["passed"].astype(bool)]
    n = len(checks)
    lines = [tr(f"Checks: {n - len(failed)} of {n} passed", f"检查：{n} 项中通过 {n - len(failed)} 项")]
    for row in failed.to_dict("records"):
        source = f"; {rule_source(row['rule_source'], row['rule_status'])}" if row["rule_source"] else ""
        said = readable(tr(row["message_en"], row["message_zh"]))
        found = number(row["value"], 4)
        found = tr(f"; found {found}", f"；实际 {found}") if np.isfinite(row["value"]) else ""
        of = tr("{}: ", "{}：").format(table._of(row)) if table._of(row) else ""
        lines.append(f"  ✗ {of}{said}{found}{source}")
    return "\n".join(lines)


def _origin(table) -> str:
    lines = [tr("Origin", "来历")]
    for data in table.provenance.data:
        name = name_of(data)
        kind = data.get("origin", "")
        digest = str(data.get("fingerprint", ""))[:12]
        parts = [name, kind, f"{tr('data', '数据')} {digest}" if digest else "", data.get("citation", "")]
        lines.append("  " + " · ".join(str(part) for part in parts if part))
    shown = {data.get("title") or name_of(data) for data in table.provenance.data}
    others = [source["title"] for source in table.sources if source["title"] not in shown]
    lines += [f"  {line}" for line in listing(others, limit=10).splitlines()]
    software = table.provenance.sinklab
    lines.append(f"  sinklab {software['version']} · {tr('source', '源码')} {software['source_sha256'][:12]}")
    return "\n".join(lines)


# Which model applies to a row, and which number bears a name


def _choose_model(models, key, ref: str) -> int:
    """Position of the model with an id or label; of the only model when ``key`` is None."""
    if models is None:
        raise TableError(
            f"{ref}: the table holds values but no model; use values.csv",
            f"{ref}：该表只有标量参数，没有模型；请使用 values.csv",
        )
    rows = zip(models["model_id"], models["label"], strict=True)
    labels = ", ".join(i if name in ("", i) else f"{i} ({name})" for i, name in rows)
    if key is None:
        if len(models) == 1:
            return 0
        raise TableError(
            f"{ref}: {len(models)} models; choose one with model=: {labels}",
            f"{ref}：有 {len(models)} 个模型；请用 model= 选择：{labels}",
        )
    for column in ("model_id", "label", "label_zh"):
        hits = [i for i, name in enumerate(models[column]) if name == key]
        if hits:
            return hits[0]
    raise TableError(
        f"{ref}: no model {key!r}; there are: {labels}", f"{ref}：没有模型 {key!r}；现有：{labels}"
    )


def _predict_by_group(fits, models, column, data, ref, **options) -> pd.DataFrame:
    """Predict each row with the model of its group; levels without a model are refused, all at once."""
    if column not in data:
        raise TableError(
            f"{ref} has one model per {column}; the data have no such column (or choose one with model=)",
            f"{ref} 按 {column} 分别建模；数据中没有该列（也可用 model= 指定模型）",
        )
    chosen = _positions(data[column], models)
    if chosen.isna().any():
        unknown = ", ".join(sorted({str(level) for level in data[column][chosen.isna().to_numpy()]}))
        known = ", ".join(models["group_level"])
        raise TableError(
            f"{ref}: no model for {column} = {unknown}; there are: {known}",
            f"{ref}：没有适用于 {column} = {unknown} 的模型；现有：{known}",
        )
    row = np.arange(len(data))
    parts = []
    for position, fit in enumerate(fits):
        mine = (chosen == position).to_numpy()
        if mine.any():
            parts.append(fit.predict(data[mine], **options).set_index(row[mine]))
    joined = pd.concat(parts).sort_index() if parts else fits[0].predict(data, **options)
    joined.index = data.index
    return joined


def _positions(levels, models) -> pd.Series:
    """Position of the model of each row, NaN without one; Chinese names and 1 for 1.0 are understood."""
    names = {name: i for i, name in enumerate(models["label_zh"])}
    names |= {name: i for i, name in enumerate(models["group_level"])}
    if pd.api.types.is_numeric_dtype(levels.dtype):
        names = {float(name): i for name, i in names.items() if is_number(name)}
        return levels.astype(float).map(names)
    return levels.astype(object).map(lambda level: names.get(str(level))).astype(float)


def _find_number(frames, name, column, model, ref):
    """One cell of ``coefficients.csv`` or ``values.csv``; see :meth:`Table.value`."""
    candidates = []
    if "coefficients" in frames:
        frame = frames["coefficients"]
        if model is not None:
            key = frames["models"]["model_id"].iloc[_choose_model(frames["models"], model, ref)]
            frame = frame[frame["model_id"] == key]
        standing = frames["models"][["model_id", "status", "source"]]
        candidates.append((_named(frame, name).merge(standing, on="model_id"), column))
    if "values" in frames and model is None:
        frame = frames["values"]
        wanted = {"value": "mean", "source": "sources"}.get(column, column)
        candidates.append((_named(frame, name), wanted))
    hits = [(row, wanted) for frame, wanted in candidates for row in frame.to_dict("records")]
    if len(hits) != 1:
        raise TableError(_not_one(frames, name, hits, ref))
    row, wanted = hits[0]
    if row["status"] == REFUSED and wanted != "status":
        raise TableError(f"{ref}: {name}: {row['note']}")
    if wanted not in row:
        raise TableError(
            f"{ref}: {name} has no column {column!r}; there are: {', '.join(row)}",
            f"{ref}：{name} 没有列 {column!r}；现有：{'、'.join(row)}",
        )
    return row[wanted]


def _named(frame, name) -> pd.DataFrame:
    exact = frame[[label == name for label in pack.labels_of(frame)]]
    # A bare name is enough when only one row has it.
    return exact if len(exact) else frame[frame["name"] == name]


def _not_one(frames, name, hits, ref) -> str:
    if hits:
        found = ", ".join(
            f"{row['name']}[{row['group']}]"
            if row["group"]
            else f"{row['name']} ({row.get('model_id', 'values')})"
            for row, _ in hits
        )
        return tr(
            f"{ref}: {len(hits)} numbers are called {name!r}: {found}; name the group or the model",
            f"{ref}：有 {len(hits)} 个数名为 {name!r}：{found}；请指明分组或模型",
        )
    there = [x for f in ("coefficients", "values") if f in frames for x in pack.labels_of(frames[f])]
    known = ", ".join(dict.fromkeys(there)) or "–"
    return tr(
        f"{ref}: no number {name!r}; there are: {known}", f"{ref}：没有名为 {name!r} 的数；现有：{known}"
    )


# Finding tables


def table_ids(root=None) -> list[str]:
    """Ids of the tables below ``root`` (``params/`` of the workbench when left out), sorted."""
    folder = Path(root) if root is not None else paths.params()
    if not folder.is_dir():
        return []
    return sorted(
        p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith(".") and versions(p)
    )


def versions(folder) -> list[str]:
    """Versions of one table, the folder ``params/<table_id>``, from the oldest to the latest."""
    paths.mend(folder)  # a process that was killed while it replaced a version had moved it aside
    found = []
    for path in Path(folder).iterdir():
        if not (path / DESCRIPTOR).is_file() or path.name.startswith("."):
            continue
        try:
            found.append(check_version(path.name))
        except TableError:
            continue
    return sorted(found, key=version_key)


def resolve(ref, root=None) -> Path:
    """Folder of a table.

    Parameters
    ----------
    ref : path or str
        The folder of a version, the folder of a table (its latest version), ``id@version``, or ``id``
        (the latest version below ``root``).
    root : path, optional
        Folder that holds the tables; ``params/`` of the workbench when left out.

    Raises
    ------
    TableError
        Nothing there; with the nearest ids, or the versions that exist.
    """
    path = Path(ref)
    if (path / DESCRIPTOR).is_file():
        return path
    if path.is_dir() and versions(path):
        return path / versions(path)[-1]
    table_id, _, version = str(ref).partition("@")
    check_table_id(table_id)
    if version:
        check_version(version)
    base = Path(root) if root is not None else paths.params()
    folder = base / table_id
    known = versions(folder) if folder.is_dir() else []
    if not known:
        ids = table_ids(base)
        shown = paths.relative(base) if base.is_relative_to(paths.root()) else base
        near = ", ".join(get_close_matches(table_id, ids, n=3) or ids[:10]) or "–"
        raise TableError(
            f"{shown}: no table {table_id}; there are: {near}",
            f"{shown}：没有参数表 {table_id}；现有：{near}",
        )
    if version and version not in known:
        there = ", ".join(known)
        raise TableError(
            f"{table_id}: no version {version}; there are: {there}",
            f"{table_id}：没有版本 {version}；现有：{there}",
        )
    return folder / (version or known[-1])


def ref_of(folder: Path) -> str:
    """``id@version`` of the folder of a version."""
    place = folder.resolve()
    return f"{place.parent.name}@{place.name}"


def list_tables(root: str | Path | None = None) -> list[dict]:
    """Describe the versions of all tables, without reading their numbers.

    Returns
    -------
    tables : list of dict
        ``table_id, version, status, title, title_zh, n_model, n_equation, n_value, folder``.

    Raises
    ------
    TableError
        Descriptions that cannot be read, all at once.

    Examples
    --------
    >>> _ = table.write(folder)
    >>> [row['table_id'] for row in sl.list_tables(folder)]
    ['stem_forest_cunninghamia']
    """
    base = Path(root) if root is not None else paths.params()
    found, problems = [], []
    for table_id in table_ids(base):
        for version in versions(base / table_id):
            folder = base / table_id / version
            try:
                head = package.read_descriptor(folder)
            except TableError as error:
                problems.append(str(error))
                continue
            own = head["sinklab"]
            found.append(
                {"table_id": table_id, "version": version, "status": own.get("status", "")}
                | {key: head.get(key, "") for key in ("title", "title_zh")}
                | {key: own.get(key, 0) for key in ("n_model", "n_equation", "n_value")}
                | {"folder": paths.relative(folder)}
            )
    if problems:
        raise TableError(listing(problems))
    return found

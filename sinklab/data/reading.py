"""The one door: a field file as a frame in names and units of the vocabulary, with the account of its reading.

:func:`read` opens a workbook, a text file, a study or an open data set; every command opens its data here. The
:class:`Account` says what was understood as what, which rows are no records and why, which cells have no value, what
was not recognised, and what a person has to decide; a run prints it.
"""

import re
from collections.abc import Collection, Mapping, Set
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sinklab.data import columns as names
from sinklab.data import files, headers, layout, regions, vocabulary
from sinklab.data.columns import Account, Column, Meaning, listing_in_line, meaning, spans, species_name
from sinklab.data.derived import (
    KEYS,
    OF_PLOTS,
    align,
    chosen,
    derive,
    join,
    known_names,
    melt,
    organs_together,
    tell_keys,
)
from sinklab.data.files import letters, place, plain
from sinklab.data.headers import (
    FAULTS,
    ROCK,
    SOIL,
    Quantity,
    are_percent,
    comma_of,
    counted,
    is_blank,
    is_sentinel,
    quantity,
    unit_of,
)
from sinklab.data.heads import (
    DOWN,
    ORIGINS,
    PLOT_IN_TITLE,
    TEXTS,
    as_written,
    ditto,
    filled_down,
    in_groups,
    labelled,
    with_its_plot,
)
from sinklab.data.layout import SECTION, compare_sums
from sinklab.data.neighbours import by_context, by_dictionary, no_values, organ_of, without_whole_profiles
from sinklab.language import DataError, UnitError, listing, tr, waiting

if TYPE_CHECKING:
    import pandas as pd

# From a file to a frame.


def read(
    source: str | Path,
    *,
    columns: Mapping[str, str] | None = None,
    units: Mapping[str, str] | None = None,
    missing: Collection[str] = (),
    sheet: str = "",
    encoding: str | None = None,
    crs: Any = None,
    needed: Collection[str] = (),
    text: Collection[str] = (),
    kept: Collection[str] = (),
) -> "pd.DataFrame":
    """Read a field file in the names and units of the vocabulary.

    Parameters
    ----------
    source : str or path
        Workbook (xlsx, xls), text file of any encoding and delimiter, layer of land (GeoPackage, shapefile, GeoParquet,
        …); ``study:<id>`` or ``open:<name>``.
    columns : mapping, optional
        Column of the file for a name: ``{"dbh": "胸径1"}``; a header, its bare name, or the letter of the column.
    units : mapping, optional
        Unit in which a variable is written, where the header does not say it: ``{"dbh": "mm"}``.
    missing : collection of str
        Further texts that stand for "no value": ``-9999``.
    sheet : str
        Name or number of the sheet; name of the layer.
    encoding : str, optional
        Of a text file or of the attributes of a shapefile.
    crs : optional
        Reference system of a layer that names none.
    needed : collection of str
        Columns that must hold numbers; a cell of them that is not understood is an error.
    text : collection of str
        Columns whose cells stay as they are written.
    kept : collection of str
        Names by which columns are called besides their own: a header, a letter; each becomes a column with the cells as
        they are written.

    Returns
    -------
    frame : DataFrame
        Row ``i`` is record ``i + 1``. Identifiers are text as written, species have Latin names where the vocabulary knows
        them, numbers are in the unit of the vocabulary. Columns that were not understood keep their header; they are
        numbers where every filled cell is one. ``attrs["account"]`` is the :class:`Account`.

    Raises
    ------
    DataError
        The file cannot be read, holds no table, or a column or cell that is needed may mean several things.

    Examples
    --------
    >>> trees[['dbh', 'stem']].to_csv(folder / 'trees.csv', index=False)
    >>> sl.read(folder / 'trees.csv').columns.tolist()
    ['dbh', 'stem']
    """
    with waiting(f"reading {source}", f"正在读取 {source}"):
        path = Path(source)
        if not path.exists() and path.suffix.lower() not in regions.LAYERS:
            return _keep(_held(source), kept, text)
        if path.suffix.lower() in regions.LAYERS:
            layer = regions.read_layer(path, sheet or None, encoding, crs)
            form, shapes = _layer_form(layer, sheet)
            reading = Reading(path.name, [form], columns or {}, units or {}, frozenset(map(plain, missing)))
            return _keep(_with_shapes(reading.frame(needed, set(text)), shapes), kept, text)
        pages = files.sheets(source, encoding)
        forms, rest = chosen(_forms(source, pages), sheet, needed, source)
        reading = Reading(
            Path(source).name, forms, columns or {}, units or {}, frozenset(map(plain, missing)), rest, pages
        )
        return _keep(reading.frame(needed, set(text)), kept, text)


def _keep(frame, kept, text) -> "pd.DataFrame":
    """Add columns under the names by which they are called."""
    account = frame.attrs["account"]
    for name in kept:
        column = account.find(name)
        if name not in frame or column in text:
            frame[name] = account.as_written(column)
    return frame


def _layer_form(layer, name) -> tuple[layout.Form, Any]:
    """Attributes of a layer as a form, and its shapes."""
    shapes = layer.geometry if hasattr(layer, "crs") and "geometry" in layer else None
    table = layer.drop(columns="geometry", errors="ignore")
    rows = [[files.shown(value) for value in row] for row in table.itertuples(index=False, name=None)]
    sheet = files.Sheet(name, [list(map(str, table.columns)), *rows], form=tr("layer", "图层"))
    fields = [layout.Field((str(c),), i) for i, c in enumerate(table.columns)]
    at = [list(range(len(fields)))] * len(rows)
    return layout.Form(
        sheet, fields, (0, 0), [list(r) for r in rows], list(range(len(rows))), [list(a) for a in at]
    ), shapes


def _with_shapes(frame, shapes) -> Any:
    if shapes is None:
        return frame
    import geopandas as gpd

    account = frame.attrs["account"]
    found = gpd.GeoDataFrame(frame, geometry=shapes.to_numpy(), crs=shapes.crs)
    found.attrs["account"] = account
    return found


def _held(source) -> "pd.DataFrame":
    """A study or an open data set, with a short account."""
    from sinklab.data import catalogue, open_data

    spec = str(source)
    if ":" not in spec:
        kinds = {"study": catalogue.list_studies(), "open": catalogue.entries()}
        kind = next((k for k, names in kinds.items() if spec in names), "")
        if not kind:
            raise DataError(
                f"{spec}: no such file, nor a study or open data set of that name",
                f"{spec}：文件不存在，也没有该名称的研究或公开数据集",
            )
        spec = f"{kind}:{spec}"
    frame = open_data.load(spec)
    found = [Column(c, -1, c) for c in frame if vocabulary.is_variable(c)]
    rest = [Column(c, -1) for c in frame if not vocabulary.is_variable(c)]
    # A frame that held itself could not be copied.
    written = frame.copy(deep=False)
    frame.attrs["account"] = Account(spec, n=len(frame), columns=found, unknown=rest, written=written)
    return frame


def _forms(source, pages) -> list[layout.Form]:
    """Tables of all sheets of a file; a sheet of numbers without names is an error where there is no other."""
    found, bare, fault = [], [], None
    for page in pages:
        try:
            form = layout.find(page)
        except DataError as error:
            fault = fault or error
            continue
        if form:
            found += [form, *form.others]
        elif page.filled:
            bare.append(page)
    if not any(form.rows for form in found):
        if found:
            raise DataError(f"{source}: no record below the header", f"{source}：表头下没有记录")
        if fault:
            raise DataError(f"{source}: {fault}")
        raise DataError(f"{source}: no table in it", f"{source}：其中没有表格")
    for page in bare:
        for form in found:
            form.notes.add(
                f"no table in sheet {page.name} ({page.filled} cells)",
                f"工作表 {page.name} 中没有表格（{page.filled} 个单元格）",
            )
    return found


class Reading:
    """Understands the tables of one file, which all have the same columns."""

    def __init__(
        self,
        name: str,
        forms: list[layout.Form],
        columns: Mapping,
        units: Mapping,
        missing: Set,
        rest: Collection[layout.Form] = (),
        pages: Collection[files.Sheet] = (),
    ):
        self.rest, self.pages = rest, pages
        self.forms, self.given, self.units, self.missing = forms, dict(columns), dict(units), missing
        first = forms[0]
        pages = list(dict.fromkeys(form.sheet.name for form in forms))
        kind = first.sheet.form
        if first.sheet.delimiter:
            mark = {"\t": tr("tab", "制表符")}.get(first.sheet.delimiter, first.sheet.delimiter)
            kind = f"{kind} ({mark})" if mark != "," else kind
        top, bottom = first.header
        self.account = Account(
            name,
            ", ".join(filter(None, pages)),
            kind,
            "" if first.is_layer else spans(range(top + 1, bottom + 2)),
        )
        self.heads: dict[tuple[str, str], list[tuple[str, str]]] = {}
        self.comma = comma_of(forms)
        if self.comma == "decimal":
            self.account.told.add("the comma is the decimal mark of this file", "本文件以逗号作小数点")
        for form in forms:
            prefix = f"{form.sheet.name}: " if len(pages) > 1 else ""
            for rows, why in form.skipped:
                self.account.skip([row + 1 for row in rows], prefix + why)
        for form in forms:
            ditto(form)
            self.account.told += compare_sums(form)
            melt(form)
            self._sections(form)
            self._pages(form, pages)
            self.account.told += [n for n in form.sheet.notes + form.notes if n not in self.account.told]
        self.account.tell_heads(self.heads)
        align(forms)
        self.fields = list(forms[0].fields)
        self.cells = [row for form in forms for row in form.cells]
        self.at = [row for form in forms for row in form.at]
        self.rows = [row for form in forms for row in form.rows]
        self.sheets = [form.sheet for form in forms for _ in form.rows]
        self.account.n = len(self.rows)
        self.account.rows = [] if first.is_layer else [row + 1 for row in self.rows]
        self.missing = self.missing | {t for form in forms for t in no_values(form.remarks)}
        by_dictionary(self)
        self.columns: dict[str, Any] = {}
        #: What the identifiers to the left, written once for the records below, are of each record.
        self.outer: list[Any] = [()] * len(self.rows)
        self.below = [False] * len(self.rows)
        self.assumed: list[str] = []

    def place(self, record: int, position: int) -> str:
        """Where a cell stands."""
        column = self.at[record][position]
        if column < 0:
            return tr("head", "表头")
        sheet = self.sheets[record].name
        prefix = f"{sheet}!" if len({s.name for s in self.sheets}) > 1 else ""
        row, turned = self.rows[record], self.sheets[record].turned
        return prefix + (place(column + turned[0], row - turned[1]) if turned else place(row, column))

    # What the head of a form, the lines between records and the names of the sheets say.

    def _sections(self, form) -> None:
        """Give the lines between records the name of what they are: species, plots."""
        at = next((i for i, f in enumerate(form.fields) if f.parts == (SECTION,)), None)
        if at is None:
            return
        values = [row[at] for row in form.cells]
        if form.title and labelled([form.title, *filter(None, values)])[0]:
            # The line above the first records is the title of the sheet.
            values = [value or form.title for value in values]
        # （一）杉木, 2、马尾松
        values = [re.sub(r"^[(（]?[一二三四五六七八九十\d]+[)）、．](?=\D)\s*", "", v) for v in values]
        name, said = labelled([v for v in values if v])
        values = [said.get(v, v) for v in values]
        form.fields[at] = layout.Field((name,) if name else (tr("line above", "分段"),), -1)
        for row, value in zip(form.cells, values, strict=True):
            row[at] = value

    def _pages(self, form, pages) -> None:
        """Add what the head says, and the name of the sheet where several are read."""
        taken = {m.name for m in (meaning(f.parts, f.unit) for f in form.fields)}
        for label, value, where in form.constants:
            found = meaning((label,))
            if (
                not vocabulary.is_variable(found.name)
                or found.name in taken
                or found.kind in ("organ", "layer")
            ):
                continue
            taken.add(found.name)
            form.add(label, [value] * len(form.rows), found.unit)
            self.heads.setdefault((label, found.name), []).append((value, where))
        name, said = labelled([form.title]) if form.title else ("", {})
        if not name and (plot := PLOT_IN_TITLE.search(form.title)):
            name, said = "plot_id", {form.title: plot[1]}
        if name in ("plot_id", "tree_id", "species") and name not in taken:
            taken.add(name)
            form.add(name, [said.get(form.title, form.title)] * len(form.rows))
        if len(pages) > 1:
            name, said = labelled(pages)
            if not name and len(set(pages)) == len(pages):
                name = self._what_sheets_are(form, taken)
            if name and name not in taken:
                form.add(name, [said.get(form.sheet.name, form.sheet.name)] * len(form.rows))
            else:
                form.add(tr("sheet", "工作表"), [form.sheet.name] * len(form.rows))

    def _what_sheets_are(self, form, taken) -> str:
        """Cards of organs without the number of their tree are trees; lists of trees without a plot are plots."""
        kinds = {meaning(f.parts, f.unit).kind for f in form.fields if f.parts}
        if "tree_id" not in taken:
            return "tree_id" if "component" in kinds else ""
        single = any(meaning((label,)).name == "tree_id" for label, *_ in form.constants)
        return "" if single or taken & {"plot_id", "site", "study_id"} else "plot_id"

    # What the columns mean.

    def meanings(self, needed: Collection[str]) -> list[Meaning]:
        """Understand all headers together; what is given goes before what is written."""
        found = [meaning(f.parts, f.unit) if f.parts else Meaning() for f in self.fields]
        found = by_context(self, found)
        given = {}
        for name, column in self.given.items():
            given[self._position(column)] = name
        for i, f in enumerate(self.fields):
            if f.header in needed and found[i].name != f.header and f.header not in given.values():
                # The equations name the column as it is written.
                given.setdefault(i, f.header)
        for i, name in given.items():
            kind = found[i].kind if found[i].name == name else "name"
            found[i] = replace(found[i], name=name, kind=kind, rank=-1)
        for i, one in enumerate(found):
            unit = self.units.get(one.name) or self.units.get(self.fields[i].header)
            if unit:
                found[i] = replace(one, unit=vocabulary.check(unit_of(unit) or unit))
        return self._settled(found, needed)

    def _position(self, column) -> int:
        """Field that a person names by its header, its bare name or its letter."""
        fields = self.fields
        for match in (
            lambda f: column in (f.header, f.header.replace("\n", "")),
            lambda f: f.parts and column in (f.parts[-1], names.taken_apart(f.parts[-1])[0], plain(f.header)),
            lambda f: f.at >= 0 and column == letters(f.at),
        ):
            hits = [i for i, f in enumerate(fields) if match(f)]
            if len(hits) == 1:
                return hits[0]
            if hits:
                told = ", ".join(letters(fields[i].at) for i in hits)
                raise DataError(
                    f"--column: {column} stands in columns {told}; name the letter",
                    f"--column：{column} 出现在 {told} 列；请写列字母",
                )
        known = ", ".join(f.header for f in fields if f.parts)
        raise DataError(
            f"--column: no column {column}; found {known}", f"--column：没有列 {column}；现有 {known}"
        )

    def _settled(self, found, needed) -> list[Meaning]:
        """Keep one column for each variable: the one whose header says it most plainly; else ask."""
        out = list(found)
        for name in dict.fromkeys(m.name for m in found if m.name and m.kind != "remark"):
            rivals = [i for i, m in enumerate(found) if m.name == name and m.kind not in ("remark", "sum")]
            if len(rivals) < 2:
                continue
            if {found[i].kind for i in rivals} in ({"sub"}, {"segment"}):
                continue
            sorts = [i for i in rivals if found[i].kind in ("sub", "segment")]
            whole = [i for i in rivals if i not in sorts and found[i].rank >= 0]
            if sorts and len(whole) == 1 and len(rivals) > 2 and self._adds_up(whole[0], sorts, found):
                for i in sorts:
                    out[i] = replace(found[i], name="", kind="rival")
                told = ", ".join(self.fields[i].header for i in sorts)
                header = self.fields[whole[0]].header
                self.account.told.add(f"{header} is the sum of {told}", f"{header} 为 {told} 之和")
                continue
            # A diameter stands before a girth or a class.
            rank = {
                i: (
                    found[i].rank if found[i].rank < 0 else found[i].kind in ("girth", "class"),
                    found[i].rank,
                )
                for i in rivals
            }
            if sorts and whole:
                # A sort is no better told than the whole that it may be a part of.
                rank = {i: (found[i].rank >= 0, 0) for i in rivals}
            least = min(rank.values())
            best = [i for i in rivals if rank[i] == least]
            told = ", ".join(f"{letters(self.fields[i].at)} {self.fields[i].header}" for i in rivals)
            for i in rivals:
                if i not in best or len(best) > 1:
                    out[i] = replace(found[i], name="", kind="rival")
            means = [i for i in rivals if names.fold(self.fields[i].parts[-1]) in names.MEANS]
            if len(means) == 1 and all(found[i].kind == "repeat" for i in rivals if i not in means):
                out[means[0]] = found[means[0]]
                self.account.told.add(f"{told}: the mean is taken", f"{told}：取其均值列")
                continue
            if len(best) > 1 and all(found[i].kind == "repeat" for i in best) and self._is_crosswise(best):
                for i in best:
                    out[i] = found[i]
                self.account.told.add(
                    f"{told}: measured crosswise; {name} is their mean",
                    f"{told}：垂直两次测量，{name} 取均值",
                )
                continue
            if len(best) > 1:
                line = tr(
                    f"{name}: which of {told}? --column {name}={letters(self.fields[rivals[0]].at)}",
                    f"{name}：{told} 中用哪一列？--column {name}={letters(self.fields[rivals[0]].at)}",
                )
                if name in needed:
                    raise DataError(f"{self.account}\n{line}")
                self.account.asked.append(line)
        return out

    def _adds_up(self, whole, sorts, found) -> bool:
        """Whether a column is the sum of others in every record that has them all, each in its unit."""
        try:
            unit = found[whole].unit
            factors = [vocabulary.convert(1.0, found[i].unit or unit, unit) if unit else 1.0 for i in sorts]
        except UnitError:
            return False
        known = []
        for row in self.cells:
            cells = [quantity(row[i], self.comma) for i in (whole, *sorts)]
            values = [q.value for q in cells if q and q.value is not None]
            if len(values) == len(cells):
                known.append((values[0], sum(v * k for v, k in zip(values[1:], factors, strict=True))))
        return bool(known) and all(abs(added - total) <= 0.01 * total + 0.02 for total, added in known)

    def _is_crosswise(self, at) -> bool:
        """Whether two columns are one size in two directions: so they say, or neither is always the larger."""
        if len(at) != 2:
            return False
        if all(re.search("东西|南北|EW|NS|SN|纵|横", self.fields[i].header, re.IGNORECASE) for i in at):
            return True
        pairs = [[quantity(row[i], self.comma) for i in at] for row in self.cells]
        ratio = np.array([a.value / b.value for a, b in pairs if a and b and a.value and b.value])
        named = all(re.search("长|短|最大|最小", self.fields[i].header) for i in at)
        mixed = len(ratio) > 0 and 0.1 <= (ratio > 1).mean() <= 0.9
        return len(ratio) > 4 and (mixed or named) and float(np.median(np.abs(np.log(ratio)))) < 0.1

    # The frame.

    def frame(self, needed: Collection[str], text: Collection[str]) -> "pd.DataFrame":
        """Make the frame, and finish the account."""
        import pandas as pd

        self._understand(needed, text)
        for form in self.rest:
            self._join(form)
        if self.assumed:
            self.account.told.add(
                f"units not written, taken as: {', '.join(self.assumed)}",
                f"未写单位，按：{'、'.join(self.assumed)}",
            )
        derive(self.columns, self.account)
        tell_keys(self.columns, self.account)
        self._refuse(needed)
        frame = pd.DataFrame(self.columns)
        frame.attrs["account"] = self.account
        return frame

    def _understand(self, needed: Collection[str] = (), text: Collection[str] = ()) -> None:
        """Fill the columns."""
        found = self.meanings(needed)
        without_whole_profiles(self, found)
        self._written()
        found = organs_together(self, found)
        self.outer, self.below = [()] * len(self.rows), [False] * len(self.rows)
        for position, (f, m) in enumerate(zip(self.fields, found, strict=True)):
            cells = [row[position] for row in self.cells]
            if not f.parts:
                self._unnamed(f, cells)
            elif m.kind == "component" and "carbon_fraction" in {one.name for one in found}:
                self._components(f, cells)
            elif m.kind in ("remark", "sum", "component") or not m.name:
                self._unknown(f, m, cells, needed, text, position)
            elif m.kind == "layer":
                self._layers(f, m, cells, position)
            elif m.name in TEXTS or (
                vocabulary.is_variable(m.name) and not vocabulary.variable(m.name).numeric
            ):
                self._identifiers(f, m, cells, text, position)
            else:
                filled, how = with_its_plot(cells, self.below) if m.name in OF_PLOTS else (cells, "")
                self._numbers(f, m, filled, position)
                if how:
                    self.account.columns[-1].how += how

    def _join(self, form) -> None:
        """Take what another table of the file says of the same records; tell it as not read where that is nothing."""
        for above in (form.sheet.name, form.title):
            if meaning((above,)).kind == "quantity":
                # A sheet 干鲜比 with a column for each organ.
                form.fields = [
                    replace(f, parts=(above, *f.parts)) if meaning(f.parts).kind in names.ORGANS else f
                    for f in form.fields
                ]
                break
        other = Reading(form.sheet.name, [form], {}, {}, self.missing)
        other._understand()
        if join(self.columns, other.columns, self.account, form.sheet.name, list(KEYS)):
            return
        size = tr(f"{len(form.rows)} rows", f"{len(form.rows)} 行")
        first = form.header[0] + 1
        where, option = form.sheet.name or tr(f"row {first}", f"第 {first} 行起"), ""
        if len(known_names(form)) >= 2 and form.sheet.name != self.forms[0].sheet.name:
            option = tr(f"; --sheet {where} reads it", f"；用 --sheet {where} 读取")
        told = tr(f"table not read: {where} ({size}){option}", f"未读的表：{where}（{size}）{option}")
        self.account.left.append((form.sheet.name, told))

    def _written(self) -> None:
        import pandas as pd

        headers, columns = [], {}
        for position, f in enumerate(self.fields):
            header = f.header or letters(f.at)
            header = header if header not in headers else f"{header} ({letters(f.at)})"
            headers.append(header)
            columns[header] = [row[position] for row in self.cells]
        self.account.written = pd.DataFrame(columns, dtype="str")

    def _unnamed(self, f, cells) -> None:
        numbers = [plain(c) for c in cells]
        if numbers == [str(i + 1) for i in range(len(numbers))]:
            self.account.told.add(
                f"column {letters(f.at)} without a name counts the rows; ignored",
                f"{letters(f.at)} 列无列名，为行号，已忽略",
            )
        elif any(cells):
            self.account.unknown.append(Column("", f.at, how=tr("no name", "无列名")))

    def _unknown(self, f, m, cells, needed, text, position) -> None:
        import pandas as pd

        header = f.header
        why = {
            "unit": tr(f"{m.unit or 'no unit'}: of what?", f"{m.unit or '无单位'}：含义不明"),
            "two": tr("may mean two things", "可有两种含义"),
            "carbon": tr("carbon, by the title", "据标题为碳量"),
            "other": next(filter(None, map(headers.other_quantity, names.said_of(f.parts))), ""),
        }.get(m.problem, "")
        if m.kind in ("remark", "sum"):
            why = {"remark": tr("remark", "备注"), "sum": tr("sum", "合计")}[m.kind]
        if header in self.columns:
            header = f"{header} ({letters(f.at)})"
        if m.kind == "remark":
            remarks = [f"{self.place(i, position)} {c}" for i, c in enumerate(cells) if c]
            if remarks and len(remarks) * 3 < len(cells) + 3:
                self.account.told.add(
                    f"{header}: {listing_in_line(remarks)}", f"{header}：{listing_in_line(remarks)}"
                )
        self.account.unknown.append(Column(header, f.at, how=why))
        kept = [None if plain(c) in files.MISSING else c for c in cells]
        values = [quantity(c, self.comma) for c in kept if c is not None]
        numbers = bool(values) and all(
            q is not None and q.value is not None and q.spread is None and not q.unit for q in values
        )
        coded = any(re.fullmatch(r"0\d+", plain(c)) for c in kept if c is not None) or re.search(
            r"号|编号|代码|\b(?:id|no|code)\b", header, re.IGNORECASE
        )
        if header in needed or (numbers and not coded and header not in text and m.kind != "remark"):
            self._numbers(f, Meaning(header, "name", m.unit), cells, position, told=False)
        else:
            self.columns[header] = pd.array(kept, dtype="str")

    def _without_dates(self, kept, position) -> list:
        """Identifiers such as 3-2 of which Excel has made dates."""
        dates = [
            i
            for i, c in enumerate(kept)
            if c and position >= 0 and (self.rows[i], self.at[i][position]) in self.sheets[i].dates
        ]
        others = [c for i, c in enumerate(kept) if c and i not in dates]
        if not dates or not all(re.fullmatch(r"\d+-\d+", c) for c in others):
            return kept
        if len({kept[i][:4] for i in dates}) > 1:
            return kept
        kept = [
            c if i not in dates else "-".join(str(int(p)) for p in c[5:10].split("-"))
            for i, c in enumerate(kept)
        ]
        places = spans(self.rows[i] + 1 for i in dates)
        told = kept[dates[0]]
        self.account.told.add(
            f"{letters(self.at[dates[0]][position])} row {places}: dates in a column of identifiers, as Excel makes of {told}; "
            f"read as {told} …",
            f"{letters(self.at[dates[0]][position])} 列第 {places} 行：编号列中的日期（Excel 由 {told} 变来），按 {told} 等读取",
        )
        return kept

    def _identifiers(self, f, m, cells, text, position) -> None:
        import pandas as pd

        kept = [
            None if plain(c) in files.MISSING or plain(c) in self.missing else as_written(c) for c in cells
        ]
        kept, how = self._without_dates(kept, position), ""
        if m.name in DOWN:
            blank = [not c for c in kept]
            kept, how = filled_down(kept, self.outer, list(zip(map(id, self.sheets), self.rows, strict=True)))
            self.outer = list(zip(self.outer, kept, strict=True)) if how else self.outer
            self.below = blank if how and m.name in ("plot_id", "site") else self.below
        if m.name == "species" and "species" not in text:
            latin = {c: species_name(c) for c in set(kept) if c}
            kept = [latin.get(c) if c else None for c in kept]
            lost = sorted(c for c, name in latin.items() if not re.fullmatch(r"[A-Z][a-zA-Z×. \-]+", name))
            if lost:
                self.account.told.add(
                    f"species not in species.csv: {', '.join(lost)}",
                    f"species.csv 中没有的树种：{'、'.join(lost)}",
                )
        if m.name == "origin":
            kept = [ORIGINS.get(c, c) for c in kept]
        if m.name in vocabulary.GROUPED and m.name not in text:
            kept = in_groups(m.name, kept, self.account.told)
        self.columns[m.name] = pd.array(kept, dtype="str")
        self.account.columns.append(Column(f.header, f.at, m.name, how=how))

    def _components(self, f, cells) -> None:
        """Organs of records that say their carbon or density, under the names of the vocabulary."""
        import pandas as pd

        organs = [organ_of(c) if c else Meaning() for c in cells]
        kept = [m.name if m.kind in names.ORGANS else c or None for m, c in zip(organs, cells, strict=True)]
        self.columns["component"] = pd.array(kept, dtype="str")
        self.account.columns.append(Column(f.header, f.at, "component"))

    def _numbers(self, f, m, cells, position, told=True) -> None:
        """Numbers of one column in the unit of the vocabulary."""
        known = vocabulary.variable(m.name) if vocabulary.is_variable(m.name) else None
        name = m.name
        unit = known.unit if known else names.inner_unit(name, m.unit)
        unit_in = m.unit or unit
        if (
            not m.unit
            and name.endswith(("moisture", "dry_ratio", "moisture_dry", "moisture_wet"))
            and are_percent(cells)
        ):
            unit_in = "%"
        values, limits, spreads, sides = (np.full(len(cells), np.nan) for _ in range(4))
        marks, classed, stone, inside = [], [], [], set()
        for i, cell in enumerate(cells):
            if is_blank(cell, self.missing) or (known and is_sentinel(cell, known)):
                if cell:
                    self.account.missing.append((self.place(i, position), cell))
                continue
            if plain(cell) in ROCK and name in ("soil_depth", "bedrock_exposure"):
                values[i] = float(name == "bedrock_exposure")
                stone.append(self.rows[i] + 1)
                continue
            if plain(cell) in SOIL and name == "bedrock_exposure":
                values[i] = 0.0
                continue
            if FAULTS.fullmatch(plain(cell)):
                self.account.missing.append((self.place(i, position), cell))
                continue
            q = quantity(cell, self.comma)
            if q is None and name in ("age_class", "count"):
                number = counted(cell, name == "count")
                q = None if number is None else Quantity(number)
            if middle := self._middle(q, m, cells):
                classed.append(self.rows[i] + 1)
                q = middle
            if q and q.unit and q.unit != unit_in:
                inside.add(q.unit)
            read_as = self._one(q, m, unit_in, unit)
            if read_as is None:
                self.account.doubtful.append((i, name, cell, self.place(i, position)))
                if re.search(r"\d[、,，]\d", cell):
                    self.account.asked.add(
                        f"{self.place(i, position)} {f.header} {cell!r}: a decimal mark, or two values?",
                        f"{self.place(i, position)} {f.header} {cell!r}：小数点，还是两个数值？",
                    )
                continue
            values[i], limits[i], spreads[i], sides[i] = read_as
            if q.limit is not None:
                self.account.limits.append((self.place(i, position), cell))
            if q.how:
                marks.append((q.how, i))
        self._tell_marks(f, marks)
        if inside:
            told = ", ".join(sorted(inside))
            self.account.told.add(
                f"{f.header}: units in the cells: {told}", f"{f.header}：单元格内写有单位：{told}"
            )
        if stone and name == "soil_depth":
            told = spans(stone)
            self.account.told.add(
                f"{f.header}: rock (石) is a depth of 0, in row {told}",
                f"{f.header}：岩石（石）记为土深 0，第 {told} 行",
            )
        if classed:
            told = spans(classed)
            self.account.told.add(
                f"{f.header}: classes taken at their middle in row {told}",
                f"{f.header}：第 {told} 行为分级，取中值",
            )
        values = self._with_others(f, m, values)
        self.columns[name] = values
        for suffix, extra in (("_limit", limits), ("_sd", spreads)):
            if np.isfinite(extra).any():
                self.columns[name + suffix] = extra
        if np.isfinite(spreads).any():
            self.account.told.add(
                f"{f.header}: ± taken apart into {name}_sd; the file does not say whether it is SD or SE",
                f"{f.header}：± 后的数另存为 {name}_sd；文件未说明是标准差还是标准误",
            )
        if np.isfinite(sides).any():
            self.columns["crown_area"] = sides
            self.account.told.add(
                "crown a×b: crown_diameter is the mean, crown_area π/4·a·b",
                "冠幅 a×b：crown_diameter 取均值，crown_area 为 π/4·a·b",
            )
        if not told:
            return
        how = {"girth": tr("girth / π", "围径 ÷ π"), "class": tr("middle of a class", "径阶中值")}.get(
            m.kind, ""
        )
        if m.kind == "estimate":
            self.account.told.add(f"{f.header}: estimated, not measured", f"{f.header}：为目测（估测）值")
        if not m.unit and unit and unit != "1" and m.rank > 0 and f.at >= 0:
            odd = names.not_understood((*f.parts, f"({f.unit.strip('()（）')})") if f.unit else f.parts)
            self.assumed.append(f"{name} {unit}" + (tr(f" ({odd}?)", f"（{odd}？）") if odd else ""))
        self.account.columns.append(Column(f.header, f.at, name, m.unit, unit, how))

    def _with_others(self, f, m, values) -> np.ndarray:
        """Values with those of the columns before that say the same of another sort, segment or direction."""
        name, before = m.name, self.columns.get(m.name)
        if m.kind not in ("sub", "segment", "repeat"):
            return values
        if before is None:
            if m.kind == "sub":
                beside = [g for g in self.fields if len(g.parts) > 1 and g.parts[:-1] == f.parts[:-1]]
                lost = ", ".join(g.header for g in beside if not meaning(g.parts, g.unit).kind)
                if lost:
                    self.account.asked.add(
                        f"{name} is the sum of its sorts, without {lost}: is that one too?",
                        f"{name} 为分类之和，未含 {lost}：是否也应计入？",
                    )
                self.account.told.add(
                    f"{name}: of sorts, begun with {f.header}", f"{name}：由分类合计，含 {f.header}"
                )
            return values
        if m.kind == "sub":
            self.account.told.add(f"{f.header} added to {name}", f"{f.header} 计入 {name}")
            return values + before
        # A short tree has fewer segments; of two diameters one may not have been read.
        both = np.array([before, values])
        known = np.isfinite(both).sum(axis=0)
        total = np.where(known, np.nansum(both, axis=0), np.nan)
        if m.kind == "segment":
            self.account.told.add(f"{name}: sum of its segments", f"{name}：各段之和")
            return total
        return total / np.maximum(known, 1)

    def _middle(self, q, m, cells) -> Quantity | None:
        """Middle of a class of ages or sizes, 11-20; of the ages up to 10 among such classes it is half of that."""
        if q is None or (m.name != "age" and m.kind != "class"):
            return None
        if q.ends and q.ends[0] < q.ends[1]:
            return Quantity(sum(q.ends) / 2, unit=q.unit)
        among = any((other := quantity(c, self.comma)) and other.ends for c in cells)
        first = m.name == "age" and q.sign == "<" and among
        return Quantity(q.limit / 2, unit=q.unit) if first else None

    def _one(self, q, m, unit_in, unit) -> tuple[float, float, float, float] | None:
        """Value, limit, spread and area of the crown of one cell, in the unit of the vocabulary."""
        if q is None or q.ends is not None:
            return None
        nan = float("nan")
        if q.sides and m.name == "plot_area":
            unit = q.unit or (unit_in if unit_in in ("m", "cm") else "m")
            if unit not in ("m", "cm"):
                return None
            sides = [vocabulary.convert(x, unit, "m") for x in q.sides]
            return vocabulary.convert(sides[0] * sides[1], "m2", "ha"), nan, nan, nan
        if q.sides and m.kind != "crown":
            return None
        try:
            turned = [
                nan
                if x is None
                else float(vocabulary.convert(x, q.unit or unit_in, unit))
                if (q.unit or unit_in)
                else x
                for x in (q.value, q.limit, q.spread, *q.sides)
            ]
        except UnitError:
            return None
        if m.kind == "girth":
            turned = [x / np.pi for x in turned]
        value, limit, spread, *pair = turned
        if pair:
            return sum(pair) / 2, nan, nan, np.pi / 4 * pair[0] * pair[1]
        return value, limit, spread, nan

    def _tell_marks(self, f, marks) -> None:
        for kind, en, zh in (
            ("point", "。 read as the decimal point", "「。」按小数点读取"),
            ("about", "about (约), taken as the value", "“约”按其数值读取"),
            ("width", "full-width signs read as numbers", "全角字符按数字读取"),
            ("mark", "footnote marks left out", "脚注标记已略去"),
            ("thousands", "thousands separators left out", "千位分隔符已去除"),
        ):
            rows = [self.rows[i] + 1 for how, i in marks if how == kind]
            if rows:
                self.account.told.add(
                    f"{f.header}: {en} in row {spans(rows)}", f"{f.header}：{zh}，第 {spans(rows)} 行"
                )

    def _layers(self, f, m, cells, position) -> None:
        """Layers written ``0-20`` as top and bottom."""
        top, bottom = np.full(len(cells), np.nan), np.full(len(cells), np.nan)
        unit_in, before = m.unit or "cm", 0.0
        found = [None if is_blank(c, self.missing) else quantity(c, self.comma) for c in cells]
        if not any(q is not None and q.ends for q in found):
            self._unknown(f, replace(m, problem="two"), cells, (), (), position)
            return
        for i, (cell, q) in enumerate(zip(cells, found, strict=True)):
            if is_blank(cell, self.missing):
                continue
            ends = q.ends if q else None
            date = re.fullmatch(r"\d{4}-(\d\d)-(\d\d)", cell)
            if date and float(date[1]) == before:
                # Excel makes 20 October of 10-20; the layer above says what it was.
                ends = (float(date[1]), float(date[2]))
                self.account.told.add(
                    f"{self.place(i, position)}: {cell} is a date; read as the layer {ends[0]:g}-{ends[1]:g}",
                    f"{self.place(i, position)}：{cell} 为日期，按土层 {ends[0]:g}-{ends[1]:g} 读取",
                )
            if ends is None:
                self.account.doubtful.append((i, "layer_top", cell, self.place(i, position)))
                continue
            top[i], bottom[i] = (
                float(vocabulary.convert(x, (q.unit if q else "") or unit_in, "cm")) for x in ends
            )
            before = ends[1]
        self.columns["layer_top"], self.columns["layer_bottom"] = top, bottom
        if not m.unit:
            self.assumed.append(f"{f.header} cm")
        self.account.columns.append(Column(f.header, f.at, "layer_top, layer_bottom", m.unit, "cm"))

    def _refuse(self, needed) -> None:
        """Stop at cells of needed columns that were not understood."""
        lines = [
            tr(
                f"record {i + 1}: {name} = {cell!r} ({where}); expected a number or a blank cell",
                f"第 {i + 1} 条记录：{name} = {cell!r}（{where}）；应为数值或空白",
            )
            for i, name, cell, where in self.account.doubtful
            if name in needed
        ]
        if lines:
            advice = tr(
                "correct it, or declare it with --missing TEXT", "请更正，或用 --missing 文本 声明为缺测"
            )
            raise DataError(f"{self.account}\n{listing(lines)}\n{advice}")

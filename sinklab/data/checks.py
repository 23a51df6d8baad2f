"""What is wrong with data, in one list: each problem with place, value, expectation, and the unit that would explain it.

:func:`check` looks at a study, an open data set or a field file: identifiers, limits, parts against the whole, dry
against fresh, soil layers, age classes of bamboo, and individuals far from the curve through the others of their species.
The limits are the vocabulary's, the thresholds those of ``data/rules/data_checks.csv``. A check only reports; nothing is
converted on its own, and what is changed is written into ``corrections.csv`` by a person.
"""

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from sinklab import paths
from sinklab.data import catalogue, open_data, plausibility, soil_layers, vocabulary
from sinklab.data.plausibility import (
    ALIKE_SHOWN,
    Finder,
    is_dead,
    limits_of_data,
    plain,
    slip_of,
    sums,
    unit_text,
    wholes,
)
from sinklab.data.reading import read
from sinklab.data.studies import Problem, inspect
from sinklab.language import DataError, tr, waiting

# Identifiers, limits, parts against the whole, dry against fresh.

#: Variables of a stand that its trees and quadrats do not have.
STAND = ("growing_stock", "stem_density", "basal_area")
#: Measurements that make a coincidence of two individuals unlikely.
COPIED = 4
#: Individuals are numbered within these; a plot may stand once for each layer, core, date and component, a tree for each
#: survey and disc.
WITHIN = (
    "study_id",
    "source_id",
    "site",
    "plot_id",
    "core_id",
    "layer_top",
    "season",
    "year",
    "survey",
    "quadrat",
    "disc",
    "species",
    "component",
)


def identifiers(found) -> None:
    """Report individuals that appear twice, and text in columns of numbers."""
    frame = found.frame
    for column in frame:
        if vocabulary.is_number(column) and column not in found.numeric:
            numbers = pd.to_numeric(frame[column], errors="coerce")
            for row, cell in frame[column][numbers.isna() & frame[column].notna()].items():
                found.add(row, column, str(cell), tr("a number", "数值"), found.check_form(), "number")
    # A plot is a record of its own where stands are described; trees and quadrats share theirs.
    single = plausibility.is_single(frame) or not found.has_any(*STAND)
    name = "tree_id" if single else "plot_id"
    expected = tr("each id once", "编号不重复")
    for rows, advice, _ in repeated(frame, name, WITHIN) if name in frame else []:
        found.add(rows[-1], name, plain(frame[name][rows[-1]]), expected, advice, "duplicate")
    _copies(found, name)


def repeated(frame: pd.DataFrame, name: str, within: Sequence[str]) -> list[tuple[list, str, bool]]:
    """Records that share an id, with the remedy that loses none of them.

    Parameters
    ----------
    frame : DataFrame
    name : str
        Column of ids.
    within : sequence of str
        Columns within which ids are unique, as far as they are there.

    Returns
    -------
    found : list of (rows, advice, anew)
        Numbers that begin anew, as on the next plot, are told once; ``rows`` then are those of the first number of each run.
    """
    keys = [name, *(c for c in within if c in frame and c != name)]
    filled = frame[frame[name].notna()]
    keys += ["age"] if plausibility.has_histories(filled, keys) else []
    double = filled[filled.duplicated(keys, keep=False)]
    if double.empty:
        return []
    starts = _restarts(list(filled[keys].fillna("").itertuples(index=False, name=None)))
    if len(starts) > 1:
        rows = [filled.index[start] for start in starts]
        records = ", ".join(f"#{row + 1}" for row in rows)
        advice = tr(
            f"numbers begin anew at records {records}: add a column that tells the plots apart (plot_id or site); "
            "all are kept",
            f"编号在记录 {records} 处重新开始：请增加区分样地的列（plot_id 或 site），记录均保留",
        )
        return [(rows, advice, True)]
    found = []
    for _, part in double.groupby(keys, dropna=False, sort=False):
        records = tr("records ", "记录 ") + ", ".join(f"#{row + 1}" for row in part.index)
        if len(part.drop_duplicates()) == 1:
            advice = tr(
                f"{records} are equal in every cell: leave the copy out in corrections.csv (column *)",
                f"{records} 各单元格均相同：请在 corrections.csv 中剔除重复的一条（列写 *）",
            )
        else:
            advice = tr(
                f"{records} share it and differ: give each its own number (such as 12a and 12b), both are kept",
                f"{records} 编号相同而内容不同：请各自编号（如 12a、12b），两条均保留",
            )
        found.append((list(part.index), advice, False))
    return found


def _restarts(ids: list) -> list[int]:
    """Positions at which numbers begin anew, as on the next plot; only the first one where they do not."""
    starts, seen, before = [0], set(), set()
    shared = [0]
    for position, one in enumerate(ids):
        if one in seen:
            before |= seen
            starts.append(position)
            shared.append(0)
            seen = set()
        seen.add(one)
        shared[-1] += one in before
    ends = [*starts[1:], len(ids)]
    # A number used twice by mistake opens no run of numbers that were there before.
    runs = [end - start for start, end in zip(starts, ends, strict=True)]
    anew = all(n >= 3 and 2 * k > n for n, k in list(zip(runs, shared, strict=True))[1:])
    return starts if anew else starts[:1]


def _copies(found, name) -> None:
    """Report records of other ids that are equal in every value that was measured."""
    sizes = [c for c in found.numeric if vocabulary.variable(c).role in ("predictor", "response", "stand")]
    # What a plant stands for per hectare is that of its plot.
    sizes = [c for c in sizes if not (plausibility.is_single(found.frame) and c in STAND)]
    many = found.frame[found.frame[sizes].notna().sum(axis=1) >= COPIED]
    masses = [c for c in sizes if vocabulary.variable(c).role != "predictor"]
    many = many[many[masses].notna().any(axis=1)] if masses else many.iloc[:0]
    for _, part in many[many.duplicated(sizes, keep=False)].groupby(sizes, dropna=False, sort=False):
        if name in part and part[name].nunique() < len(part):
            continue  # told already, by its id
        records = ", ".join(f"#{row + 1}" for row in part.index)
        equal = int(part[sizes].iloc[0].notna().sum())
        expected = tr("values of its own", "自己的测定值")
        advice = tr(
            f"records {records} are equal in {equal} measurements: compare with the field form; where it is a copy leave "
            "it out in corrections.csv with the reason, where both were measured keep both",
            f"记录 {records} 的 {equal} 项测定值全部相同：请与野外记录核对；确为重复时在 corrections.csv 中剔除并写明理由，"
            "确为两次测定时均保留",
        )
        row = part.index[-1]
        column = next(c for c in sizes if pd.notna(part[c][row]))
        found.add(row, column, found.value(column, row), expected, advice, "copy")


def limits(found) -> None:
    """Report values outside the limits of the vocabulary."""
    for column in found.numeric:
        known, values = vocabulary.variable(column), found.frame[column]
        low = -np.inf if known.minimum is None else known.minimum
        high = np.inf if known.maximum is None else known.maximum
        span = f"{low:g}–{high:g}{unit_text(column)}"
        expected = tr(f"{span} (variables.csv)", f"{span}（variables.csv）")
        for row, value in values[known.outside(values)].items():
            if (row, column) in found.told:
                continue
            advice = _limit_advice(found, known, value)
            found.add(row, column, found.value(column, row), expected, advice, "range")


def _limit_advice(found, known, value) -> str:
    if value < 0 <= (known.minimum or 0):
        return tr(
            "a measurement is never negative; correct it or leave it blank", "测定值不应为负；请更正或留空"
        )
    low, high = known.minimum or 0, known.maximum if known.maximum is not None else np.inf
    # A value just beyond a limit is a large tree, not a slip.
    far = value > 2 * high or value < low / 2
    inside = vocabulary.explaining(value, known) if far else []
    return found.unit_advice(inside[0]) if inside else found.check_form()


def fresh(found) -> None:
    """Report dry masses above the fresh mass."""
    frame = found.frame
    if not found.has("fresh_mass"):
        return
    organs = [c for c in ("stem", "branch", "foliage") if found.has(c)]
    dry = frame[organs].sum(axis=1, min_count=1) if organs else pd.Series(np.nan, index=frame.index)
    if found.has("agb"):
        dry = frame["agb"].where(frame["agb"].notna(), dry)
    for row in frame.index[dry > frame["fresh_mass"]]:
        expected = tr(f"at least the dry mass {dry[row]:.6g} kg", f"不小于绝干质量 {dry[row]:.6g} kg")
        advice = tr(
            "were fresh and dry mass exchanged, or one of them mistyped?", "鲜质量与干质量是否填反或填错？"
        )
        found.add(row, "fresh_mass", found.value("fresh_mass", row), expected, advice, "fresh")


# Individuals far from the curve through the others of their species.


# Layers of soil.


def layers(found) -> None:
    """Report layers that do not join, profile by profile, and carbon that the rest of its layer does not allow."""
    by = [c for c in soil_layers.PROFILE if c in found.frame]
    numbers = found.frame[list(dict.fromkeys([*by, *found.numeric]))]
    faults = soil_layers.join_faults(numbers, by) if found.has("layer_top", "layer_bottom") else []
    for rule, some in (("layers", faults), ("carbon", soil_layers.carbon_faults(numbers))):
        alike: dict[tuple, dict] = {}
        for fault in some:
            alike.setdefault((fault.column, fault.advice), {})[fault.index] = fault
        for (column, advice), those in alike.items():
            if rule == "carbon" or len(those) <= ALIKE_SHOWN:
                for row, fault in those.items():
                    found.add(row, column, fault.value, fault.expected, advice, rule)
                continue
            expected = tr("layers that join within a core", "同一土芯的土层上下相接")
            values = {row: fault.value for row, fault in those.items()}
            found.add_alike(values, column, expected, advice, rule)


# Age classes (度) of bamboo culms that look like years.

#: Classes above this are hardly told from the culm.
OLDEST = 6


def like_years(classes) -> list:
    """Records whose class is above the oldest, or all from class 3 on where only odd ones occur.

    Culms of class 2 are never absent beside 3 and more; years as they are told from the culm are 1, 3, 5, 7.
    """
    classes = pd.Series(classes, dtype=float)
    whole = set(classes.dropna())
    if len(whole) >= 2 and max(whole) >= 3 and all(v % 2 == 1 for v in whole):
        return list(classes.index[classes >= 3])
    return list(classes.index[classes > OLDEST])


def not_whole(classes) -> pd.Series:
    """Values that are no class at all: below 1, not whole, or missing."""
    classes = pd.Series(classes, dtype=float)
    return classes[~((classes >= 1) & (classes % 1 == 0))]


def age_classes(found) -> None:
    """Report age classes that are likely years."""
    if not found.has("age_class"):
        return
    values = found.frame["age_class"].dropna()
    expected = tr(
        "a class (度): 1 for the first year, then two years each", "龄级（度）：第一年为 1，以后每两年一级"
    )
    for i in not_whole(values).index:
        found.add(i, "age_class", f"{values[i]:g}", expected, found.check_form(), "age_class")
    held = ", ".join(f"{v:g}" for v in sorted(set(values)))
    advice = tr(
        f"the column holds {held}; likely years: declare it as age, or convert it to classes",
        f"该列取值为 {held}；可能是年：请改为 age 列，或换算为龄级",
    )
    for i in like_years(values):
        found.add(i, "age_class", f"{values[i]:g}", expected, advice, "age_class")


# Individuals far from the curve through the others of their species


#: Height at which dbh is measured, by its definition in the vocabulary. [m]
BREAST = 1.3


def outliers(found) -> None:
    """Report heights, then masses and volumes, far from the curve of the species.

    Trees whose height is an outlier are not compared further: it may be their diameter that is wrong.
    """
    frame = found.frame
    if not found.has("dbh", "height") or "growing_stock" in frame:
        return
    # What lies outside the limits has been reported, and would be no guide here.
    sound = found.inside("dbh") & found.inside("height")
    expected = tr("above 1.3 m where a dbh is given", "有胸径时应大于 1.3 m")
    advice = tr(
        "is the diameter a basal one, or taken lower, as on dwarf mangroves?",
        "该直径是否为地径，或如矮化红树在更低处测定？",
    )
    low = frame.index[sound & (frame["height"] < BREAST)]
    found.add_alike({row: found.value("height", row) for row in low}, "height", expected, advice, "height")
    group = frame["species"].fillna("") if "species" in frame else pd.Series("–", index=frame.index)
    # What stands of a dead tree is often broken off.
    tall = sound & (frame["height"] >= found.rules["outlier_min_height"]) & ~is_dead(frame)
    for species in group[group != ""].unique():
        part = frame[tall & (group == species)]
        if len(part) >= found.rules["outlier_min_n"]:
            _masses(found, part.drop(index=_heights(found, part)))


def _heights(found, part):
    """Report outliers from the height curve; return their rows."""
    dbh, height = part["dbh"].to_numpy(), part["height"].to_numpy()
    curve = height_curve(dbh, height)
    odd, span = _far(np.log(height / curve(dbh)), found.rules["dh_scale"], found.rules["dh_ratio"])
    for row, here in zip(part.index[odd], curve(dbh[odd]), strict=True):
        advice = _dh_advice(found, part.loc[row], curve)
        expected = _span_text(here, span, "m", part["dbh"][row])
        found.add(row, "height", found.value("height", row), expected, advice, "dh")
    return part.index[odd]


def _dh_advice(found, tree, curve) -> str:
    """Say which of the two, taken in another unit, would fit the curve."""
    near = found.rules["slip_factor"]
    for unit, factor in vocabulary.candidates("cm"):
        if abs(np.log(tree["height"] / curve(tree["dbh"] / factor))) < np.log(near):
            return found.unit_advice(unit, found.label("dbh"))
    slip = slip_of(tree["height"] / curve(tree["dbh"]), "m", near)
    return found.unit_advice(slip, found.label("height")) if slip else found.check_form()


def _masses(found, part) -> None:
    for column in found.numeric:
        unit = vocabulary.variable(column).unit
        if unit not in ("kg", "m3") or column == "fresh_mass":
            continue
        trees = part[found.inside(column)[part.index] & (part[column] > 0)]
        if len(trees) < found.rules["outlier_min_n"]:
            continue
        dbh, mass = trees["dbh"].to_numpy(), trees[column].to_numpy()
        curve = log_curve(dbh, mass)
        odd, span = _far(np.log(mass / curve(dbh)), found.rules["mass_scale"], found.rules["mass_ratio"])
        for row, here in zip(trees.index[odd], curve(dbh[odd]), strict=True):
            slip = slip_of(trees[column][row] / here, unit, found.rules["slip_factor"] ** 2)
            expected = _span_text(here, span, unit, trees["dbh"][row])
            advice = found.unit_advice(slip) if slip else found.check_form()
            found.add(row, column, found.value(column, row), expected, advice, "mass")


def far_off(size: np.ndarray, logs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Records whose logarithms are far from the robust surface through all of them, as masses are judged here.

    Parameters
    ----------
    size : array, shape (n, k)
        What the surface depends on, a constant among it.
    logs : array, shape (n,)
        Logarithms of observations over their predictions.

    Returns
    -------
    far : array of bool, shape (n,)
        All False for fewer records than a curve is drawn through.
    residual : array, shape (n,)
        Logarithms less the surface.
    """
    rules = limits_of_data()
    if len(logs) < rules["outlier_min_n"]:
        return np.zeros(len(logs), bool), logs
    residual = logs - size @ _robust_line(size, logs, np.ones_like(logs))
    return _far(residual, rules["mass_scale"], rules["mass_ratio"])[0], residual


def _far(residual, scale_limit, ratio):
    """Rows beyond both limits, and the factor that is still accepted."""
    # 1.4826 makes the median absolute deviation the SD of a normal distribution.
    scale = 1.4826 * np.median(np.abs(residual - np.median(residual)))
    limit = max(scale_limit * scale, np.log(ratio))
    return np.abs(residual) > limit, float(np.exp(limit))


def _span_text(here, span, unit, dbh) -> str:
    text = f"{here / span:.3g}–{here * span:.3g} {unit}"
    return tr(f"{text} at dbh = {dbh:.4g} cm", f"{text}（胸径 {dbh:.4g} cm 时）")


def height_curve(dbh: np.ndarray, height: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Näslund curve ``H = 1.3 + D²/(a + b D)²`` that a few wrong trees do not pull away.

    Parameters
    ----------
    dbh : array, shape (n,)
        [cm]
    height : array, shape (n,)
        [m] Above 1.3.

    Returns
    -------
    curve : callable
        Heights [m] at diameters [cm].
    """
    slope = _robust_line(np.column_stack([np.ones_like(dbh), dbh]), dbh / np.sqrt(height - BREAST), dbh)
    # A straight line through few small trees may cross zero; the curve must stay a height.
    return lambda d: BREAST + (d / np.maximum(slope[0] + slope[1] * d, 1e-3)) ** 2


def log_curve(dbh: np.ndarray, mass: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Robust curve ``ln W = a + b ln D + c (ln D)²``; returns a callable of D [cm]."""
    x = np.log(dbh)
    centre = x.mean()
    design = np.column_stack([np.ones_like(x), x - centre, (x - centre) ** 2])
    beta = _robust_line(design, np.log(mass), np.ones_like(x))
    return lambda d: np.exp(beta[0] + beta[1] * (np.log(d) - centre) + beta[2] * (np.log(d) - centre) ** 2)


def _robust_line(design, response, size):
    """Least absolute residuals, each relative to ``size``, by reweighting."""
    weight = 1 / size
    for _ in range(50):
        scaled = np.sqrt(weight)[:, None]
        beta = np.linalg.lstsq(design * scaled, response * scaled[:, 0], rcond=None)[0]
        residual = np.abs(response - design @ beta) / size
        weight = 1 / np.maximum(residual, 1e-3 * np.median(residual) + 1e-12) / size**2
    return beta


# A study, an open data set, a file.

#: Dry masses that a fresh one is compared with.
DRY = ("agb", "stem", "branch", "foliage")
CARBON = (("soc", "organic_matter"), ("soc", "bulk_density"))
MASS_UNITS = ("kg", "t/ha")
#: Masses of no single component.
WITHOUT_COMPONENT = ("fresh_mass", "understory_density", "litter_density")


class Examined(Finder):
    """A frame that was looked at in every way: its problems, and what was checked on what."""

    def __init__(self, frame, file, labels, reading=None):
        super().__init__(frame, file, labels, reading)
        self.checks: dict[str, list[str]] = {}
        for one in every_check():
            self.checks[one.label] = one.columns(frame)
            if self.checks[one.label]:
                one.run(self)

    @property
    def summary(self) -> str:
        """How many columns were recognised, and how many kinds of checks could be done."""
        n, m = sum(map(vocabulary.is_variable, self.frame)), len(self.frame.columns)
        k, of = sum(map(bool, self.checks.values())), len(self.checks)
        return tr(
            f"recognised {n} of {m} columns, {k} of {of} kinds of checks ran",
            f"{m} 列中识别 {n} 列，{of} 类检查中进行了 {k} 类",
        )

    def account(self) -> list[str]:
        """What was recognised, which checks ran on what, and which did not for want of columns; a line each."""
        columns = list(map(str, self.frame.columns))
        known = [self.label(c) for c in columns if vocabulary.is_variable(c)]
        lines = [account_line(self.summary, known, 30)]
        other = [c for c in columns if not vocabulary.is_variable(c)]
        lines += [account_line(tr("not recognised, not checked", "未识别、未检查"), other)] if other else []
        done = [f"{label} ({len(on)})" for label, on in self.checks.items() if on]
        lines += [account_line(tr("checked (columns)", "已检查（列数）"), done)] if done else []
        wants = {one.label: one.needs for one in every_check()}
        for label, on in self.checks.items():
            if not on:
                wanted = tr(" or ", "，或 ").join(" + ".join(c) for c in list(wants[label])[:3])
                lines.append(tr(f"not checked: {label}; needs {wanted}", f"未检查：{label}；需要 {wanted}"))
        return lines


def account_line(label: str, parts: Sequence[str], most: int = 12) -> str:
    """A line of an account, the first of many items."""
    shown = ", ".join(parts[:most]) + (", …" if len(parts) > most else "")
    return f"{label}: {shown}"


def check(target: str | Path) -> list[Problem]:
    """Find every problem of a study, an open data set or a CSV file; see :func:`look` for what is looked at."""
    return look(target).problems


def look(target: str | Path, **options: Any) -> Examined:
    """Check a study, an open data set or a field file.

    Parameters
    ----------
    target : str or path
        ``study:<id>`` or an id, the folder of a study, ``open:<name>`` or a name in
        ``data/open.yml``, or a field file.
    **options
        Of :func:`sinklab.data.reading.read`.

    Returns
    -------
    found : Examined
        Its ``problems``, and with :meth:`Examined.account` what was checked and what was not.

    Raises
    ------
    DataError
        Nothing of that name exists, a file cannot be read at all, or not one of its columns is understood.
    """
    with waiting(f"checking {target}", f"正在检查 {target}"):
        return _looked(str(target), options)


def _looked(text, options) -> Examined:
    kind, name = text.split(":", 1) if text.startswith(("study:", "open:")) else ("", text)
    if kind == "study" or (
        not kind and (name in catalogue.list_studies() or (Path(name) / "study.yml").is_file())
    ):
        return _look_at_study(name)
    if kind == "open" or (not kind and name in catalogue.entries()):
        frame = open_data.load(f"open:{name}")
        return Examined(frame, catalogue.entry(name)["files"][0]["path"])
    if Path(name).is_file():
        frame = read(name, **options)
        _require_columns(frame, paths.relative(name))
        return _as_read(frame, paths.relative(name))
    known = ", ".join([*catalogue.list_studies(), *catalogue.entries()])
    raise DataError(
        f"{text}: no study, open data set or file of that name; known: {known}",
        f"{text}：没有该名称的研究、公开数据集或文件；已有：{known}",
    )


def _require_columns(frame, file) -> None:
    """Refuse a file of which nothing is understood: silence about it would be taken for praise."""
    if any(vocabulary.is_variable(column) for column in frame):
        return
    near = [f"{c} ({', '.join(n)})" if n else str(c) for c, n in ((c, nearest(c)) for c in frame)]
    raise DataError(
        f"{file}: 0 of {len(frame.columns)} columns recognised; nothing was checked. Columns, with the nearest names of the "
        f"vocabulary: {'; '.join(near)}",
        f"{file}：{len(frame.columns)} 列中识别 0 列，未作任何检查。各列及词汇表中最接近的名称：{'；'.join(near)}",
    )


def _as_read(frame, file) -> Examined:
    """Check a field file as its reading understood it; cells that it could not understand are problems too."""
    account = frame.attrs["account"]
    labels = {c.name: c.header for c in account.columns}
    found = Examined(frame, file, labels, account)
    expected, advice = (
        tr("a number", "数值"),
        tr("correct it, or declare it with --missing", "请更正，或用 --missing 声明"),
    )
    found.problems[:0] = [
        Problem(file, found.record(i), found.label(name), f"{cell!r} ({where})", expected, advice, "number")
        for i, name, cell, where in account.doubtful
    ]
    return found


def nearest(column: str) -> list[str]:
    """Names of the vocabulary that a column may be meant for: its symbols without regard to case, else names alike."""
    word = str(column).casefold()
    known = vocabulary.variables().values()
    same = [v.name for v in known if word in (v.symbol.casefold(), v.symbol.replace("_", "").casefold())]
    return same[:2] or get_close_matches(word, [v.name for v in known], n=2, cutoff=0.6)


def check_study(study_id: str | Path) -> list[Problem]:
    """Find every problem of a study: its four files, then its values.

    Examples
    --------
    >>> len(sl.check_study('chinese_fir_simulated'))
    0
    """
    return _look_at_study(study_id).problems


def _look_at_study(study_id) -> Examined:
    read = inspect(catalogue.study_folder(study_id))
    labels = {row["variable"]: row["column"] for row in read.columns if row["variable"]}
    found = Examined(pd.DataFrame() if read.frame is None else read.frame, read.name("data.csv"), labels)
    found.problems[:0] = [*read.problems, *_components(read)]
    return found


class Check(NamedTuple):
    """One kind of check, and the sets of columns of which it needs one."""

    label: str
    run: Callable[[Finder], None]
    needs: Sequence[tuple[str, ...]]

    def columns(self, frame) -> list[str]:
        """Columns that it is done on; none when it cannot be done."""
        on = [c for columns in self.needs if set(columns) <= set(frame.columns) for c in columns]
        return list(dict.fromkeys(on))


def every_check() -> tuple[Check, ...]:
    """All checks of a frame, in the order of their problems."""
    every = [(name,) for name in vocabulary.variables() if vocabulary.is_number(name)]
    organs = [(whole, part) for whole, members, _ in wholes() for part in members]
    related = [tuple(q.powers) for q in plausibility.quantities()]
    return (
        Check(tr("identifiers", "编号"), identifiers, [("tree_id",), ("plot_id",), *every]),
        Check(tr("depths in metres", "以米计的深度"), plausibility.depths, [("layer_top", "layer_bottom")]),
        Check(tr("codes for missing values", "缺测代码"), plausibility.codes, every),
        Check(tr("whole columns", "整列"), plausibility.columns, related),
        Check(tr("limits of the vocabulary", "词汇表界限"), limits, every),
        Check(tr("parts and wholes", "部分与总量"), sums, organs),
        Check(tr("fresh and dry mass", "鲜质量与干质量"), fresh, [("fresh_mass", c) for c in DRY]),
        Check(tr("soil layers", "土层"), layers, [("layer_top", "layer_bottom"), *CARBON]),
        Check(tr("age classes", "龄级"), age_classes, [("age_class",)]),
        Check(tr("curves of the species", "树种曲线"), outliers, [("dbh", "height")]),
        Check(tr("columns against each other", "各列相互比较"), plausibility.report, related),
        Check(tr("computed values", "推算值"), computed, plausibility.PAIRS),
    )


def computed(found) -> None:
    """Report values that were computed from others, the records together."""
    for item in plausibility.computed(found.frame):
        expected = tr("what was measured", "实测值")
        advice = tr(
            "leave these records out of a table of it; say so in columns.csv (got = ratio or computed)",
            "编制该量的参数表时请剔除这些记录；请在 columns.csv 中注明（got 写 ratio 或 computed）",
        )
        shown = ", ".join(f"#{row + 1}" for row in item.rows[:8]) + (" …" if len(item.rows) > 8 else "")
        value = tr(f"{item.words} (records {shown})", f"{item.words}（记录 {shown}）")
        label = found.label(item.column)
        found.problems.append(Problem(found.file, "", label, value, expected, advice, "computed"))


def _components(found) -> list[Problem]:
    """Masses of which ``columns.csv`` does not say what was weighed."""
    problems, file = [], found.name("columns.csv")
    for row in found.columns:
        name = row["variable"]
        if not vocabulary.is_variable(name) or name in WITHOUT_COMPONENT:
            continue
        if vocabulary.variable(name).unit not in MASS_UNITS:
            continue
        fitting = fitting_components(name)
        # A component that does not exist is already a fault of columns.csv.
        if row["component"] in fitting or (
            row["component"] and row["component"] not in vocabulary.components()
        ):
            continue
        expected = tr(f"what was weighed: {', '.join(fitting)}", f"称量的对象：{'、'.join(fitting)}")
        advice = tr(
            "fill in component (data/vocabulary/components.csv)",
            "请填写 component（data/vocabulary/components.csv）",
        )
        column = f"{row['column']} ({name}): component"
        problems.append(
            Problem(file, row["column"], column, row["component"] or "–", expected, advice, "component")
        )
    return problems


def fitting_components(name: str) -> list[str]:
    """Components that a variable may hold; a mass per area holds what the mass of a tree does."""
    base = {"stem_biomass_density": "stem"}.get(name, name.removesuffix("_density"))
    wanted = {"root", "bgb"} if base in ("root", "bgb") else {base}
    return [key for key, item in vocabulary.components().items() if item.variable in wanted]

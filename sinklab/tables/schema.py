"""The format of a table package: what a table may be called, its files, and the columns of each file.

This is the only place that knows them, with ``columns.csv`` beside it: one row for each column, with its type,
limits and meaning in two languages. Writing, reading, comparing, validating and the Frictionless
description in ``datapackage.json`` all follow from here.
"""

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sinklab.data import vocabulary
from sinklab.language import TableError, reader_language

#: From the weakest to the strongest; a table is as good as its weakest row.
STATUSES = ("demonstration", "draft", "reviewed", "published")
_STATUSES_ZH = ("演示", "草案", "已评审", "已发布")
#: What stands over every showing of numbers from simulated data, English and Chinese.
DEMONSTRATION = (
    "DEMONSTRATION: made from simulated data; the numbers must not be used.",
    "演示：由模拟数据得出，数值不得用于实际计量。",
)
#: Status of a row of values that has no value: it did not pass the gate, and says why.
REFUSED = "refused"
#: A version with one of these statuses is never overwritten by other numbers.
FROZEN = ("reviewed", "published")

_TABLE_ID = re.compile(r"[a-z0-9]+(_[a-z0-9]+){2,}")
_VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")


def check_table_id(table_id: str) -> str:
    """Return ``table_id`` when it is ``<response>_<system>_<group>`` in ``[a-z0-9_]`` and the system is known.

    Raises
    ------
    TableError
        Anything else, path separators included.
    """
    if not isinstance(table_id, str) or not _TABLE_ID.fullmatch(table_id) or len(table_id) > 80:
        raise TableError(
            f"table id {table_id!r}; expected <response>_<system>_<group> in lower-case letters, digits "
            "and _, such as agb_forest_cunninghamia",
            f"表号 {table_id!r} 不合规；应为 <因变量>_<系统>_<分组>，只用小写字母、数字和 _，"
            "例如 agb_forest_cunninghamia",
        )
    if not system_of(table_id):
        known = vocabulary.ecosystems()
        raise TableError(
            f"table id {table_id!r} names no ecosystem of data/vocabulary/systems.csv; known: {', '.join(known)}",
            f"表号 {table_id!r} 未含 data/vocabulary/systems.csv 中的生态系统；已有：{'、'.join(known)}",
        )
    return table_id


def check_version(text: str) -> str:
    """Return ``text`` when it is a semantic version such as ``1.0.0``.

    Raises
    ------
    TableError
    """
    if not isinstance(text, str) or not _VERSION.fullmatch(text):
        raise TableError(
            f"table version {text!r}; expected major.minor.patch such as 1.0.0",
            f"表的版本号 {text!r} 不合规；应为 主.次.修订，例如 1.0.0",
        )
    return text


def version_key(text: str) -> tuple[int, ...]:
    """Sort key of a version: 1.10.0 comes after 1.9.0."""
    return tuple(int(part) for part in check_version(text).split("."))


def next_version(version: str, part: str) -> str:
    """Return the version after ``version`` when ``part`` of it grows."""
    major, minor, patch = version_key(version)
    grown = {"major": (major + 1, 0, 0), "minor": (major, minor + 1, 0), "patch": (major, minor, patch + 1)}
    return ".".join(map(str, grown.get(part, (major, minor, patch))))


def check_status(status: str) -> str:
    """Return ``status`` when it is one of :data:`STATUSES`.

    Raises
    ------
    TableError
    """
    if status not in STATUSES:
        known = ", ".join(STATUSES)
        raise TableError(
            f"status {status!r}; expected one of {known}", f"状态 {status!r} 无效；应为 {known} 之一"
        )
    return status


def status_label(status: str, lang: str | None = None) -> str:
    """Status in words, in the reader's language when none is named."""
    words = dict(zip((*STATUSES, REFUSED), (*_STATUSES_ZH, "不予采用"), strict=True))
    return words.get(status, status) if (lang or reader_language()) == "zh" else status


def subject_label(response: str, lang: str | None = None, labels: Mapping[str, str] | None = None) -> str:
    """What a check speaks of, in words: a response, or a value as ``checks.csv`` names it.

    ``labels`` are wordings of groups that the vocabulary does not know.

    Examples
    --------
    >>> subject_label("soil_depth[yellow_clay] [soil_type=yellow_clay]", "en")
    'soil depth (yellow clay)'
    """
    name, _, group = response.partition(" [")
    variable, _, level = name.partition("[")
    # Without a group the brackets of the name are all that tells values apart.
    told = vocabulary.group_label(group.removesuffix("]"), lang) if group else level.removesuffix("]")
    told, label = (labels or {}).get(told, told), vocabulary.label(variable, lang)
    around = "{}（{}）" if (lang or reader_language()) == "zh" else "{} ({})"
    return around.format(label, told) if told else label


#: What columns of values are called in the message of a check.
_COLUMNS = {
    "mean": ("均值", "mean"),
    "mean_lower": ("均值下限", "lower limit of the mean"),
    "mean_upper": ("均值上限", "upper limit of the mean"),
    "q025": ("2.5% 分位数", "2.5 % quantile"),
    "q975": ("97.5% 分位数", "97.5 % quantile"),
}


def readable(said: str, lang: str | None = None) -> str:
    """The message of a check without names of columns and signs of programs.

    Examples
    --------
    >>> readable("outside the limits: q025 0.12 (>= 0.2)", "en")
    'outside the limits: 2.5 % quantile 0.12 (≥ 0.2)'
    """
    # A rule that looks at one column names it; its label has said so.
    said = re.sub(r"(?:：|: )[a-z_]+(?=；解决办法|; settled)", "", said)
    for column, words in _COLUMNS.items():
        said = re.sub(rf"\b{column}\b", words[(lang or reader_language()) == "en"], said)
    return said.replace(">=", "≥").replace("<=", "≤")


def weakest(statuses) -> str:
    """Return the weakest of several statuses; ``draft`` when there is none. What is refused does not count."""
    return min(map(check_status, set(statuses) - {REFUSED}), key=STATUSES.index, default="draft")


def system_of(table_id: str) -> str:
    """Ecosystem named in a table id, "" when none is."""
    return next((part for part in table_id.split("_") if part in vocabulary.ecosystems()), "")


def default_title(table_id, lang) -> str:
    """Title from the parts of an id: ``agb_forest_betula`` gives "aboveground biomass: forest, betula"."""
    system = system_of(table_id)
    head, _, rest = table_id.partition(f"_{system}")
    group = rest.strip("_")
    members = [s for s in vocabulary.species_list() if s.genus.casefold() == group] if group else []
    species = vocabulary.find_species(group) or (members[0] if len(members) == 1 else None)
    if species:
        # A genus of one species, such as that of Chinese fir, is known by the name of the species.
        group = species.name_zh if lang == "zh" else species.name_latin
    else:
        group = group.capitalize() if members else group.replace("_", " ")
    label, named = vocabulary.label(head, lang), vocabulary.ecosystem(system)
    if lang == "zh":
        return f"{label}：{named.label_zh}{'，' if group else ''}{group}"
    return f"{label}: {named.label_en}{', ' if group else ''}{group}"


# The files

#: Version of the package layout itself; it changes when a column changes its name or meaning.
SCHEMA_VERSION = 3
#: Columns that came with a layout; in a package of an older one they are blank.
ADDED = {
    2: {"values": "definition of_whom mean_of ratio_of n_site sd_of mean_lower mean_upper".split()},
    3: {"equations": ["typical", "definition"]},
}
DESCRIPTOR = "datapackage.json"
LICENCE = {"name": "Apache-2.0", "title": "Apache License 2.0"}
#: Files beside the CSV files: file name, format, media type.
BINARY = {
    "draws": ("draws.parquet", "parquet", "application/vnd.apache.parquet"),
    "provenance": ("provenance.json", "json", "application/json"),
}
SUMS = "SHA256SUMS"
#: Files that a release adds to a package.
RELEASE_FILES = ("CITATION.cff", "datacite.json", "ro-crate-metadata.json", SUMS)
#: File beside the tables that tells of their releases.
CHANGELOG = "CHANGELOG.md"


@dataclass(frozen=True)
class Field:
    """One column: name, Frictionless type, meaning, unit and limits.

    The ``key`` columns of a file name its rows; an entry of a column that is ``meaning`` says what a number is:
    with another entry it is another number.
    """

    name: str
    type: str
    en: str
    zh: str
    unit: str
    key: bool
    meaning: bool
    required: bool
    unique: bool
    minimum: int | None
    maximum: int | None
    enum: tuple[str, ...]

    def descriptor(self) -> dict:
        """Frictionless description of the column."""
        limits = {key: True for key in ("required", "unique") if getattr(self, key)}
        limits |= {k: getattr(self, k) for k in ("minimum", "maximum") if getattr(self, k) is not None}
        if self.enum:
            limits["enum"] = list(self.enum)
        found = {"name": self.name, "type": self.type, "description": self.en, "description_zh": self.zh}
        if self.unit:
            found["unit"] = self.unit
        if limits:
            found["constraints"] = limits
        return found


def _files() -> dict[str, tuple[Field, ...]]:
    found: dict[str, tuple[Field, ...]] = {}
    with (Path(__file__).parent / "columns.csv").open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            flags = {k: row[k] == "yes" for k in ("key", "meaning", "required", "unique")}
            limits = {k: int(row[k]) if row[k] else None for k in ("minimum", "maximum")}
            words = {k: row[k] for k in ("name", "type", "en", "zh", "unit")}
            enum = tuple(filter(None, row["enum"].split(";")))
            found[row["file"]] = (*found.get(row["file"], ()), Field(**words, **flags, **limits, enum=enum))
    return found


#: Columns of each CSV file of a package.
FILES = _files()
#: Titles of the files, English and Chinese.
TITLES = {
    "models": ("Models", "模型"),
    "equations": ("Equations", "方程"),
    "coefficients": ("Coefficients", "系数"),
    "covariance": ("Covariance of the coefficients", "系数协方差"),
    "residual_correlation": ("Correlation of residuals between equations", "方程间残差相关"),
    "residual_terms": ("Tails of residuals, and their spread by groups", "残差尾部与分组离散"),
    "random_effects": ("Spread of parameters between groups", "参数的组间变异"),
    "group_effects": ("Groups that a mixed fit has seen", "混合模型所用各组的效应"),
    "between": ("What was sampled, and the spread between sites", "抽样单元与样点间变异"),
    "ranges": ("Range of validity", "适用范围"),
    "domains": ("Range of each response, and of its predictors together", "各因变量的适用范围与自变量组合"),
    "indices": ("Evaluation indices", "评价指标"),
    "values": ("Scalar parameters", "标量参数"),
    "checks": ("Checks", "检查"),
    "draws": ("Joint draws of the coefficients", "系数的联合抽样"),
    "provenance": ("Origin", "来历"),
}

#: Files of models that a package may lack.
OPTIONAL_FILES = ("residual_terms", "random_effects", "group_effects", "between", "domains")
#: Files whose ``model_id`` must exist in models.csv.
MODEL_FILES = ("equations", "coefficients", "covariance", "residual_correlation", "ranges", "indices")


def columns_of(name: str) -> list[str]:
    """Names of the columns of a file."""
    return [field.name for field in FILES[name]]


def older_columns(name: str) -> list[list[str]]:
    """Names of the columns of a file in each older layout, the newest first."""
    found, columns = [], columns_of(name)
    for layout in sorted(ADDED, reverse=True):
        columns = [c for c in columns if c not in ADDED[layout].get(name, ())]
        found.append(columns)
    return found


def keys_of(name: str) -> list[str]:
    """Names of the columns that name a row of a file."""
    return [field.name for field in FILES[name] if field.key]

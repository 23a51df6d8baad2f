"""The format of a table package: what a table may be called, its files, and the columns of each file.

This is the only place that knows them: writing, reading, comparing, validating and the Frictionless
description in ``datapackage.json`` all follow from here.
"""

import re
from dataclasses import dataclass

from sinklab.data import vocabulary
from sinklab.language import TableError, tr

#: From the weakest to the strongest; a table is as good as its weakest row.
STATUSES = ("demonstration", "draft", "reviewed", "published")
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
            tr(
                f"table id {table_id!r}; expected <response>_<system>_<group> in lower-case letters, digits "
                "and _, such as agb_forest_cunninghamia",
                f"表号 {table_id!r} 不合规；应为 <因变量>_<系统>_<分组>，只用小写字母、数字和 _，"
                "例如 agb_forest_cunninghamia",
            )
        )
    if not system_of(table_id):
        known = vocabulary.ecosystems()
        raise TableError(
            tr(
                f"table id {table_id!r} names no ecosystem of data/vocabulary/systems.csv; known: {', '.join(known)}",
                f"表号 {table_id!r} 未含 data/vocabulary/systems.csv 中的生态系统；已有：{'、'.join(known)}",
            )
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
            tr(
                f"table version {text!r}; expected major.minor.patch such as 1.0.0",
                f"表的版本号 {text!r} 不合规；应为 主.次.修订，例如 1.0.0",
            )
        )
    return text


def version_key(text: str) -> tuple[int, ...]:
    """Sort key of a version: 1.10.0 comes after 1.9.0."""
    return tuple(int(part) for part in check_version(text).split("."))


def check_status(status: str) -> str:
    """Return ``status`` when it is one of :data:`STATUSES`.

    Raises
    ------
    TableError
    """
    if status not in STATUSES:
        known = ", ".join(STATUSES)
        raise TableError(
            tr(f"status {status!r}; expected one of {known}", f"状态 {status!r} 无效；应为 {known} 之一")
        )
    return status


def weakest(statuses) -> str:
    """Return the weakest of several statuses; ``draft`` when there is none."""
    return min(map(check_status, statuses), key=STATUSES.index, default="draft")


def system_of(table_id: str) -> str:
    """Ecosystem named in a table id, "" when none is."""
    return next((part for part in table_id.split("_") if part in vocabulary.ecosystems()), "")


# The files

#: Version of the package layout itself; it changes when a column changes its name or meaning.
SCHEMA_VERSION = 1
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
    """One column: name, Frictionless type, meaning, unit and limits."""

    name: str
    type: str
    en: str
    zh: str
    unit: str = ""
    required: bool = False
    unique: bool = False
    minimum: float | None = None
    maximum: float | None = None
    enum: tuple[str, ...] = ()

    def descriptor(self) -> dict:
        """Frictionless description of the column."""
        limits = {"required": self.required, "unique": self.unique}
        limits = {key: True for key, wanted in limits.items() if wanted}
        limits |= {k: getattr(self, k) for k in ("minimum", "maximum") if getattr(self, k) is not None}
        if self.enum:
            limits["enum"] = list(self.enum)
        found = {"name": self.name, "type": self.type, "description": self.en, "description_zh": self.zh}
        if self.unit:
            found["unit"] = self.unit
        if limits:
            found["constraints"] = limits
        return found


def _text(name, en, zh, **limits):
    return Field(name, "string", en, zh, **limits)


def _number(name, en, zh, **limits):
    return Field(name, "number", en, zh, **limits)


def _count(name, en, zh, **limits):
    return Field(name, "integer", en, zh, **({"minimum": 0} | limits))


def _flag(name, en, zh, **limits):
    return Field(name, "boolean", en, zh, **limits)


_MODEL = _text("model_id", "key of models.csv", "models.csv 的键", required=True)
_STATUS = _text(
    "status",
    "demonstration (simulated data), draft, reviewed or published",
    "状态：demonstration 演示（模拟数据）、draft 草案、reviewed 已评审、published 已发布",
    required=True,
    enum=STATUSES,
)
_LEVEL = _number("level", "level of the interval", "区间的置信水平", unit="1", minimum=0, maximum=1)
_KIND = _text(
    "interval_kind",
    "kind of the interval: confidence, credible or distribution (quantiles of the quantity itself)",
    "区间类型：confidence 置信区间、credible 可信区间、distribution 参数自身分布的分位数",
    enum=("confidence", "credible", "distribution"),
)
_PAIR = (
    _text("row", "coefficient or equation of the row", "行对应的系数或方程", required=True),
    _text("column", "coefficient or equation of the column", "列对应的系数或方程", required=True),
)
_INDICES = (
    _number("R2", "coefficient of determination", "确定系数", unit="1", maximum=1),
    _number("SEE", "standard error of estimate, unit of the response", "估计值的标准差", minimum=0),
    _number("TRE", "total relative error", "总相对误差", unit="%"),
    _number("ASE", "average systematic error", "平均系统误差", unit="%"),
    _number("MPE", "mean prediction error", "平均预估误差", unit="%", minimum=0),
    _number("MPSE", "mean percent standard error", "平均百分标准误差", unit="%", minimum=0),
    _number("RMSE", "root mean squared error, unit of the response", "均方根误差", minimum=0),
    _number("AIC", "Akaike information criterion", "赤池信息量准则"),
    _number("BIC", "Bayesian information criterion", "贝叶斯信息量准则"),
)

#: Columns of each CSV file of a package.
FILES: dict[str, tuple[Field, ...]] = {
    "models": (
        _text("model_id", "key of the model", "模型的键", required=True, unique=True),
        _text("label", "name of the model", "模型名称"),
        _text("label_zh", "its name in Chinese", "模型中文名称"),
        _text("group_column", "data column that chooses the model", "用于选择模型的数据列"),
        _text("group_level", "value of that column this model is for", "本模型对应的取值"),
        _text("method", "how it was fitted", "拟合方法", required=True),
        _number("loglik", "logarithm of the likelihood", "对数似然值"),
        _LEVEL,
        _text("correction_kind", "correction of the bias of logarithms", "对数变换偏差的校正方法"),
        _count("n_draw", "joint draws in draws.parquet", "draws.parquet 中的联合抽样数"),
        _count("seed", "seed of the random numbers", "随机数种子"),
        _STATUS,
        _text("source", "data the model was fitted to", "拟合所用数据", required=True),
    ),
    "equations": (
        _MODEL,
        _count("equation_order", "place within the system", "方程在方程组中的次序", required=True, minimum=1),
        _text("response", "quantity that is predicted", "因变量", required=True),
        _text("label_en", "its name", "因变量名称（英文）"),
        _text("label_zh", "its name in Chinese", "因变量名称（中文）"),
        _text("component", "what was weighed: key of components.csv", "称量对象：components.csv 的键"),
        _text("unit", "unit of the response", "因变量单位"),
        _text("equation", "the equation as text", "方程文本", required=True),
        _text(
            "role",
            "free (has own parameters) or identity (follows from the others)",
            "free 独立方程；identity 恒等式（由其他方程推得）",
            required=True,
            enum=("free", "identity"),
        ),
        _text("predictors", "data columns used, separated by ;", "自变量，以 ; 分隔"),
        _count("n", "number of observations", "样本数"),
        _text("variance_kind", "variance function of the residuals", "残差方差函数"),
        _text("variance_by", "what it depends on: a predictor, or mean", "方差函数的自变量（mean 为预测值）"),
        _number("variance_exponent", "its exponent", "方差函数的指数"),
        _flag("exponent_fixed", "whether the exponent was given, not estimated", "指数是否为给定值"),
        _number("sigma", "its scale (of the residual standard deviation)", "残差标准差的尺度系数", minimum=0),
        _number("residual_df", "degrees of freedom of the residuals", "残差自由度", minimum=0),
        _number("correction_factor", "factor that removes the bias of logarithms", "偏差校正系数", minimum=0),
        _STATUS,
    ),
    "coefficients": (
        _MODEL,
        _text("name", "name in the equation text", "方程中的名称", required=True),
        _text("group", "group level, for coefficients that vary", "分组水平（随组变化的系数）"),
        _number("value", "estimate", "估计值", required=True),
        _number("se", "standard error", "标准误", required=True, minimum=0),
        _number("lower", "lower end of the interval", "区间下限"),
        _number("upper", "upper end of the interval", "区间上限"),
        _LEVEL,
        _KIND,
    ),
    "covariance": (
        _MODEL,
        *_PAIR,
        _number(
            "value", "covariance; lower triangle with diagonal", "协方差（下三角，含对角线）", required=True
        ),
    ),
    "residual_correlation": (
        _MODEL,
        *_PAIR,
        _number(
            "value",
            "correlation of residuals between equations; lower triangle with diagonal",
            "方程间残差相关系数（下三角，含对角线）",
            required=True,
            minimum=-1,
            maximum=1,
        ),
    ),
    "random_effects": (
        _MODEL,
        _text("group_column", "data column of the groups", "分组列", required=True),
        *_PAIR,
        _number(
            "value",
            "covariance of the deviations of groups from the typical one; lower triangle with diagonal",
            "各组偏离典型组的协方差（下三角，含对角线）",
            required=True,
        ),
        _text("multiplies", "rows whose deviation u multiplies by exp(u)", "偏离以 exp(u) 相乘的参数"),
    ),
    "ranges": (
        _MODEL,
        _text("predictor", "data column", "自变量", required=True),
        _text("unit", "its unit", "单位"),
        _number("minimum", "smallest value in the data", "数据中的最小值", required=True),
        _number("maximum", "largest value in the data", "数据中的最大值", required=True),
    ),
    "indices": (
        _MODEL,
        _text("response", "quantity that is predicted", "因变量", required=True),
        _text("class_column", "column the classes are of; blank: all data", "分级所用列；空白表示全部数据"),
        _text("class_label", "class of the data", "级别"),
        _count("n", "number of observations", "样本数"),
        *_INDICES,
    ),
    "values": (
        _text("name", "name of the quantity", "参数名称", required=True),
        _text("group", "species, organ, region … the value is for", "取值对应的分组"),
        _text("variable", "variable of the vocabulary", "词表中的变量"),
        _text("unit", "unit of all numbers of the row", "本行各数值的单位", required=True),
        _count("n_study", "number of studies or rows", "研究（来源行）数"),
        _count("n", "number of observations", "样本数"),
        _number("mean", "mean", "均值", required=True),
        _number("sd", "standard deviation of the quantity between places", "标准差", minimum=0),
        _number("se", "standard error of the mean", "均值的标准误", minimum=0),
        _number("tau", "standard deviation between studies", "研究间标准差", minimum=0),
        _text("family", "family of the distribution", "分布类型"),
        _number("p1", "its first parameter", "分布的第一个参数"),
        _number("p2", "its second parameter", "分布的第二个参数"),
        _number("q025", "quantile 2.5 %", "2.5% 分位数"),
        _number("q975", "quantile 97.5 %", "97.5% 分位数"),
        _LEVEL,
        _KIND,
        _text("spread_read", "how the printed ± was read", "对原文“±”的解读"),
        _text("sources", "where the numbers are printed, separated by ;", "来源，以 ; 分隔", required=True),
        _STATUS,
        _text("note", "remarks", "备注"),
    ),
    "checks": (
        _text("check_id", "name of the check", "检查项", required=True),
        _text("model_id", "key of models.csv; blank: the whole table", "models.csv 的键；空白表示整张表"),
        _text("response", "quantity that is checked", "被检查的量"),
        _flag("passed", "whether it is met", "是否通过", required=True),
        _number("value", "number that was found", "实际值"),
        _text("comparison", "how it is compared with the threshold", "比较方式"),
        _number("threshold", "number it is compared with", "阈值"),
        _text(
            "rule_status",
            "definition (follows from what the number is), verified or recalled (threshold not seen in print)",
            "definition 由定义得出；verified 已核对原文；recalled 凭记忆，未核对原文",
            required=True,
            enum=("definition", "verified", "recalled"),
        ),
        _text("rule_source", "where the threshold comes from", "阈值来源"),
        _text("message_en", "the check in words", "说明（英文）"),
        _text("message_zh", "the check in Chinese words", "说明（中文）"),
    ),
}

#: Titles of the files, English and Chinese.
TITLES = {
    "models": ("Models", "模型"),
    "equations": ("Equations", "方程"),
    "coefficients": ("Coefficients", "系数"),
    "covariance": ("Covariance of the coefficients", "系数协方差"),
    "residual_correlation": ("Correlation of residuals between equations", "方程间残差相关"),
    "random_effects": ("Spread of parameters between groups", "参数的组间变异"),
    "ranges": ("Range of validity", "适用范围"),
    "indices": ("Evaluation indices", "评价指标"),
    "values": ("Scalar parameters", "标量参数"),
    "checks": ("Checks", "检查"),
    "draws": ("Joint draws of the coefficients", "系数的联合抽样"),
    "provenance": ("Origin", "来历"),
}

#: Files whose ``model_id`` must exist in models.csv.
MODEL_FILES = ("equations", "coefficients", "covariance", "residual_correlation", "ranges", "indices")

#: Columns that name a row of each file.
KEYS = {
    "models": ("model_id",),
    "equations": ("model_id", "response"),
    "coefficients": ("model_id", "name", "group"),
    "covariance": ("model_id", "row", "column"),
    "residual_correlation": ("model_id", "row", "column"),
    "random_effects": ("model_id", "row", "column"),
    "ranges": ("model_id", "predictor"),
    "indices": ("model_id", "response", "class_column", "class_label"),
    "values": ("name", "group"),
    "checks": ("check_id", "model_id", "response"),
}


def columns_of(name: str) -> list[str]:
    """Names of the columns of a file."""
    return [field.name for field in FILES[name]]

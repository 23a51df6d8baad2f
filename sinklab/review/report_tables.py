"""Tables of a reviewer's report, written as Markdown from what was found."""

import numpy as np

from sinklab import vocabulary
from sinklab.drafts import markdown, numbers, words
from sinklab.review.findings import ModelFindings, TableFindings
from sinklab.review.published import species_of
from sinklab.review.scrutiny import OUTLIER
from sinklab.review.sensitivity import LOGNORMAL, MEDIANS

#: Rows after which a long table is cut, with a note that says how many are left out.
MOST_ROWS = 40
#: Probability below which a test is called significant here.
SMALL = 0.01
PAD = "\N{NO-BREAK SPACE}" * 3


class Writer:
    """Writes tables in one language; every method gives Markdown.

    Parameters
    ----------
    found : TableFindings
    lang : "zh" or "en"
    """

    def __init__(self, found: TableFindings, lang: str):
        self.found, self.lang = found, lang

    def say(self, en: str, zh: str) -> str:
        """The wording in the language of the report."""
        return zh if self.lang == "zh" else en

    def table(self, label, caption, header, rows, align="", notes=()) -> str:
        """A numbered table, cut when it is long."""
        rest = len(rows) - MOST_ROWS
        if rest > 0:
            notes = [
                *notes,
                self.say(f"NOTE {rest} further rows are not printed.", f"注：另有 {rest} 行未列出。"),
            ]
        head = [self.say(*pair) if isinstance(pair, tuple) else pair for pair in header]
        cells = [
            [cell if isinstance(cell, str) else self.number(cell) for cell in row] for row in rows[:MOST_ROWS]
        ]
        return markdown.table(label, caption, head, cells, align, notes)

    def number(self, value, decimals: int | None = None) -> str:
        """A number for a reader; a dash for one that does not exist."""
        if isinstance(value, (bool, np.bool_)):
            return self.say("yes", "是") if value else self.say("no", "否")
        if isinstance(value, (int, np.integer)):
            return f"{value}"
        if value == np.inf:
            return "∞"
        if not numbers.exists(value):
            return "—"
        return numbers.significant(value, 3) if decimals is None else numbers.fixed(value, decimals)

    def name(self, response: str) -> str:
        """Label of a response."""
        return markdown.escape(vocabulary.label(response, self.lang)) if response else "—"

    def p(self, value) -> str:
        """A probability."""
        return "—" if not np.isfinite(value) else "<0.001" if value < 0.001 else f"{value:.3f}"

    # The table as a whole

    def recomputed(self, label, caption) -> str:
        """Numbers compared and agreed, by file."""
        header = [
            ("File", "文件"),
            ("Compared", "比较数"),
            ("Agreed", "相符数"),
            ("Largest deviation / tolerance", "最大偏差/容许值"),
        ]
        rows = [
            [markdown.escape(r["file"]), int(r["n"]), int(r["n_agreed"]), float(r["largest"])]
            for r in self.found.verification.summary().to_dict("records")
        ]
        return self.table(label, caption, header, rows or [["—"] * 4], "lccc")

    def inputs(self, label, caption) -> str:
        """Input files and whether they are the ones the table was made from."""
        header = [
            ("File", "文件"),
            ("SHA-256 stated", "表中 SHA-256"),
            ("SHA-256 found", "现有 SHA-256"),
            ("Same", "一致"),
        ]
        rows = [
            [markdown.escape(i.name), i.stored[:12] or "—", i.found[:12] or "—", i.agreed]
            for i in self.found.verification.inputs
        ]
        return self.table(label, caption, header, rows or [["—"] * 4], "lccc")

    def thresholds(self, label, caption) -> str:
        """Every rule: value, limit, result, and why."""
        header = [
            ("Rule", "规则"),
            ("Response", "因变量"),
            ("Value", "数值"),
            ("Limit", "限值"),
            ("Result", "结论"),
            ("Reason", "理由"),
        ]
        rows = []
        for row in self.found.thresholds.to_dict("records"):
            sign = {"<=": "≤", ">=": "≥", "abs<=": "±"}[row["comparison"]]
            unit = "" if row["unit"] in ("", "1") else row["unit"]
            # Wide enough to stay on one line.
            limit = f"{PAD}{sign}{row['threshold']:g}{unit}{PAD}"
            result = {"pass": ("pass", "通过"), "fail": ("FAIL", "未通过"), "none": ("—", "—")}[row["result"]]
            rule = markdown.escape(row["label_zh"] if self.lang == "zh" else row["label_en"])
            many = len(self.found.models) > 1
            named = self.name(row["response"]) + (
                f" ({markdown.escape(row['model'])})" if many and row["model"] else ""
            )
            rows.append(
                [
                    rule,
                    named,
                    self.number(row["value"], 0 if row["quantity"] == "n" else 2),
                    limit,
                    PAD[:1] + self.say(*result) + PAD[:1],
                    self._reason(row),
                ]
            )
        return self.table(label, caption, header, rows, "llcccl")

    def _reason(self, row) -> str:
        source = markdown.escape(row["source"].replace(" (text not seen)", ""))
        status = {
            "recalled": ("recalled, not read in print", "未核对原文"),
            "verified": ("read in print", "已核对原文"),
        }
        known = (
            self.say(*status[row["status"]]) if row["status"] in status else markdown.escape(row["status"])
        )
        why = (
            self.say("speaks of no response here; ", "不涉及本表因变量；") if row["result"] == "none" else ""
        )
        return why + self.say(f"{source} ({known})", f"{source}（{known}）")

    def values(self, label, caption) -> str:
        """Scalar values of a table, as they are."""
        header = [
            ("Value", "参数"),
            ("Group", "组别"),
            ("Mean", "均值"),
            ("Standard error", "标准误"),
            ("Studies", "研究数"),
            ("Status", "状态"),
        ]
        rows = []
        for row in self.found.table.values.to_dict("records"):
            group = vocabulary.group_label(row["group"], self.lang)
            studies = f"{int(row['n_study'])}" if numbers.exists(row["n_study"]) else "—"
            rows.append(
                [
                    self.name(row["variable"] or row["name"]),
                    markdown.escape(group),
                    row["mean"],
                    row["se"],
                    studies,
                    row["status"],
                ]
            )
        return self.table(label, caption, header, rows, "llcccc")

    # One model

    def residuals(self, model: ModelFindings, label, caption) -> str:
        """Standardised residuals."""
        header = [
            ("Response", "因变量"),
            "n",
            ("Mean", "均值"),
            ("SD", "标准差"),
            ("Beyond 3", "超过 3"),
            ("Largest (record)", "最大值（记录）"),
            ("Trend, p", "趋势 p"),
            ("Spread, p", "方差 p"),
            ("Normal, p", "正态 p"),
        ]
        rows = [
            [
                self.name(r),
                int(row["n"]),
                self.number(row["mean"], 2),
                self.number(row["sd"], 2),
                int(row["outliers"]),
                f"{self.number(row['largest'], 2)} ({self.record(row['row'])})",
                self.p(row["p_trend"]),
                self.p(row["p_spread"]),
                self.p(row["p_normal"]),
            ]
            for r, row in model.residuals.iterrows()
        ]
        return self.table(label, caption, header, rows, "lcccccccc")

    def bias(self, model, label, caption) -> str:
        """Ellipse test and equivalence."""
        header = [
            ("Response", "因变量"),
            ("Intercept", "截距"),
            ("Slope", "斜率"),
            "F",
            "p",
            ("Mean relative error (%)", "平均相对误差/%"),
            ("90 % interval", "90% 区间"),
            ("Equivalent", "等效"),
        ]
        rows = [
            [
                self.name(r),
                row["intercept"],
                self.number(row["slope"], 3),
                self.number(row["F"], 2),
                self.p(row["p_ellipse"]),
                self.number(row["mean_relative_error"], 2),
                self.span(row["lower"], row["upper"]),
                bool(row["equivalent"]),
            ]
            for r, row in model.bias.iterrows()
        ]
        return self.table(label, caption, header, rows, "lccccccc")

    def by_size(self, model, label, caption) -> str:
        """Bias by class."""
        size = words.headed(model.fit.system.predictors[0], self.lang)
        header = [
            ("Response", "因变量"),
            size,
            "n",
            "TRE (%)",
            "ASE (%)",
            ("95 % interval", "95% 区间"),
            ("Biased", "有偏"),
        ]
        rows, before = [], None
        for row in model.by_size.to_dict("records"):
            named = self.name(row["response"]) if row["response"] != before else ""
            before = row["response"]
            rows.append(
                [
                    named,
                    row["size"],
                    int(row["n"]),
                    self.number(row["TRE"], 2),
                    self.number(row["ASE"], 2),
                    self.span(row["lower"], row["upper"]),
                    row["biased"],
                ]
            )
        return self.table(label, caption, header, rows, "lcccccc")

    def influential(self, model, label, caption) -> str:
        """Trees that pull most."""
        header = [
            ("Record", "记录"),
            ("Cook's distance", "Cook 距离"),
            ("Largest DFBETAS", "最大 DFBETAS"),
            ("Parameter", "参数"),
        ]
        shown = model.influential.head(10)
        rows = [
            [self.record(i), row["cook"], self.number(row["dfbetas"], 2), markdown.escape(row["parameter"])]
            for i, row in shown.iterrows()
        ]
        return self.table(label, caption, header, rows, "cccc")

    def by_site(self, model, label, caption) -> str:
        """Leave one site out."""
        header = [
            ("Response", "因变量"),
            ("Sites", "地点数"),
            "$R^{2}$",
            "TRE (%)",
            "ASE (%)",
            ("Worst site", "误差最大的地点"),
            ("its TRE (%)", "该地点 TRE (%)"),
        ]
        rows = [
            [
                self.name(r),
                int(row["n_site"]),
                self.number(row["R2"], 4),
                self.number(row["TRE"], 2),
                self.number(row["ASE"], 2),
                markdown.escape(row["worst"]),
                self.number(row["worst_TRE"], 1),
            ]
            for r, row in model.by_site.iterrows()
        ]
        return self.table(label, caption, header, rows, "lcccccc")

    def beyond(self, model, label, caption) -> str:
        """The model beyond its range."""
        size = words.headed(model.fit.system.predictors[0], self.lang)
        header = [
            ("Response", "因变量"),
            ("Multiple of the largest", "最大值的倍数"),
            size,
            ("Prediction", "预测值"),
            ("Standard error (%)", "标准误/%"),
        ]
        rows = [
            [
                self.name(row["response"]) if row["multiple"] == 1 else "",
                f"{row['multiple']:g}",
                f"{row['size']:.3g}",
                row["predicted"],
                self.number(row["error"], 1),
            ]
            for row in model.beyond.to_dict("records")
        ]
        return self.table(label, caption, header, rows, "lcccc")

    def published(self, model, label, caption) -> str:
        """Published equations over fitted."""
        size = words.headed(model.fit.system.predictors[0], self.lang)
        key = species_of(self.found.table.table_id, model.fit) or ""
        header = [
            ("Response", "因变量"),
            ("Equation", "方程"),
            size,
            ("Mean ratio", "平均比值"),
            ("Least to most", "最小～最大"),
            ("Inside the interval of a tree (%)", "落入单株区间/%"),
        ]
        rows = [
            [
                self.name(row["response"]),
                markdown.escape(_short(row["equation"], key)),
                self.span(row["low"], row["high"], 1),
                self.number(row["mean"], 2),
                self.span(row["least"], row["most"]),
                self.number(100 * row["inside"], 0),
            ]
            for row in model.published.to_dict("records")
        ]
        return self.table(label, caption, header, rows, "llcccc")

    def sensitivity(self, model, label, caption) -> str:
        """Other choices."""
        topics = {
            "correction": ("bias correction", "偏差校正"),
            "weights": ("weights", "权函数"),
            "outliers": (f"residuals beyond {OUTLIER:g} SD", f"标准化残差超过 {OUTLIER:g}"),
            "influence": ("influence", "强影响样木"),
        }
        known = {
            LOGNORMAL: ("lognormal, mean", "对数正态，均值"),
            MEDIANS: ("lognormal, median (not corrected)", "对数正态，中位数（未校正）"),
        }
        header = [
            ("Choice", "选择"),
            ("Response", "因变量"),
            ("Change of the sum (%)", "合计变化/%"),
            ("Largest change (standard errors)", "最大变化（标准误的倍数）"),
        ]
        rows, before = [], None
        for row in model.sensitivity.to_dict("records"):
            choice = self.say(*known[row["choice"]]) if row["choice"] in known else row["choice"]
            if row["topic"] in ("outliers", "influence"):
                choice = self.say(f"without {choice} trees", f"剔除 {choice} 株")
            named = f"{self.say(*topics[row['topic']])}{self.say(': ', '：')}{markdown.escape(choice)}"
            if row["note"]:
                rows.append([named, self.say("not fitted", "未能拟合"), "—", "—"])
                continue
            rows.append(
                [
                    named if named != before else "",
                    self.name(row["response"]),
                    self.number(row["change"], 2),
                    self.number(row["largest"], 2),
                ]
            )
            before = named
        return self.table(label, caption, header, rows, "llcc")

    def span(self, low, high, decimals: int = 2) -> str:
        """Two limits."""
        return self.number(low, decimals) + self.say(" to ", "～") + self.number(high, decimals)

    def record(self, row) -> str:
        """Number of a record, from 1."""
        return f"{row + 1}" if isinstance(row, (int, np.integer)) else markdown.escape(row)


def _short(equation: str, species: str) -> str:
    """Id of an equation without the species, which all equations of a table share."""
    return equation.replace(f"_{species}_", "_") if species else equation

"""Tables of one model in a reviewer's report, written as Markdown from what was found."""

from sinklab.drafts import markdown, words
from sinklab.review.published import species_of
from sinklab.review.report_words import Words
from sinklab.review.scrutiny import OUTLIER
from sinklab.review.sensitivity import LOGNORMAL, MEDIANS


class ModelTables(Words):
    """Tables of a model; every method gives Markdown."""

    def residuals(self, model, label, caption) -> str:
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
            "verdict": ("set aside by", "审查人剔除"),
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


def _short(equation: str, species: str) -> str:
    """Id of an equation without the species, which all equations of a table share."""
    return equation.replace(f"_{species}_", "_") if species else equation

"""Tables of a reviewer's report about a table as a whole, written as Markdown from what was found."""

from sinklab import vocabulary
from sinklab.drafts import markdown, numbers
from sinklab.review.report_model_tables import ModelTables
from sinklab.review.verdicts import WORDS

PAD = "\N{NO-BREAK SPACE}" * 3


class Writer(ModelTables):
    """Writes all tables of a report in one language; every method gives Markdown."""

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

    def verdicts(self, label, caption) -> str:
        """What reviewers said of the table and of single trees."""
        header = [
            ("Reviewer", "审查人"),
            ("Date", "日期"),
            ("Subject", "对象"),
            ("Verdict", "结论"),
            ("Reason", "理由"),
            ("Largest change (standard errors)", "最大变化（标准误的倍数）"),
        ]
        many = len(self.found.models) > 1
        rows = []
        for verdict in self.found.verdicts:
            subject = self.say(
                f"tree {verdict.tree} ({verdict.record})", f"样木 {verdict.tree}（{verdict.record}）"
            )
            subject = markdown.escape(subject) if verdict.record else self.say("the table", "整表")
            said = self.say(*WORDS[verdict.decision])
            if verdict in self.found.stale:
                said += self.say(" (of other data)", "（针对其他数据）")
            rows.append(
                [
                    markdown.escape(verdict.reviewer),
                    verdict.date,
                    subject + (f" ({markdown.escape(verdict.model)})" if many else ""),
                    said,
                    markdown.escape(verdict.reason) or "—",
                    self.number(verdict.effect, 2),
                ]
            )
        return self.table(label, caption, header, rows, "lclclc")

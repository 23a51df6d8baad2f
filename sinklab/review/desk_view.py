"""The desk of a reviewer on a screen: figures to click, the record of a tree, the refit beside the table.

Made of ipywidgets and plotly, whose scripts come with their packages, so a notebook needs no network.
Everything that is computed comes from :class:`sinklab.review.desk.Desk`; :func:`record` and :func:`refit` are
the pieces of HTML that a page without widgets can show too.
"""

from datetime import date
from html import escape

import ipywidgets as widgets
import numpy as np
import plotly.graph_objects as go

from sinklab import paths
from sinklab.data import vocabulary
from sinklab.language import SinklabError, reader_language, tr
from sinklab.review.desk import ON_TABLES

GREEN, GREY, RED, PALE = "#1b4d3e", "#8a8a8a", "#b5362a", "rgba(127,182,154,0.35)"
SHOWN_BETAS = 4
#: Buttons of a figure that a reviewer has no use for; they would lie over the title.
SPARE = ["select2d", "lasso2d", "zoomIn2d", "zoomOut2d", "autoScale2d", "sendDataToCloud"]
_TABLE = "border-collapse:collapse;font-size:13px;line-height:1.35"
_CELL = "padding:2px 10px 2px 0;text-align:left;border-bottom:1px solid #e0e0e0"


def record(desk, row: int) -> str:
    """Record, residuals and influence of a tree."""
    parts = [f"<b>{tr('Tree', '样木')} {escape(desk.name(row))}</b> ({tr('record', '记录')} {row + 1})"]
    said = desk.excluded.get(row) or desk.kept.get(row)
    if said:
        word = tr("excluded", "已剔除") if row in desk.excluded else tr("kept", "保留")
        parts.append(f'<span style="color:{RED}">{word}: {escape(said)}</span>')
    cells = desk.record(row).to_dict("records")
    parts.append(table([], [[cell["label"], number(cell["value"])] for cell in cells]))
    head = tr("Response|measured|predicted|standardised residual", "因变量|实测|预测|标准化残差").split("|")
    rows = [[vocabulary.label(r), *map(number, own)] for r, own in desk.residuals(row).iterrows()]
    return "<br>".join([*parts, table(head, rows), *_influence(desk, row)])


def _influence(desk, row):
    found = desk.influence(row)
    if found is None:
        return
    betas = found.drop("cook")
    most = betas.reindex(betas.abs().sort_values(ascending=False).index).head(SHOWN_BETAS)
    yield (
        f"{tr('Cook distance', 'Cook 距离')} {number(found['cook'])} "
        f"({tr('limit', '界限')} 4/n = {number(desk.limit)}); DFBETAS: "
        + ", ".join(f"{escape(name)} {number(value)}" for name, value in most.items())
    )


def refit(desk) -> str:
    """Table and refit side by side."""
    if not desk.excluded:
        return tr("No tree is set aside.", "尚未剔除样木。")
    names = tr(", ", "、").join(escape(desk.name(row)) for row in desk.excluded)
    count = len(desk.excluded)
    title = tr(f"Set aside ({count}): {names}", f"剔除 {count} 株：{names}")
    indices = desk.indices()
    head = tr(
        "Response|R²|refit|change of the sum, %|largest change / SE",
        "因变量|R²|重新拟合|合计变化/%|最大变化/标准误",
    )
    rows = []
    for response, own in desk.effect().iterrows():
        both = [indices[c].get(response, np.nan) for c in ("R2", "R2_refit")]
        rows.append(
            [vocabulary.label(response), *map(number, both), f"{own['change']:+.2f}", f"{own['largest']:.2f}"]
        )
    head_parameters = tr(
        "Parameter|table|SE|refit|SE|shift / SE", "参数|参数表|标准误|重新拟合|标准误|变化/标准误"
    )
    columns = ["value", "se", "value_refit", "se_refit"]
    lines = [
        [label, *map(number, own[columns]), f"{own['shift']:+.2f}"]
        for label, own in desk.parameters().iterrows()
    ]
    return (
        f"<b>{title}</b>" + table(head.split("|"), rows) + "<br>" + table(head_parameters.split("|"), lines)
    )


def number(value) -> str:
    """A cell as a person wants it."""
    if isinstance(value, str) or value is None:
        return str(value or "")
    if not isinstance(value, (int, float, np.number)):
        return str(value)
    return "–" if not np.isfinite(value) else f"{value:.4g}"


def table(head, rows) -> str:
    """A small table; every cell is escaped."""

    def line(cells, kind):
        inner = "".join(f'<{kind} style="{_CELL}">{escape(str(cell))}</{kind}>' for cell in cells)
        return f"<tr>{inner}</tr>"

    body = "".join(line(row, "td") for row in rows)
    return f'<table style="{_TABLE}">{line(head, "th") if head else ""}{body}</table>'


class DeskView:
    """Widgets around a desk; :attr:`box` is what a notebook shows.

    Parameters
    ----------
    desk : Desk
    folder : path, optional
        Where verdicts are kept; ``reports/verdicts`` when left out.
    """

    def __init__(self, desk, folder=None):
        self.desk, self.folder, self.row = desk, folder, None
        self._build_controls()
        self._build_figures()
        self._wire()
        self.box = self._layout()
        self._draw()
        self.show_refit()

    def _repr_mimebundle_(self, **options):
        return self.box._repr_mimebundle_(**options)

    # Building

    def _build_controls(self):
        free = list(self.desk.fit.residual)
        wide = widgets.Layout(width="auto", min_width="320px")
        names = [(vocabulary.label(r), r) for r in free]
        self.response = widgets.Dropdown(options=names, description=tr("Response", "因变量"))
        trees = [(f"{self.desk.name(i)} ({i + 1})", i) for i in self.desk.fit.data.index]
        choice = [("—", None), *trees]
        self.tree = widgets.Dropdown(options=choice, value=None, description=tr("Tree", "样木"))
        self.all_trees = widgets.Button(
            description=tr("Influence of every tree", "计算全部样木的影响"),
            layout=widgets.Layout(width="220px"),
            disabled=self.desk.fit.method == "mixed",
        )
        self.reason = widgets.Text(
            placeholder=tr("reason, as the field form has it", "理由（核对野外记录后填写）"),
            description=tr("Reason", "理由"),
            layout=wide,
        )
        self.exclude = widgets.Button(description=tr("Exclude", "剔除"), button_style="warning")
        self.keep = widgets.Button(description=tr("Keep", "保留"))
        self.undo = widgets.Button(description=tr("Take back", "撤销"))
        self.reviewer = widgets.Text(description=tr("Reviewer", "审查人"))
        self.date = widgets.DatePicker(description=tr("Date", "日期"), value=date.today())
        own = 1 if reader_language() == "zh" else 0
        self.decision = widgets.Dropdown(
            options=[(words[own], key) for key, words in ON_TABLES.items()],
            value="change",
            description=tr("Verdict", "结论"),
        )
        self.remark = widgets.Textarea(description=tr("Remark", "意见"), layout=wide)
        self.save = widgets.Button(description=tr("Save", "保存"), button_style="success")
        self.record, self.refit, self.status = widgets.HTML(), widgets.HTML(), widgets.HTML()

    def _build_figures(self):
        x = self.desk.fit.system.predictors[0]
        look = {"template": "simple_white", "height": 360, "autosize": True, "showlegend": False}
        look["margin"] = {"l": 60, "r": 10, "t": 40, "b": 50}
        ring = {"symbol": "circle-open", "size": 18, "color": RED}
        self.scatter = go.FigureWidget(
            [
                go.Scatter(mode="markers", marker={"line": {"width": 1}}, name="trees"),
                go.Scatter(mode="markers", marker=ring, hoverinfo="skip"),
            ],
            go.Layout(title=tr("Standardised residuals: click a tree", "标准化残差：点击样木"), **look),
        )
        self.scatter.update_xaxes(type="log", title=tr("predicted", "预测值"))
        self.scatter.update_yaxes(title=tr("standardised residual", "标准化残差"), zeroline=True)
        edge = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
        own, again = {"color": GREEN, "width": 2}, {"color": RED, "width": 2, "dash": "dash"}
        title = tr("Table (line) and refit (dashed)", "参数表（实线）与重新拟合（虚线）")
        self.curve = go.FigureWidget(
            [
                go.Scatter(**edge),
                go.Scatter(**edge, fill="tonexty", fillcolor=PALE),
                go.Scatter(mode="markers", marker={"size": 5}, name="trees"),
                go.Scatter(mode="lines", line=own, name=tr("table", "参数表")),
                go.Scatter(mode="lines", line=again, name=tr("refit", "重新拟合")),
            ],
            go.Layout(title=title, **look),
        )
        self.curve.update_xaxes(title=vocabulary.label(x, unit=True), rangemode="tozero")

    def _wire(self):
        self.response.observe(lambda change: self._draw(), "value")
        self.tree.observe(lambda change: self.select(change["new"]), "value")
        for figure, trace in ((self.scatter, 0), (self.curve, 2)):
            figure.data[trace].on_click(self._clicked)
        self.all_trees.on_click(lambda button: self._try(self._find_influential))
        self.exclude.on_click(lambda button: self._judge(self.desk.exclude))
        self.keep.on_click(lambda button: self._judge(self.desk.keep))
        self.undo.on_click(lambda button: self._judge(lambda row, reason: self.desk.undo(row)))
        self.save.on_click(lambda button: self._try(self._save))

    def _layout(self):
        half = widgets.Layout(width="50%", min_width="0")
        for figure in (self.scatter, self.curve):
            # A figure has the width of its half of the window, whatever that is.
            figure._config = {"responsive": True, "displaylogo": False, "modeBarButtonsToRemove": SPARE}
            figure.update_layout(title_font_size=14)
        figures = widgets.HBox([widgets.VBox([f], layout=half) for f in (self.scatter, self.curve)])
        buttons = widgets.HBox([self.exclude, self.keep, self.undo])
        left = widgets.VBox([self.record, self.reason, buttons], layout=half)
        signed = widgets.HBox([self.reviewer, self.date, self.decision])
        head = widgets.HTML(f"<h3>{escape(self.desk.table.ref)}: {escape(self.desk.model)}</h3>")
        picked = widgets.HBox([self.response, self.tree, self.all_trees])
        beside = widgets.HBox([left, widgets.Box([self.refit], layout=half)])
        return widgets.VBox([head, picked, figures, self.status, beside, signed, self.remark, self.save])

    # What happens

    def _clicked(self, trace, points, state):
        if points.point_inds:
            self.select(int(trace.customdata[points.point_inds[0]][0]))

    def select(self, row) -> None:
        """Show the record and the influence of a tree."""
        if row is None or row == self.row:
            return
        self.row = row
        self.tree.value = row
        self._try(lambda: self.show_record(row))
        self._draw()

    def _judge(self, what):
        def judge():
            if self.row is None:
                self._say(tr("Click a tree first.", "请先点击一株样木。"), True)
                return
            self._say(tr("Fitting …", "正在重新拟合……"))
            what(self.row, self.reason.value)
            self.reason.value = ""
            self.show_refit()
            self.show_record(self.row)
            self._draw()
            self._say("")

        self._try(judge)

    def _find_influential(self):
        self._say(tr("Fitting without each tree in turn …", "正在逐株剔除重新拟合……"))
        found = self.desk.influences()
        above = int((found > self.desk.limit).sum())
        self._draw()
        count = len(found)
        self._say(tr(f"{above} of {count} trees lie above 4/n.", f"{count} 株样木中有 {above} 株超过 4/n。"))

    def _save(self):
        on = self.date.value.isoformat() if self.date.value else ""
        said = self.reviewer.value.strip(), self.decision.value, self.remark.value
        path = paths.relative(self.desk.save(*said, on, self.folder))
        self._say(tr(f"Saved: {path}", f"已保存：{path}"))

    def _try(self, action):
        """Do something; what a person can mend is said below the figures."""
        self._say("")
        try:
            action()
        except SinklabError as error:
            self._say(str(error), True)

    def _say(self, text, wrong=False):
        style = f"color:{RED if wrong else GREEN};white-space:pre-wrap"
        self.status.value = f'<p style="{style}">{escape(text)}</p>' if text else ""

    # Drawing

    def _draw(self):
        desk, response = self.desk, self.response.value
        trees = desk.trees()
        fitted = desk.fit.fitted().query("response == @response")
        trees = trees.loc[fitted.index]
        x = desk.fit.system.predictors[0]
        where = np.column_stack([trees.index, trees["record"], trees["tree"]])
        hover = "%{customdata[2]} (%{customdata[1]})<extra></extra>"
        cook = trees["cook"].fillna(0).to_numpy() / desk.limit
        colours = [
            GREY if out else RED if c > 1 else GREEN for out, c in zip(trees["excluded"], cook, strict=True)
        ]
        symbols = ["x" if out else "circle" for out in trees["excluded"]]
        marker = {"color": colours, "symbol": symbols, "size": 6 + 5 * np.minimum(cook, 3), "opacity": 0.75}
        with self.scatter.batch_update():
            (dots, ring), predicted, z = self.scatter.data, fitted["predicted"], trees[f"z_{response}"]
            dots.update(x=predicted, y=z, customdata=where, hovertemplate=hover, marker=marker)
            here = [self.row] if self.row in trees.index else []
            ring.update(x=predicted.loc[here], y=z.loc[here])
        curve = desk.curves(response)
        with self.curve.batch_update():
            low, high, dots, line, again = self.curve.data
            for trace, name in ((low, "lower"), (high, "upper"), (line, "mean"), (again, "refit")):
                trace.update(x=curve[x], y=curve[name])
            dots.update(x=trees[x], y=fitted["observed"], customdata=where, hovertemplate=hover)
            dots.marker.update(color=colours, symbol=symbols)
        again.visible = bool(desk.excluded)
        self.curve.update_yaxes(title=vocabulary.label(response, unit=True))

    def show_record(self, row) -> None:
        """Write the record, the residuals and the influence of a tree."""
        self.record.value = record(self.desk, row)

    def show_refit(self) -> None:
        """Write table and refit side by side."""
        self.refit.value = refit(self.desk)

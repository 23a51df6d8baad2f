"""Differences that a recomputation found, each in one line for people."""

import numpy as np

from sinklab.language import tr
from sinklab.review.compare import Comparison
from sinklab.review.inputs import Input


def input_line(item: Input) -> str:
    """One input file that is not the one the table was made from."""
    if not item.found:
        return tr(
            f"input {item.name}: no longer read; its SHA-256 was {item.stored[:12]}",
            f"输入 {item.name}：不再读取；原 SHA-256 为 {item.stored[:12]}",
        )
    if not item.stored:
        return tr(
            f"input {item.name}: read now, but the table does not name it",
            f"输入 {item.name}：现已读取，但表中未列出",
        )
    return tr(
        f"input {item.name}: SHA-256 {item.found[:12]}; the table was made from {item.stored[:12]}",
        f"输入 {item.name}：SHA-256 为 {item.found[:12]}；制表时为 {item.stored[:12]}",
    )


def number_line(c: Comparison) -> str:
    """One number, row or set of draws that differs."""
    where = f"{c.file}: {c.row}" + (f": {c.column}" if c.column else "")
    if c.file == "draws" and c.column == "sign":
        return tr(
            f"{where}: a draw is {c.stored:.3g}; draws of this factor are positive",
            f"{where}：有抽样值为 {c.stored:.3g}；该系数的抽样应为正数",
        )
    if c.file == "draws" and c.column:
        return tr(
            f"{where} of the draws is off by {c.stored:.3g} standard deviations; Monte Carlo error "
            f"allows {c.tolerance:.3g}",
            f"{where}：抽样偏离 {c.stored:.3g} 个标准差；蒙特卡洛误差允许 {c.tolerance:.3g}",
        )
    if not c.column:
        return (
            tr(f"{where}: the recomputation does not give it", f"{where}：重算未得到该行")
            if c.recomputed is None
            else tr(f"{where}: missing in the table", f"{where}：表中缺少该行")
        )
    allowed = tr(f"; tolerance {c.tolerance:.3g}", f"；容许 {c.tolerance:.3g}") if c.tolerance else ""
    return tr(
        f"{where} = {_shown(c.stored)}; recomputed {_shown(c.recomputed)}{allowed}",
        f"{where} = {_shown(c.stored)}；重算得 {_shown(c.recomputed)}{allowed}",
    )


def _shown(value) -> str:
    return f"{value:.8g}" if isinstance(value, (float, np.floating)) else str(value)

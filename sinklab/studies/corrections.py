"""Changes to single cells of a raw table, each with its reason."""

import pandas as pd

from sinklab.language import tr


def _same(found: str, expected: str) -> bool:
    try:
        return float(found) == float(expected)
    except ValueError:
        return found == expected


def correct(found, raw, keys, corrections) -> pd.DataFrame:
    """Apply the rows of ``corrections.csv`` to raw cells; column ``*`` leaves the whole record out.

    Parameters
    ----------
    found : Inspection
        Takes the problems: a record or column that is not there, an old value that is another one, a
        correction without reason or name.
    raw : DataFrame of str
    keys : list of str
        Name of each record.
    corrections : DataFrame of str

    Returns
    -------
    raw : DataFrame of str
        With the index of the records that stay.
    """
    raw, dropped = raw.copy(), []
    for number, row in enumerate(corrections.to_dict("records"), start=1):

        def problem(column, value, expected, advice="", number=number):
            found.add("corrections.csv", f"#{number}", column, value, expected, advice)

        for name in ("reason", "who"):
            if not row[name]:
                problem(name, "–", tr("a value", "有内容"))
        rows = [i for i, key in enumerate(keys) if row["record"] in (key, f"#{i + 1}")]
        if len(rows) != 1:
            expected = tr("one record of data.csv", "data.csv 中的一条记录")
            advice = tr(
                f"{len(rows)} records match; use #n for record n", f"匹配到 {len(rows)} 条；可用 #n 指第 n 条"
            )
            problem("record", row["record"], expected, advice)
            continue
        if row["column"] == "*":
            dropped.append(rows[0])
            continue
        if row["column"] not in raw:
            problem("column", row["column"], tr("a column of data.csv, or *", "data.csv 中的列，或 *"))
            continue
        cell = raw.at[rows[0], row["column"]]
        if not _same(cell, row["old"]):
            advice = tr("data.csv or the correction was changed since", "data.csv 或更正记录之后被改动过")
            problem(f"old ({row['column']})", row["old"] or "–", cell or "–", advice)
            continue
        raw.at[rows[0], row["column"]] = row["new"]
    changed = len(corrections) - len(dropped)
    if changed:
        found.notes.append(
            tr(f"{changed} cells corrected (corrections.csv)", f"更正 {changed} 个单元格（corrections.csv）")
        )
    if dropped:
        text = tr(
            f"{len(dropped)} records left out (corrections.csv)",
            f"剔除 {len(dropped)} 条记录（corrections.csv）",
        )
        found.notes.append(text)
    return raw.drop(index=dropped)

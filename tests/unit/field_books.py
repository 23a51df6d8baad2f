"""Writing field books, with known values, and looking at what was read of them."""

import re

import numpy as np
import openpyxl
import xlwt

from sinklab.data.reading import read

N = 12
DBH = np.array([5.2, 7.9, 10.4, 12.6, 14.8, 17.1, 19.5, 21.3, 24.7, 28.2, 31.6, 35.9])
HEIGHT = (1.3 + DBH**2 / (4 + 0.2 * DBH) ** 2).round(1)
STEM = (0.05 * DBH**2.4).round(2)
BRANCH = (0.02 * DBH**2.1).round(2)
LEAF = (0.03 * DBH**1.7).round(2)
ROOT = (0.015 * DBH**2.3).round(2)
IDS = [f"{i + 1:03d}" for i in range(N)]
ORGANS = (("干", STEM, 0.45), ("枝", BRANCH, 0.5), ("叶", LEAF, 0.4), ("根", ROOT, 0.48))
MASSES = {"stem": STEM, "branch": BRANCH, "foliage": LEAF, "root": ROOT}
K = np.arange(N)


def book(path, pages, merge=(), formats=()):
    """Write a workbook: rows by name of the sheet; merged ranges; number formats by cell; all of the first sheet."""
    made = openpyxl.Workbook()
    made.remove(made.active)
    for name, rows in pages.items():
        sheet = made.create_sheet(name)
        for i, row in enumerate(rows, 1):
            for j, value in enumerate(row, 1):
                sheet.cell(i, j, value)
    first = made.worksheets[0]
    for area in merge:
        first.merge_cells(area)
    for cell, style in formats:
        first[cell].number_format = style
    made.save(path)
    return path


def old_book(path, pages, merge=()):
    """Write a workbook of Excel 97; merged ranges as rows and columns from 0."""
    made = xlwt.Workbook()
    for name, rows in pages.items():
        sheet = made.add_sheet(name)
        covered = {(i, j) for a, b, c, d in merge for i in range(a, b + 1) for j in range(c, d + 1)} - {
            (a, c) for a, b, c, d in merge
        }
        for a, b, c, d in merge:
            sheet.write_merge(a, b, c, d, rows[a][c])
        for i, row in enumerate(rows):
            for j, value in enumerate(row):
                if (
                    value is not None
                    and (i, j) not in covered
                    and not any((i, j) == (a, c) for a, b, c, d in merge)
                ):
                    sheet.write(i, j, value)
    made.save(str(path))
    return path


def text(path, rows, encoding="utf-8", mark=","):
    path.write_bytes(
        "\r\n".join(mark.join("" if c is None else str(c) for c in row) for row in rows).encode(encoding)
    )
    return path


def says(frame, *words):
    account = str(frame.attrs["account"])
    missing = [w for w in words if not re.search(w, account)]
    assert not missing, f"{missing} not in\n{account}"


def holds(frame, rel=1e-3, **columns):
    for name, values in columns.items():
        assert name in frame, f"{name} not in {list(frame)}\n{frame.attrs['account']}"
        found = frame[name]
        if isinstance(values[0], str):
            assert [None if v is None or v != v else v for v in found] == list(values)
        else:
            np.testing.assert_allclose(found.to_numpy(float), np.asarray(values, float), rtol=rel, atol=1e-9)


def fresh(mass, ratio):
    return (mass / ratio).round(4)


def sheet(folder, rows, merge=(), name="S", **more):
    return book(folder / "a.xlsx", {name: rows} | more, merge)


def table(head, *columns):
    return [
        *([head] if isinstance(head[0], str) or head[0] is None else head),
        *map(list, zip(*columns, strict=True)),
    ]


def some(n, names="stem branch foliage root"):
    return {name: MASSES[name][:n] for name in names.split()}


def is_read(file, truth):
    """Read a form and hold it against its truth; "sort" are columns to sort by, "says" what the account must tell."""
    truth = dict(truth)
    told, order = truth.pop("says", ()), truth.pop("sort", [])
    frame = read(file)
    if order:
        account = frame.attrs["account"]
        frame = frame.sort_values(order).reset_index(drop=True)
        frame.attrs["account"] = account
    holds(frame, **truth)
    assert len(frame) == len(next(iter(truth.values())))
    says(frame, *told)

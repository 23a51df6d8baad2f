"""Forms as they are kept in the field, one of a kind each, written here with known values and read without editing."""

import datetime
import math

import numpy as np
import pytest
from field_books import (
    BRANCH,
    DBH,
    HEIGHT,
    IDS,
    LEAF,
    MASSES,
    ORGANS,
    ROOT,
    STEM,
    K,
    N,
    book,
    fresh,
    is_read,
    old_book,
    says,
    sheet,
    some,
    table,
    text,
)

from sinklab.data.reading import read
from sinklab.language import DataError

FORMS = {}

# Each form writes its file below a folder and gives the truth; "sort" are columns to sort the records by, "says" what the
# account must tell.
# fmt: off


def form(function):
    FORMS[function.__name__] = function
    return function




# Cards of single trees


@form
def cards_with_labels_in_cells_and_segments(folder):
    pages = {}
    for i in range(4):
        pages[f"{i + 1}号木"] = [
            ["杉木生物量样木卡"], ["样木号", f"0{i + 1}", "树种", "杉木", "林龄(a)", 15], ["胸径(cm)", DBH[i], "树高(m)", HEIGHT[i]], [],
            ["器官", "区分段", "鲜重(kg)", "样品鲜重(g)", "样品干重(g)", "含水率(%)"],
            *(["树干" if k == 0 else None, s, round(STEM[i] * p / .45, 4), 500, 225, 55]
              for k, (s, p) in enumerate((("0-2", .5), ("2-4", .3), ("梢头", .2)))),
            *([f"树{o}", None, round(m[i] / r, 4), 200, 200 * r, 100 - 100 * r] for o, m, r in ORGANS[1:]),
            ["记录人：李四"],
        ]
    return book(folder / "a.xlsx", pages), {
        "tree_id": ["01", "02", "03", "04"], "dbh": DBH[:4], "height": HEIGHT[:4], "age": [15] * 4, **some(4),
        "says": ("several rows of one organ added up: stem", "24 rows of organs put together to 4"),
    }


@form
def cards_beside_and_below_each_other(folder):
    def card(i):
        return [
            ["样木号", IDS[i], "胸径(cm)", DBH[i]], ["树种", "马尾松", "树高(m)", HEIGHT[i]], ["器官", "鲜重(kg)", "样鲜(g)", "样干(g)"],
            *([o, fresh(m, r)[i], 200, 200 * r] for o, m, r in ORGANS[:3]),
        ]

    both = [[*a, None, *b] for i in (0, 2) for a, b in [*zip(card(i), card(i + 1), strict=True), ([], [])]]
    return sheet(folder, [["样木卡"], *both]), {
        "sort": "tree_id", "tree_id": IDS[:4], "dbh": DBH[:4], "height": HEIGHT[:4], **some(4, "stem branch foliage"),
    }


@form
def cards_with_values_in_their_labels(folder):
    rows = []
    for i in range(3):
        rows += [
            [f"{i + 1}号标准木"], [f"胸径：{DBH[i]}cm", None, f"树高：{HEIGHT[i]}m", None, "年龄：12年"], ["部位", "鲜重/kg", "含水率/%(鲜基)"],
            *([f"树{o}", fresh(m, r)[i], 100 - 100 * r] for o, m, r in ORGANS), ["合计"], [],
        ]
    return sheet(folder, rows), {
        "tree_id": ["1", "2", "3"], "dbh": DBH[:3], "height": HEIGHT[:3], "age": [12] * 3, **some(3),
        "says": ("1 − moisture, of fresh mass",),
    }


@form
def segments_below_each_other_with_samples(folder):
    rows = [["树号", "胸径cm", "部位", "段号", "鲜重kg", "样鲜g", "样干g"]]
    for i in range(4):
        for k, part in enumerate((.5, .3, .2)):
            first = [IDS[i], DBH[i]] if k == 0 else [None, None]
            rows.append([*first, "树干", f"{2 * k}-{2 * k + 2}", round(STEM[i] * part / (.4 + .02 * k), 4), 100, 40 + 2 * k])
        rows.append([None, None, "树枝", "", fresh(BRANCH, .5)[i], 100, 50])
    return sheet(folder, rows), {"tree_id": IDS[:4], "dbh": DBH[:4], **some(4, "stem branch")}


@form
def segments_beside_each_other(folder):
    head = [["树号", "胸径(cm)", "树干分段鲜重(kg)", None, None, "枝鲜重(kg)", "叶鲜重(kg)", "干鲜比", None, None],
            [None, None, "0-2m", "2-4m", "梢头", None, None, "干", "枝", "叶"]]
    segments = [fresh(STEM * part, .45) for part in (.5, .3, .2)]
    segments[2][0] = np.nan  # a short tree
    rows = table(head, IDS, DBH, *([None if v != v else v for v in s] for s in segments), fresh(BRANCH, .5), fresh(LEAF, .4),
                 [.45] * N, [.5] * N, [.4] * N)
    stem = STEM.copy()
    stem[0] *= .8
    merge = ["A1:A2", "B1:B2", "C1:E1", "F1:F2", "G1:G2", "H1:J1"]
    return sheet(folder, rows, merge), {"tree_id": IDS, "dbh": DBH, "stem": stem, "branch": BRANCH, "foliage": LEAF}


@form
def subtotals_below_each_tree(folder):
    rows = [["标准木", "胸径(cm)", "器官", "干质量(kg)"]]
    for i in range(4):
        rows += [*([*([IDS[i], DBH[i]] if k == 0 else [None, None]), o, m[i]] for k, (o, m, _) in enumerate(ORGANS)),
                 [None, None, "小计", sum(m[i] for _, m, _ in ORGANS)]]
    return sheet(folder, rows), {"tree_id": IDS[:4], "dbh": DBH[:4], **some(4), "says": ("4 sums of the form agree",)}


@form
def organs_without_a_number_of_the_tree(folder):
    rows = [["器官", "生物量(kg)"], *([f"树{o}", m[i]] for i in range(3) for o, m, _ in ORGANS)]
    return sheet(folder, rows), some(3)


# Wide tables


@form
def fresh_and_samples_in_three_rows_of_header(folder):
    head = [["样木号", "胸径(cm)", "树高(m)", "树干", None, None, "树枝", None, None, "树叶"],
            [None] * 3 + ["总鲜重", "鲜样", "干样"] * 3, [None] * 3 + ["kg", "g", "g"] * 3]
    columns = [c for _, m, r in ORGANS[:3] for c in (fresh(m, r), [200] * N, [200 * r] * N)]
    merge = ["A1:A3", "B1:B3", "C1:C3", "D1:F1", "G1:I1", "J1:L1"]
    return sheet(folder, table(head, IDS, DBH, HEIGHT, *columns), merge), {
        "tree_id": IDS, "dbh": DBH, "height": HEIGHT, "stem": STEM, "branch": BRANCH, "foliage": LEAF}


@form
def fresh_moisture_and_dry_of_each_organ(folder):
    head = [["样木号", "胸径", "树高", "干", None, None, "枝", None, None, "叶"], [None, "(cm)", "(m)"] + ["鲜重(kg)", "含水率(%)", "干重(kg)"] * 3]
    columns = [c for _, m, r in ORGANS[:3] for c in (fresh(m, r), [100 - 100 * r] * N, m)]
    return sheet(folder, table(head, IDS, DBH, HEIGHT, *columns), ["A1:A2", "D1:F1", "G1:I1", "J1:L1"]), {
        "dbh": DBH, "height": HEIGHT, "stem": STEM, "branch": BRANCH, "foliage": LEAF}


@form
def one_unit_merged_over_all_organs(folder):
    head = [["马尾松标准木生物量"], ["标准木号", "测树因子", None, "生物量"], [None, "胸径", "树高", "干", "枝", "叶", "根"],
            [None, "cm", "m", "kg"]]
    rows = [*head, *table(["x"], *[IDS], DBH, HEIGHT, *(m for _, m, _ in ORGANS))[1:]]
    return sheet(folder, rows, ["A2:A4", "B2:C2", "D2:G2", "D4:G4", "A1:G1"]), {"tree_id": IDS, "dbh": DBH, "height": HEIGHT, **MASSES}


@form
def moisture_of_dry_mass(folder):
    organs = [("干", STEM, .8), ("枝", BRANCH, 1.0), ("叶", LEAF, 1.5)]
    head = ["树号", "胸径(cm)", *(f"{o}鲜重(kg)" for o, *_ in organs), *(f'"{o}含水率(%，绝对)"' for o, *_ in organs)]
    rows = table(head, K + 1, DBH, *((m * (1 + r)).round(4) for _, m, r in organs), *([100 * r] * N for *_, r in organs))
    return text(folder / "a.csv", rows), {"dbh": DBH, "stem": STEM, "branch": BRANCH, "foliage": LEAF}


@form
def ratios_of_each_tree_on_another_sheet(folder):
    weights = table(["树号", "胸径(cm)", "树高(m)", "树干鲜重(kg)", "树枝鲜重(kg)", "树叶鲜重(kg)"],
                    IDS, DBH, HEIGHT, *(fresh(m, r) for _, m, r in ORGANS[:3]))
    ratios = table(["树号", "干", "枝", "叶"], IDS[::-1], *([r] * N for *_, r in ORGANS[:3]))
    return sheet(folder, weights, name="鲜重", 干鲜比=ratios), {
        "stem": STEM, "branch": BRANCH, "foliage": LEAF, "says": (r"干鲜比 joined by tree_id \(12 of 12 records\)",)}


@form
def samples_of_each_organ_on_another_sheet(folder):
    weights = table(["树号", "胸径(cm)", "树干鲜重(kg)", "树枝鲜重(kg)", "树叶鲜重(kg)"], K, DBH, *(fresh(m, r) for _, m, r in ORGANS[:3]))
    samples = [["器官", "样品鲜重(g)", "样品干重(g)"], *([o, 400, 400 * r] for o, _, r in ORGANS[:3])]
    return sheet(folder, weights, name="鲜重", 样品=samples), {"stem": STEM, "branch": BRANCH, "foliage": LEAF}


@form
def sizes_and_masses_on_two_sheets(folder):
    sizes = table(["样木号", "树种", "胸径(cm)", "树高(m)"], IDS, ["马尾松"] * N, DBH, HEIGHT)
    masses = [["样木号", "器官", "鲜重(kg)", "样品鲜重(g)", "样品干重(g)"],
              *([IDS[i], o, fresh(m, r)[i], 100, 100 * r] for i in range(N) for o, m, r in ORGANS[:3])]
    return sheet(folder, sizes, name="样木", 生物量=masses), {
        "tree_id": IDS, "dbh": DBH, "stem": STEM, "branch": BRANCH, "foliage": LEAF, "says": ("joined by tree_id",)}


@form
def sorts_of_roots_of_cooperators(folder):
    head = ["Tree #", "DBH, cm", "Ht. (m)", "Stem DW (kg)", "Branch DW (kg)", "Foliage DW (kg)", "Coarse roots DW (kg)", "Fine roots DW (kg)"]
    rows = table(head, [f"T-{i}" for i in K], DBH, HEIGHT, STEM, BRANCH, LEAF, ROOT * .75, ROOT * .25)
    return sheet(folder, rows, name="Data"), {"tree_id": [f"T-{i}" for i in K], "dbh": DBH, "height": HEIGHT, **MASSES}


@form
def symbols_with_units(folder):
    rows = table(["No.", "D1.3/cm", "H/m", "WS/kg", "W_B/kg", "Wl/kg", "WR/kg"], K, DBH, HEIGHT, *(m for _, m, _ in ORGANS))
    return sheet(folder, rows), {"dbh": DBH, "height": HEIGHT, **MASSES, "tree_id": [str(i) for i in K]}


@form
def symbols_before_organs_in_unicode_text(folder):
    head = [["马尾松样木表"], [], ["样地", "株号", "D（cm）", "H（m）", "W干（kg）", "W枝（kg）", "W叶（kg）"]]
    rows = [*table(head, ["1"] * N, IDS, DBH, HEIGHT, *(m for _, m, _ in ORGANS[:3])), ["注：烘干至恒重"]]
    return text(folder / "a.txt", rows, "utf-16", "\t"), {
        "tree_id": IDS, "dbh": DBH, "height": HEIGHT, "stem": STEM, "branch": BRANCH, "foliage": LEAF}


@form
def headers_broken_over_lines(folder):
    head = ["样木\n编号", "胸径\n(cm)", "树高\n（m）", "树干\n生物量\n(kg)", "树枝生物量\n/kg", "叶生物量，kg"]
    return sheet(folder, table(head, IDS, DBH, HEIGHT, STEM, BRANCH, LEAF)), {
        "tree_id": IDS, "dbh": DBH, "height": HEIGHT, "stem": STEM, "branch": BRANCH, "foliage": LEAF}


# Lists of trees


@form
def two_plots_beside_each_other(folder):
    head = ["树号", "胸径(cm)", "树高(m)"]
    rows = [["每木检尺登记表"], ["样地1", None, None, None, "样地2"], [*head, None, *head],
            *([i + 1, DBH[i], HEIGHT[i], None, i + 1, DBH[i + 6], HEIGHT[i + 6]] for i in range(6))]
    return sheet(folder, rows, ["A1:G1", "A2:C2", "E2:G2"]), {
        "sort": "dbh", "dbh": DBH, "height": HEIGHT, "plot_id": ["1"] * 6 + ["2"] * 6}


@form
def pages_with_the_header_again(folder):
    rows = []
    for k in range(3):
        part = slice(4 * k, 4 * k + 4)
        rows += [["XX林场每木调查表" + "（续）" * k], [f"第{k + 1}页 共3页"], ["序号", "树种", "胸径(cm)", "树高(m)"],
                 *([i + 1, "马尾松", DBH[i], HEIGHT[i]] for i in range(N)[part]), ["本页小计", None, DBH[part].sum()]]
    return sheet(folder, [*rows, ["合计", None, DBH.sum()]]), {"dbh": DBH, "height": HEIGHT, "species": ["Pinus massoniana"] * N}


@form
def notes_between_records(folder):
    lines = [[IDS[i], DBH[i], HEIGHT[i], STEM[i]] for i in range(N)]
    rows = [["树号", "胸径(cm)", "树高(m)", "树干(kg)"], *lines[:5], ["以下为7月3日测定（雨后）"], ["注：6号以后换秤"], *lines[5:]]
    return text(folder / "a.csv", [r + [None] * (4 - len(r)) for r in rows], "gb18030"), {
        "tree_id": IDS, "dbh": DBH, "height": HEIGHT, "stem": STEM}


@form
def comments_and_blank_lines_in_text(folder):
    lines = [f"{IDS[i]},{DBH[i]},{HEIGHT[i]},,\n" + "\n" * (i == 4) for i in range(N)]
    file = folder / "a.csv"
    file.write_text("# 2023年8月 马尾松\n树号,胸径(cm),树高(m),,\n\n" + "".join(lines), encoding="utf-8")
    return file, {"tree_id": IDS, "dbh": DBH, "height": HEIGHT}


@form
def names_of_rows_without_a_column(folder):
    file = folder / "a.txt"
    file.write_text("dbh\theight\tstem\n" + "\n".join(f"{i + 1}\t{DBH[i]}\t{HEIGHT[i]}\t{STEM[i]}" for i in K), encoding="utf-8")
    return file, {"dbh": DBH, "height": HEIGHT, "stem": STEM, "says": ("one cell more than the header",)}


@form
def units_in_cells(folder):
    leaf = [f"{LEAF[i] * 1000:.0f}g" if i % 2 else f"{LEAF[i]} kg" for i in K]
    rows = table(["树号", "胸径", "树高", "树干重", "树叶重"], K, [f"{d}cm" for d in DBH], [f"{h} m" for h in HEIGHT], [f"{s}kg" for s in STEM], leaf)
    return sheet(folder, rows), {"dbh": DBH, "height": HEIGHT, "stem": STEM, "foliage": LEAF}


@form
def numbers_that_are_text(folder):
    wide = str.maketrans("0123456789.", "０１２３４５６７８９．")
    rows = table(["树号", "胸径(cm)", "树高(m)", "干(kg)"], IDS, [f" {d} " for d in DBH], [str(h).translate(wide) for h in HEIGHT],
                 [f"\u00a0{s}" for s in STEM])
    return sheet(folder, rows), {"tree_id": IDS, "dbh": DBH, "height": HEIGHT, "stem": STEM}


@form
def variables_in_rows(folder):
    rows = [["样木号", *IDS], ["胸径(cm)", *DBH], ["树高(m)", *HEIGHT], ["干重(kg)", *STEM], ["枝重(kg)", *BRANCH], ["叶重(kg)", *LEAF]]
    return sheet(folder, rows), {"tree_id": IDS, "dbh": DBH, "height": HEIGHT, "stem": STEM, "branch": BRANCH, "foliage": LEAF}


@form
def variables_in_rows_with_units_beside(folder):
    rows = [["测树因子", "单位", "1号木", "2号木", "3号木", "4号木"], ["胸径", "cm", *DBH[:4]], ["树高", "m", *HEIGHT[:4]],
            ["干生物量", "kg", *STEM[:4]], ["枝生物量", "kg", *BRANCH[:4]], ["叶生物量", "g", *(LEAF[:4] * 1000)]]
    return sheet(folder, rows), {"tree_id": list("1234"), "dbh": DBH[:4], "height": HEIGHT[:4], **some(4, "stem branch foliage")}


@form
def ids_that_became_dates(folder):
    ids = [datetime.date(2024, 3, i + 1) if i < 8 else f"3-{i + 1}" for i in K]
    return sheet(folder, table(["树号", "胸径(cm)"], ids, DBH)), {
        "tree_id": [f"3-{i + 1}" for i in K], "dbh": DBH, "says": ("A row 2–9: dates in a column of identifiers",)}


@form
def sheets_of_plots_numbered_before(folder):
    pages = {f"{k + 1}号样地": table(["树号", "树种", "胸径(cm)"], range(1, 7), ["杉木"] * 6, DBH[6 * k:6 * k + 6]) for k in range(2)}
    return book(folder / "a.xlsx", pages), {"dbh": DBH, "plot_id": ["1"] * 6 + ["2"] * 6}


@form
def sheets_of_plots_with_a_summary(folder):
    pages = {f"样地{k}": [[f"样地{k}每木检尺"], ["坡度：12°", "面积：0.06公顷"], *table(["树号", "胸径"], range(1, 7), DBH[6 * k - 6:6 * k]), ["平均", 12]]
             for k in (1, 2)}
    pages["汇总"] = [["样地", "株数", "平均胸径"], [1, 6, 11.3], [2, 6, 26.9]]
    return book(folder / "a.xlsx", pages), {
        "dbh": DBH, "plot_id": ["1"] * 6 + ["2"] * 6, "plot_area": [.06] * N, "slope_angle": [12] * N, "says": ("not read: 汇总",)}


@form
def sheets_that_are_named(folder):
    pages = {f"P0{k + 1}": table(["树号", "胸径(cm)"], range(1, 7), DBH[6 * k:6 * k + 6]) for k in range(2)}
    return book(folder / "a.xlsx", pages), {"dbh": DBH, "plot_id": ["P01"] * 6 + ["P02"] * 6}


@form
def two_inventories_with_other_headers(folder):
    first = table(["树号", "胸径(cm)", "树高(m)"], IDS, DBH, HEIGHT)
    second = [["2021年8月"], *table(["树号", "树种", "胸径cm", "树高/m", "备注"], IDS, ["杉木"] * N, DBH + 2, HEIGHT + 1, [None] * N)]
    return book(folder / "a.xlsx", {"2016年调查": first, "2021年复查": second}), {
        "sort": ["year", "dbh"], "dbh": [*DBH, *(DBH + 2)], "year": [2016] * N + [2021] * N, "tree_id": IDS * 2}


@form
def two_inventories_below_a_group_header(folder):
    rows = [["固定样地每木复查"], ["样木号", "树种", "2015年", None, "2020年"], [None, None, "胸径", "树高", "胸径", "树高"],
            [None, None, "(cm)", "(m)", "(cm)", "(m)"], *([IDS[i], "马尾松", DBH[i], HEIGHT[i], DBH[i] + 2, HEIGHT[i] + 1] for i in K)]
    rows = [row + [None] * (6 - len(row)) for row in rows]
    return old_book(folder / "a.xls", {"S": rows}, [(1, 1, 2, 3), (1, 1, 4, 5)]), {
        "sort": ["year", "dbh"], "dbh": [*DBH, *(DBH + 2)], "year": [2015] * N + [2020] * N, "tree_id": IDS * 2}


@form
def tallies_of_species(folder):
    rows = [["标准地每木检尺"], ["标准地号：5", "面积：0.06hm²"], ["径阶(cm)", "杉木", "马尾松"],
            [6, "正正一", "下"], [8, "正正正", "正"], [10, "正", "正丅"], [12, "止", ""]]
    return sheet(folder, rows), {"sort": ["species", "dbh"], "dbh": [6, 8, 10, 12, 6, 8, 10], "count": [11, 15, 5, 4, 3, 5, 7],
                                 "plot_id": ["5"] * 7, "plot_area": [.06] * 7}


@form
def a_summary_beside_the_list(folder):
    rows = [["每木检尺", None, None, None, "径阶分布"], ["树号", "胸径(cm)", "树高(m)", None, "径阶", "株数"],
            *([i + 1, DBH[i], HEIGHT[i], *([None, 6 + 2 * i, 3] if i < 5 else [])] for i in range(N))]
    return sheet(folder, rows), {"dbh": DBH, "height": HEIGHT, "tree_id": [str(i + 1) for i in K]}


@form
def crosswise_diameters(folder):
    head = [["树号", "胸径(cm)", None, "树干(kg)"], [None, "东西", "南北", None]]
    return sheet(folder, table(head, IDS, DBH - .2, DBH + .2, STEM), ["A1:A2", "B1:C1", "D1:D2"]), {
        "dbh": DBH, "stem": STEM, "says": ("measured crosswise; dbh is their mean",)}


@form
def diameters_one_and_two(folder):
    slip = np.where(K % 2, .2, -.2)
    return sheet(folder, table(["树号", "胸径1(cm)", "胸径2(cm)", "树干(kg)"], IDS, DBH + slip, DBH - slip, STEM)), {
        "dbh": DBH, "stem": STEM, "says": ("measured crosswise; dbh is their mean",)}


# Bamboo, shrubs, mangroves, grass


@form
def bamboo_with_girth_at_eye_height_and_roman_ages(folder):
    head = ["竹号", "眉围(mm)", "竹高(m)", "度数", "秆鲜重(kg)", "秆含水率(%，相对)"]
    ages = [f"{'ⅠⅡⅢⅣ'[i % 4]}度" for i in K]
    rows = table(head, K, (DBH * 10 / 3 * math.pi).round(3), HEIGHT, ages, 20 + K, [50] * N)
    return sheet(folder, rows, name="毛竹"), {"dbh": DBH / 3, "height": HEIGHT, "age_class": [1, 2, 3, 4] * 3, "culm": (20 + K) / 2}


@form
def shrubs_with_crowns_in_three_spellings(folder):
    a, b, sign = 1 + K / 10, .8 + K / 20, "×*x"
    rows = table(["序号", "种名", "丛高(cm)", "基径(mm)", "冠幅(m×m)", "叶干重(g)", "枝干重(g)", "地下干重(g)"], K, ["荆条"] * N, 100 + K, 10 + K,
                 [f"{a[i]:.1f}{sign[i % 3]}{b[i]:.2f}" for i in K], 100 + K, 200 + K, 150 + K)
    return sheet(folder, rows), {"height": 1 + K / 100, "basal_diameter": 1 + K / 10, "crown_diameter": (a + b) / 2,
                                 "crown_area": np.pi / 4 * a * b, "foliage": (100 + K) / 1000, "bgb": (150 + K) / 1000}


@form
def shrubs_in_a_long_list(folder):
    rows = [["丛号", "种名", "冠幅1(m)", "冠幅2(m)", "器官", "鲜重(g)", "烘前(g)", "烘后(g)"]]
    for i in range(4):
        once = [i + 1, "荆条", 1 + i / 10, .8 + i / 10]
        rows += [[*(once if k == 0 else [None] * 4), o, w + i, 100, 50] for k, (o, w) in enumerate((("枝", 300), ("叶", 100), ("根", 250)))]
    return sheet(folder, rows), {"tree_id": list("1234"), "crown_diameter": [.9, 1, 1.1, 1.2], "branch": [.15, .1505, .151, .1515]}


@form
def mangroves_with_girth_at_the_base(folder):
    rows = [["样方", "编号", "种类", "基围(cm)", "株高(m)", "树干", "枝", "叶", "支柱根"], ["", "", "", "", "", "kg", "kg", "kg", "kg"],
            *(["M1", i + 1, "红海榄", round(DBH[i] * math.pi, 3), HEIGHT[i], STEM[i], BRANCH[i], LEAF[i], 1 + i] for i in K)]
    return sheet(folder, rows), {"basal_diameter": DBH, "height": HEIGHT, "stem": STEM, "foliage": LEAF, "prop_root": 1 + K}


@form
def grass_by_species_in_quadrats_of_plots(folder):
    rows = table(["样地号", "样方号", "植物名称", "高度(cm)", "盖度(%)", "鲜重(g/m2)", "干重(g/m2)"], [i // 6 + 1 for i in K],
                 [f"{i // 6 + 1}-{i % 6 // 2 + 1}" for i in K], ["羊草", "芨芨草"] * 6, 30 + K, 20 + K, 100 + K, 50 + K)
    return sheet(folder, rows), {"plot_id": [str(i // 6 + 1) for i in K], "agb_density": (50 + K) / 100, "canopy_height": 30 + K,
                                 "quadrat": [f"{i // 6 + 1}-{i % 6 // 2 + 1}" for i in K]}


@form
def quadrats_in_columns(folder):
    rows = [["草本样方调查表（样方面积1m×1m）"], ["项目", *(f"样方{i}" for i in range(1, 6))], ["盖度(%)", 40, 50, 60, 70, 80],
            ["平均高度(cm)", 30, 31, 32, 33, 34], ["地上干重(g)", 100, 110, 120, 130, 140], ["凋落物干重(g)", 10, 11, 12, 13, 14]]
    return sheet(folder, rows), {"plot_id": list("12345"), "agb_density": [1, 1.1, 1.2, 1.3, 1.4], "litter_density": [.1, .11, .12, .13, .14],
                                 "cover_fraction": [.4, .5, .6, .7, .8], "canopy_height": [30, 31, 32, 33, 34]}


@form
def layers_of_litter(folder):
    rows = table(["样方", "未分解层(g)", "半分解层(g)", "已分解层(g)", "样方面积(m2)"], K, [100] * N, [80] * N, 60 + K, [1] * N)
    return sheet(folder, rows, name="凋落物"), {"litter_density": (240 + K) / 100}


# Soil and karst


@form
def profiles_merged_over_layers(folder):
    layers = ["0～10cm", "10～20cm", "20～40cm", "40cm-60cm"]
    rows = [["土壤剖面调查记录"], ["剖面", "土层(cm)", "容重(g/cm3)", "有机碳（%）", "石砾(体积%)", "pH"],
            *([f"P-{q + 1}" if k == 0 else None, layers[k], 1.1 + .1 * k, 2.5 - .5 * k, 5 * k, 5.6] for q in range(3) for k in range(4))]
    return sheet(folder, rows, [f"A{3 + 4 * q}:A{6 + 4 * q}" for q in range(3)]), {
        "core_id": [f"P-{q}" for q in (1, 2, 3) for _ in range(4)], "layer_bottom": [10, 20, 40, 60] * 3, "bulk_density": [1.1, 1.2, 1.3, 1.4] * 3,
        "soc": [25, 20, 15, 10] * 3, "gravel_fraction": [0, .05, .1, .15] * 3}


@form
def depths_from_and_to(folder):
    head = [["钻孔编号", "采样深度(cm)", None, "干容重(g·cm-3)", "TOC(g·kg-1)"], [None, "起", "止", None, None]]
    rows = [*head, *([f"H{q}", 10 * k, 10 * k + 10, .5 + .05 * k, 120 - 5 * k] for q in (1, 2, 3) for k in range(4))]
    return sheet(folder, rows, ["A1:A2", "B1:C1", "D1:D2", "E1:E2"]), {
        "core_id": [f"H{q}" for q in (1, 2, 3) for _ in range(4)], "layer_top": [0, 10, 20, 30] * 3, "layer_bottom": [10, 20, 30, 40] * 3,
        "soc": [120, 115, 110, 105] * 3, "bulk_density": [.5, .55, .6, .65] * 3}


@form
def layers_over_quantities(folder):
    rows = [["剖面号", "0-20cm", None, "20-40cm", None, "40-60cm"], [None, *["容重(g/cm3)", "有机碳(g/kg)"] * 3],
            *([f"P{i}", 1.1, 20 + i, 1.2, 15 + i, 1.3, 10 + i] for i in range(3))]
    return sheet(folder, rows, ["A1:A2", "B1:C1", "D1:E1", "F1:G1"]), {
        "sort": ["core_id", "layer_top"], "layer_top": [0, 20, 40] * 3, "soc": [20, 15, 10, 21, 16, 11, 22, 17, 12], "bulk_density": [1.1, 1.2, 1.3] * 3}


@form
def cores_with_a_decimal_comma(folder):
    rows = [["Core", "Layer (cm)", "BD (g cm-3)", "OC (%)"],
            *([f"C{q}", f"{10 * k}-{10 * k + 10}", f"0,{60 + k}", f"{10 + k},25"] for q in (1, 2) for k in range(4))]
    return text(folder / "a.csv", rows, "utf-8-sig", ";"), {
        "bulk_density": [.60, .61, .62, .63] * 2, "soc": [102.5, 112.5, 122.5, 132.5] * 2, "layer_top": [0, 10, 20, 30] * 2}


@form
def a_grid_of_soil_depth(folder):
    rows = [["喀斯特样地土壤厚度网格测定（单位：cm）"], ["样地号：", "K01", None, "样地大小：", "20m×20m"], ["行\\列", *"123456"],
            ["A", 12, "R", 8, 0, 5, 22], ["B", "R", "R", 15, 30, 4, 9], ["平均", None, None, None, None, None, None]]
    return sheet(folder, rows), {"soil_depth": [12, 0, 8, 0, 5, 22, 0, 0, 15, 30, 4, 9], "plot_id": ["K01"] * 12, "plot_area": [.04] * 12}


@form
def karst_plots(folder):
    rows = table(["样地编号", "石漠化等级", "基岩裸露率/%", "植被盖度(％)", "平均土层厚度(cm)", "地上生物量(Mg·hm-2)"], K, ["轻度", "中度"] * 6, 30 + K,
                 [f"{60 - i}%" for i in K], 12 + K, 20 + K)
    return text(folder / "a.csv", rows, "gb18030"), {
        "bedrock_exposure": .3 + K / 100, "cover_fraction": .6 - K / 100, "soil_depth": 12 + K, "agb_density": 20 + K}


# Stands


@form
def stands_with_their_volume(folder):
    rows = [*table(["林班号", "小班号", "树种", "面积(亩)", "小班蓄积(m3)"], ["3"] * 8, range(1, 9), ["马尾松"] * 8, 15 * (K[:8] + 1), 90 * (K[:8] + 1)),
            ["总计", None, None, 15 * 36, 90 * 36]]
    return sheet(folder, rows), {"area": K[:8] + 1, "growing_stock": [90] * 8, "says": ("growing_stock = stand_volume / area", "sums of the form agree")}


@form
def stands_of_a_county(folder):
    head = [["XX县森林资源小班一览表"], ["小班号", "林种", "优势树种(组)", "起源", "平均年龄(年)", "平均胸径(cm)", "郁闭度", "面积(hm²)",
        "每公顷蓄积(m³/hm²)"]]
    rows = table(head, [f"{i + 1:04d}" for i in K], ["用材林"] * N, ["马尾松"] * N, ["人工"] * N, 20 + K, DBH, [.7] * N, 3 + K, [100] * N)
    return sheet(folder, rows), {"stand": [f"{i + 1:04d}" for i in K], "area": 3 + K, "growing_stock": [100] * N, "age": 20 + K, "dbh": DBH,
                                 "canopy_closure": [.7] * N, "species": ["Pinus massoniana"] * N, "origin": ["planted"] * N}


@form
def a_table_out_of_a_paper(folder):
    head = [["表2 不同林龄马尾松林各组分生物量（t·hm-2）"], ["林龄/a", "密度/(株·hm-2)", "树干", "树皮", "根系", "合计"]]
    rows = table(head, [10, 15, 20], [2000, 1900, 1800], ["50.00±2.1a", "60.00±2.1b", "70.00±3.0c"], ["5.0±0.3b"] * 3, ["12.0±1.1ab"] * 3, [None] * 3)
    return sheet(folder, rows), {"age": [10, 15, 20], "stem_density": [2000, 1900, 1800], "stem_biomass_density": [50, 60, 70],
                                 "stem_biomass_density_sd": [2.1, 2.1, 3], "bgb_density": [12] * 3}


@form
def areas_of_plots_in_cells(folder):
    rows = table(["样地号", "样地面积", "株数", "平均胸径(cm)"], K, ["20m×30m", "0.06公顷", "600m2", "0.9亩"] * 3, [60] * N, DBH)
    return sheet(folder, rows), {"plot_area": [.06] * N, "stem_density": [1000] * N, "dbh": DBH}


# Odd ones: what is written beside, above and around the numbers.


@form
def tallies_by_diameter_class_and_storey(folder):
    """每木检尺表: strokes of 正 for living and dead trees of a class, two species side by side below a merged head."""
    rows = [["每木检尺登记表"], ["样地号：", 12, None, "样地面积：", "0.0667hm2"],
            ["径阶(cm)", "杉木", None, "马尾松", None], [None, "株数", "平均高(m)", "株数", "平均高(m)"],
            [6, "正一", 5.5, "丅", 5.1], [8, "正正", 7.2, "正", 6.8], [10, "正正下", 8.8, "正止", 8.1], [12, "丅", 10.2, "一", 9.4],
            ["合计", 31, None, 17, None]]
    return sheet(folder, rows, ["A3:A4", "B3:C3", "D3:E3"]), {
        "sort": ["species", "dbh"], "dbh": [6, 8, 10, 12] * 2, "count": [6, 10, 13, 2, 2, 5, 9, 1],
        "height": [5.5, 7.2, 8.8, 10.2, 5.1, 6.8, 8.1, 9.4], "plot_id": ["12"] * 8,
        "species": ["Cunninghamia lanceolata"] * 4 + ["Pinus massoniana"] * 4,
    }


@form
def standard_trees_in_columns_with_units_beside(folder):
    """标准木 in columns, variables in rows, the unit in a column of its own, a remark at the end."""
    named = [("胸径", "cm", DBH), ("树高", "m", HEIGHT), ("树干鲜重", "kg", fresh(STEM, .45)), ("树干含水率(湿基)", "%", [55] * N),
             ("树枝鲜重", "kg", fresh(BRANCH, .5)), ("树枝含水率(湿基)", "%", [50] * N), ("树叶鲜重", "kg", fresh(LEAF, .4)),
             ("树叶含水率(湿基)", "%", [60] * N)]
    rows = [["标准木生物量测定表"], ["项目", "单位", *[f"标准木{i + 1}" for i in range(5)], "备注"],
            *([a, u, *v[:5], None] for a, u, v in named)]
    return sheet(folder, rows), {"dbh": DBH[:5], "height": HEIGHT[:5], **some(5, "stem branch foliage")}


@form
def profiles_below_their_own_heads(folder):
    """土壤剖面 in blocks, each below a line that says which profile it is."""
    rows = [["土壤剖面记录表"]]
    for p in (1, 2):
        rows += [[f"剖面号：P{p}", None, "海拔：650m"], ["土层/cm", "容重/(g/cm3)", "有机碳/(g/kg)", "砾石含量/%"],
                 ["0~10", 1.1 + p / 10, 20 + p, 5], ["10~20", 1.2 + p / 10, 15 + p, 10], ["20~40", 1.3 + p / 10, 8 + p, 12], []]
    return sheet(folder, rows), {
        "layer_top": [0, 10, 20] * 2, "layer_bottom": [10, 20, 40] * 2, "bulk_density": [1.2, 1.3, 1.4, 1.3, 1.4, 1.5],
        "soc": [21, 16, 9, 22, 17, 10], "gravel_fraction": [.05, .1, .12] * 2, "core_id": ["P1"] * 3 + ["P2"] * 3,
    }


@form
def a_header_of_three_rows_with_merged_cells(folder):
    """样方调查表: 植被 over 灌木层 and 草本层, each with cover, height and dry mass."""
    rows = [["样方号", "样方面积(m2)", "植被层", None, None, None], [None, None, "草本层", None, None, "凋落物"],
            [None, None, "盖度(%)", "平均高(cm)", "地上干重(g)", "干重(g)"],
            *([k + 1, 1, 30 + 5 * k, 20 + k, 100 + 10 * k, 50 + k] for k in range(6))]
    return sheet(folder, rows, ["A1:A3", "B1:B3", "C1:F1", "C2:E2"]), {
        "plot_id": [str(k + 1) for k in range(6)], "cover_fraction": [.3 + .05 * k for k in range(6)],
        "canopy_height": [20 + k for k in range(6)], "agb_density": [(100 + 10 * k) / 100 for k in range(6)],
        "litter_density": [(50 + k) / 100 for k in range(6)],
    }


@form
def text_numbers_with_blanks_and_full_width(folder):
    """Numbers stored as text, with blanks around and within, full-width digits and points, and units in some."""
    wide = str.maketrans("0123456789.", "０１２３４５６７８９．")
    rows = table(["树号", "胸径（ｃｍ）", "树高（ｍ）", "树干（ｋｇ）"], IDS, [f" {d} ".translate(wide) for d in DBH],
                 [f"{h}ｍ" for h in HEIGHT], [f"\u3000{s}" for s in STEM])
    return sheet(folder, rows), {"tree_id": IDS, "dbh": DBH, "height": HEIGHT, "stem": STEM}


@form
def dates_as_serials_and_hidden_rows(folder):
    """A date written as the serial of Excel; a hidden row that repeats the header."""
    rows = table(["调查日期", "样木号", "胸径/cm", "树高/m", "干重/kg", "枝重/kg", "叶重/kg"], [45047 + i for i in range(N)], IDS, DBH,
        HEIGHT, STEM, BRANCH, LEAF)
    rows.insert(6, list(rows[0]))
    return sheet(folder, rows), {"tree_id": IDS, "dbh": DBH, "height": HEIGHT, "stem": STEM, "branch": BRANCH, "foliage": LEAF}


@form
def decimal_commas_of_europe(folder):
    rows = table(["Plot;Art;BHD [cm];Höhe [m];Schaft [kg]".split(";")][0], ["A"] * 6 + ["B"] * 6, ["Kiefer"] * N,
                 *([str(x).replace(".", ",") for x in v] for v in (DBH, HEIGHT, STEM)))
    return text(folder / "a.csv", rows, "cp1252", ";"), {"dbh": DBH, "height": HEIGHT, "stem": STEM, "plot_id": ["A"] * 6 + ["B"] * 6}


@form
def fixed_width_text(folder):
    lines = ["TREE   DBH_CM   HT_M    STEM_KG", *(f"{i:<6}{d:>7}{h:>7}{s:>11}" for i, d, h, s in zip(IDS, DBH, HEIGHT, STEM, strict=True))]
    (folder / "a.txt").write_text("\n".join(lines), encoding="ascii")
    return folder / "a.txt", {"tree_id": IDS, "dbh": DBH, "height": HEIGHT, "stem": STEM}


@form
def inches_feet_and_pounds(folder):
    rows = table(["Tree No.", "DBH (in)", "Total height (ft)", "Stem dry weight (lb)"], IDS, (DBH / 2.54).round(6), (HEIGHT / .3048).round(6),
        (STEM / .45359237).round(6))
    return text(folder / "a.csv", rows), {"tree_id": IDS, "dbh": DBH, "height": HEIGHT, "stem": STEM}


@form
def names_with_underscores(folder):
    rows = table("plot_no tree_no spp dbh_cm ht_m stem_kg branch_kg leaf_kg root_kg".split(), [1] * N, IDS, ["PIMA"] * N, DBH, HEIGHT, STEM,
        BRANCH, LEAF, ROOT)
    return text(folder / "a.csv", rows), {"tree_id": IDS, "plot_id": ["1"] * N, "dbh": DBH, "height": HEIGHT, **some(N)}


@form
def trees_and_soil_beside_each_other(folder):
    """Two tables side by side: trees left, layers of soil right, a blank column between."""
    rows = [["样地3 标准木", None, None, None, None, "样地3 土壤", None, None], ["树号", "胸径(cm)", "树高(m)", "干(kg)", None, "土层(cm)",
        "容重(g/cm3)", "有机碳(g/kg)"]]
    soil = [("0-20", 1.2, 22), ("20-40", 1.3, 12), ("40-60", 1.4, 6)]
    rows += [[IDS[i], DBH[i], HEIGHT[i], STEM[i], None, *(soil[i] if i < 3 else (None,) * 3)] for i in range(8)]
    return sheet(folder, rows), {"tree_id": IDS[:8], "dbh": DBH[:8], "height": HEIGHT[:8], "stem": STEM[:8]}


@form
def tables_below_each_other_by_plot(folder):
    """Blank lines and a title with the plot before each table of one sheet."""
    rows = []
    for p, part in (("1", slice(0, 5)), ("2", slice(5, 9)), ("3", slice(9, 12))):
        rows += [[f"样地{p}"], ["序号", "树种", "胸径cm", "树高m"], *([i + 1, "杉木", d, h] for i, (d, h) in enumerate(zip(DBH[part],
        HEIGHT[part], strict=True))), []]
    return sheet(folder, rows), {"dbh": DBH, "height": HEIGHT, "plot_id": ["1"] * 5 + ["2"] * 4 + ["3"] * 3}


@form
def sheets_of_plots_with_heads_in_pairs(folder):
    """A sheet a plot; the head says size and slope in cells beside their labels; remarks and signatures below."""
    pages = {}
    for p, part in ((1, slice(0, 6)), (2, slice(6, 12))):
        pages[f"样地{p}"] = [
            ["标准地每木调查记录表", None, None, None, None], ["标准地号", f"YD-0{p}", "面积", "20×30m", "坡度", f"{10 * p}°"],
            ["小地名", "老虎冲", "林龄", "18a", "郁闭度", 0.7], ["株号", "胸径\n(cm)", "树高\n(m)", "枝下高\n(m)", "冠幅(m)\n东西×南北", "备注"],
            *([i + 1, d, h, round(h * .5, 1), "2.0×3.0", "断梢" if i == 2 else None] for i, (d, h) in enumerate(zip(DBH[part], HEIGHT[part], strict=True))),
            ["平均", 12.3, 8.8, None, None, None], ["调查：张三", None, "记录：李四", None, "日期：2024.5.6"]]
    return book(folder / "a.xlsx", pages), {
        "dbh": DBH, "height": HEIGHT, "plot_id": ["YD-01"] * 6 + ["YD-02"] * 6, "plot_area": [.06] * N, "age": [18] * N,
        "crown_diameter": [2.5] * N, "crown_base_height": (HEIGHT * .5).round(1), "slope_angle": [10.] * 6 + [20.] * 6,
    }


@form
def discs_of_a_stem_analysis(folder):
    """解析木卡片: heights of discs down, ages across, diameters inside bark."""
    rows = [["解析木圆盘检尺表"], ["解析木号", "J01", "树种", "杉木", "胸径(cm)", 18.2, "树高(m)", 15.6],
            ["断面高(m)", "年轮数", "各龄阶直径(cm)", None, None, None], [None, None, "5年", "10年", "15年", "20年(带皮)"],
            [0, 20, 4.0, 10.2, 16.0, 22.1], [1.3, 18, 2.1, 8.0, 13.5, 18.2], [3.6, 15, None, 6.2, 11.8, 16.0], [5.6, 12, None, 3.0, 9.9, 14.1]]
    return sheet(folder, rows, ["A3:A4", "B3:B4", "C3:F3"]), {
        "tree_id": ["J01"] * 10, "disc_height": [0] * 3 + [1.3] * 3 + [3.6] * 2 + [5.6] * 2, "age": [5, 10, 15] * 2 + [10, 15] * 2,
        "各龄阶直径(cm)": [4, 10.2, 16, 2.1, 8, 13.5, 6.2, 11.8, 3, 9.9],
    }


@form
def a_register_with_codes_below_the_names(folder):
    """小班 register: names, then field codes, then numbers of columns; areas in mu; a sum for each village."""
    rows = [["村", "林班号", "小班号", "面积", "优势树种", "龄组", "平均年龄", "平均胸径", "每公顷蓄积", "郁闭度"],
            ["CUN", "LIN_BAN", "XIAO_BAN", "MIAN_JI", "YOU_SHI_SZ", "LING_ZU", "PJ_NL", "PJ_XJ", "HUO_LMGQXJ", "YU_BI_DU"],
            [None, None, None, "亩", None, None, "年", "cm", "m3/hm2", None], list(range(1, 11))]
    rows += [["大坪", "01", f"000{k + 1}", 150, "马尾松", "中龄林", 20 + k, 12 + k, 80 + k, .7] for k in range(3)] + [["大坪小计", None,
        None, 450, None, None,
        None, None, None, None]]
    rows += [["龙潭", "02", f"000{k + 1}", 75, "杉木", "近熟林", 25 + k, 15 + k, 150 + k, .8] for k in range(3)] + [["龙潭小计", None, None, 225, None, None,
        None, None, None, None], ["总计", None, None, 675, None, None, None, None, None, None]]
    return sheet(folder, rows), {
        "village": ["大坪"] * 3 + ["龙潭"] * 3, "stand": ["0001", "0002", "0003"] * 2, "area": [10] * 3 + [5] * 3, "age": [20, 21, 22, 25, 26, 27],
        "dbh": [12, 13, 14, 15, 16, 17], "growing_stock": [80, 81, 82, 150, 151, 152], "species": ["Pinus massoniana"] * 3 + ["Cunninghamia lanceolata"] * 3,
    }


@form
def replicates_in_columns_with_their_mean(folder):
    """Three weighings beside each other and their mean: the mean is what is read."""
    rows = [["样方号", "地上鲜重(g/m2)", None, None, None, "干鲜比"], [None, "重复1", "重复2", "重复3", "平均", None],
            *([k + 1, 190 + k, 200 + k, 210 + k, 200 + k, .3] for k in range(6))]
    return sheet(folder, rows, ["A1:A2", "B1:E1", "F1:F2"]), {"plot_id": [str(k + 1) for k in range(6)],
        "agb_density": [(200 + k) * .3 / 100 for k in range(6)]}


@form
def old_book_with_merged_plots_and_girth(folder):
    rows = [["红树林调查表"] + [None] * 4, ["样方编号", "树种", "基围(cm)", "株高(cm)", "冠幅(cm)"]]
    rows += [["Q1" if k == 0 else "Q2" if k == 3 else None, "秋茄", round(math.pi * (4 + k), 4), 150 + 10 * k, 100 + 5 * k] for k in range(6)]
    return old_book(folder / "a.xls", {"S": rows}, [(0, 0, 0, 4), (2, 4, 0, 0), (5, 7, 0, 0)]), {
        "plot_id": ["Q1"] * 3 + ["Q2"] * 3, "basal_diameter": [4. + k for k in range(6)], "height": [1.5 + .1 * k for k in range(6)],
        "crown_diameter": [1 + .05 * k for k in range(6)],
    }


@form
def words_around_the_numbers(folder):
    """Values with words: 约12, 15左右, 8.5（估）."""
    said = [f"约{d}" if i % 3 == 0 else f"{d}左右" if i % 3 == 1 else f"{d}（估）" for i, d in enumerate(DBH)]
    return sheet(folder, table(["树号", "胸径(cm)", "干(kg)"], IDS, said, STEM)), {"tree_id": IDS, "dbh": DBH, "stem": STEM}


@form
def tree_list_by_species_lines(folder):
    rows = [["每木检尺表"], ["编号", "胸径cm", "树高m", "备注"], ["（一）杉木", None, None, None], [1, 10.1, 8.2, None], [2, 12.3, 9.4,
        None], ["（二）马尾松", None, None, None], [3, 14.1, 9.9, None], [4, 15.2, 10.3, "枯"]]
    return sheet(folder, rows), {"dbh": [10.1, 12.3, 14.1, 15.2], "species": ["Cunninghamia lanceolata"] * 2 + ["Pinus massoniana"] * 2,
        "tree_id": ["1", "2", "3", "4"]}


@form
def mm_and_dm_mixed_header(folder):
    rows = table(["树号", "地径(mm)", "胸径(mm)", "树高(dm)", "生物量(g)"], IDS, DBH * 12, DBH * 10, HEIGHT * 10, STEM * 1000)
    return sheet(folder, rows), {"tree_id": IDS, "basal_diameter": DBH * 1.2, "dbh": DBH, "height": HEIGHT}


@form
def stand_table_two_years_beside(folder):
    rows = [["样地号", "2015年", None, "2020年", None], [None, "平均胸径(cm)", "密度(株/hm2)", "平均胸径(cm)", "密度(株/hm2)"], *([f"{k}",
        10 + k, 1500, 12 + k, 1400] for k in range(1, 5))]
    return sheet(folder, rows, ["A1:A2", "B1:C1", "D1:E1"]), {"sort": ["plot_id", "year"], "plot_id": [str(k) for k in range(1,
        5) for _ in range(2)], "dbh": [x for k in range(1, 5) for x in (10 + k, 12 + k)], "stem_density": [1500, 1400] * 4}


@form
def values_with_units_and_commas(folder):
    rows = table(["小班", "面积", "蓄积", "平均胸径"], [f"{k:03d}" for k in range(6)], [f"{1200.5 + k:,.1f}亩" for k in range(6)],
        [f"{12000 + k:,}m³" for k in range(6)], [f"{12 + k}厘米" for k in range(6)])
    return sheet(folder, rows), {"stand": [f"{k:03d}" for k in range(6)], "area": [(1200.5 + k) / 15 for k in range(6)], "dbh": [12. + k for k in range(6)]}


@form
def roots_by_diameter_class(folder):
    rows = [["样木号", "胸径(cm)", "根系生物量(kg)", None, None, None], [None, None, "根桩", "粗根(>20mm)", "中根(5-20mm)", "细根(<5mm)"],
        *([IDS[i], DBH[i], round(ROOT[i] * .4, 4), round(ROOT[i] * .3, 4), round(ROOT[i] * .2, 4), round(ROOT[i] * .1, 4)] for i in range(6))]
    return sheet(folder, rows, ["A1:A2", "B1:B2", "C1:F1"]), {"tree_id": IDS[:6], "dbh": DBH[:6], "root": ROOT[:6]}


@form
def shrub_with_counts_and_mean_plant(folder):
    rows = [["样方号", "样方面积", "种名", "株数", "平均地径(cm)", "平均高(m)", "平均冠幅(m×m)"], *([k + 1, "2m×2m", "檵木", 4 + k,
        1.2 + k / 10, 1.5, "0.8×1.0"] for k in range(4))]
    return sheet(folder, rows), {"plot_id": [str(k + 1) for k in range(4)], "plot_area": [4e-4] * 4, "count": [4 + k for k in range(4)],
        "basal_diameter": [1.2 + k / 10 for k in range(4)], "height": [1.5] * 4, "crown_diameter": [.9] * 4}


# fmt: on


@pytest.mark.parametrize("name", FORMS)
def test_forms_are_read_without_editing(tmp_path, name):
    is_read(*FORMS[name](tmp_path))


def test_diameters_of_two_inventories_are_asked_for(tmp_path):
    """Where the second is always the larger, the tree may have grown between the two."""
    file = sheet(tmp_path, table(["树号", "胸径1(cm)", "胸径2(cm)", "树干(kg)"], IDS, DBH, DBH + 0.4, STEM))
    assert "dbh" not in read(file)
    says(read(file), "please decide: dbh: which of B 胸径1.*, C 胸径2")
    with pytest.raises(DataError, match="--column dbh=B"):
        read(file, needed={"dbh"})


def test_a_comma_within_a_cell_is_refused(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text(
        "tree_id,species,dbh,height\n1,马尾松,10,8\n2,马尾松,混交,12,9\n3,马尾松,14,10\n", encoding="utf-8"
    )
    with pytest.raises(
        DataError, match=r"1 lines have more cells than the 4 of the header[^\n]*\nline 3: 2 马尾松 混交"
    ):
        read(file)


@pytest.mark.parametrize("cell", ["1e999", "inf", "-1e400", "nan"])
def test_numbers_without_end_are_refused(tmp_path, cell):
    file = text(tmp_path / "a.csv", table(["tree_id", "dbh"], IDS, [cell, *DBH[1:]]))
    assert math.isnan(read(file)["dbh"][0])
    with pytest.raises(DataError, match=rf"record 1: dbh = '{cell}' \(B2\)"):
        read(file, needed={"dbh"})


def test_moisture_of_unknown_basis_is_asked_for(tmp_path):
    rows = table(["样方号", "面积(m2)", "地上鲜重(g)", "地上含水率"], K, [1] * N, 200 + K, ["60.0%"] * N)
    file = text(tmp_path / "a.csv", rows, "gbk")
    frame = read(file)
    assert "agb_density" not in frame and frame["plot_area"][0] == pytest.approx(1e-4)
    says(frame, "please decide: is the moisture of fresh or of dry mass")

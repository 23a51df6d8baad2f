"""More forms as field crews and laboratories keep them, written with their truth before any of them was read."""

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
    sheet,
    some,
    table,
    text,
)

from sinklab.data.reading import read

FORMS = {}
MASSES_BUT_ROOT = {name: mass for name, mass in MASSES.items() if name != "root"}
# fmt: off


def form(function):
    FORMS[function.__name__] = function
    return function


# Trees


@form
def girths_in_an_old_book_with_remarks_and_a_foot(folder):
    girth = (DBH * np.pi).round(1)
    rows = [["附表3  每木检尺记录表"] + [None] * 6, ["县：融水", None, "林场：贝江河", None, "日期：2021.7.15", None, None],
            ["序号", "树 种", "围径", "树 高", "枝下高", "冠幅", "备注"], [None, None, "（cm）", "（m）", "（m）", "（m）", None],
            *[[i + 1, "杉木", girth[i], HEIGHT[i], round(HEIGHT[i] / 2, 1), "1.2×0.9", "断梢" if i == 3 else None] for i in range(N)],
            ["检尺员：", "王五", None, "记录员：", "赵六", None, None], ["注：围径在胸高1.3m处量取。"] + [None] * 6]
    return old_book(folder / "a.xls", {"Sheet1": rows}, [(0, 0, 0, 6), (2, 3, 0, 0), (2, 3, 1, 1), (2, 3, 6, 6)]), {
        "dbh": girth / np.pi, "height": HEIGHT, "crown_base_height": (HEIGHT / 2).round(1), "crown_diameter": [1.05] * N,
        "species": ["Cunninghamia lanceolata"] * N}


@form
def stem_analysis_with_increments(folder):
    ages = [5, 10, 15, 20, 25, 30]
    d, h, v = [1.2, 6.1, 10.4, 13.9, 16.2, 18.0], [2.1, 6.0, 9.8, 12.7, 14.9, 16.3], [.0004, .0112, .0451, .0963, .1502, .2011]

    def per(x):
        return [round(a / b, 4) for a, b in zip(x, ages, strict=True)]

    def grown(x):
        return [None, *[round((b - a) / 5, 4) for a, b in zip(x, x[1:], strict=False)]]

    head = [["解析木生长过程总表"], ["龄阶", "胸径(cm)", None, None, "树高(m)", None, None, "材积(m3)", None, None, "形数"],
            ["(年)", *["总生长量", "平均生长量", "连年生长量"] * 3, None]]
    return sheet(folder, table(head, ages, d, per(d), grown(d), h, per(h), grown(h), v, per(v), grown(v), [.5] * 6),
                 ["A1:K1", "B2:D2", "E2:G2", "H2:J2"]), {"age": ages, "dbh": d, "height": h, "volume": v}


@form
def a_matrix_of_volumes(folder):
    d, h = [6, 8, 10, 12], [5, 7, 9]
    v = [[round(6e-5 * a**1.8 * b**0.95, 5) for b in h] for a in d]
    rows = [["杉木二元立木材积表", None, None, None], ["胸径(cm)", "树高(m)", None, None], [None, *h], *([a, *r] for a, r in zip(d, v, strict=True)),
            ["单位：m3"]]
    return sheet(folder, rows, ["A1:D1", "A2:A3", "B2:D2"]), {"dbh": np.repeat(d, 3), "height": h * 4, "volume": np.ravel(v)}


@form
def organs_below_one_merged_mass_with_bark_and_fruit(folder):
    wood, bark = (STEM * .9).round(3), (STEM * .1).round(3)
    head = [["表2 样木生物量"], ["样木编号", "胸径", "树高", "生物量（kg/株）"] + [None] * 6, [None, "D(cm)", "H(m)", "干材", "树皮",
            "枝", "叶", "果", "根", "合计"]]
    return sheet(folder, table(head, IDS, DBH, HEIGHT, wood, bark, BRANCH, LEAF, [0.1] * N, ROOT, wood + bark + BRANCH + LEAF + .1 + ROOT),
                 ["A1:J1", "A2:A3", "D2:J2"]), {"tree_id": IDS, "dbh": DBH, "height": HEIGHT, "wood": wood, "bark": bark, "branch": BRANCH,
                 "foliage": LEAF, "root": ROOT, "total": wood + bark + BRANCH + LEAF + .1 + ROOT}


@form
def transposed_with_groups(folder):
    n = 5
    rows = [["项目", None, "单位", *[f"{i + 1}号" for i in range(n)]], ["样木基本情况", "胸径", "cm", *DBH[:n]], [None, "树高", "m", *HEIGHT[:n]],
            ["鲜重", "干", "kg", *fresh(STEM, .45)[:n]], [None, "枝", "kg", *fresh(BRANCH, .5)[:n]], [None, "叶", "kg", *fresh(LEAF, .4)[:n]],
            ["干重", "干", "kg", *STEM[:n]], [None, "枝", "kg", *BRANCH[:n]], [None, "叶", "kg", *LEAF[:n]],
                    ["备注", None, None, "", "二叉", None, None, None]]
    return sheet(folder, rows, ["A2:A3", "A4:A6", "A7:A9"]), {"dbh": DBH[:n], "height": HEIGHT[:n], **some(n, "stem branch foliage")}


@form
def two_samples_of_each_organ_in_rows(folder):
    rows = [["标准木生物量外业记录（第2组）"] + [None] * 9,
            ["样地", "木号", "胸径/cm", "树高/m", "器官", "总鲜重/kg", "样1鲜重/g", "样2鲜重/g", "样1干重/g", "样2干重/g"]]
    for i in range(4):
        for k, (o, m, r) in enumerate(ORGANS):
            rows.append([*([f"P{i // 2 + 1}", i % 2 + 1, DBH[i], HEIGHT[i]] if k == 0 else [None] * 4), o, fresh(m, r)[i], 200, 200, 200 * r, 200 * r])
    merge = ["A1:J1", *(f"{c}{3 + 4 * i}:{c}{6 + 4 * i}" for i in range(4) for c in "ABCD")]
    return sheet(folder, rows, merge), {"plot_id": ["P1", "P1", "P2", "P2"], "dbh": DBH[:4], "height": HEIGHT[:4], **some(4)}


@form
def an_export_of_r_with_row_names(folder):
    rows = [['""', '"tree"', '"sp"', '"dbh_cm"', '"ht_m"', '"w_stem_kg"', '"w_branch_kg"', '"w_foliage_kg"'],
            *[[f'"{i + 1}"', f'"{IDS[i]}"', '"Larix gmelinii"', DBH[i], "NA" if i == 4 else HEIGHT[i], STEM[i], BRANCH[i], LEAF[i]] for i in range(N)]]
    height = HEIGHT.copy()
    height[4] = np.nan
    return text(folder / "a.csv", rows), {"tree_id": IDS, "dbh": DBH, "height": height, "stem": STEM, "branch": BRANCH, "foliage": LEAF,
                                          "species": ["Larix gmelinii"] * N}


@form
def a_first_line_for_excel_and_decimal_commas(folder):
    def comma(x):
        return str(x).replace(".", ",")

    rows = [["sep=;"], ["Tree", "Species", "DBH [cm]", "Height [m]", "Stem dry mass [kg]", "Branch dry mass [kg]", "Needle dry mass [kg]"],
            *[[IDS[i], "Picea abies", *(comma(x[i]) for x in (DBH, HEIGHT, STEM, BRANCH, LEAF))] for i in range(N)]]
    return text(folder / "a.csv", rows, "cp1252", ";"), {"tree_id": IDS, "dbh": DBH, "height": HEIGHT, **MASSES_BUT_ROOT,
                                                         "species": ["Picea abies"] * N}



@form
def units_in_a_row_of_their_own_in_english(folder):
    rows = [["Plot", "Tree No.", "Species", "DBH", "Total height", "Stem", "Branches", "Leaves", "Coarse roots"],
            ["", "", "", "(cm)", "(m)", "(kg d.m.)", "(kg d.m.)", "(kg d.m.)", "(kg d.m.)"],
            *[["A", i + 1, "Pinus massoniana", DBH[i], HEIGHT[i], STEM[i], BRANCH[i], LEAF[i], ROOT[i]] for i in range(N)]]
    return sheet(folder, rows), {"plot_id": ["A"] * N, "dbh": DBH, "height": HEIGHT, **MASSES}


@form
def an_export_of_a_phone(folder):
    rows = [["提交时间", "调查人", "经度", "纬度", "海拔", "树种名称", "胸径(cm)", "树高(m)", "照片"],
            *[[f"2023/5/{i + 1} 9:0{i % 10}", "张三", f"{108.3 + i / 100:.4f}°E", f"{22.85 + i / 100:.4f}°N", "152m", "马尾松", DBH[i], HEIGHT[i],
               f"https://x.cn/{i}.jpg"] for i in range(N)]]
    return text(folder / "a.csv", rows, "gb18030"), {"longitude": 108.3 + K / 100, "latitude": 22.85 + K / 100, "elevation": [152] * N,
                                                     "dbh": DBH, "height": HEIGHT, "species": ["Pinus massoniana"] * N}


@form
def discs_with_volumes_of_wood(folder):
    fresh_mass, volume, dry = [310.2, 255.1, 190.4, 120.9], [300, 250, 190, 122], [126, 107.5, 79.8, 48.8]
    rows = table([["木材基本密度测定表"], ["样木号", "圆盘位置", "鲜重(g)", "浸水体积(cm3)", "绝干重(g)", "基本密度(g/cm3)"]],
                 ["A1"] * 4, ["0m", "1.3m", "3.3m", "5.3m"], fresh_mass, volume, dry, [.42, .43, .42, .40])
    return sheet(folder, rows, ["A1:F1"]), {"tree_id": ["A1"] * 4, "wood_density": [.42, .43, .42, .40]}


@form
def dead_wood_by_decay_class(folder):
    rows = [["倒木调查表"] + [None] * 8, ["样地号", "编号", "类型", "分解等级", "大头直径\n(cm)", "小头直径\n(cm)", "长度\n(m)",
            "材积\n(m³)", "密度\n(g/cm³)"],
            ["LS-1", 1, "倒木", "Ⅰ", 22.1, 18, 6.5, .2065, .45], [None, 2, "倒木", "Ⅲ", 30.2, 25.3, 4, .2422, .31],
            [None, 3, "枯立木", "Ⅱ", 18, 12.4, 3.2, .0586, .38], ["LS-2", 1, "树桩", "Ⅴ", 40, 38, .4, .0477, .12]]
    return sheet(folder, rows, ["A1:I1", "A3:A5"]), {"plot_id": ["LS-1"] * 3 + ["LS-2"], "wood_density": [.45, .31, .38, .12],
                                                     "says": ["of dead wood, kept as written"]}


# Bamboo and shrubs


@form
def culms_by_classes_in_roman_letters(folder):
    n, part = 8, (K[:8] % 4)
    culm, branch, leaf = (STEM / 2)[:n].round(3), BRANCH[:n], LEAF[:n]
    rows = [["毛竹单株生物量测定"] + [None] * 9, ["竹号", "度数", "眉径/cm", "竹高/m", "鲜重/kg", None, None, "含水率（占鲜重）/%", None, None],
            [None, None, None, None, "秆", "枝", "叶", "秆", "枝", "叶"],
            *[[i + 1, f"{'ⅠⅡⅢⅣ'[part[i]]}度", round(DBH[i] / 3, 1), HEIGHT[i], round(culm[i] / .5, 4), round(branch[i] / .55, 4),
               round(leaf[i] / .45, 4), 50, 45, 55] for i in range(n)]]
    return sheet(folder, rows, ["A1:J1", "A2:A3", "B2:B3", "C2:C3", "D2:D3", "E2:G2", "H2:J2"]), {
        "age_class": part + 1, "height": HEIGHT[:n], "culm": culm, "branch": branch, "foliage": leaf}


@form
def shrubs_with_two_crown_axes_in_cm(folder):
    n = 6
    rows = table(["样方", "丛号", "种名", "基径(mm)", "株高(cm)", "冠幅长(cm)", "冠幅宽(cm)", "枝干干重(g)", "叶干重(g)", "根干重(g)"],
                 ["Q1"] * 3 + ["Q2"] * 3, [1, 2, 3] * 2, ["柠条锦鸡儿"] * n, 8 + K[:n], 80 + 10 * K[:n], 60 + K[:n], 40 + K[:n],
                 100 + K[:n], 20 + K[:n], 70 + K[:n])
    return text(folder / "a.txt", rows, "utf-16", "\t"), {"plot_id": ["Q1"] * 3 + ["Q2"] * 3, "basal_diameter": (8 + K[:n]) / 10,
        "height": (80 + 10 * K[:n]) / 100, "crown_diameter": (50 + K[:n]) / 100, "foliage": (20 + K[:n]) / 1000, "root": (70 + K[:n]) / 1000}


# Stands


@form
def a_plot_head_in_one_cell(folder):
    pages = {f"样地{p}": [[f"样地号：{p}   面积：20m×30m   海拔：{450 + p}m   坡度：25°"], ["树号", "树种", "胸径", "树高"], [None, None, "cm", "m"],
                         *[[i + 1, "杉木", DBH[i] + p, HEIGHT[i]] for i in range(3)], ["平均", None, round(DBH[:3].mean() + p, 1), None]] for p in (1, 2)}
    return book(folder / "a.xlsx", pages), {"plot_id": ["1"] * 3 + ["2"] * 3, "plot_area": [.06] * 6, "elevation": [451] * 3 + [452] * 3,
        "slope_angle": [25] * 6, "dbh": [*DBH[:3] + 1, *DBH[:3] + 2]}


@form
def two_inventories_in_one_book_in_another_order(folder):
    first = table(["样地", "树号", "树种", "胸径(cm)", "树高(m)"], ["01"] * N, IDS, ["油松"] * N, DBH, HEIGHT)
    second = table(["样地", "树号", "树种", "树高(m)", "胸径(cm)", "备注"], ["01"] * N, IDS, ["油松"] * N, HEIGHT + .5, DBH + .9, ["枯死", *[None] * 11])
    return book(folder / "a.xlsx", {"2018年": first, "2023年": second}), {"plot_id": ["01"] * 24, "tree_id": IDS * 2, "dbh": [*DBH, *DBH + .9],
        "height": [*HEIGHT, *HEIGHT + .5], "year": [2018] * 12 + [2023] * 12}


@form
def permanent_plots_with_ingrowth(folder):
    before = [None if i == 2 else DBH[i] for i in range(N)]
    now = [None if i == 5 else round(DBH[i] + 1.1, 1) for i in range(N)]
    kind = ["进界木" if i == 2 else "采伐木" if i == 5 else "保留木" for i in range(N)]
    rows = table([["广西第九次固定样地每木检尺"], ["样地号", "样木号", "检尺类型", "树种", "前期胸径", "本期胸径"]], ["1024"] * N, IDS, kind,
            ["马尾松"] * N, before, now)
    return text(folder / "a.csv", rows, "gbk"), {"sort": ["survey", "tree_id"], "plot_id": ["1024"] * 22,
        "dbh": [x for x in [*before, *now] if x]}


@form
def subtotals_and_shares_of_species(folder):
    rows = [["标准地调查汇总"] + [None] * 7, ["标准地", "树种", "株数\n(株/hm2)", "平均胸径\n(cm)", "平均树高\n(m)",
            "断面积\n(m2/hm2)", "蓄积量\n(m3/hm2)", "占比\n(%)"]]
    for p in (1, 2):
        rows += [[p, "马尾松", 900 + p, 14.2, 11.3, 15.1, 85.2, "80.0%"], [None, "杉木", 300, 12.1, 9.8, 3.5, 21.3, "20.0%"],
                 ["小计", None, 1200 + p, None, None, 18.6, 106.5, "100%"]]
    return sheet(folder, [*rows, ["合计", None, 2403, None, None, 37.2, 213, None], ["注：蓄积量按二元材积表计算"]], ["A1:H1", "A3:A4", "A6:A7"]), {
        "plot_id": ["1", "1", "2", "2"], "stem_density": [901, 300, 902, 300], "dbh": [14.2, 12.1] * 2, "height": [11.3, 9.8] * 2,
        "basal_area": [15.1, 3.5] * 2, "growing_stock": [85.2, 21.3] * 2}


@form
def means_with_errors_and_letters_of_tests(folder):
    rows = [["林龄", "密度", "乔木层生物量", None, None, None], ["Stand age (a)", "(株·hm-2)", "干", "枝", "叶", "根"],
            *[[a, 2500 - 40 * a, f"{2.1 * a:.1f}±{.3 * a:.2f}{c}", f"{.4 * a:.2f}±0.05{c}", f"{.2 * a:.2f}±0.03{c}", f"{.5 * a:.2f}±0.10{c}"]
              for a, c in ((8, "c"), (16, "b"), (25, "a"))], ["注：数据为平均值±标准差（t·hm-2），不同小写字母表示差异显著（P<0.05）"]]
    ages = np.array([8, 16, 25])
    return sheet(folder, rows, ["C1:F1"]), {"age": ages, "stem_density": 2500 - 40 * ages, "stem_biomass_density": 2.1 * ages,
                                            "branch_density": .4 * ages, "foliage_density": .2 * ages, "bgb_density": .5 * ages}


@form
def a_planting_with_spacing_and_year(folder):
    rows = [["造林地调查", None, None, None, None, None], ["地块", "造林年份", "树龄(年)", "株行距", "平均胸径", "平均高"], [None,
            None, None, "m×m", "cm", "m"],
            ["一号地", 2012, 9, "2×3", 11.2, 9.4], ["二号地", 2015, 6, "2×2", 7.3, 6.1], ["三号地", 2009, 12, "3×3", 13.9, 11.7]]
    return sheet(folder, rows, ["A1:F1"]), {"age": [9, 6, 12], "dbh": [11.2, 7.3, 13.9], "height": [9.4, 6.1, 11.7]}


# Quadrats and litter


@form
def herbs_above_and_below_with_samples(folder):
    rows = [["草本样方调查表（样方1m×1m）"] + [None] * 8, ["样方号", "盖度", "平均高", "地上部分", None, None, "地下部分", None, None],
            [None, "%", "cm", "鲜重g", "样鲜重g", "样干重g", "鲜重g", "样鲜重g", "样干重g"],
            *[[f"C{k + 1}", 60 + k, 30 + k, 400 + 10 * k, 100, 30, 600 + 10 * k, 100, 35] for k in range(5)]]
    k = np.arange(5)
    return sheet(folder, rows, ["A1:I1", "D2:F2", "G2:I2"]), {"cover_fraction": (60 + k) / 100, "canopy_height": 30 + k,
        "agb_density": (400 + 10 * k) * .3 / 100, "bgb_density": (600 + 10 * k) * .35 / 100}


@form
def traps_of_litterfall(folder):
    rows = [["收集框", "框面积(m2)", "收集日期", "叶(g)", "枝(g)", "花果(g)", "杂物(g)", "凋落物总量(g)"],
            *[[f"T{k + 1}", .5, "2022-10-15", 80 + k, 20, 5, 3, 108 + k] for k in range(6)]]
    return sheet(folder, rows), {"litter_density": (108 + np.arange(6)) / .5 / 100}


@form
def litter_bags_taken_back(folder):
    rows = [["凋落叶分解试验", None, None, None, None, None], ["样地", "袋号", "投放天数(d)", "初始干重(g)", "残留干重(g)", "残留率(%)"],
            *[[f"S{k // 3 + 1}", k % 3 + 1, 90 * (k % 3 + 1), 10, 9 - k % 3, 90 - 10 * (k % 3)] for k in range(6)]]
    return sheet(folder, rows, ["A1:F1"]), {"plot_id": ["S1"] * 3 + ["S2"] * 3, "says": ("残留率", "初始干重")}


# Soil, rock and laboratories


@form
def an_english_report_of_a_laboratory(folder):
    rows = [["ANALYTICAL REPORT No. 2291"], ["Client:", "Forest Research Station"], ["Date received:",
            "12-Mar-2022"], ["Method:", "Dry combustion (LECO)"], [],
            ["Lab ID", "Sample ID", "Depth", "Bulk density", "Total organic carbon", "Total N"], ["", "", "cm", "g/cm3", "%", "%"],
            ["L001", "P1", "0-10", 1.05, 3.21, .25], ["L002", "P1", "10-30", 1.21, 1.88, .15], ["L003", "P2", "0-10", .98, 4.02, .31],
            ["L004", "P2", "10-30", 1.18, "<0.05", "<0.02"], [], ["End of report"], ["Results refer to oven-dry soil (105 °C)."]]
    return text(folder / "a.csv", rows), {"layer_top": [0, 10, 0, 10], "layer_bottom": [10, 30, 10, 30], "bulk_density": [1.05, 1.21, .98, 1.18],
        "soc": [32.1, 18.8, 40.2, np.nan]}


@form
def cores_in_unicode_text_with_loss_on_ignition(folder):
    rows = [["Core", "Section", "Depth interval (cm)", "Dry bulk density (g cm-3)", "LOI (%)", "OC (%)"],
            *[[f"M{c}", s + 1, f"{15 * s}~{15 * s + 15}", .4 + s / 10, 20 - s, 9 - s / 2] for c in (1, 2) for s in range(3)]]
    s = np.array([0, 1, 2] * 2)
    return text(folder / "a.txt", rows, "utf-16", "\t"), {"core_id": ["M1"] * 3 + ["M2"] * 3, "layer_top": 15 * s, "layer_bottom": 15 * s + 15,
        "bulk_density": .4 + s / 10, "organic_matter": (20 - s) / 100, "soc": 10 * (9 - s / 2)}


@form
def ring_knives_with_stones(folder):
    rows = [["土壤容重（环刀法，100cm3）及有机质测定"] + [None] * 8,
            ["剖面号", "土层", "环刀号", "环刀重", "湿土+环刀", "干土重", "容重", "石砾含量", "有机质"], [None, "cm", None, "g", "g",
                    "g", "g·cm⁻³", "体积%", "g·kg⁻¹"],
            *[[*([f"P{p}"] if k == 0 else [None]), z, f"{p}{k}", 105.2, 290.1, 100 * d, d, g, om] for p in (1, 2)
              for k, (z, d, g, om) in enumerate((("0—20", 1.12, 5, 42.1), ("20—40", 1.28, 8, 25.4), ("40—60", 1.35, 12, 14.9)))]]
    return sheet(folder, rows, ["A1:I1", "A4:A6", "A7:A9"]), {"core_id": ["P1"] * 3 + ["P2"] * 3,
            "layer_top": [0, 20, 40] * 2, "layer_bottom": [20, 40, 60] * 2,
        "bulk_density": [1.12, 1.28, 1.35] * 2, "gravel_fraction": [.05, .08, .12] * 2, "organic_matter": [.0421, .0254, .0149] * 2}


@form
def carbon_of_organs_with_means_and_deviations(folder):
    rows = [["树种", "器官", "样品号", "C(%)", "N(g/kg)"]]
    for sp in ("杉木", "马尾松"):
        for o, c in (("干", 48.9), ("枝", 47.5), ("叶", 50.1), ("根", 46.8)):
            rows += [[sp, o, 1, c, 2.1], [sp, o, 2, c + .4, 2.3], [None, None, "平均值", c + .2, 2.2], [None, None, "标准差", .28, .14]]
    return sheet(folder, rows), {"carbon_fraction": np.ravel([[c, c + .4] for c in (48.9, 47.5, 50.1, 46.8)] * 2) / 100,
                                 "species": ["Cunninghamia lanceolata"] * 8 + ["Pinus massoniana"] * 8}


@form
def karst_by_slope_and_hollow(folder):
    rows = [["石漠化样地调查", None, None, None, None, None, None], ["样地", "小生境", "裸岩率/%", "植被盖度/%", "平均土厚/cm",
            "土壤容重/g·cm-3", "石漠化程度"],
            ["K1", "石坑", 35, 62, 28.5, 1.02, "轻度"], [None, "石缝", 58, 40, 12.1, .95, "中度"], [None, "土面", 12, 80, 45, 1.15, "潜在"],
            ["K2", "石坑", 72, 25, 15.2, .98, "重度"], [None, "石缝", 78, 18, 9.4, .91, "重度"]]
    return sheet(folder, rows, ["A1:G1", "A3:A5", "A6:A7"]), {"plot_id": ["K1"] * 3 + ["K2"] * 2, "bedrock_exposure": [.35, .58, .12, .72, .78],
        "cover_fraction": [.62, .4, .8, .25, .18], "soil_depth": [28.5, 12.1, 45, 15.2, 9.4], "bulk_density": [1.02, .95, 1.15, .98, .91]}


@form
def a_matrix_of_exposure_by_line_and_point(folder):
    rows = [["基岩裸露率（%）测线调查", None, None, None, None], ["测线", "测点1", "测点2", "测点3", "测点4"], ["L1", 20, 35, 40, 15], ["L2", 60, 55, 70, 65],
            ["平均", 40, 45, 55, 40]]
    return sheet(folder, rows, ["A1:E1"]), {"bedrock_exposure": np.array([20, 35, 40, 15, 60, 55, 70, 65]) / 100}


@form
def layers_of_plots_below_merged_elements(folder):
    head = [["样地", "林型", "SOC (g/kg)", None, None, "全氮 (g/kg)", None, None, "容重 (g/cm3)", None, None], [None, None, *["0-10", "10-20", "20-40"] * 3]]
    rows = table(head, ["1", "2", "3"], ["天然林", "人工林", "灌丛"], [30, 28, 22], [20, 18, 14], [12, 11, 9], [2.1, 2, 1.8], [1.5, 1.4, 1.1], [1, .9, .8],
                 [.98, 1.05, 1.11], [1.1, 1.15, 1.2], [1.25, 1.3, 1.33])
    return sheet(folder, rows, ["A1:A2", "B1:B2", "C1:E1", "F1:H1", "I1:K1"]), {"sort": ["plot_id", "layer_top"], "plot_id": list("111222333"),
        "layer_top": [0, 10, 20] * 3, "soc": [30, 20, 12, 28, 18, 11, 22, 14, 9], "bulk_density": [.98, 1.1, 1.25, 1.05, 1.15, 1.3, 1.11, 1.2, 1.33]}


# Forms that were known to fail


@form
def samples_of_a_hundred_grams(folder):
    head = ["树号", "胸径(cm)", *[f"{o}鲜重(kg)" for o, *_ in ORGANS], *[f"100g{o}样干重(g)" for o, *_ in ORGANS]]
    return sheet(folder, table(head, IDS, DBH, *[fresh(m, r) for _, m, r in ORGANS], *[[100 * r] * N for *_, r in ORGANS])), {
        "tree_id": IDS, "dbh": DBH, **MASSES}


@form
def herbs_of_a_quadrat_with_a_sample_of_a_hundred_grams(folder):
    rows = [["样方号", "面积(m2)", "草本鲜重(g)", "100g样干重(g)"], *[[f"C{k}", 1, 400 + k, 30] for k in range(4)]]
    return sheet(folder, rows), {"plot_id": [f"C{k}" for k in range(4)], "agb_density": (400 + np.arange(4)) * .3 / 100}


@form
def herbs_and_shrubs_beside_litter(folder):
    rows = [["样方号", "面积(m2)", "草本干重(g)", "灌木干重(g)", "枯落物干重(g)"], *[[f"C{k}", 4, 100 + k, 300, 150] for k in range(4)]]
    return sheet(folder, rows), {"understory_density": (400 + np.arange(4)) / 400, "litter_density": [.375] * 4}


@form
def organs_by_plots(folder):
    rows = [["各样地乔木层生物量（t/hm2）", None, None, None], ["器官", "样地1", "样地2", "样地3"], ["干", 50, 60, 70], ["枝", 10, 12, 14],
            ["叶", 5, 6, 7], ["根", 13, 15, 17], ["合计", 78, 93, 108]]
    return sheet(folder, rows, ["A1:D1"]), {"plot_id": ["1", "2", "3"], "stem_biomass_density": [50, 60, 70], "bgb_density": [13, 15, 17],
                                            "total_density": [78, 93, 108]}


@form
def organs_with_units_by_plots(folder):
    rows = [["组分", "1号样地", "2号样地"], ["树干(t/hm2)", 50, 60], ["树枝(t/hm2)", 10, 12], ["树叶(t/hm2)", 5, 6]]
    return sheet(folder, rows), {"plot_id": ["1", "2"], "stem_biomass_density": [50, 60], "foliage_density": [5, 6]}


@form
def layers_below_a_merged_title(folder):
    rows = [["土壤有机碳含量(g/kg)", None, None, None], ["样地", "0-20cm", "20-40cm", "40-60cm"], ["1", 30, 20, 12], ["2", 28, 18, 11]]
    return sheet(folder, rows, ["A1:D1"]), {"plot_id": list("111222"), "layer_top": [0, 20, 40] * 2, "soc": [30, 20, 12, 28, 18, 11]}


@form
def layers_by_plots(folder):
    rows = [["土壤容重（g/cm3）", None, None, None], ["土层(cm)", "样地1", "样地2", "样地3"], ["0-20", 1.1, 1.2, 1.3], ["20-40", 1.2, 1.3, 1.4]]
    return sheet(folder, rows, ["A1:D1"]), {"plot_id": list("123123"), "layer_top": [0] * 3 + [20] * 3, "bulk_density": [1.1, 1.2, 1.3, 1.2, 1.3, 1.4]}


# A second thirty, written before the first were mended


@form
def a_card_of_the_national_inventory(folder):
    rows=[["森林资源连续清查样地调查卡片"]+[None]*7,["样地号",1234,"地类","乔木林","优势树种","杉木","郁闭度",.7],["平均年龄",18,"坡度",22,
        "海拔",640,"样地面积","0.0667hm2"],
      ["样木号","立木类型","检尺类型","树种名称","胸径","水平距","方位角","备注"],*[[i+1,"林木","保留木","杉木",DBH[i],round(3+i*.7,1),10*i,
        None] for i in range(N)]]
    return old_book(folder/"a.xls",{"样地":rows},[(0,0,0,7)]),{"plot_id":["1234"]*N,"dbh":DBH,"age":[18]*N,"elevation":[640]*N,
        "plot_area":[.0667]*N,"canopy_closure":[.7]*N}


@form
def tallies_with_strokes(folder):
    rows=[["径阶(cm)","杉木","马尾松","合计"],[6,"正","T",7],[8,"正正一","正",16],[10,"正下","",8],["合计",24,7,31]]
    return sheet(folder,rows),{"sort":["species","dbh"],"dbh":[6,8,10,6,8],"count":[5,11,8,2,5],
        "species":["Cunninghamia lanceolata"]*3+["Pinus massoniana"]*2}


@form
def components_in_english_rows(folder):
    rows=[["Tree ID","DBH (cm)","Height (m)","Component","Fresh weight (kg)","Subsample fresh weight (g)","Subsample oven-dry weight (g)"]]
    for i in range(4):
        for o, (_, m, r) in zip(("Stem", "Branches", "Foliage", "Roots"), ORGANS, strict=True):
            rows.append([f"T{i + 1}", DBH[i], HEIGHT[i], o, fresh(m, r)[i], 250, 250 * r])
    return sheet(folder,rows),{"tree_id":["T1","T2","T3","T4"],"dbh":DBH[:4],"height":HEIGHT[:4],**some(4)}


@form
def absolute_moisture_of_each_organ(folder):
    head=[["样木","胸径cm","鲜重kg",None,None,None,"绝对含水率%",None,None,None],[None,None,"干","枝","叶","根","干","枝","叶","根"]]
    rows=table(head,IDS,DBH,*[fresh(m,r) for _,m,r in ORGANS],*[[100*(1/r-1)]*N for *_,r in ORGANS])
    return sheet(folder,rows,["A1:A2","B1:B2","C1:F1","G1:J1"]),{"dbh":DBH,**MASSES}


@form
def herbs_by_species(folder):
    rows=[["样地号","样方号","物种","株（丛）数","平均高度(cm)","盖度(%)","地上干重(g/m2)"],*[[f"P{k//3+1}",k%3+1,["狗尾草","白茅",
        "芒"][k%3],5+k,20+k,30+k,80+k] for k in range(6)]]
    return sheet(folder,rows),{"plot_id":["P1"]*3+["P2"]*3,"canopy_height":[20+k for k in range(6)],
        "cover_fraction":[(30+k)/100 for k in range(6)],"agb_density":[(80+k)/100 for k in range(6)]}


@form
def european_horizons(folder):
    rows=[["Site","Profile","Horizon","Upper depth [cm]","Lower depth [cm]","Bulk density [g/cm³]","Corg [%]",
        "Stones [vol.%]"],["Höhenwald","1","Ah","0","8","0,95","5,2","5"],["Höhenwald","1","Bv","8","30","1,22","1,9","12"],
        ["Höhenwald","2","Ah","0","10","0,99","4,8","4"]]
    return text(folder/"a.csv",rows,"cp1252",";"),{"core_id":["1","1","2"],"layer_top":[0,8,0],"layer_bottom":[8,30,10],
        "bulk_density":[.95,1.22,.99],"soc":[52,19,48],"gravel_fraction":[.05,.12,.04]}


@form
def soil_with_replicates(folder):
    rows=[["样点","采样深度(cm)","重复","容重(g/cm3)","有机质(g/kg)","pH"],*[[f"S{p}",d,r,1+p/10+r/100,30-p,5.1] for p in (1,
        2) for d in ("0～10","10～20") for r in (1,2)]]
    return sheet(folder,rows),{"layer_top":[0,0,10,10]*2,"layer_bottom":[10,10,20,20]*2,"organic_matter":[.029]*4+[.028]*4}


@form
def bamboo_stands_per_mu(folder):
    rows=[["样地编号","立竹度(株/亩)","平均眉径(cm)","平均竹高(m)","海拔(m)"],*[[k+1,180+k,9+k/10,12.5,400+k] for k in range(4)]]
    return sheet(folder,rows),{"plot_id":["1","2","3","4"],"stem_density":[(180+k)*15 for k in range(4)],"height":[12.5]*4,
        "elevation":[400+k for k in range(4)]}


@form
def street_trees(folder):
    rows=[["编号","道路名称","树种","胸径(cm)","树高(m)","枝下高(m)","冠幅东西(m)","冠幅南北(m)","健康状况"],*[[f"X{i+1}","人民路","香樟",
        DBH[i],HEIGHT[i],1.8,4+i/10,5+i/10,"良好"] for i in range(N)]]
    return text(folder/"a.csv",rows,"gbk"),{"tree_id":[f"X{i+1}" for i in range(N)],"dbh":DBH,"height":HEIGHT,
        "crown_base_height":[1.8]*N,"crown_diameter":4.5+K/10}


@form
def mangrove_shrubs(folder):
    rows=[["样方","序号","种类","基围(cm)","株高(m)","冠幅(EW)","冠幅(NS)"],[None,None,None,None,None,"m","m"],*[["Q1",k+1,"秋茄",10+k,
        1.5+k/10,1+k/10,.8+k/10] for k in range(6)]]
    k=np.arange(6)
    return sheet(folder,rows),{"plot_id":["Q1"]*6,"basal_diameter":(10+k)/np.pi,"height":1.5+k/10,"crown_diameter":.9+k/10,
        "species":["Kandelia obovata"]*6}


@form
def replicates_of_quadrats_with_mean(folder):
    rows=[["样地","草地类型","地上生物量(g/m2)",None,None,None],[None,None,"重复1","重复2","重复3","平均"],["G1","草甸",100,120,110,110],
        ["G2","典型草原",60,70,65,65]]
    return sheet(folder,rows,["A1:A2","B1:B2","C1:F1"]),{"plot_id":["G1","G2"],"agb_density":[1.1,.65]}


@form
def thousands_and_footnotes(folder):
    rows=[["Table 2. Stand characteristics"],["Plot","Age (yr)","Density (trees/ha)","Mean DBH (cm)","Basal area (m2/ha)",
        "Stem volume (m3/ha)","Aboveground biomass (t/ha)"],["1","22","1,250","15.2","22.7","165.3*","98.1"],["2","35","980",
        "19.8","30.2","n.d.","142.6"],["* estimated from yield table"]]
    return sheet(folder,rows),{"plot_id":["1","2"],"age":[22,35],"stem_density":[1250,980],"dbh":[15.2,19.8],
        "basal_area":[22.7,30.2],"growing_stock":[165.3,np.nan],"agb_density":[98.1,142.6]}


@form
def girth_in_mm(folder):
    rows=table(["Tag","Species","Girth at BH (mm)","Total height (m)"],IDS,["Quercus mongolica"]*N,(DBH*np.pi*10).round(0),HEIGHT)
    return text(folder/"a.tsv",rows,"utf-8","\t"),{"tree_id":IDS,"dbh":(DBH*np.pi*10).round(0)/10/np.pi,"height":HEIGHT}


@form
def a_table_far_down_with_blank_columns(folder):
    rows=[[None],[None,"××省林业科学研究院"],[None,"杉木单株生物量"],[None,"调查日期：2020年8月"],[],[],[None,"样木号",None,"胸径(cm)",None,
        "树高(m)","干重(kg)","枝重(kg)","叶重(kg)"],*[[None,IDS[i],None,DBH[i],None,HEIGHT[i],STEM[i],BRANCH[i],LEAF[i]] for i in range(N)]]
    return sheet(folder,rows),{"tree_id":IDS,"dbh":DBH,"height":HEIGHT,"stem":STEM,"branch":BRANCH,"foliage":LEAF}


@form
def a_sheet_of_explanations_first(folder):
    return book(folder/"a.xlsx",{"说明":[["本表为2022年调查数据"],["胸径单位：cm"],["联系人：张三"]],"数据":table(["木号","胸径","树高",
        "材积(m3)"],IDS,DBH,HEIGHT,(STEM/500).round(4))}),{"tree_id":IDS,"dbh":DBH,"height":HEIGHT,"volume":(STEM/500).round(4)}


@form
def litter_of_half_a_metre(folder):
    rows=[["枯落物调查（样方50cm×50cm）",None,None,None,None],["样方","层次","鲜重(g)","样品鲜重(g)","样品干重(g)"],*[[f"L{k//2+1}",
        ["未分解层","半分解层"][k%2],200+k,100,40] for k in range(4)]]
    return sheet(folder,rows,["A1:E1"]),{"litter_density":[(200+201)*.4/.25/100,(202+203)*.4/.25/100]}


@form
def three_lists_side_by_side(folder):
    rows=[["样地3每木检尺"]+[None]*8,["序号","胸径","树高"]*3,*[[k+1,DBH[k],HEIGHT[k],k+5,DBH[k+4],HEIGHT[k+4],k+9,DBH[k+8],
        HEIGHT[k+8]] for k in range(4)]]
    return old_book(folder/"a.xls",{"S":rows},[(0,0,0,8)]),{"sort":["dbh"],"plot_id":["3"]*N,"dbh":DBH,"height":HEIGHT}


@form
def moisture_as_a_share(folder):
    rows=table(["树号","胸径(cm)","干鲜重(kg)","干湿基含水率","枝鲜重(kg)","枝湿基含水率","叶鲜重(kg)","叶湿基含水率"],IDS,DBH,*[c for _,m,
        r in ORGANS[:3] for c in (fresh(m,r),[1-r]*N)])
    return sheet(folder,rows),{"dbh":DBH,"stem":STEM,"branch":BRANCH,"foliage":LEAF}


@form
def utf_16_without_a_mark(folder):
    rows=table(["树号","树种","胸径（cm）","树高（m）"],IDS,["华北落叶松"]*N,DBH,HEIGHT)
    return text(folder/"a.txt",rows,"utf-16-be","\t"),{"tree_id":IDS,"dbh":DBH,"height":HEIGHT}


@form
def decimal_commas_in_a_workbook(folder):
    def c(x):
        return [str(v).replace(".", ",") for v in x]

    return sheet(folder,table(["Tree","DBH (cm)","Height (m)","Stem (kg)"],IDS,c(DBH),c(HEIGHT),c(STEM))),{"dbh":DBH,"height":HEIGHT,"stem":STEM}


@form
def orchard_trees(folder):
    rows=[["果园样树调查表",None,None,None,None,None,None],["样树号","品种","树龄(年)","地径(cm)","树高(m)","冠幅(m)","单株产量(kg)"],
        *[[k+1,"油茶",8+k,6+k/2,2.1+k/10,"1.8×2.0",4.5] for k in range(5)]]
    k=np.arange(5)
    return sheet(folder,rows,["A1:G1"]),{"tree_id":list("12345"),"age":8+k,"basal_diameter":6+k/2,"height":2.1+k/10,"crown_diameter":[1.9]*5}


@form
def mean_trees_of_stands(folder):
    rows=[["样地","林龄","密度(株/hm2)","平均木胸径(cm)","平均木树高(m)","单株生物量(kg/株)",None,None,None],[None]*5+["干","枝","叶","根"],
        *[[f"P{k+1}",10+5*k,2400-300*k,DBH[k+2],HEIGHT[k+2],STEM[k+2],BRANCH[k+2],LEAF[k+2],ROOT[k+2]] for k in range(4)]]
    return sheet(folder,rows,[*(f"{c}1:{c}2" for c in "ABCDE"),"F1:I1"]),{"plot_id":["P1","P2","P3","P4"],"age":[10,15,20,
        25],"stem_density":[2400,2100,1800,1500],"dbh":DBH[2:6],"height":HEIGHT[2:6],"stem":STEM[2:6],"root":ROOT[2:6]}


@form
def units_in_the_cells(folder):
    rows=[["标准地","林龄","密度","平均胸径","平均树高"],["一","10年生","2500株/hm²","11.2cm","8.4m"],["二","20年生","1800株/hm²","17.9cm","14.2m"]]
    return sheet(folder,rows),{"plot_id":["一","二"],"age":[10,20],"stem_density":[2500,1800],"dbh":[11.2,17.9],"height":[8.4,14.2]}


@form
def underscored_names_of_a_laboratory(folder):
    rows=[["sample_no","core","depth_top_cm","depth_bottom_cm","oc_g_kg","bd_g_cm3"],["1","A","0","5","41.2","0.62"],["2",
        "A","5","15","33.1","0.71"],["3","B","0","5","38.4","0.66"]]
    return text(folder/"a.csv",rows),{"core_id":["A","A","B"],"layer_top":[0,5,0],"layer_bottom":[5,15,5],"soc":[41.2,33.1,
        38.4],"bulk_density":[.62,.71,.66]}


@form
def degrees_minutes_seconds(folder):
    rows=[["样地号","经度","纬度","海拔(m)","林龄(a)","蓄积量(m3/hm2)"],["1","110°30′00″E","25°15′36″N",510,15,120.5],["2","110°31'12\"E",
        "25°16'12\"N",620,25,210]]
    return sheet(folder,rows),{"longitude":[110.5,110.52],"latitude":[25.26,25.27],"growing_stock":[120.5,210]}


@form
def names_in_two_languages(folder):
    rows=table(["编号","中文名","拉丁学名","D1.3(cm)","H(m)","V(m³)"],IDS,["马尾松"]*N,["Pinus massoniana"]*N,DBH,HEIGHT,(STEM/500).round(4))
    return sheet(folder,rows),{"tree_id":IDS,"species":["Pinus massoniana"]*N,"dbh":DBH,"height":HEIGHT,"volume":(STEM/500).round(4)}


@form
def stands_of_an_old_book_per_mu(folder):
    rows=[["小班一览表",None,None,None,None,None],["林班","小班","面积(亩)","优势树种","平均年龄","亩蓄积(m3)"],[1,1,45,"杉木",15,6.2],[1,2,
        30,"马尾松",22,7.1],[2,1,60,"杉木",9,3.4],["合计",None,135,None,None,None]]
    return old_book(folder/"a.xls",{"S":rows},[(0,0,0,5)]),{"stand":["1","2","1"],"area":[3,2,4],"age":[15,22,9],"growing_stock":[93,106.5,51]}


@form
def rock_and_soil_in_english(folder):
    rows=[["Plot","Slope position","Rock outcrop (%)","Mean soil depth (cm)","Vegetation cover (%)","SOC (g kg-1)",
        "BD (g cm-3)"],["K1","upper",62,14.5,35,41.2,.92],["K2","middle",41,22.1,52,36.8,1.01]]
    return sheet(folder,rows),{"plot_id":["K1","K2"],"bedrock_exposure":[.62,.41],"soil_depth":[14.5,22.1],
        "cover_fraction":[.35,.52],"soc":[41.2,36.8],"bulk_density":[.92,1.01]}


@form
def surveys_in_sheets_by_month(folder):
    pages={m:table(["样方","草层高(cm)","盖度%","地上干重(g/m2)"],["a","b"],[20+i,30+i],[50,60],[100+10*i,140+10*i]) for i,
        m in enumerate(("5月","7月","9月"))}
    return book(folder/"a.xlsx",pages),{"plot_id":["a","b"]*3,"canopy_height":[20,30,21,31,22,32],"agb_density":[1,1.4,1.1,
        1.5,1.2,1.6],"season":["5月","5月","7月","7月","9月","9月"]}


# A third thirty, written after the second were mended


@form
def trees_of_a_thinning_trial(folder):
    rows=[["抚育间伐试验样地检尺表",None,None,None,None,None],["小区","处理","株号","树种","胸径\n/cm","树高\n/m"],*[[f"A{k//3+1}",
        "强度" if k<6 else "对照",k%3+1,"红松",DBH[k],HEIGHT[k]] for k in range(N)]]
    return sheet(folder,rows,["A1:F1"]),{"plot_id":[f"A{k//3+1}" for k in range(N)],"dbh":DBH,"height":HEIGHT,"species":["Pinus koraiensis"]*N}


@form
def weights_in_jin(folder):
    rows=table(["树号","胸径(cm)","树干重(斤)","树枝重(斤)","树叶重(斤)"],IDS,DBH,STEM*2,BRANCH*2,LEAF*2)
    return sheet(folder,rows),{"tree_id":IDS,"dbh":DBH,"stem":STEM,"branch":BRANCH,"foliage":LEAF}


@form
def a_paper_table_of_organs_by_tree_in_columns(folder):
    n=5
    rows=[["Organ (kg)",*[f"Tree {i+1}" for i in range(n)]],["Stem",*STEM[:n]],["Branch",*BRANCH[:n]],["Leaf",*LEAF[:n]],["Root",*ROOT[:n]],
        ["Total",*(STEM+BRANCH+LEAF+ROOT)[:n].round(2)]]
    return sheet(folder,rows),{**some(n),"total":(STEM+BRANCH+LEAF+ROOT)[:n].round(2)}


@form
def fresh_of_field_and_ratios_at_the_foot(folder):
    rows=[*table(["树号","胸径(cm)","干鲜重(kg)","枝鲜重(kg)","叶鲜重(kg)"],IDS,DBH,*[fresh(m,r) for _,m,r in ORGANS[:3]])]
    return book(folder/"a.xlsx",{"外业":rows,"含水率":[["器官","含水率(湿基,%)"],["干",55],["枝",50],["叶",60]]}),{"tree_id":IDS,"dbh":DBH,
        "stem":STEM,"branch":BRANCH,"foliage":LEAF}


@form
def saplings_and_trees_of_a_plot(folder):
    rows=[["样地 05",None,None,None],["一、乔木层"],["树号","树种","胸径(cm)","树高(m)"],[1,"栓皮栎",12.1,9.5],[2,"栓皮栎",15.4,11.2],[3,
        "油松",9.8,7.4],["二、灌木层"],["样方号","种名","株数","平均高(m)","盖度(%)"],["G1","胡枝子",12,.8,15],["G2","连翘",7,1.1,20]]
    return sheet(folder,rows),{"tree_id":["1","2","3"],"dbh":[12.1,15.4,9.8],"height":[9.5,11.2,7.4]}


@form
def plots_in_the_columns_of_an_english_table(folder):
    rows=[["Variable","Unit","Plot 1","Plot 2","Plot 3"],["Stand age","yr",12,20,31],["Stem density","trees/ha",2100,1650,1200],["Mean DBH",
        "cm",9.8,14.1,18.7],["Aboveground biomass","Mg/ha",45.2,88.1,142]]
    return sheet(folder,rows),{"age":[12,20,31],"stem_density":[2100,1650,1200],"dbh":[9.8,14.1,18.7],"agb_density":[45.2,88.1,142]}


@form
def soil_of_three_replicates_beside(folder):
    rows=[["剖面","土层(cm)","容重(g/cm3)",None,None,None,"SOC(g/kg)"],[None,None,"①","②","③","均值",None],["P1","0-10",1,1.1,1.2,1.1,25],
        ["P1","10-20",1.2,1.2,1.2,1.2,15]]
    return sheet(folder,rows,["A1:A2","B1:B2","C1:F1","G1:G2"]),{"core_id":["P1","P1"],"layer_top":[0,10],"bulk_density":[1.1,1.2],"soc":[25,15]}


@form
def a_card_of_a_soil_pit(folder):
    rows=[["土壤剖面记载表",None,None,None],["剖面编号","T-07","海拔(m)",820],["经度",108.1234,"纬度",23.4567],["层次","深度","容重",
        "有机碳"],[None,"cm","g/cm³","g/kg"],["A","0-15",1.02,31.2],["AB","15-40",1.21,14.8],["B","40-80",1.35,6.1]]
    return sheet(folder,rows,["A1:D1"]),{"core_id":["T-07"]*3,"elevation":[820]*3,"latitude":[23.4567]*3,"layer_top":[0,15,40],
        "layer_bottom":[15,40,80],"bulk_density":[1.02,1.21,1.35],"soc":[31.2,14.8,6.1]}


@form
def mangrove_cores_cut_every_five(folder):
    rows=[["Core ID","Depth mid (cm)","Depth interval (cm)","DBD (g/cc)","TOC (%)"],*[[c,2.5+5*k,f"{5*k} to {5*k+5}",.5+k/10,
        6-k] for c in ("MG1","MG2") for k in range(3)]]
    k=np.array([0,1,2]*2)
    return text(folder/"a.csv",rows),{"core_id":["MG1"]*3+["MG2"]*3,"layer_top":5*k,"layer_bottom":5*k+5,"bulk_density":.5+k/10,"soc":10*(6-k)}


@form
def bamboo_organs_in_grams(folder):
    n=6
    rows=[["编号","龄级(度)","胸径(cm)","枝下高(m)","全高(m)","秆干重(g)","枝干重(g)","叶干重(g)"],*[[i+1,"一二三"[i%3],round(DBH[i]/3,1),3,
        HEIGHT[i],1000*STEM[i],1000*BRANCH[i],1000*LEAF[i]] for i in range(n)]]
    return sheet(folder,rows),{"age_class":[1,2,3]*2,"height":HEIGHT[:n],"culm":STEM[:n],"branch":BRANCH[:n],"foliage":LEAF[:n]}


@form
def a_stand_register_with_species_composition(folder):
    rows=[["乡镇","村","小班号","面积(hm2)","树种组成","优势树种","林龄","郁闭度","公顷蓄积"],["大乡","一村",12,3.2,"8杉2马","杉木",18,.7,
        125.4],["大乡","二村",3,5.1,"10马","马尾松",25,.6,98.2]]
    return text(folder/"a.csv",rows,"gb18030"),{"stand":["12","3"],"area":[3.2,5.1],"species":["Cunninghamia lanceolata","Pinus massoniana"],
        "age":[18,25],"canopy_closure":[.7,.6],"growing_stock":[125.4,98.2]}


@form
def grass_of_seasons_in_columns(folder):
    rows=[["样地","地上生物量(g/m2)",None,None],[None,"6月","8月","10月"],["G1",80,150,120],["G2",60,110,95]]
    return sheet(folder,rows,["A1:A2","B1:D1"]),{"sort":["plot_id","agb_density"],"plot_id":["G1"]*3+["G2"]*3,"agb_density":[.8,1.2,1.5,.6,.95,1.1]}


@form
def heights_of_two_instruments(folder):
    rows=table(["木号","胸径(cm)","树高(m)(测高器)","树高(m)(伐倒实测)","材积(m3)"],IDS,DBH,HEIGHT+.3,HEIGHT,(STEM/500).round(4))
    return sheet(folder,rows),{"tree_id":IDS,"dbh":DBH,"volume":(STEM/500).round(4)}


@form
def a_list_with_totals_by_plot_in_a_column(folder):
    rows=[["样地号","树号","胸径(cm)","单株材积(m3)","样地蓄积(m3)"]]
    for p in (1, 2):
        rows +=[[p if k==0 else None,k+1,DBH[k],round(STEM[k]/500,4),.85 if k==0 else None] for k in range(4)]
    return sheet(folder,rows,["A2:A5","A6:A9","E2:E5","E6:E9"]),{"plot_id":["1"]*4+["2"]*4,"dbh":[*DBH[:4]]*2,"volume":[*(STEM[:4]/500).round(4)]*2}


@form
def english_biomass_with_carbon(folder):
    rows=[["Tree","D (cm)","H (m)","Biomass (kg)",None,None,"Carbon concentration (%)",None,None],[None,None,None,"Stem","Branch","Leaf",
        "Stem","Branch","Leaf"],*[[IDS[i],DBH[i],HEIGHT[i],STEM[i],BRANCH[i],LEAF[i],48.1,47.2,49.5] for i in range(6)]]
    return sheet(folder,rows,["A1:A2","B1:B2","C1:C2","D1:F1","G1:I1"]),{"tree_id":IDS[:6],"dbh":DBH[:6],"height":HEIGHT[:6],**some(6,
        "stem branch foliage")}


@form
def a_csv_of_a_data_logger_with_quotes(folder):
    rows=[['"Plot ID"','"Tree ID"','"Species"','"DBH(cm)"','"Height(m)"','"Remarks"'],*[['"P1"',f'"{i+1}"','"Eucalyptus urophylla"',
        f'"{DBH[i]}"',f'"{HEIGHT[i]}"','"ok, straight"'] for i in range(N)]]
    return text(folder/"a.csv",rows),{"plot_id":["P1"]*N,"dbh":DBH,"height":HEIGHT}


@form
def shrubs_in_cm_and_g_below_group_heads(folder):
    n, k = 6, np.arange(6)
    rows=[["样方编号","灌木种名","基径","株高","冠幅",None,"生物量(干重)",None,None],[None,None,"mm","cm","长(cm)","宽(cm)","枝(g)","叶(g)",
        "根(g)"],*[["S1","黄荆",7+i,90+i,60+2*i,50,120+i,25,80] for i in range(n)]]
    return sheet(folder,rows,["A1:A2","B1:B2","E1:F1","G1:I1"]),{"plot_id":["S1"]*n,"basal_diameter":(7+k)/10,"height":(90+k)/100,
        "crown_diameter":(55+k)/100,"branch":(120+k)/1000,"root":[.08]*n}


@form
def stands_with_intervals_of_age(folder):
    rows=[["龄组","林龄(a)","样地数","平均胸径(cm)","蓄积量(m3/hm2)","地上生物量(t/hm2)","地下生物量(t/hm2)"],["幼龄林","≤10",5,6.1,35.2,
        22.1,5.4],["中龄林","11-20",8,12.4,98.3,61.2,13.9],["近熟林","21-25",4,16.7,152.6,93.4,20.8]]
    return sheet(folder,rows),{"dbh":[6.1,12.4,16.7],"growing_stock":[35.2,98.3,152.6],"agb_density":[22.1,61.2,93.4],"bgb_density":[5.4,13.9,20.8]}


@form
def an_old_book_of_english_plots(folder):
    rows=[["PLOT SUMMARY"],["Plot No","Elev (m)","Slope (deg)","Stems/ha","QMD (cm)","Top height (m)","BA (m2/ha)","Vol (m3/ha)"],[101,540,
        18,1450,13.2,14.5,19.8,130.4],[102,610,25,1100,16.9,17.8,24.7,188]]
    return old_book(folder/"a.xls",{"Sheet1":rows}),{"plot_id":["101","102"],"elevation":[540,610],"slope_angle":[18,25],
        "stem_density":[1450,1100],"basal_area":[19.8,24.7],"growing_stock":[130.4,188]}


@form
def litter_by_parts_with_moisture(folder):
    rows=[["样方号","样方面积(m2)","枯落物鲜重(g)","含水率(鲜重基,%)"],*[[f"K{k}",.25,150+k,40] for k in range(4)]]
    return sheet(folder,rows),{"litter_density":(150+np.arange(4))*.6/.25/100}


@form
def trees_with_a_second_header_in_english(folder):
    rows=[["序号","树种","胸径","树高","冠幅"],["No.","Species","DBH/cm","Height/m","Crown/m"],*[[i+1,"木荷",DBH[i],HEIGHT[i],
        "2.5*3.1"] for i in range(N)]]
    return sheet(folder,rows),{"dbh":DBH,"height":HEIGHT,"crown_diameter":[2.8]*N,"species":["Schima superba"]*N}


@form
def wood_density_by_species(folder):
    rows=[["序号","中文名","拉丁名","气干密度(g/cm3)","基本密度(g/cm3)"],[1,"杉木","Cunninghamia lanceolata",.37,.31],[2,"马尾松",
        "Pinus massoniana",.52,.43]]
    return sheet(folder,rows),{"species":["Cunninghamia lanceolata","Pinus massoniana"],"wood_density":[.31,.43]}


@form
def rows_in_reverse_with_blank_ids(folder):
    rows=[["标准木号","器官","鲜重","干物质率"],[None,None,"kg","%"]]
    for i in range(3):
        for k, (o, m, r) in enumerate(ORGANS):
            rows.append([f"{i+1}#" if k==0 else None,o,fresh(m,r)[i],100*r])
    return sheet(folder,rows),{"tree_id":["1#","2#","3#"],**some(3)}


@form
def plots_with_mixed_units_of_area(folder):
    rows=[["样地号","样地面积","株数","平均胸径(cm)"],["1","20m×20m",52,12.1],["2","400m2",61,11.4],["3","0.6亩",40,14]]
    return sheet(folder,rows),{"plot_id":["1","2","3"],"plot_area":[.04,.04,.04],"stem_density":[1300,1525,1000],"dbh":[12.1,11.4,14]}


@form
def karst_fissures_by_class(folder):
    rows=[["样方","小生境类型","面积比例(%)","土层厚度(cm)","岩石裸露率(%)"],["Q1","石沟",15,22.5,48],["Q1","石面",48,0,48],["Q2","土面",80,41,12]]
    return text(folder/"a.txt",rows,"utf-16","\t"),{"plot_id":["Q1","Q1","Q2"],"soil_depth":[22.5,0,41],"bedrock_exposure":[.48,.48,.12]}


@form
def a_growth_ring_table(folder):
    rows=[["树号","年龄(a)","去皮胸径(cm)","树高(m)"],*[[f"J{t}",a,1.1*a+t,.8*a] for t in (1,2) for a in (5,10,15)]]
    return sheet(folder,rows),{"tree_id":["J1"]*3+["J2"]*3,"age":[5,10,15]*2,"height":[4,8,12]*2}


@form
def peat_cores_with_von_post(folder):
    rows=[["孔号","上界(m)","下界(m)","分解度","干容重(g/cm3)","有机质(%)","含水量(%)"],["ZK1",0,.5,"H3",.12,85.2,88],["ZK1",.5,1,"H5",.15,80.1,85]]
    return sheet(folder,rows),{"core_id":["ZK1","ZK1"],"layer_top":[0,50],"layer_bottom":[50,100],"bulk_density":[.12,.15],
        "organic_matter":[.852,.801]}


@form
def seagrass_quadrats(folder):
    rows=[["站位","样框面积(cm×cm)","海草种类","地上干重(g)","地下干重(g)"],["Z1","25×25","Zostera marina",12.1,8.4],["Z2","25×25",
        "Zostera marina",9.8,7.7]]
    return sheet(folder,rows),{"plot_area":[6.25e-6]*2,"agb_density":[12.1/.0625/100,9.8/.0625/100]}


@form
def urban_list_with_codes_of_health(folder):
    rows=[["古树编号","树种","树龄/年","树高/米","胸围/厘米","平均冠幅/米","生长势"],["01","银杏",350,22.5,410,14,"正常"],["02","侧柏",220,
        14.1,255,8.5,"衰弱"]]
    return text(folder/"a.csv",rows,"gbk"),{"tree_id":["01","02"],"age":[350,220],"height":[22.5,14.1],"dbh":[410/np.pi,255/np.pi],
        "crown_diameter":[14,8.5]}


@form
def a_pivot_of_counts(folder):
    rows=[["样地","径阶(cm)",None,None,None],[None,8,10,12,14],["P1",5,12,9,3],["P2",7,10,11,2]]
    return sheet(folder,rows,["A1:A2","B1:E1"]),{"plot_id":["P1"]*4+["P2"]*4,"dbh":[8,10,12,14]*2,"count":[5,12,9,3,7,10,11,2]}


@form
def bounds_of_layers_by_a_word(folder):
    rows = [["Core", "Top (cm)", "Bottom (cm)", "Dry BD (g/cm3)", "Organic C (%)"], *[["C1", 10 * k, 10 * k + 10, 1 + k / 10, 3 - k] for k in range(3)]]
    return sheet(folder, rows), {"core_id": ["C1"] * 3, "layer_top": [0, 10, 20], "layer_bottom": [10, 20, 30], "soc": [30, 20, 10]}


@form
def letters_that_their_units_explain(folder):
    rows=[["plot","n_ha","dg_cm","hg_m","g_m2ha","v_m3ha"],["A",1200,12.3,11,14.3,80],["B",1300,14.3,12,20.9,125]]
    return text(folder/"a.csv",rows),{"stem_density":[1200,1300],"dbh":[12.3,14.3],"height":[11,12],"basal_area":[14.3,20.9],"growing_stock":[80,125]}


@form
def a_bare_du_of_bamboo_and_classes_of_diameters(folder):
    rows=[["样地","竹种","度","径阶(cm)","株数"],["1","毛竹","Ⅱ","6-8",5],["1","毛竹","Ⅲ","8-10",6]]
    return sheet(folder,rows),{"age_class":[2,3],"dbh":[7,9],"count":[5,6],"says":["middle|中值"]}


@form
def ages_as_classes(folder):
    rows=[["小班","年龄(a)","面积(hm2)","蓄积(m3)"],["1","11-20",3,300],["2","≤10",2,20],["3","21～30",1,120],["4",">60",1,200]]
    return sheet(folder,rows),{"age":[15.5,5,25.5,np.nan],"age_limit":[np.nan]*3+[60],"growing_stock":[100,10,120,200],"says":["row 2–4|第 2–4 行"]}


@form
def layers_in_names_of_samples(folder):
    rows=[["样品编号","有机碳(g/kg)","容重(g/cm3)"],["LS-1（0-20cm）",20,1.1],["LS-1（20-40cm）",15,1.2],["LS-2(0-20cm)",22,1.],["LS-2(20-40cm)",11,1.3]]
    return sheet(folder,rows),{"core_id":["LS-1"]*2+["LS-2"]*2,"layer_top":[0,20]*2,"layer_bottom":[20,40]*2,"soc":[20,15,22,11]}


@form
def a_taper_table_has_one_record_a_tree(folder):
    rows=[["树号","胸径(cm)","树高(m)","各高度处带皮直径(cm)",None,None],[None,None,None,"0.5m","2m","4m"],["J1",10,9,11,9,7],["J2",12,10,13,10,8]]
    return sheet(folder,rows,["A1:A2","B1:B2","C1:C2","D1:F1"]),{"tree_id":["J1","J2"],"dbh":[10,12],"height":[9,10]}


# More field books, written before one of them was read


@form
def county_subcompartments_with_town_totals(folder):
    rows=[["融水县2022年森林资源小班一览表"]+[None]*9,["单位：公顷、立方米"]+[None]*9,["乡镇","村","林班","小班","面积","优势树种","林龄","平均胸径","平均树高","小班蓄积"],
     ["怀宝镇","东水村","3","1",4.2,"杉木",18,14.2,11.5,420],["怀宝镇","东水村","3","2",2.5,"马尾松",25,18.1,13.2,300],["怀宝镇小计",None,None,None,6.7,None,None,None,None,720],
     ["四荣乡","荣地村","7","1",3,"毛竹",None,9.5,12,None],["合计",None,None,None,9.7,None,None,None,None,720],["填表人：张三",None,None,None,"2022年10月"]+[None]*5]
    return sheet(folder,rows,["A1:J1","A2:J2"]),{"stand":["1","2","1"],"area":[4.2,2.5,3],"age":[18,25,np.nan],"growing_stock":[100,120,np.nan],
        "dbh":[14.2,18.1,9.5]}


@form
def felled_tree_card_transposed_gb(folder):
    rows=[["项目","单位","1号木","2号木","3号木"],["胸径","cm",*DBH[:3]],["树高","m",*HEIGHT[:3]],["树龄","a",12,15,18],["干重","kg",*STEM[:3]],
        ["枝重","kg",*BRANCH[:3]],["叶重","kg",*LEAF[:3]],["根重","kg",*ROOT[:3]]]
    return text(folder/"a.csv",rows,"gb18030"),{"dbh":DBH[:3],"height":HEIGHT[:3],"age":[12,15,18],**some(3)}


@form
def english_r_export_of_felled_trees(folder):
    rows=[["tree_id","species","age_yr","dbh_cm","ht_m","d0_cm","stem_dw_kg","branch_dw_kg","leaf_dw_kg","root_dw_kg"],*[[IDS[i],
        "Larix gmelinii",20+i,DBH[i],HEIGHT[i],DBH[i]+2,STEM[i],BRANCH[i],LEAF[i],ROOT[i]] for i in range(N)]]
    return text(folder/"a.csv",rows),{"tree_id":IDS,"age":[20+i for i in range(N)],"dbh":DBH,"height":HEIGHT,"basal_diameter":DBH+2,**MASSES}


@form
def soil_profile_utf16(folder):
    rows=[["剖面号","土层深度/cm","容重/(g·cm-3)","有机碳含量/(g·kg-1)","砾石含量/%"],["S01","0~10",1.05,32.1,5],["S01","10~30",1.18,18.4,8],
        ["S01","30~60",1.30,9.2,15],["S02","0~10",.98,40.2,3],["S02","10~30",1.1,22.5,6]]
    return text(folder/"a.txt",rows,"utf-16","\t"),{"layer_top":[0,10,30,0,10],"layer_bottom":[10,30,60,10,30],
        "bulk_density":[1.05,1.18,1.3,.98,1.1],"soc":[32.1,18.4,9.2,40.2,22.5],"gravel_fraction":[.05,.08,.15,.03,.06]}


@form
def lab_sheet_of_organic_matter(folder):
    rows=[["检测报告",None,None,None,None],["送样单位：林科院",None,None,"检测日期：2021-06-03",None],["实验室编号","原编号","有机质(g/kg)","全氮(g/kg)","pH"],
        ["T001","A1_0_20",41.2,2.1,4.8],["T002","A1_20_40",25.5,1.3,5.0],["T003","A2_0_20",38.3,1.9,4.7],["T004","A2_20_40",21.1,1.0,4.9]]
    return sheet(folder,rows,["A1:E1"]),{"organic_matter":[.0412,.0255,.0383,.0211],"layer_top":[0,20,0,20],"layer_bottom":[20,40,20,40]}


@form
def grass_quadrats_with_bags(folder):
    rows=[["样地","样方","优势种","盖度(%)","平均高(cm)","地上鲜重(g/m2)","地上干重(g/m2)","地下生物量(g/m2)"],["赤01","1","羊草",65,35,320,140.2,980],
        ["赤01","2","羊草",70,38,350,151.5,1020],["赤02","1","大针茅",50,30,250,110.8,860]]
    return sheet(folder,rows),{"plot_id":["赤01","赤01","赤02"],"cover_fraction":[.65,.7,.5],"canopy_height":[35,38,30],
        "agb_density":[1.402,1.515,1.108],"bgb_density":[9.8,10.2,8.6]}


@form
def bamboo_culms_with_du_in_words(folder):
    rows=[["毛竹样竹生物量调查表"]+[None]*7,["竹号","度","眉径/cm","竹高/m","竹秆/kg","竹枝/kg","竹叶/kg","竹蔸/kg"],["1","Ⅰ",8.5,11.2,9.1,1.8,.9,2.1],
        ["2","Ⅱ",9.6,12.5,13.0,2.3,1.1,2.8],["3","Ⅲ",10.2,13.1,16.2,2.7,1.2,3.2]]
    return sheet(folder,rows,["A1:H1"]),{"age_class":[1,2,3],"dbh":[8.5,9.6,10.2],"height":[11.2,12.5,13.1],"culm":[9.1,13,16.2],
        "branch":[1.8,2.3,2.7],"foliage":[.9,1.1,1.2]}


@form
def wetland_core_in_english(folder):
    rows=[["Core ID","Depth top (cm)","Depth bottom (cm)","DBD (g cm-3)","LOI (%)","Corg (%)"],["SM1",0,5,.42,18.2,7.1],["SM1",5,10,.48,16.5,6.4],
        ["SM2",0,5,.39,19.9,8.0]]
    return text(folder/"a.csv",rows),{"core_id":["SM1","SM1","SM2"],"layer_top":[0,5,0],"layer_bottom":[5,10,5],"bulk_density":[.42,.48,.39],
        "soc":[71,64,80]}


@form
def stand_summary_with_symbols(folder):
    rows=[["样地号","N(株/hm2)","Dg(cm)","Hm(m)","G(m2/hm2)","M(m3/hm2)","A(a)"],["1",1800,12.4,10.2,21.7,120,18],["2",1500,15.1,12.8,26.9,180,24]]
    return sheet(folder,rows),{"stem_density":[1800,1500],"dbh":[12.4,15.1],"height":[10.2,12.8],"basal_area":[21.7,26.9],"growing_stock":[120,180],
        "age":[18,24]}


@form
def height_classes_of_seedlings(folder):
    rows=[["地块","苗高级(cm)","地径(mm)","单株干重(g)"],["A","10-20",4.1,5.2],["A","20-30",5.6,9.3]]
    return sheet(folder,rows),{"basal_diameter":[.41,.56]}


@form
def litter_by_decay_layer(folder):
    rows=[["样方号","样方面积(m2)","未分解层干重(g)","半分解层干重(g)","凋落物总干重(g)"],["L1",1,210,350,560],["L2",1,180,320,500]]
    return sheet(folder,rows),{"litter_density":[5.6,5.0]}


@form
def deadwood_line(folder):
    rows=[["样地","枯木编号","类型","直径(cm)","长度(m)","腐烂等级"],["P1","1","倒木",18.2,3.4,2],["P1","2","枯立木",22.1,6.0,1]]
    return sheet(folder,rows),{"plot_id":["P1","P1"]}


@form
def karst_soil_depth_grid(folder):
    rows=[["样线","测点","裸岩/土","土层厚度(cm)"],["1","1","土",12],["1","2","石",None],["1","3","土",25]]
    return sheet(folder,rows),{"soil_depth":[12,np.nan,25]}


@form
def inventory_of_two_periods_in_sheets(folder):
    one=[["样地号","样木号","树种","胸径(cm)"],["21","1","杉木",10.2],["21","2","马尾松",15.6]]
    two=[["样地号","样木号","树种","胸径(cm)"],["21","1","杉木",13.1],["21","2","马尾松",18.4]]
    return book(folder/"a.xlsx",{"2015年":one,"2020年":two}),{"dbh":[10.2,15.6,13.1,18.4],"year":[2015,2015,2020,2020]}


@form
def stem_analysis_long(folder):
    rows=[["解析木","龄阶/年","去皮直径/cm","树高/m","材积/m3"],["1号",5,2.1,3.2,.0008],["1号",10,6.4,6.8,.0121],["1号",15,10.2,9.9,.0425]]
    return sheet(folder,rows),{"age":[5,10,15],"height":[3.2,6.8,9.9],"volume":[.0008,.0121,.0425]}


@form
def taper_of_old_book(folder):
    rows=[["木号","D1.3(cm)","H(m)","0m","1m","3m","5m"],["1",14.2,12.1,17.5,14.8,12.2,9.1],["2",16.8,13.5,20.1,17.2,14.4,11.0]]
    return old_book(folder/"a.xls",{"S":rows}),{"dbh":[14.2,16.8],"height":[12.1,13.5]}


@form
def forest_carbon_of_layers_in_columns(folder):
    rows=[["样地","土壤有机碳储量(t/hm2)",None,None],[None,"0-20cm","20-40cm","40-60cm"],["Y1",45.2,28.1,15.3],["Y2",50.1,30.4,17.7]]
    return sheet(folder,rows,["A1:A2","B1:D1"]),{"plot_id":["Y1"]*3+["Y2"]*3,"soc_stock":[45.2,28.1,15.3,50.1,30.4,17.7],"layer_top":[0,20,40]*2}


@form
def plots_with_mean_and_sd(folder):
    rows=[["林分类型","乔木层(t/hm2)","灌木层(t/hm2)","草本层(t/hm2)","凋落物层(t/hm2)"],["杉木林","98.2±6.1","2.1±0.3","1.2±0.2","4.5±0.6"],
        ["马尾松林","110.5±8.8","3.2±0.5","0.9±0.1","5.8±0.7"]]
    return sheet(folder,rows),{"litter_density":[4.5,5.8],"litter_density_sd":[.6,.7]}


@form
def shrubs_with_crowns(folder):
    rows=[["样方","株号","灌木种","基径(mm)","株高(cm)","冠幅EW(cm)","冠幅NS(cm)","地上鲜重(g)","地上干重(g)","根干重(g)"],["1","1","山杏",22,120,90,80,820,410,260],
        ["1","2","山杏",18,100,70,60,560,280,190]]
    return sheet(folder,rows),{"basal_diameter":[2.2,1.8],"height":[1.2,1.0],"crown_diameter":[.85,.65],"agb":[.41,.28],"root":[.26,.19]}


@form
def english_plots_two_row_header(folder):
    rows=[["Plot","Stand",None,None,"Biomass (Mg/ha)",None,None],[None,"Age (yr)","Density (stems/ha)","Mean DBH (cm)","Stem","Branch","Root"],
        ["P1",12,2200,9.8,45.1,8.2,11.9],["P2",20,1700,13.9,88.0,13.1,21.4]]
    return sheet(folder,rows,["A1:A2","B1:D1","E1:G1"]),{"plot_id":["P1","P2"],"age":[12,20],"stem_density":[2200,1700],"dbh":[9.8,13.9],
        "stem_biomass_density":[45.1,88],"branch_density":[8.2,13.1],"bgb_density":[11.9,21.4]}


# fmt: on


@pytest.mark.parametrize("name", FORMS)
def test_forms_of_crews_are_read_without_editing(tmp_path, name):
    is_read(*FORMS[name](tmp_path))


def test_du_of_no_bamboo_and_samples_without_joining_layers_stay_as_written(tmp_path):
    other = read(sheet(tmp_path, [["树种", "度", "株数"], ["杉木", "Ⅱ", 5], ["杉木", "Ⅲ", 6]]))
    assert "age_class" not in other
    rows = [["样号", "有机碳(g/kg)"], ["P1-10-20", 20], ["P1-40-50", 12]]
    assert "layer_top" not in read(sheet(tmp_path, rows))


def test_a_title_of_two_quantities_names_neither(tmp_path):
    rows = [
        ["土壤有机碳与容重", None, None],
        ["土层(cm)", "样地1", "样地2"],
        ["0-20", 30, 20],
        ["20-40", 28, 18],
    ]
    assert not {"soc", "bulk_density"} & set(read(sheet(tmp_path, rows, ["A1:C1"])))


def test_a_sum_that_is_none_is_no_whole(tmp_path):
    rows = table(
        ["树号", "胸径(cm)", "干(kg)", "枝(kg)", "叶(kg)", "合计"], IDS, DBH, STEM, BRANCH, LEAF, STEM
    )
    assert not {"agb", "total"} & set(read(sheet(tmp_path, rows)))

"""Forms of other hands: other languages and words, notes that say what numbers are, tables beside each other."""

import re

import numpy as np
import pytest
from field_books import (
    BRANCH,
    DBH,
    HEIGHT,
    IDS,
    LEAF,
    ROOT,
    STEM,
    K,
    N,
    book,
    holds,
    is_read,
    old_book,
    says,
    sheet,
    table,
    text,
)

from sinklab.data.columns import meaning
from sinklab.data.headers import said
from sinklab.data.reading import read

FORMS = {}
# fmt: off


def form(function):
    FORMS[function.__name__] = function
    return function


@form
def subtotals_below_a_merged_part_of_the_tree(folder):
    above = STEM + BRANCH + LEAF
    rows = [["样木号", "胸径/cm", "生物量/kg", None, None, None, None, None], [None, None, "地上部分", None, None, None, "地下部分", "合计"],
            [None, None, "树干", "树枝", "针叶", "小计", "根系", None], *map(list, zip(IDS, DBH, STEM, BRANCH, LEAF, above, ROOT, above + ROOT,
            strict=True))]
    return sheet(folder, rows, ["A1:A3", "B1:B3", "C1:H1", "C2:F2", "H2:H3"]), {"agb": above, "total": above + ROOT, "root": ROOT, "stem": STEM}


@form
def roots_by_width_beside_their_sum_in_two_units(folder):
    n = 5
    thick, thin, stump = np.arange(1, 6) / 2, np.arange(1, 6) * 100, np.arange(2, 7) / 1
    rows = [["木号", "胸径", "根桩(kg)", "各径级根系干重", None, "根系合计(kg)"], [None, "cm", None, ">5mm(kg)", "<5mm(g)", None],
            *map(list, zip(IDS[:n], DBH[:n], stump, thick, thin, stump + thick + thin / 1000, strict=True))]
    return sheet(folder, rows, ["A1:A2", "D1:E1"]), {"dbh": DBH[:n], "root": stump + thick + thin / 1000, "says": ["is the sum of 根桩"]}


@form
def trees_as_columns_under_codes(folder):
    rows = [["枫香样木"], ["项目", "F1", "F2", "F3"], ["胸径(cm)", *DBH[:3]], ["树高(m)", *HEIGHT[:3]], ["树干(kg)", *STEM[:3]], ["树叶(kg)", *LEAF[:3]]]
    return sheet(folder, rows, ["A1:D1"]), {"tree_id": ["F1", "F2", "F3"], "dbh": DBH[:3], "stem": STEM[:3]}


@form
def head_of_the_plot_beside_the_table(folder):
    rows = [["检尺登记表"], ["径阶", "株数", "平均高(m)", None, "标准地号", 7], [6, 7, 6.1, None, "面积", "0.08公顷"], [10, 16, 8.4, None, "树种",
            "马尾松"],
            [14, 23, 10.9, None, "林龄", "22年"], ["合计", 46]]
    return sheet(folder, rows), {"dbh": [6, 10, 14], "count": [7, 16, 23], "height": [6.1, 8.4, 10.9], "plot_area": [.08] * 3, "age": [22] * 3,
                                 "plot_id": ["7"] * 3, "species": ["Pinus massoniana"] * 3}


@form
def culms_of_clumps_with_ages_in_years(folder):
    rows = [["丛号", "竹号", "竹龄(年)", "胸径(cm)", "秆干重(kg)"], ["1", "1-1", 1, 4.3, 1.64], [None, "1-2", 2, 6.8, 4.48], ["2", "2-1", 3, 6.0,
            3.99], [None, "2-2", 4, 5.3, 3.17]]
    return sheet(folder, rows), {"tree_id": ["1-1", "1-2", "2-1", "2-2"], "age": [1, 2, 3, 4], "culm": [1.64, 4.48, 3.99, 3.17]}


@form
def roots_by_layers_beside_their_sum_with_glued_units(folder):
    rows = [["样方", "草地类型", "枯落物g/m2", "根0-10cm g/m2", "根10-20cm g/m2", "地下合计g/m2"], ["Q1", "典型草原", 16.9, 465.5, 136.4, 601.9],
            ["Q2", "典型草原", 60.6, 429.8, 156.4, 586.2]]
    return text(folder / "a.txt", rows, "utf-16", "\t"), {"litter_density": [.169, .606], "bgb_density": [6.019, 5.862]}


@form
def litter_of_traps_with_area_and_unit_in_the_title(folder):
    rows = [["凋落物收集记录（收集框面积0.5m²，单位：g/框）"], ["收集框号", "样地", "叶", "枝", "果", "总量"], ["L01", 1, 241.9, 70, 16.8, 328.7],
            ["L02", 1, 204.7, 78.1, 18.8, 301.6]]
    return sheet(folder, rows, ["A1:F1"]), {"plot_id": ["L01", "L02"], "plot_area": [5e-5] * 2, "litter_density": [6.574, 6.032],
            "says": ["^(?!.*→ (?:foliage|branch)\\b)"]}


@form
def discs_of_trees_written_once(folder):
    rows = [["树种", "样木号", "取样部位", "绝干质量g", "基本密度g/cm3"], *[["杉木" if i == 0 else "枫香" if i == 6 else None,
            i % 6 // 3 + 1 if i % 3 == 0 else None, "基中梢"[i % 3], 150 + i, .3 + i / 100] for i in range(12)]]
    return old_book(folder / "a.xls", {"S": rows}), {"species": ["Cunninghamia lanceolata"] * 6 + ["Liquidambar formosana"] * 6,
            "tree_id": ["1"] * 3 + ["2"] * 3 + ["1"] * 3 + ["2"] * 3,
        "wood_density": .3 + np.arange(12) / 100, "says": ["take the value above"]}


@form
def carbon_of_organs_below_each_other(folder):
    rows = [["树种", "器官", "重复", "碳含量(g/kg)"], *[["杉木", o, k, 480 + k] for o in ("干", "皮", "叶") for k in (1, 2)]]
    return sheet(folder, rows), {"component": ["stem", "stem", "bark", "bark", "foliage", "foliage"], "carbon_fraction": [.481, .482] * 3}


@form
def seedlings_with_a_row_of_a_test(folder):
    rows = [["处理", "苗号", "地径(mm)", "苗高(cm)", "根干重(g/株)"], ["CK", 1, 3.4, 35.2, 1.6], ["CK", 2, 2.9, 28.9, 1.1], ["N1", 3, 5, 40, 3.4],
            ["最小显著差数（LSD0.05）", None, .4, 3.2, .06]]
    return sheet(folder, rows), {"tree_id": ["1", "2", "3"], "basal_diameter": [.34, .29, .5], "root": [.0016, .0011, .0034]}


@form
def crowns_along_e_w(folder):
    rows = [["株号", "地径(cm)", "冠幅(m)", None, "枝"], [None, None, "E—W", "N—S", "kg"], ["1", 8, 2.2, 2.6, 2.6], ["2", 7, 2.4, 2.4, 2.2]]
    return sheet(folder, rows, ["C1:D1"]), {"crown_diameter": [2.4, 2.4], "branch": [2.6, 2.2]}


@form
def masses_that_a_note_says_are_fresh(folder):
    rows = [["竹号", "度数", "竹高(公尺)", "秆重(市斤)", "枝叶重(市斤)"], [1, 1, 13.3, 35.4, 7.8], [2, 2, 16.3, 72.4, 15.9], ["注：重量均为砍伐时鲜重"]]
    return text(folder / "a.csv", rows, "gb18030"), {"height": [13.3, 16.3], "culm_fresh": [17.7, 36.2], "crown_fresh": [3.9, 7.95],
            "says": ["masses are fresh"]}


@form
def german_in_the_code_page_of_windows(folder):
    rows = [["Baum-Nr.", "Baumart", "BHD [mm]", "Höhe [m]", "Schaftholz [kg]", "Rinde [kg]", "Äste [kg]", "Nadeln [kg]", "Wurzeln [kg]"],
            *[[i + 1, "Pinus sylvestris", int(DBH[i] * 10), *(str(x[i]).replace(".", ",") for x in (HEIGHT, STEM, BRANCH, BRANCH, LEAF,
            ROOT))] for i in range(N)],
            ["Mittelwert", "", 150, "10,1", "1,1", "1,1", "1,1", "1,1", "1,1"]]
    return text(folder / "a.csv", rows, "cp1252", ";"), {"tree_id": [str(i + 1) for i in range(N)], "dbh": DBH, "height": HEIGHT, "wood": STEM,
            "bark": BRANCH, "branch": BRANCH,
                                                         "foliage": LEAF, "root": ROOT}


@form
def spanish_with_decimal_commas(folder):
    rows = [["Árbol", "Especie", "DAP (cm)", "Altura (m)", "Fuste (kg)", "Corteza (kg)", "Ramas (kg)", "Hojas (kg)", "Raíces (kg)"],
            *[[i + 1, "Eucalyptus globulus", *(str(x[i]).replace(".", ",") for x in (DBH, HEIGHT, STEM, BRANCH, BRANCH, LEAF, ROOT))] for i in range(N)]]
    return text(folder / "a.tsv", rows, "utf-8", "\t"), {"dbh": DBH, "stem": STEM, "bark": BRANCH, "branch": BRANCH, "foliage": LEAF, "root": ROOT}


@form
def numbers_as_texts_with_signs_before_them(folder):
    rows = [["样地-树号", "胸径 (cm)", "树高 (m)", "根生物量 (kg)"], ["01-001", "7.8", "约9.6m", "'3.43"], ["01-002", "５.5", "7.2m", "2.55kg"]]
    return old_book(folder / "a.xls", {"S": rows}), {"tree_id": ["01-001", "01-002"], "dbh": [7.8, 5.5], "height": [9.6, 7.2], "root": [3.43, 2.55],
            "says": ["约"]}


@form
def heights_of_other_trees_beside_the_list(folder):
    rows = [["每木检尺", None, None, None, "测高样木"], ["树号", "树种", "胸径(cm)", None, "序号", "胸径(cm)", "树高(m)"],
            *[[i + 1, "杉木", DBH[i], None, *([i + 1, DBH[i] + 2, HEIGHT[i]] if i < 4 else [])] for i in range(N)]]
    return sheet(folder, rows, ["A1:C1", "E1:G1"]), {"tree_id": [str(i + 1) for i in range(N)], "dbh": DBH, "says": ["table not read"]}


@form
def units_in_a_note_below(folder):
    rows = [["树号", "胸径", "树高", "干重", "枝重"], ["1", 42, 3.1, 500, 200], ["2", 52, 3.9, 800, 300], ["注：胸径单位为mm，树高m，生物量以g计"]]
    return sheet(folder, rows), {"dbh": [4.2, 5.2], "height": [3.1, 3.9], "stem": [.5, .8], "branch": [.2, .3], "says": ["as a note says"]}


@form
def units_in_an_english_note(folder):
    rows = [["Tree", "DBH", "Height", "Stem", "Branch"], ["1", 42, 3.1, 500, 200], ["2", 52, 3.9, 800, 300],
            ["Note: DBH in mm, heights in m, all masses in g."]]
    return sheet(folder, rows), {"dbh": [4.2, 5.2], "height": [3.1, 3.9], "stem": [.5, .8], "branch": [.2, .3]}


@form
def fresh_masses_by_the_title(folder):
    rows = [["杉木各器官鲜重（kg）"], ["树号", "胸径", "树干", "枝"], ["1", 14.2, 55, 20], ["2", 15.2, 80, 30]]
    return sheet(folder, rows, ["A1:D1"]), {"stem_fresh": [55, 80], "branch_fresh": [20, 30], "says": ["masses are fresh", "^(?!.*→ stem\\b)"]}


@form
def girths_by_a_note(folder):
    rows = [["树号", "胸径(cm)", "树高(m)"], ["1", 44, 13.1], ["2", 52, 13.9], ["注：胸径用围尺量取，读数为周长"]]
    return sheet(folder, rows), {"dbh": np.array([44, 52]) / np.pi, "says": ["is a girth"]}


@form
def texts_for_no_value_in_comments_above(folder):
    rows = [["# 缺测=-99"], ["树号", "胸径(cm)", "树高(m)"], ["1", 44, 13.1], ["2", -99, 13.9], ["3", 12, -9999]]
    return text(folder / "a.csv", rows), {"dbh": [44, np.nan, 12], "height": [13.1, 13.9, np.nan], "says": ["no value: B4 '-99', C5 '-9999'"]}


@form
def a_header_that_numpy_commented(folder):
    return text(folder / "a.csv", [["# dbh_cm", "height_m"], [44, 13.1], [12, 9]]), {"dbh": [44, 12], "height": [13.1, 9]}


@form
def codes_of_species_on_a_sheet_of_their_own(folder):
    pages = {"数据": [["样地", "树号", "树种", "胸径(cm)"], ["1", "1", "1", 12], ["1", "2", "2", 13]], "代码": [["代码", "树种"], ["1", "杉木"], ["2",
            "马尾松"]]}
    return book(folder / "a.xlsx", pages), {"species": ["Cunninghamia lanceolata", "Pinus massoniana"], "dbh": [12, 13], "says": ["codes of sheet 代码"]}


@form
def names_that_a_sheet_explains(folder):
    pages = {"data": [["plt", "tr", "d", "ht", "ws"], ["1", "1", 120, 9, 12], ["1", "2", 130, 9, 13]],
             "readme": [["variable", "description", "unit"], ["plt", "plot", "-"], ["tr", "tree id", ""], ["d", "diameter at breast height", "mm"],
                        ["ht", "tree height", "m"], ["ws", "stem dry mass", "kg"]]}
    return book(folder / "a.xlsx", pages), {"plot_id": ["1", "1"], "tree_id": ["1", "2"], "dbh": [12, 13], "stem": [12, 13],
            "says": ["as sheet readme says"]}


@form
def a_web_page_saved_as_a_workbook(folder):
    (folder / "a.xls").write_text("<html><head><meta charset='gb2312'></head><body><table><tr><td colspan=3>样木</td></tr><tr><th>树号</th>"
        "<th>胸径(cm)</th><th>树高(m)</th></tr><tr><td>1</td><td>12.1</td><td>9</td></tr><tr><td>2</td><td>13.1</td>"
        "<td>10</td></tr></table></body></html>", encoding="gb18030")
    return folder / "a.xls", {"tree_id": ["1", "2"], "dbh": [12.1, 13.1], "height": [9, 10]}


@form
def statistics_named_in_the_second_column(folder):
    rows = [["样地", "树号", "胸径(cm)"], ["1", "1", 12], ["1", "2", 13], *[[None, s, 1] for s in ("平均值", "标准差", "变异系数(%)", "最大值", "样本数")]]
    return sheet(folder, rows), {"dbh": [12, 13]}


@form
def sums_with_a_wide_blank_below_sections(folder):
    rows = [["树号", "胸径(cm)", "树高(m)"], ["一、杉木"], ["1", 12, 9], ["2", 13, 9], ["小\u3000计", 25], ["二、马尾松"], ["1", 14, 8], ["总\u3000计", 39]]
    return text(folder / "a.csv", rows, "gb18030"), {"dbh": [12, 13, 14], "species": ["Cunninghamia lanceolata"] * 2 + ["Pinus massoniana"]}


@form
def profiles_with_a_row_of_the_whole(folder):
    rows = [["剖面", "土层(cm)", "SOC(%)", "碳储量(kg·m-2)"], *[[p, d, s, c] for p in ("P1", "P2") for d, s, c in (("0-20", 2, 5), ("20-40", 1, 4),
            ("0-40", None, 9))]]
    return sheet(folder, rows), {"core_id": ["P1", "P1", "P2", "P2"], "layer_bottom": [20, 40] * 2, "soc": [20, 10] * 2, "soc_stock": [50, 40] * 2,
            "says": ["whole profiles"]}


@form
def masses_of_quadrats_whose_area_stands_in_the_unit(folder):
    rows = [["样方号", "植物种", "株数(株)", "地上干重(g/0.25m²)", "枯落物(g/0.25m²)"], ["Q1", "芦苇", 45, 313.5, 44.4], ["Q2", "芦苇", 27, 122.2, 15.3]]
    return text(folder / "a.csv", rows, "utf-8-sig"), {"count": [45, 27], "plot_area": [2.5e-5] * 2, "agb_density": [12.54, 4.888],
            "litter_density": [1.776, .612], "says": ["0.25m"]}


@form
def organs_by_age_group_with_the_unit_in_the_title(folder):
    rows = [["不同龄组生物量分配（平均值±标准差，t·hm-2）"], ["龄组", "林龄(a)", "株数密度(株/hm²)", "树干", "树根", "凋落物层"], ["幼龄林", 8,
            "2850±228", "16.4±1.8a", "4.9±0.5a", "2.8±0.3"],
            ["中龄林", 19, "1780±142", "61.8±6.8a", "15.2±1.6b", "5.1±0.5"]]
    return sheet(folder, rows, ["A1:F1"]), {"stem_biomass_density": [16.4, 61.8], "bgb_density": [4.9, 15.2], "litter_density": [2.8, 5.1]}


@form
def names_in_two_languages_in_one_cell(folder):
    rows = [["编号 No.", "胸径 DBH", "生物量 Biomass (kg/株)", None, None, "地上合计 AGB"], [None, None, "树干 Stem", None, "根 Roots", None], [None,
            "(cm)", "去皮干 Wood", "皮 Bark", None, "(kg/株)"],
            [1, 13.8, 32.05, 5.1, 9.34, 42.7], [2, 11.2, 22.72, 3.77, "n.d.", 32.19], ["均值 Mean", 12.5, 27, 4, 9, 37]]
    return old_book(folder / "a.xls", {"S": rows}, [(0, 2, 0, 0), (0, 0, 2, 4), (1, 1, 2, 3), (1, 2, 4, 4), (0, 1, 1, 1), (0, 1, 5, 5)]), {
        "tree_id": ["1", "2"], "dbh": [13.8, 11.2], "wood": [32.05, 22.72], "bark": [5.1, 3.77], "root": [9.34, np.nan], "agb": [42.7, 32.19],
            "says": ["n.d."]}


@form
def sections_of_stems_beside_their_sum(folder):
    rows = [["区分段称重记录表（鲜重，kg）"], ["树号", "胸径cm", "树干各段鲜重", None, None, "树干总鲜重", "树干样品鲜重g", "树干样品干重g"], [None,
            None, "0-2m", "2-4m", ">4m", None, None, None],
            ["01", 15.4, 24.1, 20.2, 2.9, 47.2, 400, 200], ["02", 10.1, 11.5, 8.8, None, 20.3, 400, 180]]
    return sheet(folder, rows, ["A1:H1", "C2:E2"]), {"tree_id": ["01", "02"], "stem": [23.6, 9.135]}


@form
def diameters_crosswise_with_their_mean_and_two_heights(folder):
    rows = [["树牌号", "胸径(cm)", None, None, "树高(m)", None], [None, "东西", "南北", "平均", "目测", "测高仪"], ["0012", 12, 12.4, 12.2, 9, 9.6],
            ["0013", 14, 14.2, 14.1, 10, 10.3]]
    return sheet(folder, rows, ["A1:A2", "B1:D1", "E1:F1"]), {"dbh": [12.2, 14.1], "height": [9.6, 10.3], "says": ["the mean is taken"]}


@form
def two_surveys_as_columns_with_units(folder):
    rows = [["Plot_ID", "Tag", "DBH_2015 (cm)", "DBH_2020 (cm)"], ["1", "01", 12, 13], ["1", "02", 14, None]]
    return sheet(folder, rows), {"dbh": [12, 13, 14], "year": [2015, 2020, 2015]}


@form
def sizes_in_a_head_without_colons(folder):
    rows = [["标准地号：5", "面积0.0667hm2", "海拔 450m"], ["树号", "胸径", "树高"], ["1", 12, 9], ["2", 14, 10]]
    return sheet(folder, rows), {"plot_id": ["5"] * 2, "plot_area": [.0667] * 2, "elevation": [450] * 2}


@form
def units_in_the_cells_are_told(folder):
    rows = [["编号", "胸径cm", "干重（干）", "干重（枝）"], ["N1", 6.5, "7.33kg", "850g"], ["N2", 2.6, "910g", "0.09kg"]]
    return sheet(folder, rows), {"stem": [7.33, .91], "branch": [.85, .09], "says": ["units in the cells: g"]}


@form
def numerals_of_profiles_stay_as_they_are(folder):
    rows = [["剖面", "层次(cm)", "有机碳(%)", "容重(g/cm3)"], ["Ⅰ-1", "0-20", 2.3, 1.1], ["Ⅰ-2", "0-20", 2.8, 1.2]]
    return sheet(folder, rows), {"core_id": ["Ⅰ-1", "Ⅰ-2"], "soc": [23, 28]}


@form
def tenths_of_units_in_brackets_and_codes_of_species(folder):
    pages = {"样木": [["样地号", "样木号", "树种代码", "胸径", "树高", "材积(0.001m³)"], [None, None, None, "(0.1cm)", "(0.1m)", None], ["101", 1,
            410, 237, 166, 310],
             ["101", 2, 220, 161, 125, 130], ["101", 3, 230, 99, 94, 40]], "树种代码": [["代码", "树种"], ["220", "马尾松"], ["230", "杉木"], ["410",
            "栎类"]]}
    return book(folder / "a.xlsx", pages), {"dbh": [23.7, 16.1, 9.9], "height": [16.6, 12.5, 9.4], "volume": [.31, .13, .04],
                                            "species": ["栎类", "Pinus massoniana", "Cunninghamia lanceolata"]}


@form
def thickness_of_litter_beside_its_mass(folder):
    rows = [["不同林型枯落物蓄积量及厚度"], ["样地", "厚度/cm", None, "蓄积量/(t·hm-2)", None, None], [None, "未分解层", "半分解层", "未分解层",
            "半分解层", "合计"],
            ["L1", 2.8, 3.8, 5.66, 11.25, 16.91], ["L2", 1.4, 1.9, 2.92, 6.22, 9.14]]
    return sheet(folder, rows, ["A1:F1", "A2:A3", "B2:C2", "D2:F2"]), {"litter_density": [16.91, 9.14]}


@form
def lines_of_plots_with_remarks(folder):
    rows = [["树号", "胸径/cm", "树高/m", "干"], ["样地1（上坡）"], [1, 7.9, 8.2, 14.58], [2, 21.5, 14.2, 120.72], ["样地2（中坡）"], [1, 18.8, 14.8,
            107.05]]
    return sheet(folder, rows), {"plot_id": ["1", "1", "2"], "dbh": [7.9, 21.5, 18.8]}


@form
def rock_in_transects_is_told(folder):
    rows = [["样线号", "测点(m)", "土层厚度(cm)"], ["A", 1, 35], [None, 2, "石"], [None, 3, 39], [None, 4, 12]]
    return sheet(folder, rows), {"soil_depth": [35, 0, 39, 12], "says": ["rock .石. is a depth of 0"]}


@form
def a_line_of_units_for_some_columns_and_sums_of_compartments(folder):
    rows = [["小班一览表"], ["面积单位：亩；蓄积单位：m³（小班总蓄积）；胸径：cm"], ["林班", "小班", "树种", "面积", "平均胸径", "蓄积"], [3, 1,
            "杉木", 150, 20, 528], [3, 2, "马尾松", 75, 10.7, 393],
            ["3林班计", None, None, 225]]
    return sheet(folder, rows, ["A1:F1", "A2:F2"]), {"area": [10, 5], "growing_stock": [52.8, 78.6], "dbh": [20, 10.7]}


@form
def subtotals_above_and_below_ground(folder):
    n, above = 5, (STEM + BRANCH + LEAF)[:5]
    thick, thin = ROOT[:5] * .7, ROOT[:5] * .3
    rows = [["样木号", "胸径(cm)", "地上部分(kg)", None, None, None, "地下部分(kg)", None, None, "总计(kg)"], [None, None, "干", "枝", "叶", "小计",
            "粗根", "细根", "小计", None],
            *map(list, zip(IDS[:n], DBH[:n], STEM[:n], BRANCH[:n], LEAF[:n], above, thick, thin, ROOT[:n], above + ROOT[:n], strict=True))]
    return sheet(folder, rows, ["A1:A2", "B1:B2", "C1:F1", "G1:I1", "J1:J2"]), {"agb": above, "root": ROOT[:n], "total": above + ROOT[:n]}


@form
def quadrats_with_size_and_unit_in_the_title(folder):
    rows = [["灌木层收获样方（2m×2m），质量单位：g/样方"], ["样方号", "盖度%", "地上干重", "地下干重"], ["G1", 21, 874.8, 685.3], ["G2", 55, 1494.8, 972.8]]
    return sheet(folder, rows, ["A1:D1"]), {"plot_area": [4e-4] * 2, "agb_density": [2.187, 3.737], "bgb_density": [1.71325, 2.432]}


@form
def old_units_of_length_and_mass(folder):
    rows = [["树号", "胸径(公分)", "树高(市尺)", "干(市斤)"], [1, 13.3, 39, 62.7], [2, 19.4, 42, 138.7], ["注：干为烘干重"]]
    return text(folder / "a.csv", rows, "gb18030"), {"dbh": [13.3, 19.4], "height": [13, 14], "stem": [31.35, 69.35]}


@form
def german_stands_with_a_count_below_the_means(folder):
    rows = [["Parzelle", "Alter", "N/ha", "Dg [cm]", "G/ha [m²]", "Vorrat [m³/ha]", "Biomasse oberirdisch [t/ha]"], ["F1", 20, 2102, 10, 16.5, 85.5,
            41.8], ["F2", 32, 1634, 13.6, 23.7, 155.9, 76.4],
            ["Mittel", 26, 1868, 11.8, 20.1, 120.7, 59.1], ["n", 2, 2, 2, 2, 2, 2]]
    return sheet(folder, rows), {"stem_density": [2102, 1634], "basal_area": [16.5, 23.7], "growing_stock": [85.5, 155.9], "agb_density": [41.8, 76.4]}


@form
def years_beside_increments_below_groups(folder):
    rows = [["树号", "胸径(cm)", None, "年生长量", None], [None, "2015", "2020", "胸径(cm)", "树高(m)"], ["1", 12, 14, .4, .3], ["2", 13, 15, .5, .3]]
    return sheet(folder, rows, ["A1:A2", "B1:C1", "D1:E1"]), {"year": [2015, 2020] * 2, "dbh": [12, 14, 13, 15], "says": ["an increment"]}


@form
def volumes_of_plots_beside_counts(folder):
    rows = [["Plot", "No. of trees", "Volume (m3)", "Plot size (ha)"], ["1", 50, 8, .05], ["2", 60, 9, .05]]
    return sheet(folder, rows), {"growing_stock": [160, 180], "stem_density": [1000, 1200]}


@form
def units_glued_below_names_that_are_half_known(folder):
    rows = [["样木", "胸径", "树高", "鲜重", None, "含水率(湿基)", None], ["号", "cm", "m", "干kg", "枝kg", "干%", "枝%"], ["1", 12, 9, 50, 10, 50,
            45], ["2", 13, 9, 55, 11, 51, 46]]
    return sheet(folder, rows, ["D1:E1", "F1:G1"]), {"tree_id": ["1", "2"], "dbh": [12, 13], "stem": [25, 26.95], "branch": [5.5, 5.94]}


@form
def inches_and_feet_by_a_line_above(folder):
    rows = [["All diameters in inches, heights in feet"], ["Tree", "DBH", "Height"], ["T1", 10, 30], ["T2", 20, 60]]
    return sheet(folder, rows), {"dbh": [25.4, 50.8], "height": [9.144, 18.288]}


@form
def points_part_thousands_where_commas_are_decimal(folder):
    rows = [["Plot", "Mean DBH (mm)", "Stems/ha", "Volume (m3/ha)"], ["01", "156,0", "1.240", "118,5"], ["02", "203,0", "980", "77,6"],
            ["03", "90,5", "12.005", "1.021,5"]]
    return text(folder / "a.csv", rows, mark=";"), {"dbh": [15.6, 20.3, 9.05], "stem_density": [1240, 980, 12005],
            "growing_stock": [118.5, 77.6, 1021.5], "says": ["comma is the decimal mark", "thousands separators left out in row 2, 4"]}


@form
def marks_for_the_value_above(folder):
    rows = [["样地", "树号", "树种", "胸径(cm)"], ["A", "1", "杉木", 12.1], ["〃", "2", "〃", 13.4], ["同上", "3", "马尾松", '"'], ["〃", "4", "〃", 9.9]]
    return sheet(folder, rows), {"plot_id": ["A"] * 4, "species": ["Cunninghamia lanceolata"] * 2 + ["Pinus massoniana"] * 2,
            "dbh": [12.1, 13.4, 13.4, 9.9], "says": ["树种: 〃 in 2 cells .ditto. read as the value above"]}


@form
def groups_in_words(folder):
    rows = [["样地号", "石漠化等级", "生境", "有机碳(g/kg)"], *([f"K{i}", g, h, 20 + i] for i, (g, h) in enumerate(
            [("潜在", "红树林"), ("轻度", "盐沼"), ("中度石漠化", "红树林"), ("强度", "池塘"), ("极强度", "Salt marsh")]))]
    return sheet(folder, rows), {"desertification_grade": ["potential", "light", "moderate", "severe", "extreme"],
            "habitat": ["mangrove", "salt_marsh", "mangrove", "池塘", "salt_marsh"], "says": ["habitat not in groups.csv: 池塘"]}


@form
def branches_and_stem_of_shrubs_together(folder):
    rows = table([["株号", "地径(mm)", "干重(g)", None, None], [None, None, "枝干", "叶", "根"]], IDS, DBH, STEM, LEAF, ROOT)
    return sheet(folder, rows, ["A1:A2", "B1:B2", "C1:E1"]), {"stem_with_branches": STEM / 1000, "foliage": LEAF / 1000, "root": ROOT / 1000}


@form
def understory_and_litter_under_a_unit_of_the_title(folder):
    rows = [["林下植被与凋落物（kg/hm²）"], ["样地编号", "林下植被生物量", "凋落物现存量", None, None], [None, None, "未分解层", "半分解层", "合计"],
            ["1", 1223, 3638, 4109, 7747], ["2", 3122, 2218, 2755, 4973]]
    return sheet(folder, rows, ["A1:E1", "A2:A3", "B2:B3", "C2:E2"]), {"understory_density": [1.223, 3.122], "litter_density": [7.747, 4.973]}


@form
def plots_and_their_areas_on_first_lines(folder):
    rows = [["样地号", "样地面积(亩)", "树种", "径阶(cm)", None, None, "合计"], [None, None, None, 6, 8, 10, None], ["B1", 1.2, "杉木", 3, 7, 12, 22],
            [None, None, "马尾松", 1, None, 3, 4], ["B2", 1.5, "杉木", 2, 5, 9, 16], [None, None, "木荷", 1, 1, None, 2]]
    return text(folder / "a.csv", rows, "gb18030"), {"plot_id": ["B1"] * 5 + ["B2"] * 5, "plot_area": [.08] * 5 + [.1] * 5,
            "says": ["plot_area .mu → ha; blank cells take the value above"]}


@form
def trees_with_names_as_columns(folder):
    rows = [["栓皮栎样木生物量汇总"], ["项目", "单位", "栎1", "栎2", "栎3"], ["年龄", "年", 36, 45, 25], ["胸径", "cm", *DBH[:3]], ["树高", "m", *HEIGHT[:3]],
            ["树干", "kg", *STEM[:3]], ["其中：树皮", "kg", *STEM[:3] / 8]]
    return sheet(folder, rows), {"tree_id": ["栎1", "栎2", "栎3"], "stem": STEM[:3], "bark": STEM[:3] / 8, "age": [36, 45, 25]}


@form
def gravel_by_volume_in_a_row_of_units(folder):
    rows = [["剖面号", "土层(cm)", "有机碳", "容重", "石砾含量"], [None, None, "g/kg", "g/cm³", "%(体积)"], ["P1", "0-10", 36.7, 1.02, 13.5],
            ["P1", "10-20", 30.7, 1.08, 17.6]]
    return sheet(folder, rows), {"gravel_fraction": [.135, .176], "soc": [36.7, 30.7]}


@form
def a_sum_below_each_tree(folder):
    cards = [["1", 12.0, "树干", 30], ["1", 12.0, "树枝", 5], ["合计", None, None, 35], ["2", 14.0, "树干", 40], ["2", 14.0, "树枝", 7],
            ["合计", None, None, 47]]
    return sheet(folder, [["样木号", "胸径(cm)", "器官", "干重(kg)"], *cards]), {"stem": [30, 40], "branch": [5, 7],
            "says": ["the 2 sums of the form agree"]}

# fmt: on


def test_carbon_of_litter_is_no_litter(tmp_path):
    rows = [["样地", "碳储量(t/hm2)", None], [None, "地上", "凋落物"], ["1", 60, 3], ["2", 70, 3]]
    assert not {"agb_density", "litter_density"} & set(read(sheet(tmp_path, rows, ["A1:A2", "B1:C1"])))


def test_nutrients_of_organs_are_no_masses(tmp_path):
    rows = [
        ["样木号", "氮含量/(g·kg-1)", None, "磷含量/(g·kg-1)", None],
        [None, "干", "叶", "干", "叶"],
        ["1", 1.2, 14.1, 0.1, 0.9],
        ["2", 1.3, 12.1, 0.2, 0.8],
    ]
    frame = read(sheet(tmp_path, rows, ["A1:A2", "B1:C1", "D1:E1"]))
    assert len(frame) == 2 and not {"stem", "foliage"} & set(frame)
    bare = [["样木号", "氮", None], [None, "干", "叶"], ["1", 1.2, 14.1], ["2", 1.3, 12.1]]
    assert not {"stem", "foliage"} & set(read(sheet(tmp_path, bare, ["A1:A2", "B1:C1"])))


def test_units_that_nobody_knows_are_asked_for(tmp_path):
    frame = read(sheet(tmp_path, [["树号", "胸径(寸)", "树高(m)"], ["1", 4, 9], ["2", 5, 10]]))
    assert "dbh" not in frame
    says(frame, "the unit 寸 is not known")


def test_biomass_of_a_stand_is_asked_for(tmp_path):
    frame = read(sheet(tmp_path, [["plot", "age", "biomass_t_ha"], ["1", 12, 80], ["2", 22, 130]]))
    assert not {"agb_density", "total_density"} & set(frame)
    says(frame, "above ground, or with the roots")
    grass = read(sheet(tmp_path, [["样方", "盖度(%)", "生物量(t/hm2)"], ["1", 12, 1.2], ["2", 22, 1.3]]))
    holds(grass, agb_density=[1.2, 1.3])
    says(grass, "taken as aboveground")


def test_masses_of_stands_without_a_unit_are_asked_for(tmp_path):
    rows = [["样地", "株数密度(株/hm2)", "树干", "树枝"], ["1", 2500, 16.4, 4.1], ["2", 1800, 61.8, 9.5]]
    frame = read(sheet(tmp_path, rows))
    assert not {"stem", "branch", "stem_biomass_density"} & set(frame)
    says(frame, "kg of a tree, or t/ha")


@pytest.mark.parametrize("name", FORMS)
def test_forms_of_others_are_read_without_editing(tmp_path, name):
    is_read(*FORMS[name](tmp_path))


@pytest.mark.parametrize(
    ("header", "name", "kind"),
    [
        ("oven-dry weight of the branch sample (g)", "branch_sample_dry", "part"),
        ("diameter of tree at breast height [cm]", "dbh", "name"),
        ("根系总鲜重", "root_fresh", "part"),
        ("地上部分总干重", "agb", "organ"),
        ("目测树高(m)", "height", "estimate"),
        ("h_m", "height", "name"),
        ("Dm (cm)", "dbh", "name"),
        ("DM (g)", "dry", "quantity"),
        ("竹龄(年)", "age", "name"),
    ],
)
def test_words_of_a_header_say_what_it_is(header, name, kind):
    found = meaning((header,))
    assert (found.name, found.kind) == (name, kind)


@pytest.mark.parametrize(
    "header",
    ["h_dom_m", "优势高(m)", "最大胸径(cm)", "胸径(去皮)", "胸径标准差", "DBH increment (cm)", "树高/拟合", "Stem (kg C)", "AGB (Mg C/ha)",
            "stem carbon (kg)", "去皮胸径"],
)  # fmt: skip
def test_another_quantity_of_a_name_is_not_taken_for_it(header):
    assert not meaning(tuple(header.split("/")) if "拟合" in header else (header,)).name


def test_words_that_do_not_go_together_say_nothing():
    assert not said("fresh dry weight of branch").name and not said("branch diameter").name
    assert not said("weight of branch sample").name, "fresh or dry?"


def test_carbon_stocks_of_organs_are_no_masses(tmp_path):
    rows = [
        ["各器官碳储量(t/hm2)"],
        ["样地号", "树干", "树枝", "树叶"],
        ["1", 30.1, 5.2, 2.1],
        ["2", 41.2, 6.3, 2.4],
    ]
    frame = read(sheet(tmp_path, rows, ["A1:D1"]))
    assert not {"stem", "stem_biomass_density", "branch", "branch_density"} & set(frame)
    says(frame, "carbon, by the title")


def test_a_sort_is_not_taken_for_the_whole(tmp_path):
    rows = table(["树号", "胸径(cm)", "粗根(kg)", "根(kg)"], IDS, DBH, ROOT / 3, ROOT)
    frame = read(sheet(tmp_path, rows))
    assert "root" not in frame
    says(frame, "root: which of")


def test_hidden_rows_and_columns_are_read_and_told(tmp_path):
    import openpyxl

    rows = table(["树号", "目测高(m)", "实测高(m)", "胸径(cm)"], IDS, HEIGHT + 1, HEIGHT, DBH)
    made = openpyxl.load_workbook(sheet(tmp_path, rows))
    made["S"].column_dimensions["B"].hidden = True
    made["S"].row_dimensions[4].hidden = True
    made.save(tmp_path / "a.xlsx")
    frame = read(tmp_path / "a.xlsx")
    holds(frame, height=HEIGHT)
    says(frame, "hidden rows, read as well: 4", "hidden columns, read as well: B")


def test_a_head_gives_its_size_to_no_former_age(tmp_path):
    rows = [["解析木圆盘"], ["胸径：18.2cm", None, "树高：15.6m"], ["圆盘号", "断面高(m)", "各龄阶直径(cm)", None, None], [None, None, "5年", "10年",
            "15年"],
            ["0", 0, 4, 10.2, 16], ["1", 1.3, 2.1, 8, 13.5]]  # fmt: skip
    frame = read(sheet(tmp_path, rows, ["A3:A4", "B3:B4", "C3:E3"]))
    assert len(frame) == 6 and not {"dbh", "height"} & set(frame)


def test_several_diameters_of_a_tree_are_told(tmp_path):
    rows = table(
        ["树号", "胸径(cm)", "树高(m)", "0m", "2m", "4m"], IDS, DBH, HEIGHT, DBH + 2, DBH - 1, DBH - 3
    )
    frame = read(sheet(tmp_path, rows))
    holds(frame, dbh=DBH)
    assert re.search("several values of one tree", str(frame.attrs["account"])) and len(frame) == N and K.size


def test_masses_under_a_title_of_fresh_and_dry_are_asked_for(tmp_path):
    rows = [["各器官鲜重与干重"], ["树号", "胸径", "树干(kg)", "枝(kg)"], ["1", 12, 30, 5], ["2", 14, 40, 7]]
    frame = read(sheet(tmp_path, rows, ["A1:D1"]))
    assert not {"stem", "branch"} & set(frame)
    says(frame, "fresh or dry mass")


def test_a_sample_in_the_head_makes_no_mass_fresh(tmp_path):
    rows = [["样木号：3", "样品鲜重", "200"], ["树号", "胸径", "树干(kg)"], ["1", 12, 30], ["2", 14, 40]]
    holds(read(sheet(tmp_path, rows)), stem=[30, 40])
    washed = read(
        sheet(tmp_path, [["Tree", "DBH (cm)", "Roots (washed) (kg)"], ["1", 12, 30], ["2", 14, 40]])
    )
    holds(washed, root=[30, 40])


def test_a_wrong_sum_below_a_tree_is_told(tmp_path):
    rows = [["样木号", "胸径(cm)", "器官", "干重(kg)"], ["1", 12.0, "树干", 30], ["1", 12.0, "树枝", 5], ["合计", None, None, 35], ["2", 14.0, "树干", 40],
            ["2", 14.0, "树枝", 7], ["合计", None, None, 57]]  # fmt: skip
    says(read(sheet(tmp_path, rows)), "sums that are not those of the records: D7 .* 57")


def test_pieces_of_dead_wood_are_no_biomass_of_a_plot(tmp_path):
    rows = [["样地号：D03", None, "样地面积：20m×50m"], ["倒木号", "长度(m)", "材积(m³)", "基本密度(kg/m³)", "干重(kg)"], ["L1", 5.1, .11, 209, 23.9],
            ["L2", 12.9, .28, 115, 32.1]]  # fmt: skip
    frame = read(sheet(tmp_path, rows))
    assert not {"agb_density", "agb", "volume", "height", "dry"} & set(frame)
    holds(frame, wood_density=[0.209, 0.115])
    says(frame, "材积.*, 干重.*: of dead wood, kept as written")


def test_heads_of_many_cards_are_told_once(tmp_path):
    rows = []
    for i in range(5):
        rows += [["样木调查卡"], ["样木号：", f"M-{i}", "胸径(cm)：", 12 + i], ["器官", "干重(kg)", "备注", None], ["树干", 30 + i, None, None],
                 ["树枝", 5 + i, None, None], [None] * 4]  # fmt: skip
    frame = read(sheet(tmp_path, rows))
    holds(frame, tree_id=[f"M-{i}" for i in range(5)], stem=30 + K[:5])
    told = str(frame.attrs["account"])
    assert told.count("→ tree_id of all records") == told.count(": title") == 1 and "5 tables" in told

"""``sinklab stock``: carbon of stands, counties, cities, provinces and zones, with uncertainty; ``sinklab plan``."""

import sys
from pathlib import Path

from sinklab import paths
from sinklab.language import (
    DataError,
    Notes,
    heads,
    listing,
    number,
    reader_language,
    require_known,
    table,
    tr,
)

# Stocks, and what a stock needs beside the stands.


def run(arguments) -> int:
    """Compute, print a summary, and write all files."""
    from sinklab.propagate.deductions import require_base, rule

    if arguments.rule:
        require_base(rule(arguments.rule), "stock")
    result = _compute(arguments)
    summary = result.summary(arguments.rule or None)
    print(report(result, summary, arguments))
    for note in result.notes:
        print(note, file=sys.stderr)
    if len(result.problems):
        print(problem_report(result.problems), file=sys.stderr)
    if arguments.output:
        write(result, summary, arguments)
    return 0


def _compute(arguments):
    from sinklab.data.regions import add_regions, read_layer
    from sinklab.propagate.stands import prepare
    from sinklab.propagate.stocks import stock
    from sinklab.tables.table import Table

    if not arguments.table and not arguments.measured:
        raise DataError("give --table, or --measured", "请给出 --table 或 --measured")
    by = [c for c in arguments.by.split(",") if c]
    frame = read_layer(arguments.stands, arguments.layer, arguments.encoding, arguments.crs)
    frame = _renamed(frame, arguments)
    if {"zone", "province", "city"} & (set(by) - set(frame.columns)):
        frame, unknown = add_regions(frame, arguments.city)
        if unknown:
            names = ", ".join(f"{name or '–'} ({n})" for name, n in unknown.items())
            print(
                tr(f"places not in regions.csv: {names}", f"regions.csv 中没有的地名：{names}"),
                file=sys.stderr,
            )
    tables = [Table.read(ref, root=arguments.root) for ref in arguments.table]
    fraction, notes = _carbon_fraction(arguments, frame)
    result = stock(
        prepare(frame, arguments.id, arguments.area, arguments.overlap),
        tables,
        species=arguments.species,
        by=by,
        mapping=_mapping(arguments),
        responses=[r for r in arguments.response.split("+") if r],
        carbon_fraction=fraction,
        measured=arguments.measured,
        missing=arguments.missing,
        predictor_sd=_shares(arguments.predictor_sd, "--predictor-sd"),
        area_sd=arguments.area_sd,
        effects=_shares(arguments.effect, "--effect"),
        residual=not arguments.no_residual,
        level=arguments.level,
        n_draw=arguments.draws,
        seed=arguments.seed,
        workers=arguments.workers,
    )
    for note in notes:
        print(note, file=sys.stderr)
    return result


def _pairs(texts, option) -> dict[str, str]:
    bad = [text for text in texts if "=" not in text]
    if bad:
        raise DataError(
            tr(f"{option}: expected NAME=VALUE, found\n", f"{option}：应为 名称=值，而不是\n") + listing(bad)
        )
    return dict(text.split("=", 1) for text in texts)


def _renamed(frame, arguments):
    """Columns of the file under the names of the models."""
    wanted = _pairs(arguments.column, "--column")
    require_known(wanted.values(), frame, place="--column")
    taken = [name for name, column in wanted.items() if name in frame and name != column]
    if taken:
        raise DataError(
            f"--column: the file has a column {', '.join(taken)} already",
            f"--column：文件中已有列 {'、'.join(taken)}",
        )
    return frame.rename(columns={column: name for name, column in wanted.items()})


def _mapping(arguments) -> dict[str, str]:
    from sinklab.data.files import read_csv

    found = {}
    if arguments.mapping:
        frame = read_csv(arguments.mapping)
        require_known(("species", "table"), frame, place=arguments.mapping)
        found = dict(zip(frame["species"].astype(str), frame["table"].astype(str), strict=True))
    return found | _pairs(arguments.map, "--map")


def _shares(texts, option) -> dict[str, float]:
    found = {}
    for name, text in _pairs(texts, option).items():
        try:
            found[name] = float(text)
        except ValueError:
            raise DataError(
                f"{option} {name}={text}: not a number", f"{option} {name}={text}：不是数"
            ) from None
    return found


def _carbon_fraction(arguments, frame):
    """Carbon fraction as a number or from a table; a number has no uncertainty."""
    given = arguments.carbon_fraction
    if given is None:
        return None, []
    try:
        value = float(given)
    except ValueError:
        from sinklab.propagate.stands import species_key
        from sinklab.propagate.stocks import carbon_fractions, defaults
        from sinklab.tables.table import Table

        if arguments.species not in frame:
            return None, []
        labels = frame[arguments.species].dropna().astype(str).unique()
        ids = sorted({species_key(label) for label in labels})
        return carbon_fractions(Table.read(given, root=arguments.root), ids, defaults()["carbon_fraction"])
    if not 0 < value <= 1:
        raise DataError(
            f"--carbon-fraction {given}: expected above 0, at most 1",
            f"--carbon-fraction {given}：应大于 0 且不超过 1",
        )
    return value, []


# What is printed and written.

FILES = ("stocks.csv", "stands.csv", "stands.gpkg", "problems.csv", "parameters.csv", "map.png")


def report(result, summary, arguments) -> str:
    """Stocks of all units as a table for a terminal, and the species without a parameter."""
    columns = list(result.keys.columns)
    level = f"{100 * result.level:g} %"
    header = heads(
        f"unit|stands|area ha|counted ha|carbon t|lower {level}|upper {level}|± %|CO2e t",
        f"单位|小班|面积 hm²|计入 hm²|碳 t|{level} 下限|{level} 上限|± %|CO2e t",
    )
    if arguments.rule:
        header += heads(f"after {arguments.rule} t", f"{arguments.rule} 扣减后 t")
    rows = []
    for row in summary.to_dict("records"):
        name = " / ".join(str(row[c]) for c in columns if row[c]) or tr("total", "合计")
        cells = [name, number(row["n_stand"])]
        cells += [number(row[c], 5) for c in ("area_ha", "area_used_ha", "carbon_t", "lower_t", "upper_t")]
        cells += [number(100 * row["relative"], 3), number(row["co2e_t"], 5)]
        if arguments.rule:
            cells.append(number(row["carbon_after_deduction_t"], 5))
        rows.append(cells)
    lines = Notes([table(header, rows)])
    if arguments.rule and "recalled" in set(summary["rule_status"]):
        lines.add("This rule is recalled, not verified: for study only.", "该规则凭记忆、未核对：仅供研究。")
    lost = result.chosen[result.chosen["table"].eq("") & result.chosen["how"].eq("")]
    for row in lost.to_dict("records"):
        lines.add(
            f"no parameter for {row['species']}: {row['n_stand']} stands, {row['area_ha']:.5g} ha not counted",
            f"{row['species']} 没有参数：{row['n_stand']} 个小班、{row['area_ha']:.5g} hm² 未计入",
        )
    return "\n".join(lines)


def problem_report(problems) -> str:
    """Problems by kind, with the number of stands, their area and what was done."""
    from sinklab.propagate.stands import in_words

    counts = problems.groupby(["problem", "action"], sort=False).agg(
        n=("record", "size"), area=("area_ha", "sum")
    )
    lines = [
        f"{in_words(problem)}: {int(row['n'])} ({row['area']:.5g} {tr('ha', 'hm²')}) → {in_words(action)}"
        for (problem, action), row in counts.iterrows()
    ]
    return tr("Problems (problems.csv lists every one):\n", "问题（逐条见 problems.csv）：\n") + listing(
        lines
    )


def write(result, summary, arguments) -> None:
    """Write all files into a folder of their own, or leave it as it was.

    Raises
    ------
    DataError
        The folder holds files that are not from this command, or the map cannot be drawn.
    """
    from sinklab.data.files import write_csv

    folder = Path(arguments.output)
    if folder.exists():
        strange = (
            [p.name for p in folder.iterdir() if p.name not in FILES] if folder.is_dir() else [folder.name]
        )
        if strange:
            raise DataError(
                f"{folder} holds other files ({listing(strange, 3)}); name a folder of its own",
                f"{folder} 中有其他文件（{listing(strange, 3)}）；请另指定文件夹",
            )
    with paths.atomic_folder(folder) as work:
        write_csv(summary, work / "stocks.csv")
        flat = result.stands.drop(columns="geometry", errors="ignore")
        write_csv(flat, work / "stands.csv")
        write_csv(result.problems, work / "problems.csv")
        write_csv(result.chosen, work / "parameters.csv")
        if hasattr(result.stands, "to_file"):
            result.stands.to_file(work / "stands.gpkg", driver="GPKG")
        _map(result, summary, arguments, work / "map.png")


def _map(result, summary, arguments, path) -> None:
    """Map of the finest units on the layer that was given, or of the stands themselves."""
    from sinklab import plots
    from sinklab.data.regions import read_layer
    from sinklab.plots import stock_map

    if not arguments.boundaries:
        if hasattr(result.stands, "crs"):
            stands = result.stands
            density = stands["carbon_t"] / stands["area_ha"]
            spread = stands["carbon_se_t"] * _quantile(result.level) / stands["carbon_t"]
            shown = stands.assign(density=density, spread=spread)
            plots.save(stock_map(shown, "density", "spread"), path)
        return
    boundaries = read_layer(arguments.boundaries, crs=arguments.crs)
    level = result.levels[-2] if len(result.levels) > 1 else None
    name = arguments.boundary_name or level
    if level is None or name not in boundaries:
        known = ", ".join(map(str, boundaries.columns))
        raise DataError(
            f"{arguments.boundaries}: a map needs --by and a column of names (--boundary-name); found {known}",
            f"{arguments.boundaries}：制图需要 --by 和名称列（--boundary-name）；现有 {known}",
        )
    rows = summary[summary["level"] == level].drop_duplicates(level).set_index(level)
    names = boundaries[name].astype(str)
    lost = sorted(set(rows.index) - set(names))
    if lost:
        print(tr(f"not on the map: {', '.join(lost)}", f"底图上没有：{'、'.join(lost)}"), file=sys.stderr)
    shown = boundaries.assign(
        density=names.map(rows["carbon_t_ha"]), spread=names.map(rows["relative"]), label=names
    )
    plots.save(stock_map(shown, "density", "spread", "label"), path)


def _quantile(level) -> float:
    from scipy import stats

    return float(stats.norm.ppf(0.5 + level / 2))


# Trees to fell by diameter class, or plots by stratum, for a stated precision.

SHEETS = (".html", ".csv")


def run_trees(arguments) -> int:
    """Plan, print, write the field sheet; 1 when the target is not met within the largest sample."""
    from sinklab.assess.plan import tree_plan
    from sinklab.tables.table import Table

    _check_output(arguments.output)
    found = Table.read(arguments.table)
    options = {
        name: getattr(arguments, name) for name in ("target", "response", "design", "assurance", "seed")
    }
    plan = tree_plan(
        found.model(),
        root_target=arguments.root_target,
        cost=_cost(arguments.cost),
        n_sim=arguments.samples,
        tell=lambda line: print(line, file=sys.stderr, flush=True),
        **options,
    )
    print(_report(plan))
    if arguments.output:
        _write_sheet(plan, found, arguments.output)
    return 0 if plan.reached else 1


def _check_output(output) -> None:
    if output and Path(output).suffix.lower() not in SHEETS:
        kinds = ", ".join(SHEETS)
        raise DataError(
            f"--output {output}: the field sheet is {kinds}", f"--output {output}：外业表的扩展名应为 {kinds}"
        )


def _cost(text):
    from sinklab.assess.plan import Cost

    try:
        numbers = [float(part) for part in text.split(":")]
        if len(numbers) != 3 or numbers[0] <= 0 or min(numbers) < 0:
            raise ValueError(text)
    except ValueError:
        raise DataError(
            f"--cost {text!r}; expected TREE:PER_CM:ROOT such as 300:20:400",
            f"--cost {text!r}；应为 每株:每厘米:挖根，例如 300:20:400",
        ) from None
    return Cost(*numbers)


def _report(plan) -> str:
    classes = plan.classes
    header = heads("class|dbh/cm|trees|roots|cost|optimal|cost", "径阶|dbh/cm|株数|挖根|费用|最优株数|费用")
    rows = []
    for r in classes.itertuples():
        span = f"{r.dbh_min:g}–{r.dbh_max:g}"
        rows.append([str(r.class_label), span, r.n_tree, r.n_root, r.cost, r.n_optimal, r.cost_optimal])
    total = [tr("all", "合计"), "", plan.n_tree, int(classes["n_root"].sum()), plan.cost]
    rows.append([*total, int(classes["n_optimal"].sum()), float(classes["cost_optimal"].sum())])
    share = f"{100 * plan.assurance:g} %"
    precise = [
        [name, row["mpe_median"], row["mpe_assured"], *plan.error.loc[name]]
        for name, row in plan.precision.iterrows()
    ]
    head = heads(f"response|MPE %, median|in {share}", f"因变量|MPE %，中位数|{share} 保证")
    head += [tr(f"error {c}", f"误差 {c}") for c in plan.error.columns]
    lines = [
        table(header, rows),
        tr(
            "optimal: the same average precision over the classes at the lowest cost, if the form of the equation is right",
            "最优：在方程形式正确的前提下，以最低费用达到相同的各径阶平均精度",
        ),
        "",
        tr("Precision of the planned sample", "方案的精度"),
        table(head, [[r[0], *(number(v, 3) for v in r[1:])] for r in precise]),
        tr(
            "MPE = 100 t(0.05) (SEE / ȳ) / √n;  error: 95 % quantile of the relative error of the curve in the class, %",
            "MPE = 100 t(0.05) (SEE / ȳ) / √n；误差：该径阶预测值相对误差的 95 % 分位数，%",
        ),
    ]
    if not plan.reached:
        lines += [tr("the target is NOT met by the largest sample tried", "所试最大样本仍未达到目标")]
    return "\n".join(lines)


def _write_sheet(plan, found, output) -> None:
    from sinklab.assess.plan import field_sheet, tree_list
    from sinklab.data import vocabulary
    from sinklab.data.files import write_csv

    if Path(output).suffix.lower() == ".csv":
        write_csv(tree_list(plan), output)
    else:
        measured = [f"{vocabulary.label(r)}/kg" for r in found.model().system.free if r != "volume"]
        title = found.title_zh if reader_language() == "zh" else found.title
        with paths.atomic_write(output) as stream:
            stream.write(field_sheet(plan, title, measured))
    print(tr(f"field sheet: {output}", f"外业表：{output}"))


def run_plots(arguments) -> int:
    """Plan plots and print them."""
    from sinklab.assess.plan import plot_plan
    from sinklab.data.files import read_csv, write_csv

    frame = read_csv(arguments.strata, numeric={"area", "mean", "sd", "cost"})
    plan = plot_plan(frame, arguments.error, arguments.level, arguments.plot_area)
    header = heads(
        "stratum|area/ha|mean|sd|plots|by area alone", "层|面积/公顷|均值|标准差|样地数|按面积分配"
    )
    columns = ["stratum", "area", "mean", "sd", "n_plot", "n_plot_proportional"]
    rows = plan[columns].to_numpy().tolist()
    total = [tr("all", "合计"), float(plan["area"].sum()), "", "", int(plan["n_plot"].sum())]
    print(table(header, [*rows, [*total, int(plan["n_plot_proportional"].sum())]]))
    reached, level = plan.attrs["half_width"], f"{100 * arguments.level:g} %"
    print(
        tr(
            f"half-width reached: {reached:.2f} % at {level}",
            f"可达误差：{reached:.2f} %（置信水平 {level}）",
        )
    )
    if arguments.output:
        write_csv(plan, arguments.output)
    return 0

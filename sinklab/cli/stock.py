"""``stock``: carbon of stands, counties, cities, provinces and zones; ``change`` of two inventories; ``plan``."""

import math
import re
import sys
from pathlib import Path

from sinklab import paths
from sinklab.cli.data import field_data, pairs, reading_options
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


#: Plots that are printed.
MOST_PLOTS = 40


def run_tree_list(arguments) -> int:
    """Add up a tree list by plots, and print or write t/ha with intervals."""
    from sinklab.data.files import write_csv
    from sinklab.propagate.stands import plots_of_trees
    from sinklab.results.summary import speaks_for
    from sinklab.tables.table import Table

    tables = [Table.read(ref) for ref in arguments.table]
    _move(tables, arguments, "species")
    curves = Table.read(arguments.height).models if arguments.height else ()
    # Curves of a table are ranked, the best first.
    heights = curves[0] if curves else None
    models = [*(m for t in tables for m in t.models), *curves[:1]]
    needed = {x for m in models for x in m.system.predictors}
    lacking = {"height"} if heights else set()
    try:
        area: str | float = float(arguments.area)
    except ValueError:
        area = arguments.area
    wanted = (needed - lacking) | (_variables(area) if isinstance(area, str) else set())
    frame = field_data(arguments, arguments.trees, wanted, {"species", arguments.by}, tell="stderr")
    by, area, status = (
        frame.attrs["account"].find(c) if c and isinstance(c, str) and c not in frame else c
        for c in (arguments.by, area, arguments.status)
    )
    plots = plots_of_trees(frame, tables, by, area, heights, arguments.level, status)
    if arguments.output:
        write_csv(plots.reset_index(), arguments.output)
    shown = [c for c in plots if not c.endswith(("_se", "_lower", "_upper"))]
    rows = [[str(name), *(number(row[c], 4) for c in shown)] for name, row in plots[shown].iterrows()]
    print(table([arguments.by, *shown], rows[:MOST_PLOTS]))
    if len(rows) > MOST_PLOTS:
        print(tr(f"and {len(rows) - MOST_PLOTS} more plots", f"另有 {len(rows) - MOST_PLOTS} 块样地"))
    for line in dict.fromkeys(line for t in tables for m in t.models for line in speaks_for(m)):
        print(line, file=sys.stderr)
    dead, guessed = int(plots["n_dead"].sum()), int(plots["n_height"].sum())
    level = f"{100 * arguments.level:g} %"
    print(
        tr(
            f"{int(plots['n_tree'].sum())} trees on {len(plots)} plots; {dead} dead or cut, counted apart; "
            f"{guessed} heights predicted; {level} intervals for a plot of a site that was not sampled",
            f"{len(plots)} 块样地 {int(plots['n_tree'].sum())} 株；枯死或采伐 {dead} 株另计；推算树高 {guessed} 株；"
            f"{level} 区间针对未抽样地点的样地",
        )
    )
    return 0


def _variables(*names) -> set[str]:
    """Variables that options mean by the header or name of a column, so that its unit is heeded; letters mean none."""
    from sinklab.data import vocabulary
    from sinklab.data.columns import meaning

    found = {name: meaning((name,)).name for name in names if name and not re.fullmatch("[A-Z]{1,2}", name)}
    return {known if vocabulary.is_variable(known) else name for name, known in found.items()}


def _move(tables, arguments, species, mapping=None) -> None:
    """Calibrate tables with the trees or plots of the place in the file of ``--calibrate``, and tell of it."""
    from sinklab.propagate.stands import moved_to

    if arguments.calibrate:
        needed = {x for t in tables for m in t.models for x in (*m.system.predictors, *m.system.free)}
        records = field_data(arguments, arguments.calibrate, needed, {species}, tell="stderr")
        for line in moved_to(tables, records, species, mapping):
            print(line, file=sys.stderr)


def _compute(arguments):
    from sinklab.data.plausibility import doubts
    from sinklab.data.regions import add_regions
    from sinklab.propagate.stands import prepare
    from sinklab.propagate.stocks import stock
    from sinklab.results.summary import speaks_for
    from sinklab.tables.table import Table

    if not arguments.table and not arguments.measured:
        raise DataError("give --table, or --measured", "请给出 --table 或 --measured")
    by = [c for c in arguments.by.split(",") if c]
    tables = [Table.read(ref, root=arguments.root) for ref in arguments.table]
    _move(tables, arguments, arguments.species, _mapping(arguments))
    frame = _stands(arguments, by, tables)
    for line in sum(doubts(frame, str(arguments.stands)), []):
        print(line, file=sys.stderr)
    if {"zone", "province", "city"} & (set(by) - set(frame.columns)):
        frame, unknown = add_regions(frame, arguments.city)
        if unknown:
            names = ", ".join(f"{name or '–'} ({n})" for name, n in unknown.items())
            print(
                tr(f"places not in regions.csv: {names}", f"regions.csv 中没有的地名：{names}"),
                file=sys.stderr,
            )
    fraction, notes = _carbon_fraction(arguments, frame, [m for t in tables for m in t.models])
    result = stock(
        prepare(frame, arguments.id, arguments.area, arguments.overlap),
        tables,
        species=arguments.species,
        by=by,
        mapping=_mapping(arguments),
        responses=[r for r in arguments.response.split("+") if r],
        carbon_fraction=fraction,
        measured=arguments.measured,
        missing=arguments.uncomputed,
        predictor_sd=_shares(arguments.predictor_sd, "--predictor-sd"),
        area_sd=arguments.area_sd,
        effects=_shares(arguments.effect, "--effect"),
        residual=not arguments.no_residual,
        level=arguments.level,
        n_draw=arguments.draws,
        seed=arguments.seed,
        workers=arguments.workers,
    )
    told = [line for t in tables for m in t.models for line in speaks_for(m, frame)]
    for note in (*notes, *dict.fromkeys(told)):
        print(note, file=sys.stderr)
    return result


def _stands(arguments, by, tables):
    """Stands with the columns that the options name, by the names that the options give them.

    What names a stand or its unit stays as the register writes it, what is computed with is a number in our units.
    """
    numbers = {x for t in tables for model in t.models for x in model.system.predictors}
    numbers |= _variables(arguments.measured, arguments.area)
    numbers |= {f"{arguments.measured}_se"} if arguments.measured else set()
    frame = field_data(arguments, arguments.stands, numbers)
    account = frame.attrs["account"]
    effects = [effect.partition("=")[0] for effect in arguments.effect]
    for name in dict.fromkeys(filter(None, (arguments.species, arguments.city, arguments.id, *by, *effects))):
        known = {n for c in [*account.columns, *account.unknown] for n in (c.name, c.header)}
        # What follows from other columns need not be there; anything else is asked for.
        if name in known or name not in (arguments.species, arguments.city, *by):
            frame[name] = account.as_written(account.find(name))
    for name in filter(None, (arguments.area, arguments.measured)):
        if name not in frame:
            frame[name] = frame[account.find(name)]
    _in_tonnes(frame, arguments.measured)
    if not arguments.area and "area" in frame and not hasattr(frame, "crs"):
        arguments.area = "area"
    if not arguments.id and "stand" in frame:
        arguments.id = "stand_id"
        parts = [frame[c].fillna("") for c in ("compartment", "stand") if c in frame]
        frame["stand_id"] = parts[0] if len(parts) == 1 else parts[0] + "-" + parts[1]
    return frame


def _in_tonnes(frame, measured) -> None:
    """Densities in t/ha where the header of a column without a name of ours says another unit."""
    from sinklab.data import vocabulary
    from sinklab.data.columns import meaning

    column = frame.attrs["account"].find(measured) if measured else ""
    unit = meaning((column,)).unit if column and not vocabulary.is_variable(column) else ""
    if unit not in ("", "t/ha"):
        frame[measured] = vocabulary.convert(frame[measured].to_numpy(float), unit, "t/ha")
        print(tr(f"{measured}: {unit} → t/ha", f"{measured}：{unit} → t/hm²"))


def _mapping(arguments) -> dict[str, str]:
    from sinklab.data.files import read_csv

    found = {}
    if arguments.mapping:
        frame = read_csv(arguments.mapping)
        require_known(("species", "table"), frame, place=arguments.mapping)
        found = dict(zip(frame["species"].astype(str), frame["table"].astype(str), strict=True))
    return found | pairs(arguments.map, "--map")


def _shares(texts, option) -> dict[str, float]:
    found = {}
    for name, text in pairs(texts, option).items():
        try:
            found[name] = float(text)
        except ValueError:
            raise DataError(
                f"{option} {name}={text}: not a number", f"{option} {name}={text}：不是数"
            ) from None
    return found


def _carbon_fraction(arguments, frame, models):
    """Carbon fraction as a number or from a table; a number has no uncertainty."""
    given = arguments.carbon_fraction
    if given is None:
        return None, []
    try:
        value = float(given)
    except ValueError:
        from sinklab.propagate.stands import species_key
        from sinklab.propagate.stocks import ORGANS, carbon_fractions, defaults
        from sinklab.tables.table import Table

        if arguments.species not in frame:
            return None, []
        labels = frame[arguments.species].dropna().astype(str).unique()
        ids = sorted({species_key(label) for label in labels})
        counted = set(arguments.response.split("+")) - {""}
        counted = counted or {r for m in models for r in m.system.responses}
        organs = [
            o
            for o in ORGANS
            if o != "root" or counted & {"total_density", "bgb_density", "total", "bgb", "root"}
        ]
        table, default = Table.read(given, root=arguments.root), defaults()["carbon_fraction"]
        return carbon_fractions(table, ids, default, organs=organs)
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
    for row in summary[summary[["lower_t", "upper_t", "relative"]].isna().any(axis=1)].to_dict("records"):
        name = " / ".join(str(row[c]) for c in columns if row[c]) or tr("total", "合计")
        if not row["n_used"]:
            lines.add(
                f"{name}: no stand of it is counted, see problems", f"{name}：没有计入的小班，见问题清单"
            )
        elif row["mean_t"] != row["mean_t"]:
            lines.add(f"{name}: no interval, some draws have no value", f"{name}：部分抽样无值，故无区间")
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
    from sinklab.propagate.stocks import stock_map

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


# What plots gained or lost between two inventories, with its deduction.


def run_change(arguments) -> int:
    """Compare two inventories of the same strata, print the change of their carbon, write it."""
    from sinklab.data.files import write_csv
    from sinklab.propagate.deductions import require_base, rule
    from sinklab.propagate.inventory import difference

    if arguments.rule:
        require_base(rule(arguments.rule), "change")
    inventories, notes = _inventories(arguments)
    found = difference(*inventories, arguments.draws, arguments.seed, arguments.workers)
    summary = found.summary(arguments.level)
    print(change_report(found, summary, arguments))
    if found.n_tree_common == 0 and found.n_common[-1]:
        notes.add(
            "no tree_id in both inventories: residuals of re-measured trees count twice, on the safe side",
            "两次清查没有共同的 tree_id：复测样木的残差按两次独立计，偏于保守",
        )
    for note in notes:
        print(note, file=sys.stderr)
    if arguments.output:
        write_csv(summary.reset_index(), arguments.output)
    return 0


def _inventories(arguments):
    """The two inventories with the models of the table, and what is to be said of them."""
    import pandas as pd

    from sinklab.propagate.inventory import Inventory
    from sinklab.propagate.model import Factor, Model, Noise
    from sinklab.propagate.stands import TREE_POOLS, pool_of, read_inventory, species_key
    from sinklab.propagate.stocks import defaults
    from sinklab.tables.table import Table

    source, notes = Table.read(arguments.table, root=arguments.root), Notes()
    wanted, models = [r for r in arguments.response.split("+") if r], {}
    rows = source.frames["models"].to_dict("records") if source.models else []
    for row, fit in zip(rows, source.models, strict=True):
        pool = pool_of(fit, wanted, TREE_POOLS)
        models[row["group_level"]] = Model.of(fit, pool or wanted, f"{source.ref}/{row['model_id']}")
    if not models:
        raise DataError(f"{source.ref}: no model, only values", f"{source.ref}：没有模型，只有标量参数")
    counted = next(iter(models.values()))
    notes.add(f"counted: {'+'.join(counted.responses)}", f"计入：{'+'.join(counted.responses)}")
    if source.status == "demonstration":
        notes.add(
            f"DEMONSTRATION: {source.ref} made from simulated data", f"演示：{source.ref} 由模拟数据得出"
        )
    needed = {x for fit in source.models for x in fit.system.predictors}
    frames = [
        read_inventory(place, needed, print, **reading_options(arguments) | {"crs": None})
        for place in (arguments.before, arguments.after)
    ]
    every = pd.concat([f["trees"] for f in frames])
    fraction, told = _carbon_fraction(arguments, every, source.models)
    notes += told
    if fraction is None:
        fraction = defaults()["carbon_fraction"]
    if not isinstance(fraction, Factor):
        notes.add(
            f"carbon fraction {fraction:g}, without an uncertainty",
            f"含碳系数取 {fraction:g}，未计其不确定性",
        )
        fraction = Factor("carbon_fraction", {"": fraction})
    for frame in frames if fraction.by else ():
        frame["trees"]["species_id"] = frame["trees"][arguments.species].map(species_key)
    noises = [
        Noise(x, sd, x, relative=True, low=0.0)
        for x, sd in _shares(arguments.predictor_sd, "--predictor-sd").items()
    ]
    column = rows[0]["group_column"] or None
    keys = {
        species_key(row[c]): row["group_level"] for row in rows for c in ("label_zh", "group_level") if row[c]
    }
    for frame in frames if column else ():
        require_known([column], frame["trees"], place="trees.csv")
        frame["trees"][column] = [keys.get(species_key(level), level) for level in frame["trees"][column]]
    options = {"model": column, "noises": tuple(noises), "factors": (fraction,)}
    told = models if column else counted
    names = (arguments.before, arguments.after)
    return [Inventory(**f, models=told, name=n, **options) for f, n in zip(frames, names, strict=True)], notes


def change_report(found, summary, arguments) -> str:
    """Densities of both inventories and their difference by stratum, the change in all, and what a rule takes."""
    from sinklab.propagate.deductions import deduct
    from sinklab.propagate.stocks import co2_per_carbon

    level = f"{100 * arguments.level:g} %"
    header = heads(
        f"carbon, t/ha|before|after|change|std. error|lower {level}|upper {level}|permanent plots",
        f"碳，t/hm²|前期|后期|变化|标准误|{level} 下限|{level} 上限|固定样地",
    )
    told = summary[["estimate", "se", "lower", "upper", "n_common"]].astype(float)
    told.insert(0, "after", found.after)
    told.insert(0, "before", found.before)
    names = [*summary.index[:-1], tr("total", "合计")]
    body = [[name, *(number(x, 4) for x in row)] for name, row in zip(names, told.to_numpy(), strict=True)]
    lines = [table(header, body)]
    known = found.area[-1] == found.area[-1]
    estimate = found.estimate[-1] * (found.area[-1] if known else 1.0)
    draws, unit = (found.stock_draws()[-1], "t") if known else (found.draws[-1], tr("t/ha", "t/hm²"))
    rows = [[tr("change", "变化"), estimate]]
    if arguments.years:
        rows.append([tr("each year", "年均"), estimate / arguments.years])
    if arguments.rule and estimate > 0:
        taken = deduct(arguments.rule, estimate, draws=draws, of="change")
        u = tr(
            f"({arguments.rule}, U = {taken.uncertainty:.1f} %)",
            f"（{arguments.rule}，U = {taken.uncertainty:.1f}%）",
        )
        rows += [
            [tr("deduction ", "扣减") + u, taken.deduction],
            [tr("after deduction", "扣减后"), taken.result],
        ]
    factor = co2_per_carbon()
    told = [[name, number(value, 5), number(factor * value, 5)] for name, value in rows]
    lines += ["", table([tr("in all", "总计"), f"C {unit}", f"CO2e {unit}"], told)]
    if arguments.rule and estimate > 0:
        lines += taken.notes
    elif arguments.rule:
        lines.append(tr("a loss: the rule deducts from removals", "碳储量减少：该规则只对清除量扣减"))
    return "\n".join(lines)


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
        if len(numbers) != 3 or not (
            0 < numbers[0] < math.inf and 0 <= min(numbers) and max(numbers) < math.inf
        ):
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
    from sinklab.data.files import write_csv

    frame = field_data(arguments, arguments.strata, {"area", "mean", "sd", "cost"})
    plan = plot_plan(frame, arguments.error, arguments.level, arguments.plot_area, arguments.assurance)
    header = [tr("stratum", "层"), tr("area/ha", "面积/公顷"), tr("mean", "均值"), tr("sd", "标准差")]
    header += [tr("plots", "样地数"), tr("by area alone", "按面积分配")]
    columns = ["stratum", "area", "mean", "sd", "n_plot", "n_plot_proportional"]
    rows = plan[columns].to_numpy().tolist()
    total = [tr("all", "合计"), float(plan["area"].sum()), "", "", int(plan["n_plot"].sum())]
    print(table(header, [*rows, [*total, int(plan["n_plot_proportional"].sum())]]))
    reached, median = plan.attrs["half_width"], plan.attrs["median"]
    level, share = f"{100 * arguments.level:g} %", f"{100 * arguments.assurance:g} %"
    print(
        tr(
            f"half-width reached: {reached:.2f} % at {level} in {share} of samples; {median:.2f} % in half of them",
            f"可达误差：{share} 的样本不超过 {reached:.2f} %（置信水平 {level}），半数不超过 {median:.2f} %",
        )
    )
    if arguments.output:
        write_csv(plan, arguments.output)
    return 0

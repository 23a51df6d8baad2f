"""What ``sinklab stock`` prints and writes."""

import sys

from sinklab.errors import DataError, listing
from sinklab.language import tr

FILES = ("stocks.csv", "stands.csv", "stands.gpkg", "problems.csv", "parameters.csv", "map.png")


def report(result, summary, arguments) -> str:
    """Stocks of all units as a table for a terminal, and the species without a parameter."""
    from sinklab.cli.text import number, table

    columns = list(result.keys.columns)
    level = f"{100 * result.level:g} %"
    header = [
        tr("unit", "单位"),
        tr("stands", "小班"),
        tr("area ha", "面积 hm²"),
        tr("counted ha", "计入 hm²"),
        tr("carbon t", "碳 t"),
        tr(f"lower {level}", f"{level} 下限"),
        tr(f"upper {level}", f"{level} 上限"),
        tr("± %", "± %"),
        "CO2e t",
    ]
    if arguments.rule:
        header.append(tr(f"after {arguments.rule} t", f"{arguments.rule} 扣减后 t"))
    rows = []
    for row in summary.to_dict("records"):
        name = " / ".join(str(row[c]) for c in columns if row[c]) or tr("total", "合计")
        cells = [name, number(row["n_stand"])]
        cells += [number(row[c], 5) for c in ("area_ha", "area_used_ha", "carbon_t", "lower_t", "upper_t")]
        cells += [number(100 * row["relative"], 3), number(row["co2e_t"], 5)]
        if arguments.rule:
            cells.append(number(row["carbon_after_deduction_t"], 5))
        rows.append(cells)
    lines = [table(header, rows)]
    if arguments.rule and "recalled" in set(summary["rule_status"]):
        lines.append(
            tr("This rule is recalled, not verified: for study only.", "该规则凭记忆、未核对：仅供研究。")
        )
    lost = result.chosen[result.chosen["table"].eq("") & result.chosen["how"].eq("")]
    for row in lost.to_dict("records"):
        lines.append(
            tr(
                f"no parameter for {row['species']}: {row['n_stand']} stands, {row['area_ha']:.5g} ha not counted",
                f"{row['species']} 没有参数：{row['n_stand']} 个小班、{row['area_ha']:.5g} hm² 未计入",
            )
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
    from pathlib import Path

    from sinklab import paths
    from sinklab.tabular import write_csv

    folder = Path(arguments.output)
    if folder.exists():
        strange = (
            [p.name for p in folder.iterdir() if p.name not in FILES] if folder.is_dir() else [folder.name]
        )
        if strange:
            raise DataError(
                tr(
                    f"{folder} holds other files ({listing(strange, 3)}); name a folder of its own",
                    f"{folder} 中有其他文件（{listing(strange, 3)}）；请另指定文件夹",
                )
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
    from sinklab.maps import stock_map
    from sinklab.regions import read_layer

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
            tr(
                f"{arguments.boundaries}: a map needs --by and a column of names (--boundary-name); found {known}",
                f"{arguments.boundaries}：制图需要 --by 和名称列（--boundary-name）；现有 {known}",
            )
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

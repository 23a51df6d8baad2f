"""``sinklab plan``: trees to fell by diameter class, or plots by stratum, for a stated precision."""

import sys

from sinklab.language import tr

SHEETS = (".html", ".csv")


def add_parser(subparsers) -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser(
        "plan", help=tr("plan a sample of trees or plots", "制定样木或样地抽样方案")
    )
    actions = parser.add_subparsers(dest="action", metavar=tr("ACTION", "操作"), required=True)
    trees = actions.add_parser(
        "trees", help=tr("trees by diameter class, from a pilot table", "按径阶确定样木数（依据已有参数表）")
    )
    trees.add_argument(
        "table", metavar="TABLE", help=tr("folder, id or id@version", "参数表文件夹、id 或 id@version")
    )
    trees.add_argument("--response", metavar="NAME", help="agb")
    trees.add_argument(
        "--target", type=float, default=5.0, help=tr("MPE to be met, %% (5)", "平均预估误差目标，%%（5）")
    )
    trees.add_argument(
        "--root-target", type=float, metavar="X", help=tr("MPE of the roots, %%", "根系 MPE 目标，%%")
    )
    trees.add_argument(
        "--assurance",
        type=float,
        default=0.9,
        help=tr("share of samples that meet it (0.9)", "保证率（0.9）"),
    )
    trees.add_argument("--design", default="ten_classes", metavar="ID", help="ten_classes")
    trees.add_argument(
        "--cost",
        default="1:0:0",
        metavar="TREE:PER_CM:ROOT",
        help=tr("of a tree, of each cm, of roots", "每株、每厘米、挖根的费用"),
    )
    trees.add_argument(
        "--samples",
        type=int,
        default=100,
        metavar="N",
        help=tr("simulated samples (100)", "模拟样本数（100）"),
    )
    trees.add_argument("--seed", type=int, default=0)
    trees.add_argument(
        "-o", "--output", metavar="FILE", help=tr("field sheet: .html or .csv", "外业表：.html 或 .csv")
    )
    trees.set_defaults(func=run_trees)
    plots = actions.add_parser("plots", help=tr("plots by stratum, from a CSV", "按层确定样地数（依据 CSV）"))
    plots.add_argument(
        "strata",
        metavar="STRATA",
        help=tr("CSV: stratum, area (ha), mean, sd, cost", "CSV：stratum、area（公顷）、mean、sd、cost"),
    )
    plots.add_argument(
        "--error", type=float, default=10.0, help=tr("half-width, %% of the mean (10)", "允许误差，%%（10）")
    )
    plots.add_argument(
        "--level", type=float, default=0.9, help=tr("level of the interval (0.9)", "置信水平（0.9）")
    )
    plots.add_argument("--plot-area", type=float, default=0.06, metavar="HA", help="0.06")
    plots.add_argument("-o", "--output", metavar="FILE", help="CSV")
    plots.set_defaults(func=run_plots)


def run_trees(arguments) -> int:
    """Plan, print, write the field sheet; 1 when the target is not met within the largest sample."""
    from sinklab.assess.plan import tree_plan
    from sinklab.tables import Table

    _check_output(arguments.output)
    table = Table.read(arguments.table)
    options = {
        name: getattr(arguments, name) for name in ("target", "response", "design", "assurance", "seed")
    }
    plan = tree_plan(
        table.model(),
        root_target=arguments.root_target,
        cost=_cost(arguments.cost),
        n_sim=arguments.samples,
        tell=lambda line: print(line, file=sys.stderr, flush=True),
        **options,
    )
    print(_report(plan))
    if arguments.output:
        _write_sheet(plan, table, arguments.output)
    return 0 if plan.reached else 1


def _check_output(output) -> None:
    from pathlib import Path

    from sinklab.errors import DataError

    if output and Path(output).suffix.lower() not in SHEETS:
        kinds = ", ".join(SHEETS)
        raise DataError(
            tr(
                f"--output {output}: the field sheet is {kinds}",
                f"--output {output}：外业表的扩展名应为 {kinds}",
            )
        )


def _cost(text):
    from sinklab.assess.plan import Cost
    from sinklab.errors import DataError

    try:
        numbers = [float(part) for part in text.split(":")]
        if len(numbers) != 3 or numbers[0] <= 0 or min(numbers) < 0:
            raise ValueError(text)
    except ValueError:
        raise DataError(
            tr(
                f"--cost {text!r}; expected TREE:PER_CM:ROOT such as 300:20:400",
                f"--cost {text!r}；应为 每株:每厘米:挖根，例如 300:20:400",
            )
        ) from None
    return Cost(*numbers)


def _report(plan) -> str:
    from sinklab.cli.text import number, table

    classes = plan.classes
    header = [tr("class", "径阶"), "dbh/cm", tr("trees", "株数"), tr("roots", "挖根"), tr("cost", "费用")]
    header += [tr("optimal", "最优株数"), tr("cost", "费用")]
    rows = [
        [
            str(r.class_label),
            f"{r.dbh_min:g}–{r.dbh_max:g}",
            r.n_tree,
            r.n_root,
            r.cost,
            r.n_optimal,
            r.cost_optimal,
        ]
        for r in classes.itertuples()
    ]
    total = [tr("all", "合计"), "", plan.n_tree, int(classes["n_root"].sum()), plan.cost]
    rows.append([*total, int(classes["n_optimal"].sum()), float(classes["cost_optimal"].sum())])
    share = f"{100 * plan.assurance:g} %"
    precise = [
        [name, row["mpe_median"], row["mpe_assured"], *plan.error.loc[name]]
        for name, row in plan.precision.iterrows()
    ]
    head = [
        tr("response", "因变量"),
        tr("MPE %, median", "MPE %，中位数"),
        tr(f"in {share}", f"{share} 保证"),
    ]
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
        lines.append(tr("the target is NOT met by the largest sample tried", "所试最大样本仍未达到目标"))
    return "\n".join(lines)


def _write_sheet(plan, table, output) -> None:
    from pathlib import Path

    from sinklab import paths, vocabulary
    from sinklab.assess.field_sheet import field_sheet, tree_list
    from sinklab.language import language
    from sinklab.tabular import write_csv

    if Path(output).suffix.lower() == ".csv":
        write_csv(tree_list(plan), output)
    else:
        fit = table.model()
        measured = [f"{vocabulary.label(r)}/kg" for r in fit.system.free if r != "volume"]
        title = table.title_zh if language() == "zh" else table.title
        with paths.atomic_write(output) as stream:
            stream.write(field_sheet(plan, title, measured))
    print(tr(f"field sheet: {output}", f"外业表：{output}"))


def run_plots(arguments) -> int:
    """Plan plots and print them."""
    from sinklab.assess.plan_plots import plot_plan
    from sinklab.cli.text import table
    from sinklab.tabular import read_csv, write_csv

    frame = read_csv(arguments.strata, numeric={"area", "mean", "sd", "cost"})
    plan = plot_plan(frame, arguments.error, arguments.level, arguments.plot_area)
    header = [tr("stratum", "层"), tr("area/ha", "面积/公顷"), tr("mean", "均值"), tr("sd", "标准差")]
    header += [tr("plots", "样地数"), tr("by area alone", "按面积分配")]
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

"""``sinklab stock``: carbon of stands and of their counties, cities, provinces and zones, with uncertainty."""

import sys

from sinklab.errors import DataError, listing
from sinklab.language import tr


def add_parser(subparsers) -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser(
        "stock", help=tr("carbon stocks of stands and regions", "小班与区域碳储量")
    )
    add = parser.add_argument
    add(
        "stands",
        metavar="STANDS",
        help=tr("GeoPackage, shapefile, GeoParquet or CSV", "GeoPackage、shapefile、GeoParquet 或 CSV"),
    )
    add(
        "--table",
        nargs="+",
        default=[],
        metavar="TABLE",
        help=tr("parameter tables per area (t/ha)", "单位面积参数表（t/hm²）"),
    )
    add("--species", default="species", metavar="COL", help=tr("column of the species", "树种列"))
    add(
        "--column",
        action="append",
        default=[],
        metavar="NAME=COL",
        help=tr("column of the file that holds a predictor", "文件中存放某自变量的列"),
    )
    add(
        "--map",
        action="append",
        default=[],
        metavar="SPECIES=TABLE[/MODEL]",
        help=tr("model of a species; * for all others", "指定树种的模型；* 表示其余树种"),
    )
    add(
        "--mapping",
        metavar="CSV",
        help=tr("the same as a file with columns species, table", "同上，CSV 文件含 species、table 两列"),
    )
    add("--response", default="", metavar="A+B", help=tr("responses to add up", "需相加的因变量"))
    add(
        "--measured",
        default="",
        metavar="COL",
        help=tr(
            "carbon measured per area (t/ha), instead of tables", "实测单位面积碳量列（t/hm²），代替参数表"
        ),
    )
    add(
        "--by",
        default="",
        metavar="A,B",
        help=tr(
            "units, coarsest first: province,city,county or zone",
            "汇总单位，由大到小：province,city,county 或 zone",
        ),
    )
    add(
        "--city",
        default="city",
        metavar="COL",
        help=tr("column of cities, for zone and province", "城市列，用于推出片区和省"),
    )
    add("--id", default="", metavar="COL", help=tr("column of identifiers", "小班号列"))
    add("--area", default="", metavar="COL", help=tr("column of areas in hectares", "面积列（公顷）"))
    add("--layer", metavar="NAME", help=tr("layer of the file", "图层名"))
    add("--encoding", help=tr("of a shapefile's attributes", "shapefile 属性表编码"))
    add("--crs", help=tr("reference system when the file names none", "文件未注明时的坐标系"))
    add(
        "--overlap",
        choices=("first", "keep", "error"),
        default="first",
        help=tr("ground of two stands", "重叠部分的处理"),
    )
    add(
        "--missing",
        choices=("list", "error"),
        default="list",
        help=tr("stands that cannot be computed", "无法计算的小班"),
    )
    add(
        "--carbon-fraction",
        metavar="NUMBER|TABLE",
        help=tr("number, or table of values by species", "数值，或按树种给出的参数表"),
    )
    add(
        "--predictor-sd",
        action="append",
        default=[],
        metavar="COL=CV",
        help=tr("relative SD of a measured predictor", "自变量量测的相对标准差"),
    )
    add("--area-sd", type=float, default=0.0, help=tr("relative SD of each area", "小班面积的相对标准差"))
    add(
        "--effect",
        action="append",
        default=[],
        metavar="COL=CV",
        help=tr("relative SD of what the stands of a level share", "同一单位内小班共有效应的相对标准差"),
    )
    add(
        "--no-residual",
        action="store_true",
        help=tr("stands do not scatter about the equation", "不计小班围绕方程的离散"),
    )
    add("--rule", metavar="NAME", help=tr("deduction rule of data/rules/deductions.csv", "不确定性扣减规则"))
    add("--level", type=float, default=0.95, help=tr("level of the intervals", "置信水平"))
    add("--draws", type=int, default=1000, help=tr("Monte Carlo draws", "蒙特卡罗抽样次数"))
    add("--seed", type=int, default=1, help=tr("seed", "随机种子"))
    add(
        "--workers",
        type=int,
        default=1,
        help=tr("threads; the numbers do not depend on it", "线程数；不影响数值"),
    )
    add("--boundaries", metavar="LAYER", help=tr("layer for the map", "制图用边界图层"))
    add("--boundary-name", metavar="COL", help=tr("its column of names", "边界图层的名称列"))
    add("--root", metavar="DIR", help=tr("folder of the tables (params)", "参数表所在文件夹（默认 params）"))
    add("-o", "--output", metavar="DIR", help=tr("folder to write", "输出文件夹"))
    parser.set_defaults(func=run)


def run(arguments) -> int:
    """Compute, print a summary, and write all files."""
    from sinklab.cli.stock_output import problem_report, report, write
    from sinklab.propagate.deductions import rule

    if arguments.rule:
        rule(arguments.rule)
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
    from sinklab.propagate.stands import prepare
    from sinklab.propagate.stocks import stock
    from sinklab.regions import add_regions, read_layer
    from sinklab.tables import Table

    if not arguments.table and not arguments.measured:
        raise DataError(tr("give --table, or --measured", "请给出 --table 或 --measured"))
    by = [c for c in arguments.by.split(",") if c]
    frame = read_layer(arguments.stands, arguments.layer, arguments.encoding, arguments.crs)
    frame = _renamed(frame, arguments)
    if {"zone", "province"} & (set(by) - set(frame.columns)):
        frame, unknown = add_regions(frame, arguments.city)
        if unknown:
            names = ", ".join(f"{name or '–'} ({n})" for name, n in unknown.items())
            print(
                tr(f"cities not in regions.csv: {names}", f"regions.csv 中没有的城市：{names}"),
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
    absent = [c for c in wanted.values() if c not in frame]
    if absent:
        known = ", ".join(map(str, frame.columns))
        raise DataError(
            tr(
                f"--column: no column {', '.join(absent)}; found {known}",
                f"--column：没有列 {'、'.join(absent)}；现有 {known}",
            )
        )
    taken = [name for name, column in wanted.items() if name in frame and name != column]
    if taken:
        raise DataError(
            tr(
                f"--column: the file has a column {', '.join(taken)} already",
                f"--column：文件中已有列 {'、'.join(taken)}",
            )
        )
    return frame.rename(columns={column: name for name, column in wanted.items()})


def _mapping(arguments) -> dict[str, str]:
    from sinklab.tabular import read_csv

    found = {}
    if arguments.mapping:
        frame = read_csv(arguments.mapping)
        missing = [c for c in ("species", "table") if c not in frame]
        if missing:
            raise DataError(
                tr(
                    f"{arguments.mapping}: no column {', '.join(missing)}",
                    f"{arguments.mapping}：缺少列 {'、'.join(missing)}",
                )
            )
        found = dict(zip(frame["species"].astype(str), frame["table"].astype(str), strict=True))
    return found | _pairs(arguments.map, "--map")


def _shares(texts, option) -> dict[str, float]:
    found = {}
    for name, text in _pairs(texts, option).items():
        try:
            found[name] = float(text)
        except ValueError:
            raise DataError(
                tr(f"{option} {name}={text}: not a number", f"{option} {name}={text}：不是数")
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
        from sinklab.propagate.choose import carbon_fractions, species_key
        from sinklab.propagate.totals import defaults
        from sinklab.tables import Table

        if arguments.species not in frame:
            return None, []
        labels = frame[arguments.species].dropna().astype(str).unique()
        ids = sorted({species_key(label) for label in labels})
        return carbon_fractions(Table.read(given, root=arguments.root), ids, defaults()["carbon_fraction"])
    if not 0 < value <= 1:
        raise DataError(
            tr(
                f"--carbon-fraction {given}: expected above 0, at most 1",
                f"--carbon-fraction {given}：应大于 0 且不超过 1",
            )
        )
    return value, []

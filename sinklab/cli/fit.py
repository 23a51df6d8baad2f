"""``sinklab fit``: one fit from a plain CSV, for people and as JSON."""

import os
from pathlib import Path

from sinklab.cli.fit_options import add_sampling, equation_text, limits, sampling_options, start_values
from sinklab.language import tr


def add_parser(subparsers) -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser("fit", help=tr("fit equations to a CSV file", "用 CSV 数据拟合方程"))
    parser.add_argument(
        "data", metavar="DATA", help=tr("CSV file (UTF-8 or GB18030)", "CSV 文件（UTF-8 或 GB18030）")
    )
    parser.add_argument(
        "--equations",
        required=True,
        metavar="TEXT_OR_FILE",
        help=tr("equations, or a file of them", "方程文本或文件"),
    )
    parser.add_argument("--method", default="nsur", metavar="ols-log|wls|nsur|mixed|bayes", help="nsur")
    parser.add_argument(
        "--variance",
        metavar="FUNCTION",
        help="none | power:mean | power:dbh | power:dbh=2 | exp:dbh | lognormal | stem=power:dbh,root=none",
    )
    parser.add_argument("--estimator", default="ml", metavar="ml|gls", help="ml")
    parser.add_argument("--correction", default="baskerville", metavar="baskerville|snowdon|none")
    parser.add_argument("--start", default="", metavar="a=0.1,b=2", help=tr("start values", "参数初值"))
    parser.add_argument(
        "--bounds", default="", metavar="b=0:4,c=0:", help=tr("limits of parameters", "参数的下限与上限")
    )
    parser.add_argument(
        "--bootstrap",
        type=int,
        metavar="N",
        help=tr("uncertainty from N refits", "由 N 次重抽样估计不确定性"),
    )
    parser.add_argument("--resample", default="case", metavar="case|residual|group:COL", help="case")
    parser.add_argument("--interval", default="percentile", metavar="percentile|bca", help="percentile")
    parser.add_argument(
        "--validate", metavar="SCHEME", help="loo | kfold:10 | groups:5:site | leave:site | blocks:1"
    )
    parser.add_argument(
        "--influence",
        nargs="?",
        const="",
        metavar="COL",
        help=tr("refit without each record, or level of a column", "逐条（或逐组）剔除后重新拟合"),
    )
    parser.add_argument(
        "--against",
        action="append",
        default=[],
        metavar="TEXT_OR_FILE[@VARIANCE]",
        help=tr("another candidate, compared by AIC or leave-one-out", "候选方程，以 AIC 或留一法比较"),
    )
    add_sampling(parser)
    parser.add_argument(
        "--by", metavar="COL", help=tr("fit each level of a column apart", "按列的各水平分别拟合")
    )
    parser.add_argument("--level", type=float, default=0.95, help=tr("level of the intervals", "置信水平"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--json", metavar="OUT", help=tr("write the result as JSON (- for the console)", "将结果写为 JSON")
    )
    parser.add_argument(
        "--save", metavar="TABLE", help=tr("save as table_id or table_id@version", "保存为参数表")
    )
    parser.set_defaults(func=run)


def run(arguments) -> int:
    """Fit, print, write; 1 when a fit did not converge."""
    from sinklab.cli.report import fit_report, validation_report
    from sinklab.fit import fit, fit_by

    # The table reference is checked before the work, not after it.
    reference = _table_reference(arguments.save) if arguments.save else None
    system, *rivals = _candidates(arguments)
    frame = _read(arguments, [equations for equations, _ in (system, *rivals)])
    options = sampling_options(arguments) | {
        "method": arguments.method,
        "estimator": arguments.estimator,
        "correction": arguments.correction,
        "start": start_values(arguments.start),
        "bounds": limits(arguments.bounds),
        "level": arguments.level,
        "seed": arguments.seed,
        "name": Path(arguments.data).name,
    }
    if arguments.by:
        results = fit_by(frame, system[0], arguments.by, variance=system[1], **options)
    else:
        results = [fit(frame, system[0], variance=system[1], **options)]
    if arguments.bootstrap:
        results = [_bootstrapped(r, arguments) for r in results]
    validations = [_validated(r, arguments.validate) for r in results] if arguments.validate else []
    if arguments.json != "-":
        reports = [fit_report(r) + _influence(r, arguments) for r in results]
        for i, validation in enumerate(validations):
            reports[i] += "\n\n" + validation_report(validation)
        reports += [_comparison(results[0], frame, rivals, options)] if rivals else []
        print("\n\n".join(reports))
    if arguments.json:
        _write_json(results, validations, arguments)
    if reference:
        _save(results, reference, arguments)
    return 0 if all(r.converged for r in results) else 1


def _candidates(arguments) -> list[tuple]:
    """The system that is wanted, then its rivals, each with its variance function."""
    from sinklab.equations import System
    from sinklab.errors import DataError

    if arguments.against and arguments.by:
        raise DataError(
            tr(
                "--against compares fits of all records; leave out --by",
                "--against 用于全部记录；请去掉 --by",
            )
        )
    usual = arguments.variance or "power:mean"
    found = [(System.parse(equation_text(arguments.equations)), usual)]
    for text in arguments.against:
        equations, _, variance = text.partition("@")
        found.append((System.parse(equation_text(equations)), variance or usual))
    return found


def _read(arguments, systems):
    """Columns that the systems name, as numbers where they are compared as such."""
    from sinklab.tabular import read_csv, read_rows

    header, _ = read_rows(arguments.data)
    needed = set()
    for system in systems:
        bound = system.bind(header)
        needed |= {*bound.predictors, *(r for r in bound.responses if r in header)}
    needed |= {c for c in (f"{arguments.measurement_error}".replace(",", "=").split("=")) if c in header}
    return read_csv(arguments.data, numeric=needed)


def _influence(result, arguments) -> str:
    from sinklab.cli.report_scrutiny import influence_report

    if arguments.influence is None:
        return ""
    return "\n\n" + influence_report(result, arguments.influence or None, _workers())


def _comparison(result, frame, rivals, options) -> str:
    from sinklab.cli.report_scrutiny import comparison_report
    from sinklab.fit import fit

    fits = {"1": result}
    for number, (equations, variance) in enumerate(rivals, start=2):
        # Parameters of rivals have names of their own.
        own = options | {"start": {}, "bounds": {}}
        fits[str(number)] = fit(frame, equations, variance=variance, **own)
    return comparison_report(fits)


def _bootstrapped(result, arguments):
    from sinklab.fit.bootstrap import bootstrap

    kind, _, column = arguments.resample.partition(":")
    return bootstrap(
        result, arguments.bootstrap, kind, column or None, arguments.interval, workers=_workers()
    )


def _workers() -> int:
    return min(os.cpu_count() or 1, 8)


def _validated(result, scheme):
    from sinklab.assess.validation import validate

    return validate(result, scheme)


def _write_json(results, validations, arguments) -> None:
    import json

    from sinklab import paths

    contents = [r.to_json() for r in results]
    for content, validation in zip(contents, validations, strict=False):
        content["validation"] = validation.to_json()
    content = {"by": arguments.by, "fits": contents} if arguments.by else contents[0]
    text = json.dumps(content, ensure_ascii=False, indent=2) + "\n"
    if arguments.json == "-":
        print(text, end="")
        return
    with paths.atomic_write(arguments.json) as stream:
        stream.write(text)


def _table_reference(text: str) -> tuple[str, str]:
    from sinklab.tables.naming import check_table_id, check_version

    table_id, _, version = text.partition("@")
    return check_table_id(table_id), check_version(version or "0.1.0")


def _save(results, reference, arguments) -> None:
    from sinklab import paths, provenance
    from sinklab.tables import Table

    source = {
        "spec": f"file:{Path(arguments.data).name}",
        "files": {Path(arguments.data).name: provenance.file_sha256(arguments.data)},
        "origin": "measured",
    }
    folder = Table.from_fits(results, *reference, source=source).write()
    print(tr(f"saved: {paths.relative(folder)}", f"已保存：{paths.relative(folder)}"))

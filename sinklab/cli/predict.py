"""``sinklab predict``: apply a table to data, with intervals and a flag outside the fitted range."""

import sys

from sinklab.language import tr


def add_parser(subparsers) -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser("predict", help=tr("apply a parameter table to data", "用参数表进行预测"))
    parser.add_argument(
        "table", metavar="TABLE", help=tr("folder, id or id@version", "参数表文件夹、id 或 id@version")
    )
    parser.add_argument(
        "data", metavar="DATA", help=tr("CSV file with the predictors", "含自变量的 CSV 文件")
    )
    parser.add_argument("--level", type=float, default=0.95, help=tr("level of the intervals", "置信水平"))
    parser.add_argument(
        "--kind",
        choices=("mean", "individual"),
        default="mean",
        help=tr("what the interval is of", "区间类型"),
    )
    parser.add_argument(
        "--intervals",
        choices=("delta", "draws"),
        help=tr(
            "by linearisation or by joint draws of the parameters", "线性化（delta）或参数联合抽样（draws）"
        ),
    )
    parser.add_argument(
        "--calibrate",
        metavar="TREES",
        help=tr(
            "CSV file of weighed trees of one group, for a table of a mixed model",
            "同一组已测样木的 CSV 文件（混合模型参数表）",
        ),
    )
    parser.add_argument("-o", "--output", metavar="OUT", help=tr("CSV file to write", "输出 CSV 文件"))
    parser.set_defaults(func=run)


def _calibrated(table, file):
    """The model of a table, moved to the group whose trees lie in a file."""
    from sinklab.calibration import calibrated
    from sinklab.tabular import read_csv

    model = table.model()
    needed = {*model.system.predictors, *model.system.free}
    trees = read_csv(file, numeric=needed)
    message = tr(
        f"calibrated with {len(trees)} trees of {file}",
        f"已用 {file} 的 {len(trees)} 株样木校准",
    )
    print(message, file=sys.stderr)
    return calibrated(model, trees)


def run(arguments) -> int:
    """Predict and write the data with the predictions beside them."""
    import pandas as pd

    from sinklab.tables import Table
    from sinklab.tabular import read_csv, write_csv

    table = Table.read(arguments.table)
    needed = {x for model in table.models for x in model.system.predictors}
    frame = read_csv(arguments.data, numeric=needed)
    options = {"level": arguments.level, "kind": arguments.kind, "intervals": arguments.intervals}
    if arguments.calibrate:
        prediction = _calibrated(table, arguments.calibrate).predict(frame, **options)
    else:
        prediction = table.predict(frame, **options)
    # Measured columns of the same name are kept apart from what the table says.
    measured = frame.rename(columns={c: f"{c}_measured" for c in frame.columns if c in prediction.columns})
    out = pd.concat([measured, prediction], axis=1)
    outside = int(prediction["out_of_range"].sum())
    if outside:
        message = tr(
            f"{outside} of {len(out)} records lie outside the fitted range (column range_note)",
            f"{len(out)} 条记录中有 {outside} 条超出适用范围（见 range_note 列）",
        )
        print(message, file=sys.stderr)
    if arguments.output:
        write_csv(out, arguments.output)
    else:
        out.to_csv(sys.stdout, index=False, lineterminator="\n")
    return 0

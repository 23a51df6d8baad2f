"""Options of ``sinklab fit`` that are more than a word or a number."""

from sinklab.errors import DataError
from sinklab.language import tr


def equation_text(text_or_file: str) -> str:
    """Equations from a file, or from the text itself with ``;`` between them."""
    from sinklab.tabular import read_text

    looks_like_file = "=" not in text_or_file or text_or_file.endswith((".txt", ".eq"))
    if looks_like_file:
        return read_text(text_or_file)
    return text_or_file.replace("\\n", "\n").replace(";", "\n")


def start_values(text: str) -> dict[str, float]:
    """Read ``a=0.1,b=2``.

    Raises
    ------
    DataError
    """
    start = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        name, _, number = part.partition("=")
        try:
            start[name.strip()] = float(number)
        except ValueError:
            raise DataError(
                tr(
                    f"--start: {part!r} is not of the form name=number",
                    f"--start：{part!r} 不是“参数=数值”的形式",
                )
            ) from None
    return start


def limits(text: str) -> dict[str, tuple[float | None, float | None]]:
    """Read ``b=0:4,c=0:``.

    Raises
    ------
    DataError
    """
    found = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        name, _, span = part.partition("=")
        low, colon, high = (word.strip() for word in span.partition(":"))
        try:
            if not colon or not (low or high):
                raise ValueError(part)
            found[name.strip()] = (float(low) if low else None, float(high) if high else None)
        except ValueError:
            raise DataError(
                tr(
                    f"--bounds: {part!r} is not of the form name=low:high (either may be left out)",
                    f"--bounds：{part!r} 不是“参数=下限:上限”的形式（可省略其一）",
                )
            ) from None
    return found


def add_sampling(parser) -> None:
    """Add the options of method ``bayes`` to the parser."""
    group = parser.add_argument_group(tr("method bayes", "bayes 方法"))
    group.add_argument(
        "--priors",
        metavar="FILE",
        help=tr(
            'CSV with columns name,prior such as b,"normal(2.4, 0.5)"',
            '列为 name,prior 的 CSV，如 b,"normal(2.4, 0.5)"',
        ),
    )
    group.add_argument("--pool", metavar="correlated|independent|none", help="correlated")
    group.add_argument(
        "--measurement-error",
        metavar="dbh=0.2,height=height_sd",
        help=tr("sd of measurement: a number or a column", "测量误差标准差：数值或列名"),
    )
    for name in ("draws", "tune", "chains"):
        group.add_argument(f"--{name}", type=int, metavar="N")


def sampling_options(arguments) -> dict:
    """Options of method ``bayes`` that were given.

    Raises
    ------
    DataError
    """
    from sinklab.tabular import is_number, read_csv

    names = ("pool", "draws", "tune", "chains")
    found = {name: getattr(arguments, name) for name in names if getattr(arguments, name) is not None}
    if arguments.priors:
        found["priors"] = read_csv(arguments.priors)
    if arguments.measurement_error:
        found["measurement_error"] = {}
        for part in filter(None, (p.strip() for p in arguments.measurement_error.split(","))):
            name, _, size = (word.strip() for word in part.partition("="))
            if not size:
                raise DataError(
                    tr(
                        f"--measurement-error: {part!r} is not of the form name=sd",
                        f"--measurement-error：{part!r} 不是“变量=标准差”的形式",
                    )
                )
            found["measurement_error"][name] = float(size) if is_number(size) else size
    return found

"""``sinklab fit``: one fit from a field file, for people and as JSON.

Options of ``sinklab fit`` that are more than a word or a number.

``sinklab predict``: apply a table to data, with intervals and a flag outside the fitted range.
"""

import math
import re
import sys
from collections import Counter
from pathlib import Path

import sinklab.assess.comparison
import sinklab.assess.validation
from sinklab.cli.data import field_data, reading_options
from sinklab.language import DataError, SinklabError, tr

# --- Options of ``sinklab fit`` that are more than a word or a number.


def equation_text(text_or_file: str) -> str:
    """Equations from a file, or from the text itself with ``;`` between them."""
    from sinklab.data.files import read_text

    looks_like_file = "=" not in text_or_file or text_or_file.endswith((".txt", ".eq"))
    if looks_like_file:
        return read_text(text_or_file)
    return text_or_file.replace("\\n", "\n")


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
            if not (name.strip() and math.isfinite(start[name.strip()])):
                raise ValueError(part)
        except ValueError:
            raise DataError(
                f"--start: {part!r} is not of the form name=number",
                f"--start：{part!r} 不是“参数=数值”的形式",
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
                f"--bounds: {part!r} is not of the form name=low:high (either may be left out)",
                f"--bounds：{part!r} 不是“参数=下限:上限”的形式（可省略其一）",
            ) from None
    return found


def sampling_options(arguments) -> dict:
    """Options of method ``bayes`` that were given.

    Raises
    ------
    DataError
    """
    from sinklab.data.files import is_number, read_csv

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
                    f"--measurement-error: {part!r} is not of the form name=sd",
                    f"--measurement-error：{part!r} 不是“变量=标准差”的形式",
                )
            found["measurement_error"][name] = float(size) if is_number(size) else size
    return found


# --- ``sinklab fit``: one fit from a plain CSV, for people and as JSON.


def run(arguments) -> int:
    """Fit, print, write; 1 when a fit did not converge."""
    from sinklab.drafts import rendering
    from sinklab.fitting import fit, fit_by
    from sinklab.fitting.resample import check_kind
    from sinklab.results.summary import fit_report

    # What is asked for afterwards is checked before the work.
    if arguments.report:
        rendering.format_of(arguments.report)
    reference = _table_reference(arguments) if arguments.save else None
    if arguments.bootstrap or arguments.influence is not None or arguments.method != "bayes":
        check_kind(arguments.resample.partition(":")[0] or None, arguments.interval, arguments.method)
    system, *rivals = _candidates(arguments)
    frame = _read(arguments, [equations for equations, _ in (system, *rivals)])
    options = sampling_options(arguments) | {
        "method": arguments.method,
        "estimator": "reml" if arguments.reml else arguments.estimator,
        "correction": arguments.correction,
        "start": start_values(arguments.start),
        "bounds": limits(arguments.bounds),
        "cluster": arguments.cluster,
        "keep_computed": arguments.keep_computed,
        "level": arguments.level,
        "seed": arguments.seed,
        "name": Path(arguments.data).name,
    }
    if arguments.by:
        results = fit_by(frame, system[0], arguments.by, variance=system[1], **options)
    else:
        results = [fit(frame, system[0], variance=system[1], **options)]
    # What is told of a fit may fail; the fit is printed, written and saved all the same.
    errors: list[SinklabError] = []
    if arguments.bootstrap:
        results = [_or_error(errors, _bootstrapped, r, arguments) or r for r in results]
    validations = {}
    if arguments.validate:
        validations = {i: _or_error(errors, _validated, r, arguments.validate) for i, r in enumerate(results)}
    if arguments.json != "-":
        print(frame.attrs["account"], end="\n\n")
        reports = [fit_report(r) + (_or_error(errors, _influence, r, arguments) or "") for r in results]
        for i, validation in validations.items():
            if validation is not None:
                reports[i] += "\n\n" + sinklab.assess.validation.validation_report(validation)
        reports += [_or_error(errors, _comparison, results[0], frame, rivals, options)] if rivals else []
        print("\n\n".join(filter(None, reports)))
    if arguments.json:
        _write_json(results, validations, arguments)
    if arguments.report:
        written = _or_error(errors, rendering.write_page, results, arguments.report)
        if written:
            print(tr(f"report: {written}", f"报告：{written}"), file=sys.stderr)
    if reference:
        _save(results, reference, arguments, frame)
    if errors:
        raise errors[0]
    return 0 if all(r.converged for r in results) else 1


def _or_error(errors, step, *given):
    """What a step gives; None, and one more of the errors, when it refuses."""
    try:
        return step(*given)
    except SinklabError as error:
        errors.append(error)
        return None


def _candidates(arguments) -> list[tuple]:
    """The system that is wanted, then its rivals, each with its variance function."""
    from sinklab.equations.system import System
    from sinklab.language import DataError

    if arguments.against and arguments.by:
        raise DataError(
            "--against compares fits of all records; leave out --by", "--against 用于全部记录；请去掉 --by"
        )
    usual = arguments.variance or "power:mean"
    found = [(System.parse(equation_text(arguments.equations)), usual)]
    for text in arguments.against:
        equations, _, variance = text.partition("@")
        found.append((System.parse(equation_text(equations)), variance or usual))
    return found


def _read(arguments, systems):
    """The data, with the columns that the systems name as numbers and those that options name as text."""
    from sinklab.fitting.data import columns_of

    wanted = columns_of(systems)
    wanted["needed"] |= set(f"{arguments.measurement_error or ''}".replace(",", "=").split("="))
    kept = [*_kept(arguments), *wanted["text"] - {"species"}]
    frame = field_data(
        arguments, arguments.data, **wanted, kept=kept, tell="stderr" if arguments.json == "-" else ""
    )
    for system in systems:
        system.bind(list(frame.columns))
    return frame


def _kept(arguments) -> list[str]:
    """Columns that options name, as the file writes them."""
    found = [*filter(None, (arguments.by, arguments.influence, arguments.cluster))]
    written = [arguments.variance or "", *(text.partition("@")[2] for text in arguments.against)]
    found += [name for text in written for name in re.findall(r"ident:\s*(\w+)", text)]
    found += [
        text.split(":")[-1]
        for text in (arguments.resample, arguments.validate or "")
        if text.partition(":")[0] in ("group", "groups", "leave") and not text.split(":")[-1].isdigit()
    ]
    return [name for name in found if name not in ("none", "all")]


def _influence(result, arguments) -> str:
    if arguments.influence is None:
        return ""
    return "\n\n" + sinklab.assess.validation.influence_report(
        result, arguments.influence or None, _workers()
    )


def _comparison(result, frame, rivals, options) -> str:
    from sinklab.fitting import fit

    fits = {"1": result}
    for number, (equations, variance) in enumerate(rivals, start=2):
        # Parameters of rivals have names of their own.
        own = options | {"start": {}, "bounds": {}}
        fits[str(number)] = fit(frame, equations, variance=variance, **own)
    return sinklab.assess.comparison.comparison_report(fits)


def _bootstrapped(result, arguments):
    from sinklab.fitting.resample import bootstrap

    kind, _, column = arguments.resample.partition(":")
    return bootstrap(
        result, arguments.bootstrap, kind or None, column or None, arguments.interval, workers=_workers()
    )


def _workers() -> int:
    from sinklab import paths

    return min(paths.processors(), 8)


def _validated(result, scheme):
    from sinklab.assess.validation import validate

    return validate(result, scheme)


def _write_json(results, validations, arguments) -> None:
    import json

    from sinklab import paths

    contents = [r.to_json() for r in results]
    for i, validation in validations.items():
        if validation is not None:
            contents[i]["validation"] = validation.to_json()
    content = {"by": arguments.by, "fits": contents} if arguments.by else contents[0]
    text = json.dumps(content, ensure_ascii=False, indent=2) + "\n"
    if arguments.json == "-":
        print(text, end="")
        return
    with paths.atomic_write(arguments.json) as stream:
        stream.write(text)


def _table_reference(arguments) -> tuple[str, str]:
    """Table and version to save as, "" for the next free one; a version that is there is refused before the work."""
    from sinklab.language import TableError
    from sinklab.tables.schema import check_table_id, check_version
    from sinklab.tables.table import resolve

    table_id, _, version = arguments.save.partition("@")
    version = arguments.version or version
    check_table_id(table_id)
    if version and not arguments.overwrite:
        try:
            there = resolve(f"{table_id}@{check_version(version)}")
        except TableError:
            check_version(version)
        else:
            raise TableError(
                f"{there}: this version is there and stays; leave the version out for the next one, or add --overwrite",
                f"{there}：该版本已存在，予以保留；请省略版本号以取下一个，或加 --overwrite",
            )
    return table_id, version


def _save(results, reference, arguments, frame) -> None:
    from sinklab import paths
    from sinklab.tables.schema import REFUSED
    from sinklab.tables.table import Table

    name = Path(arguments.data).name
    source = frame.attrs.get("source")
    if not source:
        options = {key: value for key, value in reading_options(arguments).items() if value}
        source = {
            "spec": f"file:{name}",
            "files": {name: paths.file_sha256(arguments.data)},
            "origin": "measured",
        }
        source |= {"reading": options | {"kept": _kept(arguments)}}
    doubtful = [line for fit in results for line in fit.source.get("implausible", [])]
    if doubtful:
        raise DataError(
            "not saved, columns contradict each other:\n" + "\n".join(dict.fromkeys(doubtful)),
            "未保存，各列相互矛盾：\n" + "\n".join(dict.fromkeys(doubtful)),
        )
    table_id, version = reference
    made = Table.from_fits(results, table_id, version or "0.1.0", source=source)
    folder, how = made.save(version=version, overwrite=arguments.overwrite)
    said = {
        "first": "",
        "beside": tr(" (earlier versions stay)", "（原有版本保留）"),
        "same": tr(" (it holds these numbers already)", "（该版本已是这些数值）"),
        "replaced": tr(" (replaced)", "（已覆盖）"),
    }[how]
    for row in made.checks[made.checks["check_id"] == REFUSED].to_dict("records"):
        print(f"{row['model_id']}: {tr(row['message_en'], row['message_zh'])}", file=sys.stderr)
    print(tr(f"saved: {paths.relative(folder)}", f"已保存：{paths.relative(folder)}") + said)


# --- ``sinklab predict``: apply a table to data, with intervals and a flag outside the fitted range.


def _calibrated(table, arguments):
    """The model of a table, moved to the group whose trees lie in a file."""
    from sinklab.results.calibration import calibrated

    model = table.model()
    needed, file = {*model.system.predictors, *model.system.free}, arguments.calibrate
    trees = field_data(arguments, file, needed, {"species"}, tell="stderr")
    found = calibrated(model, trees)
    message = tr(
        f"calibrated with {len(trees)} records of {file}",
        f"已用 {file} 的 {len(trees)} 条记录校准",
    )
    print(message, file=sys.stderr)
    return found


def run_predict(arguments) -> int:
    """Predict and write the data with the predictions beside them; a large file piece by piece."""
    from contextlib import ExitStack

    from sinklab import paths
    from sinklab.results.calibration import widened
    from sinklab.results.summary import speaks_for
    from sinklab.tables.table import Table

    table = Table.read(arguments.table)
    # The stands of a file are another population than those that a table was made from.
    vars(table)["models"] = tuple(map(widened, table.models))
    needed = {x for model in table.models for x in model.system.predictors}
    varying = [
        g for m in table.models for g in (*m.system.groups.values(), *([m.random.column] if m.random else []))
    ]
    groups = {column for group in varying for column in group.split("/")}
    # Groups with a sigma of their own may be missing: then the one of all trees is taken.
    groups |= {r.ident for m in table.models for r in m.residual.values() if r.ident}
    options = {"level": arguments.level, "kind": arguments.kind, "intervals": arguments.intervals}
    options["of"] = vars(arguments)["for"]
    model = _calibrated(table, arguments) if arguments.calibrate else table
    used = [model] if arguments.calibrate else table.models
    told, columns, done = Counter(), None, 0
    with ExitStack() as opened:
        stream = (
            opened.enter_context(paths.atomic_write(arguments.output)) if arguments.output else sys.stdout
        )
        if arguments.output:
            stream.write("\ufeff")
        for frame in _parts(arguments, needed, {"species", *groups}):
            if columns is None:
                for line in dict.fromkeys(line for one in used for line in speaks_for(one, frame)):
                    print(line, file=sys.stderr)
            out = _predicted(model, frame, needed, options, told)
            if columns not in (None, list(out.columns)):
                raise DataError(
                    f"{arguments.data}: below record {done} the columns are understood otherwise than above; name them "
                    "with --column and --unit",
                    f"{arguments.data}：第 {done} 条记录以下各列的理解与上文不同；请用 --column、--unit 指明",
                )
            out.to_csv(stream, index=False, header=columns is None, lineterminator="\n")
            columns, done = list(out.columns), done + len(out)
    for (en, zh), n in told.items():
        print(tr(en, zh).format(n=n, done=done), file=sys.stderr)
    return 0


def _parts(arguments, needed, text):
    """The data as one frame, or a large text file as one frame after the other, with progress."""
    from sinklab import paths
    from sinklab.data import files, reading, regions

    source = arguments.data
    is_text = Path(source).is_file() and Path(source).suffix.lower() not in regions.LAYERS
    lines = files.count_lines(source) if is_text else 0
    if lines <= 2 * files.PIECE:
        yield field_data(arguments, source, needed, text, tell="stderr")
        return
    options, head, understood = reading_options(arguments), 0, None
    with paths.private("predict") as folder:
        _, first = next(files.pieces(source, 0, folder))
        head = reading.read(first, needed=needed, text=text, **options).attrs["account"].rows[0] - 1
        for line, piece in files.pieces(source, head, folder):
            try:
                frame = reading.read(piece, needed=needed, text=text, **options)
            except DataError as error:
                raise DataError(
                    f"{source}: records from line {line} on, counted from there as if they followed the header: {error}",
                    f"{source}：自第 {line} 行起的记录（由此计数，如同紧接表头）：{error}",
                ) from None
            account = frame.attrs["account"]
            said = [(c.header, c.name, c.unit_in, c.unit) for c in account.columns]
            if understood not in (None, said):
                raise DataError(
                    f"{source}: from line {line} on the columns are understood otherwise than above ({account}); name "
                    "them with --column and --unit",
                    f"{source}：自第 {line} 行起，各列的理解与上文不同（{account}）；请用 --column、--unit 指明",
                )
            if understood is None:
                print(tr("read in parts; of the first:", "分段读取；首段："), account, file=sys.stderr)
            understood = said
            yield frame
            share = min((line + files.PIECE) / lines, 1)
            progress = tr(f"{share:.0%} of {lines:,} lines", f"{lines:,} 行的 {share:.0%}")
            print(progress, file=sys.stderr, flush=True)


def _predicted(model, frame, needed, options, told):
    """Data with predictions beside them; what is to be told of records is counted."""
    import pandas as pd

    prediction = model.predict(frame, **options)
    # Data are handed through as they are written; what the table says goes by its own name.
    written = frame.attrs["account"].written
    measured = written.rename(columns={c: f"{c}_measured" for c in written if c in prediction.columns})
    predicted = [c.removesuffix("_lower") for c in prediction if c.endswith("_lower")]
    blank = prediction[predicted].isna().any(axis=1)
    lacking = [x for x in sorted(needed) if x in frame and frame[x].isna().any()]
    without = blank & frame[lacking].isna().any(axis=1)
    outside = (
        "{n} of {done} records lie outside the fitted range (column range_note)",
        "{done} 条记录中有 {n} 条超出适用范围（见 range_note 列）",
    )
    for n, en, zh in (
        (int(without.sum()), f"without {' or '.join(lacking)}", f"缺 {' 或 '.join(lacking)}"),
        (int((blank & ~without).sum()), "where an equation has no value", "处方程无值"),
    ):
        if n:
            en, zh = (
                f"records {en}: no prediction (column range_note)",
                f"条记录{zh}：无预测值（见 range_note 列）",
            )
            told["{n} " + en, "{n} " + zh] += n
    if prediction["out_of_range"].any():
        told[outside] += int(prediction["out_of_range"].sum())
    return pd.concat([measured, prediction], axis=1)

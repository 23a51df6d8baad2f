"""``sinklab data``: what data there are, what is wrong with them, and how to get open data sets."""

from sinklab.language import language, tr

#: Problems of one kind that are printed for people.
MOST_ALIKE = 50


def add_parser(subparsers) -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser("data", help=tr("list, check and get data", "列出、检查、获取数据"))
    actions = parser.add_subparsers(dest="action", metavar=tr("ACTION", "操作"), required=True)

    listing = actions.add_parser(
        "list", help=tr("studies and open data sets, present or absent", "研究与公开数据集，是否在本机")
    )
    listing.set_defaults(func=run_list)

    check = actions.add_parser(
        "check",
        help=tr(
            "every problem of the data; exit code 1 for problems", "列出数据的全部问题；有问题时退出码为 1"
        ),
    )
    check.add_argument(
        "names",
        metavar="NAME|PATH",
        nargs="*",
        help=tr(
            "study, open data set, folder of a study or CSV file; all studies when left out",
            "研究、公开数据集、研究文件夹或 CSV 文件；省略时检查全部研究",
        ),
    )
    check.set_defaults(func=run_check)

    get = actions.add_parser("get", help=tr("make an open data set available", "获取公开数据集"))
    get.add_argument("name", metavar="NAME", help=tr("name in `data list`", "data list 中的名称"))
    get.add_argument(
        "--mirror", metavar="DIR", help=tr("folder that already holds the files", "已存有文件的文件夹")
    )
    get.set_defaults(func=run_get)

    for action in (listing, check):
        action.add_argument("--json", action="store_true", help=tr("print JSON", "输出 JSON"))


def _print_json(content) -> None:
    import json

    print(json.dumps(content, ensure_ascii=False, indent=2))


def run_list(arguments) -> int:
    """Print the studies and the open data sets."""
    from sinklab.cli.text import table

    found = {"studies": _studies(), "open": _open()}
    if arguments.json:
        _print_json(found)
        return 0
    header = [
        tr("name", "名称"),
        tr("origin", "来源"),
        tr("records", "记录数"),
        tr("licence", "许可"),
        tr("title", "标题"),
    ]
    origins = {"measured": tr("measured", "实测"), "simulated": tr("simulated", "模拟")}
    title = "title_zh" if language() == "zh" else "title"
    rows = [
        [row["name"], origins.get(row["origin"], row["origin"]), row["records"], row["licence"], row[title]]
        for row in found["studies"]
    ]
    print(tr("Studies (data/studies)", "研究（data/studies）"))
    print(table(header, rows))
    header = [
        tr("name", "名称"),
        tr("at hand", "本机"),
        tr("records", "记录数"),
        tr("licence", "许可"),
        "DOI",
        tr("title", "标题"),
    ]
    states = {True: tr("present", "有"), False: tr("absent", "无")}
    rows = [
        [row["name"], states[row["present"]], row["records"], row["licence"], row["doi"], row[title]]
        for row in found["open"]
    ]
    print()
    print(tr("Open data sets (data/open.yml)", "公开数据集（data/open.yml）"))
    print(table(header, rows))
    return 0


def _short(licence) -> str:
    """Licence without the remarks on it."""
    return str(licence).split(" (")[0]


def _studies() -> list[dict]:
    import yaml

    from sinklab.errors import DataError
    from sinklab.studies import list_studies, study_folder
    from sinklab.tabular import read_rows

    rows = []
    for study_id in list_studies():
        folder = study_folder(study_id)
        # A study that cannot be read is listed too; `data check` says what is wrong with it.
        try:
            info = yaml.safe_load((folder / "study.yml").read_text(encoding="utf-8")) or {}
        except yaml.YAMLError:
            info = {}
        try:
            count = len(read_rows(folder / "data.csv")[1])
        except DataError:
            count = None
        titles = info.get("title") if isinstance(info.get("title"), dict) else {"en": info.get("title") or ""}
        english = titles.get("en") or study_id
        rows.append(
            {
                "name": study_id,
                "origin": str(info.get("origin", "")),
                "records": count,
                "licence": _short(info.get("licence", "")),
                "title": english,
                "title_zh": titles.get("zh") or english,
            }
        )
    return rows


def _open() -> list[dict]:
    import csv

    from sinklab.datasets import catalog

    rows = []
    for name, entry in catalog.entries().items():
        present = catalog.present(name)
        count = None
        if present:
            with open(catalog.files(name)[0], encoding="utf-8-sig", newline="") as stream:
                count = sum(1 for _ in csv.reader(stream)) - 1
        rows.append(
            {
                "name": name,
                "present": present,
                "records": count,
                "licence": _short(entry["licence"]),
                "doi": entry["doi"],
                "title": entry["title"]["en"],
                "title_zh": entry["title"]["zh"],
                "files": [item["path"] for item in entry["files"]],
            }
        )
    return rows


def run_check(arguments) -> int:
    """Print every problem; 1 when there is any."""
    from dataclasses import asdict

    from sinklab.checks import check
    from sinklab.studies import list_studies

    found = {name: check(name) for name in arguments.names or list_studies()}
    if arguments.json:
        _print_json({name: [asdict(p) for p in problems] for name, problems in found.items()})
        return 1 if any(found.values()) else 0
    for name, problems in found.items():
        count = len(problems)
        state = tr(f"{count} problems", f"{count} 个问题") if problems else tr("no problem", "没有问题")
        print(f"{name}: {state}")
        _print_problems(problems)
    if not found:
        print(tr("no studies in data/studies", "data/studies 中没有研究"))
    return 1 if any(found.values()) else 0


def _print_problems(problems) -> None:
    """Print the problems in their order; of many alike the first, with the count of the others."""
    from collections import Counter

    alike, shown = Counter(p.rule for p in problems), Counter()
    for problem in problems:
        shown[problem.rule] += 1
        if shown[problem.rule] <= MOST_ALIKE:
            print(f"  {problem}")
        elif shown[problem.rule] == alike[problem.rule]:
            more = alike[problem.rule] - MOST_ALIKE
            print(
                "  "
                + tr(
                    f"… and {more} more alike; --json lists all", f"……另有 {more} 处同类问题；--json 列出全部"
                )
            )


def run_get(arguments) -> int:
    """Make the files of an open data set available and say where they are."""
    from sinklab.datasets.fetch import get

    how = {
        "present": tr("already here", "已在本机"),
        "mirror": tr("copied from the mirror", "已从镜像复制"),
        "download": tr("downloaded", "已下载"),
    }
    for path, way in get(arguments.name, arguments.mirror):
        print(f"{path}: {how[way]}")
    return 0

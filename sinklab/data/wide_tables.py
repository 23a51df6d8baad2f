"""Tables that are wider than what they say: species, surveys, layers, ages, points or samples stand as columns.

:func:`melt` makes a record of each, and tells it.
"""

import re
from dataclasses import replace

from sinklab.data import vocabulary
from sinklab.data.columns import MEANS, TWICE, Meaning, fold, knows, meaning, species_name, taken_apart
from sinklab.data.files import plain
from sinklab.data.heads import SURVEY, labelled
from sinklab.data.layout import Field, Form
from sinklab.data.written import is_blank, is_unit, quantity
from sinklab.language import tr


def melt(form: Form) -> None:
    """Give each record one species, survey, age or point where columns repeat for several."""
    _areas_in_units(form)
    _samples(form)
    groups: dict[str, list[int]] = {}
    for i, f in enumerate(form.fields):
        if len(f.parts) > 1 and not knows(f.parts[0]) and not is_unit(f.parts[1]):
            groups.setdefault(f.parts[0], []).append(i)
    below = {tuple(form.fields[i].parts[1:] for i in at) for at in groups.values()}
    twice = all(TWICE.fullmatch(fold(p[0])) for one in below for p in one)
    if len(groups) > 1 and not twice and len(below) == 1:
        name, said = labelled(list(groups))
        if not name and any(taken_apart(g)[1] for g in groups):
            # 氮含量/(g·kg-1) over organs is a quantity, no group of records.
            return
        if not name:
            name = "species" if any(species_name(g) != g for g in groups) else tr("group", "组")
        labels = [said.get(label, label) for label in groups]
        _gather(
            form,
            name,
            labels,
            list(groups.values()),
            [
                Field(form.fields[i].parts[1:], form.fields[i].at, form.fields[i].unit)
                for i in next(iter(groups.values()))
            ],
        )
        return
    _by_layer(form)
    _by_label(form)
    _by_survey(form)
    _by_number(form)
    _by_species(form)


#: Masses of an area that is none of one unit: g/0.25m², kg/(2m×2m), g per 0.5 m2.
_SIZE = r"\d+(?:\.\d+)?\s*(?:m2|m²|㎡|cm2|cm²|m\^2)|\d+(?:\.\d+)?\s*c?m\s*[×x*]\s*\d+(?:\.\d+)?\s*c?m"
AREA = re.compile(rf"\s*(?:/|per)\s*(?:\(\s*({_SIZE})\s*\)|({_SIZE}))", re.IGNORECASE)


def _areas_in_units(form) -> None:
    """Take the area of quadrats out of units of masses, where they agree on one."""
    areas = {
        re.sub(r"\s", "", m[1] or m[2])
        for f in form.fields
        for part in (*f.parts, f.unit)
        if (m := AREA.search(part))
    }
    areas = {a for a in areas if not re.match(r"1(?:\.0+)?(?:m|㎡)(?!.*[×x*])", a)}
    if len(areas) != 1 or any(meaning(f.parts, f.unit).name == "plot_area" for f in form.fields if f.parts):
        return
    area = areas.pop()
    for i, f in enumerate(form.fields):
        form.fields[i] = replace(
            f, parts=tuple(AREA.sub("", part) for part in f.parts), unit=AREA.sub("", f.unit)
        )
    form.add("样方面积", [area] * len(form.rows))
    form.notes.add(f"masses are of {area}: plot_area", f"质量为 {area} 上的量：plot_area")


#: 100 g of a sample that were dried: the mass stands in the header.
FIXED = re.compile(r"(\d+(?:\.\d+)?)\s*(g|克|kg)\s*(?:鲜重?的?)?(?=.*样|.*sample)", re.IGNORECASE)
#: Numbers of samples: 样1鲜重, 2号样干重, sample 2 dry.
REPLICATE = re.compile(r"(样品?|sample\s*)\s*[1-5①②③一二三](?=\D)|[1-5一二三]号(?=样)", re.IGNORECASE)


def _samples(form) -> None:
    """Give samples of one mass a column of it, and put those that were taken several times together."""
    for i, f in enumerate(list(form.fields)):
        cut = FIXED.match(f.parts[-1]) if f.parts else None
        rest = f.parts[-1][cut.end() :] if cut else ""
        if cut and (m := meaning((*f.parts[:-1], rest), f.unit)).name.endswith("sample_dry"):
            form.fields[i] = Field((*f.parts[:-1], rest), f.at, f.unit)
            fresh = (
                re.sub("[烘绝]?干", "鲜", rest[::-1], count=1)[::-1]
                if "干" in rest
                else re.sub("dry", "fresh", rest)
            )
            if meaning((*f.parts[:-1], fresh)).name == m.name.replace("_dry", "_fresh"):
                form.add(
                    fresh, [cut[1] if row[i] else "" for row in form.cells], plain(cut[2]).replace("克", "g")
                )
    groups: dict[tuple, list[int]] = {}
    for i, f in enumerate(form.fields):
        bare = tuple(REPLICATE.sub(lambda m: m[1] or "", p) for p in f.parts)
        name = meaning(bare, f.unit).name
        if bare != f.parts and ("sample" in name or name.endswith(("moisture", "ratio"))):
            groups.setdefault(bare, []).append(i)
    gone = []
    for bare, at in groups.items():
        f = form.fields[at[0]]
        form.fields[at[0]] = Field(bare, f.at, f.unit)
        for row in form.cells:
            own = [q.value if (q := quantity(row[i])) else None for i in at]
            known = [v for v in own if v is not None]
            whole = len(known) if not meaning(bare).name.endswith(("fresh", "dry")) else 1
            # Masses of samples add up, where all are there; shares are averaged.
            row[at[0]] = (
                f"{sum(known) / whole:.10g}" if known and (len(known) == len(at) or whole > 1) else ""
            )
        gone += at[1:]
        form.notes.add(
            f"{'/'.join(bare)}: {len(at)} samples of each put together",
            f"{'/'.join(bare)}：每株 {len(at)} 份样品已合并",
        )
    for row in [form.fields, *form.cells, *form.at] if gone else ():
        row[:] = [value for k, value in enumerate(row) if k not in gone]


def _by_layer(form) -> None:
    """Layers as columns below each quantity: 有机碳 0-20, 20-40; or below the title alone."""
    found: dict[str, dict[tuple, int]] = {}
    for i, f in enumerate(form.fields):
        said = quantity(f.parts[-1]) if f.parts else None
        if said and said.ends and meaning(f.parts).kind != "segment":
            found.setdefault(plain(f.parts[-1]), {})[f.parts[:-1] or (_in_title(form.title),)] = i
    same = {tuple(one) for one in found.values()}
    if len(found) > 1 and len(same) == 1:
        first = next(iter(found.values()))
        fields = [Field(base, form.fields[i].at, form.fields[i].unit) for base, i in first.items()]
        _gather(form, "土层", list(found), [list(one.values()) for one in found.values()], fields)


def _by_label(form) -> None:
    """Plots, trees or months as columns, below a quantity or of what the title names: 土层, 样地1, 样地2."""
    groups: dict[tuple, list[int]] = {}
    for i, f in enumerate(form.fields):
        if f.parts and labelled([f.parts[-1], f.parts[-1]])[0] in ("plot_id", "tree_id", "season", "line"):
            groups.setdefault(f.parts[:-1], []).append(i)
    for above, at in groups.items():
        name, said = labelled([form.fields[i].parts[-1] for i in at])
        value = above or (_in_title(form.title),)
        if len(at) > 1 and name and meaning(value).name:
            labels = [said.get(form.fields[i].parts[-1], form.fields[i].parts[-1]) for i in at]
            _gather(
                form,
                name,
                labels,
                [[i] for i in at],
                [Field(value, form.fields[at[0]].at, form.fields[at[0]].unit)],
            )
            return


def _by_survey(form) -> None:
    """Columns such as 胸径2015, 胸径2020."""
    found: dict[str, dict[str, int]] = {}
    for i, f in enumerate(form.fields):
        mark = SURVEY.search(f.header)
        rest = re.sub(r"[(（][)）]", "", SURVEY.sub("", f.header)).strip(" _-/") if mark else ""
        rest = re.sub(r"[_\- ]+(?=[(（\[])", " ", rest)
        if mark and meaning((rest,)).name and "(" not in rest[:1]:
            found.setdefault(mark[0].rstrip("年"), {})[rest] = i
    bases = list(dict.fromkeys(base for one in found.values() for base in one))
    if len(found) < 2 or not any(sum(base in one for one in found.values()) > 1 for base in bases):
        return
    for one in found.values():
        if list(one) != list(next(iter(found.values()))):
            return
    name = "year" if all(k[:2].isdigit() for k in found) else "survey"
    _gather(
        form,
        name,
        list(found),
        [list(one.values()) for one in found.values()],
        [Field((b,), form.fields[next(iter(found.values()))[b]].at) for b in bases],
    )


def _by_number(form) -> None:
    """Columns that are numbers: ages of a stem analysis, points of a line."""
    groups: dict[tuple, list[int]] = {}
    for i, f in enumerate(form.fields):
        if f.parts and re.fullmatch(
            r"(?:测点|样点|点|point ?)?\d+(?:\.\d+)?\s*(?:a|年|年生|龄|m|cm|号)?",
            plain(f.parts[-1]),
            re.IGNORECASE,
        ):
            groups.setdefault(f.parts[:-1], []).append(i)
    means = {f.parts[:-1] for f in form.fields if len(f.parts) > 1 and fold(f.parts[-1]) in MEANS}
    inside = {i for at in groups.values() for i in at}
    sizes = {meaning(f.parts, f.unit).name for i, f in enumerate(form.fields) if i not in inside and f.parts}
    for above, at in groups.items():
        # Replicates beside their mean are not records of their own.
        if len(at) < 3 or above in means:
            continue
        label = "/".join(above) or form.title
        old = re.search("龄|年|age", label, re.IGNORECASE)
        if len(sizes & {"dbh", "height", "tree_id"}) > 1:
            # Values of one tree at several heights stand beside its diameter and height.
            told = ", ".join(form.fields[i].header for i in at)
            form.notes.add(
                f"{told}: several values of one tree, kept as written",
                f"{told}：同一株的多个数值，按原样保留",
            )
            continue
        marks = [re.search(r"[\d.]+", plain(form.fields[i].parts[-1]))[0] for i in at]
        titled, size = _in_title(form.title), meaning(above) if above else Meaning()
        told = meaning((titled,)).name
        if (
            size.name in ("height", "dbh")
            and vocabulary.is_variable(told)
            and vocabulary.variable(told).role == "response"
        ):
            # A matrix of volumes: a class of heights over each column.
            _gather(form, label, marks, [[i] for i in at], [Field((titled,), form.fields[at[0]].at)])
            return
        if size.kind == "class":
            # A pivot of counts.
            _gather(form, label, marks, [[i] for i in at], [Field(("株数",), form.fields[at[0]].at)])
            return
        value = Field(above or (titled,), form.fields[at[0]].at)
        if old and not meaning(value.parts).name:
            # The size that the head gives a tree is not the one that it had at these ages.
            sizes = {"dbh", "height", "volume", "age"}
            form.constants = [c for c in form.constants if meaning((c[0],)).name not in sizes]
        _gather(form, "age" if old else tr("point", "测点"), marks, [[i] for i in at], [value])
        return


def _by_species(form) -> None:
    """Columns that are species, of counts beside a class of diameters."""
    if not any(meaning(f.parts).kind == "class" for f in form.fields if f.parts):
        return
    at = [
        i for i, f in enumerate(form.fields) if len(f.parts) == 1 and species_name(f.parts[0]) != f.parts[0]
    ]
    if at and not any(meaning(f.parts).name == "count" for f in form.fields if f.parts):
        labels = [form.fields[i].parts[0] for i in at]
        _gather(form, "species", labels, [[i] for i in at], [Field(("株数",), form.fields[at[0]].at)])


def _in_title(title) -> str:
    """The one variable, with its unit, that stands in a title; "value" where it names several."""
    found: dict[str, str] = {}
    for word in re.findall(r"[\u4e00-\u9fff]+(?:[(（][^()（）]+[)）])?|[A-Za-z ]+", title):
        start = 0
        while start < len(word):
            for stop in range(len(word), start + 1, -1):
                one = meaning((word[start:stop],))
                if (
                    vocabulary.is_variable(one.name)
                    and vocabulary.variable(one.name).numeric
                    and one.kind == "name"
                ):
                    found.setdefault(one.name, word[start:stop])
                    start = stop - 1
                    break
            start += 1
    return (
        next(iter(found.values()))
        if len(found) == 1
        else tr("value", "数值")
        if found or not title
        else title
    )


def _gather(form, name, labels, groups, fields) -> None:
    """Records for each group of columns below each other, with a column that says which; blank ones are left out."""
    moved = {i for at in groups for i in at}
    rest = [i for i in range(len(form.fields)) if i not in moved]
    remarks = {k for k, f in enumerate(fields) if meaning(f.parts).kind == "remark"}
    cells, rows, at = [], [], []
    for values, row, places in zip(form.cells, form.rows, form.at, strict=True):
        for label, group in zip(labels, groups, strict=True):
            own = [values[i] for i in group]
            if any(v and not is_blank(v) for k, v in enumerate(own) if k not in remarks):
                cells.append([*(values[i] for i in rest), label, *own])
                at.append([*(places[i] for i in rest), -1, *(places[i] for i in group)])
                rows.append(row)
    form.fields = [*(form.fields[i] for i in rest), Field((name,), -1), *fields]
    form.cells, form.rows, form.at = cells, rows, at
    told = ", ".join(labels[:6]) + (" …" if len(labels) > 6 else "")
    form.notes.add(
        f"columns of {told} made records with a column {name}; blank ones left out",
        f"{told} 各列已转为记录（{name} 列），空白者略去",
    )

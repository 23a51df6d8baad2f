"""One entry of a batch file, every combination of its axes: a job for each.

An axis is a list of plain values, or a mapping whose keys are the values and whose entries describe
them. What is called like a setting of a job (``parameters``, ``timeout`` …) is merged into the jobs of
that value, everything else is text for ``{axis.name}``::

    axes:
      species:
        larix: {zh: 落叶松属, en: Larch, parameters: {where: {genus: Larix}}}
        betula: {zh: 桦木属, en: Birch, parameters: {where: {genus: Betula}}}
    jobs:
      - id: "agb_{species}_{region}"
        title: {zh: "{species.zh}（{region}）", en: "{species.en}, {region}"}
        matrix: {species: all, region: [china, japan]}
        parameters: {table_id: "agb_{species}_{region}", where: {dbh: {min: 2}}}
        except: [{species: larix, region: japan}]
        override: [{when: {species: betula}, timeout: 60, parameters: {seed: 2}}]

The settings of an entry come first, those of its axes replace them, overrides come last; mappings are
merged name by name. A text that is one ``{axis.name}`` and nothing else takes the value as it is, a list
or a number included; ``{{`` stands for a brace.
"""

import re
from difflib import get_close_matches
from itertools import product

from sinklab.language import tr

#: What a job, the value of an axis and an override may set.
SETTINGS = ("title", "notebook", "parameters", "outputs", "inputs", "timeout", "memory")
_AXIS = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")


def expand(file, entry: dict, shared: dict, place: tuple) -> list[tuple[dict, str]]:
    """Jobs of an entry with a matrix; an entry without one is its only job.

    Parameters
    ----------
    file : BatchFile
        Takes the problems.
    entry : dict
        As the batch file says.
    shared : dict
        Axes that the batch defines for all its entries.
    place : tuple
        Where the entry stands.

    Returns
    -------
    jobs : list of (dict, str)
        Plain entries, and the combination each comes from ("" without a matrix).
    """
    if "matrix" not in entry:
        return [(entry, "")]
    axes = _axes(file, entry["matrix"], shared, (*place, "matrix"))
    if not axes:
        return []
    left_out = _rules(file, entry, "except", axes, place)
    overrides = _rules(file, entry, "override", axes, place)
    base = {key: value for key, value in entry.items() if key not in ("matrix", "except", "override")}
    met, found = set(), []
    for values in product(*axes.values()):
        chosen = dict(zip(axes, values, strict=True))
        hits = [position for position, (when, _) in enumerate(left_out) if _matches(when, chosen)]
        met.update(("except", position) for position in hits)
        if hits:
            continue
        job = _combined(file, base, axes, chosen, place)
        for position, (when, settings) in enumerate(overrides):
            if _matches(when, chosen):
                met.add(("override", position))
                job = merged(job, settings)
        label = ", ".join(f"{axis}={value}" for axis, value in chosen.items())
        found.append((_filled(file, job, _names(axes, chosen), place), label))
    for key, rules in (("except", left_out), ("override", overrides)):
        for position in range(len(rules)):
            if (key, position) not in met:
                text = tr(f"{key}: no combination is like this", f"{key}：没有这样的组合")
                file.report(text, *place, key, position)
    return found


def merged(first: dict, second: dict) -> dict:
    """Two mappings as one: the second wins, and mappings inside are merged in the same way."""
    both = {n: merged(first[n], v) for n, v in second.items() if _mappings(first.get(n), v)}
    return first | second | both


def _mappings(*values) -> bool:
    return all(isinstance(value, dict) for value in values)


def read_axis(file, name, values, place) -> dict:
    """Values of one axis by name, each with what it sets and says."""
    if isinstance(values, dict):
        pairs = [(key, {} if below is None else below) for key, below in values.items()]
    elif isinstance(values, list):
        pairs = [(value, {}) for value in values]
    else:
        pairs = []
    found = {}
    for key, below in pairs:
        if isinstance(key, bool) or not isinstance(key, (str, int, float)) or not isinstance(below, dict):
            text = tr(
                f"axis {name!r}: {key!r} is not a plain value or not described by a mapping",
                f"维度 {name!r}：{key!r} 不是普通值，或其说明不是映射",
            )
            file.report(text, *place, key)
        elif key in found:
            file.report(tr(f"axis {name!r}: {key!r} twice", f"维度 {name!r}：{key!r} 重复"), *place)
        else:
            found[key] = below
    if not pairs or not _AXIS.fullmatch(str(name)):
        text = tr(
            f"axis {name!r}: expected a Latin name, and a list or mapping of values",
            f"维度 {name!r}：应为拉丁字母名称及取值的列表或映射",
        )
        file.report(text, *place)
        return {}
    return found


def _axes(file, matrix, shared, place) -> dict[str, dict]:
    """Axes of an entry; of an axis that the batch defines, all values or those that are listed."""
    if not isinstance(matrix, dict) or not matrix:
        text = tr(
            f"matrix: expected axes with values, found {matrix!r}", f"matrix：应为维度及取值，实为 {matrix!r}"
        )
        file.report(text, *place)
        return {}
    axes = {}
    for name, wanted in matrix.items():
        if wanted == "all" and name not in shared:
            text = tr(
                f"matrix: no axis {name!r} among 'axes' ({', '.join(shared) or '–'})",
                f"matrix：axes 中没有维度 {name!r}（{', '.join(shared) or '–'}）",
            )
            file.report(text, *place, name)
        elif wanted == "all":
            axes[name] = shared[name]
        elif name in shared and isinstance(wanted, list):
            axes[name] = {key: shared[name][key] for key in wanted if key in shared[name]}
            for position, key in enumerate(wanted):
                if key not in shared[name]:
                    file.report(_unknown(f"{name}", key, shared[name]), *place, name, position)
        else:
            axes[name] = read_axis(file, name, wanted, (*place, name))
    return axes if len(axes) == len(matrix) and all(axes.values()) else {}


def _unknown(what, name, known) -> str:
    near = get_close_matches(str(name), [str(k) for k in known], n=1)
    hint = tr(f"did you mean {near[0]!r}?", f"是否为 {near[0]!r}？") if near else ", ".join(map(str, known))
    return tr(f"{what}: unknown {name!r}; {hint}", f"{what}：未知的 {name!r}；{hint}")


def _rules(file, entry, key, axes, place) -> list[tuple[dict, dict]]:
    """Conditions of ``except`` and ``override``, with what an override sets."""
    rules = entry.get(key) or []
    if not isinstance(rules, list):
        file.report(tr(f"{key}: expected a list", f"{key}：应为列表"), *place, key)
        return []
    found = []
    for position, rule in enumerate(rules):
        here = (*place, key, position)
        when = rule.get("when") if key == "override" and isinstance(rule, dict) else rule
        settings = {k: v for k, v in rule.items() if k != "when"} if isinstance(rule, dict) else {}
        if not isinstance(when, dict) or not when:
            file.report(tr(f"{key}: expected axes with values", f"{key}：应为维度及取值"), *here)
            continue
        problems = [_unknown(key, name, axes) for name in when if name not in axes]
        for name in when.keys() & axes.keys():
            wanted = when[name] if isinstance(when[name], list) else [when[name]]
            problems += [_unknown(f"{key}: {name}", v, axes[name]) for v in wanted if v not in axes[name]]
        if key == "override":
            problems += [_unknown(key, name, SETTINGS) for name in settings if name not in SETTINGS]
        for text in problems:
            file.report(text, *here)
        if not problems:
            found.append((when, settings if key == "override" else {}))
    return found


def _matches(when, chosen) -> bool:
    return all(chosen[n] in (wanted if isinstance(wanted, list) else [wanted]) for n, wanted in when.items())


def _combined(file, base, axes, chosen, place) -> dict:
    """Settings of the entry and of the values of its axes; two axes that disagree are a problem."""
    job, owner = base, {}
    for axis, value in chosen.items():
        settings = {k: v for k, v in axes[axis][value].items() if k in SETTINGS}
        for leaf, setting in _leaves(settings):
            # A mapping below a plain value, or above it, is a clash like the same name twice.
            for other, (rival, theirs) in owner.items():
                nested = leaf[: len(other)] == other or other[: len(leaf)] == leaf
                if rival != axis and nested and (leaf != other or theirs != setting):
                    name = ".".join(map(str, leaf))
                    text = tr(
                        f"axes {rival!r} and {axis!r} both set {name}, to different values",
                        f"维度 {rival!r} 与 {axis!r} 对 {name} 给出不同的值",
                    )
                    file.report(text, *place, "matrix")
            owner[leaf] = (axis, setting)
        job = merged(job, settings)
    return job


def _leaves(settings, above=()):
    for name, value in settings.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, (*above, name))
        else:
            yield (*above, name), value


def _names(axes, chosen) -> dict:
    """What braces may name: an axis, and whatever the chosen value says of itself."""
    names = dict(chosen)
    for axis, value in chosen.items():
        names |= {f"{axis}.{k}": v for k, v in axes[axis][value].items() if k not in SETTINGS}
    return names


def _filled(file, item, names, place):
    """Replace what stands in braces, in every text of an entry."""
    if isinstance(item, dict):
        return {key: _filled(file, value, names, (*place, key)) for key, value in item.items()}
    if isinstance(item, list):
        return [_filled(file, value, names, (*place, n)) for n, value in enumerate(item)]
    if not isinstance(item, str) or "{" not in item and "}" not in item:
        return item

    def value_of(match):
        if match[1] is None:
            return match[0][0]
        if match[1] not in names:
            file.report(_unknown("{…}", match[1], names), *place)
            return match[0]
        return names[match[1]]

    whole = _PLACEHOLDER.fullmatch(item)
    if whole:
        return value_of(whole)
    return _PLACEHOLDER.sub(lambda match: str(value_of(match)), item)

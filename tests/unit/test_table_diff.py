"""Two versions of a table: what moved, by how much, and the version that it needs."""

import json
from dataclasses import replace

import pytest
from published_tables import log_table, make_trees, site_table, system_table, values_table

from sinklab.cli import main
from sinklab.language import set_language
from sinklab.tables.comparison import diff, next_version
from sinklab.tables.digits import along, corners_and_between
from sinklab.tables.table import Table


@pytest.fixture(scope="module")
def old():
    return system_table()


def altered(table, file, column, change, version="1.1.0", where=None):
    """Copy of a table in which a column of a file was changed in the rows chosen."""
    frame = table.frames[file].copy()
    rows = frame.index if where is None else frame.index[where(frame)]
    frame.loc[rows, column] = [change(value) for value in frame.loc[rows, column]]
    return replace(table, version=version, frames=table.frames | {file: frame})


def one(name):
    return lambda frame: frame["name"] == name


def test_a_table_equals_itself(old, tmp_path):
    found = diff(old, Table.read(old.write(tmp_path)))
    assert found.changes == () and found.moves == () and found.n_rounding == 0
    assert found.part == "none" and found.proposed == "1.0.0" and found.enough


@pytest.mark.parametrize(
    ("part", "proposed"),
    [("none", "1.2.3"), ("patch", "1.2.4"), ("minor", "1.3.0"), ("major", "2.0.0")],
)
def test_next_version(part, proposed):
    assert next_version("1.2.3", part) == proposed


def test_a_move_inside_the_interval_is_minor(old):
    row = old.frames["coefficients"].set_index("name").loc["r0"]
    new = altered(old, "coefficients", "value", lambda v: v + 0.1 * row["se"], where=one("r0"))
    found = diff(old, new)
    (change,) = found.estimates
    assert change.row == "model, r0" and change.beyond is False
    assert change.in_se == pytest.approx(0.1) and (change.lower, change.upper) == (row["lower"], row["upper"])
    # root is proportional to r0, so its prediction moves by the same share everywhere.
    (move,) = found.moves
    assert move.response == "root" and move.relative == pytest.approx(0.1 * row["se"] / row["value"])
    assert move.n_beyond == 0 and move.n_point == 9
    assert found.part == "minor" and found.proposed == "1.1.0" and found.enough


def test_a_move_beyond_the_interval_is_major(old):
    row = old.frames["coefficients"].set_index("name").loc["r0"]
    new = altered(old, "coefficients", "value", lambda v: row["upper"] + 1e-4, where=one("r0"))
    found = diff(old, new)
    assert found.estimates[0].beyond is True
    assert found.part == "major" and found.proposed == "2.0.0" and not found.enough


def test_coefficients_that_move_together_may_still_move_predictions_out(old):
    # Half a standard error each stays inside every interval, but not inside that of the sum.
    se = old.frames["coefficients"].set_index("name")["se"]
    new = old
    for name in ("a1", "b1", "c1"):
        new = altered(new, "coefficients", "value", lambda v, n=name: v + 0.9 * se[n], where=one(name))
    found = diff(old, new)
    assert not any(c.beyond for c in found.estimates)
    assert any(m.response == "stem" and m.n_beyond == 9 for m in found.moves)
    assert found.part == "major"


def test_meaning_words_and_rows(old):
    assert diff(old, altered(old, "equations", "unit", lambda u: "t")).part == "major"
    assert diff(old, altered(old, "models", "label_zh", lambda u: "另一个名称")).part == "patch"
    assert diff(old, altered(old, "models", "status", lambda u: "reviewed")).part == "patch"
    assert diff(old, altered(old, "equations", "sigma", lambda v: v * 1.01)).part == "minor"
    two = log_table()
    fewer = replace(two, frames=two.frames | {"models": two.frames["models"].iloc[:1]})
    gone = [c for c in diff(two, fewer).changes if c.file == "models"]
    assert [(c.row, c.new, c.part) for c in gone] == [("pinus_massoniana", None, "major")]
    assert [c.part for c in diff(fewer, two).changes if c.file == "models"] == ["minor"]


def test_rounding_of_the_computer_is_counted_not_listed(old):
    found = diff(old, altered(old, "coefficients", "value", lambda v: v * (1 + 1e-13)))
    assert found.part == "none" and found.n_rounding == len(old.frames["coefficients"])


def test_scalar_values_move_within_the_interval_of_their_mean():
    old = values_table()
    # 1.96 * 0.004 = 0.00784 is the half-width; the spread between places, 0.47 to 0.53, does not count.
    near, far = diff(old, values_table(0.507)), diff(old, values_table(0.509))
    assert near.part == "minor" and near.estimates[0].in_se == pytest.approx(1.75)
    assert far.part == "major" and far.estimates[0].upper == pytest.approx(0.50784, abs=1e-5)


def test_causes_name_data_and_method(old):
    fewer = system_table(make_trees().iloc[:50], "1.1.0", variance="power:dbh")
    causes = {(c.kind, c.name): (c.old, c.new) for c in diff(old, fewer).causes}
    assert causes["data", "n_used"] == ("60", "50")
    assert ("data", "fingerprint") in causes
    assert '"stem": "power:dbh"' in causes["method", "variance"][1]


def test_points_span_the_validity_range(old):
    model = old.models[0]
    line, grid = along(model), corners_and_between(model)
    first = model.system.predictors[0]
    assert line[first].iloc[[0, -1]].tolist() == pytest.approx(list(model.ranges[first]))
    for x, (low, high) in model.ranges.items():
        assert line[x].between(low * (1 - 1e-9), high * (1 + 1e-9)).all() and line[x].is_monotonic_increasing
    assert len(grid) == 25
    assert len(along(site_table().models[0])) == 9 * 6


def test_command(old, tmp_path, capsys):
    old.write(tmp_path)
    row = old.frames["coefficients"].set_index("name").loc["b1"]
    # Value and draws move together: a table whose draws are of other estimates is refused by whoever reads it.
    by = row["upper"] * 1.01 - row["value"]
    moved = altered(old, "coefficients", "value", lambda v: v + by, "1.0.1", one("b1"))
    draws = old.frames["draws"].assign(b1=old.frames["draws"]["b1"] + by)
    replace(moved, frames=moved.frames | {"draws": draws}).write(tmp_path)
    refs = ["agb_forest_test@1.0.0", "agb_forest_test@1.0.1", "--root", str(tmp_path)]
    assert main(["table", "diff", *refs]) == 0
    out = capsys.readouterr().out
    assert "1 moved, 1 beyond the old interval" in out
    assert "Proposed version: 2.0.0" in out and "1.0.1 is not enough" in out
    assert main(["table", "diff", *refs, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["part"] == "major" and found["new_version_is_enough"] is False
    set_language("zh")
    assert main(["table", "diff", *refs]) == 0
    assert "建议版本号：2.0.0" in capsys.readouterr().out


def test_bad_references_are_refused(tmp_path, capsys):
    assert main(["table", "diff", "../../etc", "agb_forest_test", "--root", str(tmp_path)]) == 2
    assert "table id '../../etc'" in capsys.readouterr().err

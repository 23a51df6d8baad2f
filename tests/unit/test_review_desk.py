"""The reviewer's desk: refits against refits made apart, clicks without a browser, verdicts in the report."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import yaml
from desk_workbench import copied

import sinklab as sl
from sinklab import cli, language
from sinklab.assess.validation import influence
from sinklab.data import open_data
from sinklab.language import DataError
from sinklab.review import report
from sinklab.review.desk import Desk, Verdict, file_of, read_verdicts, save_verdicts
from sinklab.review.desk_view import DeskView
from sinklab.review.word import WordFile, pieces
from sinklab.tables.table import Table

TABLE = "agb_forest_cunninghamia"
EQUATIONS = "stem = a1 * dbh**b1 * height**c1\nfoliage = a2 * dbh**b2\nagb = stem + foliage"
#: Tree CL073: foliage four standard deviations above its prediction.
ROW = 72


@pytest.fixture(scope="module")
def workbench(tmp_path_factory):
    with copied(tmp_path_factory.mktemp("desk")) as root:
        Table.from_fits([sl.fit(trees(), EQUATIONS)], TABLE, "0.1.0").write()
        yield root


def trees():
    return open_data.load("study:chinese_fir_simulated")


@pytest.fixture
def desk(workbench):
    return Desk(TABLE)


def test_the_record_of_a_tree_is_that_of_the_file(desk):
    record = desk.record(ROW).set_index("name")["value"]
    own = trees().loc[ROW]
    assert desk.name(ROW) == own["tree_id"] == record["tree_id"]
    assert record["foliage"] == own["foliage"] and record["site"] == own["site"]
    listed = desk.trees()
    assert listed.loc[ROW, "record"] == ROW + 1 and len(listed) == 150 and not listed["excluded"].any()
    told = desk.residuals(ROW)
    fit = sl.fit(trees(), EQUATIONS)
    assert told.loc["stem", "predicted"] == pytest.approx(
        fit.predict(own.to_frame().T.astype({"dbh": float, "height": float}))["stem"].iloc[0], rel=1e-6
    )
    assert told.loc["foliage", "z"] > 3.5


def test_influence_is_that_of_the_whole_jackknife(desk):
    own, whole = desk.influence(ROW), influence(desk.fit).loc[ROW]
    assert own["cook"] == pytest.approx(whole["cook"], rel=1e-6)
    assert own["a2"] == pytest.approx(whole["a2"], rel=1e-6)
    assert desk.limit == pytest.approx(4 / 150)


def test_the_refit_is_a_fit_to_the_other_trees(desk):
    desk.exclude(ROW, "foliage of another tree")
    apart = sl.fit(trees().drop(index=ROW), EQUATIONS)
    told = desk.parameters()
    assert np.allclose(told["value_refit"], apart.values, rtol=1e-5)
    assert np.allclose(told["se_refit"], apart.parameters["se"], rtol=1e-3)
    assert told.loc["a2", "shift"] == pytest.approx(
        (apart.values[3] - desk.fit.values[3]) / desk.fit.parameters["se"][3], rel=1e-2
    )
    assert desk.indices().loc["foliage", "n_refit"] == 149
    here, there = desk.fit.predict(desk.fit.data), apart.predict(desk.fit.data)
    change = 100 * (there["foliage"].sum() / here["foliage"].sum() - 1)
    assert change < -0.1
    assert desk.effect().loc["foliage", "change"] == pytest.approx(change, rel=1e-3)
    curve = desk.curves("foliage")
    assert (curve["refit"] != curve["mean"]).any() and (curve["lower"] < curve["mean"]).all()
    desk.undo(ROW)
    assert desk.refitted() is desk.fit and (desk.effect()["largest"] == 0).all()


def test_a_tree_is_set_aside_only_with_a_reason_and_only_if_it_exists(desk):
    with pytest.raises(DataError, match="reason"):
        desk.exclude(ROW, "  ")
    with pytest.raises(DataError, match="record 1000"):
        desk.exclude(999, "not there")
    assert not desk.excluded
    desk.exclude(ROW, "wrong leaf bag")
    desk.keep(ROW, "the field form agrees")
    assert not desk.excluded and desk.kept == {ROW: "the field form agrees"}


def test_tables_without_that_model_or_with_draws_only_are_refused(workbench):
    with pytest.raises(DataError, match="no model 'other'"):
        Desk(TABLE, "other")


def test_verdicts_are_signed_and_the_last_word_of_each_stays(desk, tmp_path):
    with pytest.raises(DataError, match="no name"):
        desk.save("", "adopt", folder=tmp_path)
    assert not list(tmp_path.iterdir())
    desk.exclude(ROW, "=1+1 wrong leaf bag")
    path = desk.save("张三", "change", "weigh the bag again", "2026-03-01", tmp_path)
    assert path == tmp_path / TABLE / "0.1.0.yml"
    desk.save("Li Si", "adopt", "", "2026-03-02", tmp_path)
    desk.undo(ROW)
    desk.save("张三", "adopt", "", "2026-03-05", tmp_path)
    told = read_verdicts(path)
    assert [(v.reviewer, v.date, v.record, v.decision) for v in told] == [
        ("Li Si", "2026-03-02", 0, "adopt"),
        ("Li Si", "2026-03-02", 73, "exclude"),
        ("张三", "2026-03-05", 0, "adopt"),
    ]
    assert told[1].effect == pytest.approx(desk_effect(desk), abs=1e-4)
    assert yaml.safe_load(path.read_text(encoding="utf-8"))["table"] == f"{TABLE}@0.1.0"


def desk_effect(desk):
    desk.exclude(ROW, "again")
    return desk.effect()["largest"].max()


def test_a_file_of_verdicts_that_was_spoilt_is_refused_with_every_fault(tmp_path):
    good = Verdict("A", "2026-03-01", "model", 0, "", "adopt", "", "ab")
    path = save_verdicts(tmp_path / "v.yml", "t@0.1.0", [good])
    before = path.read_bytes()
    with pytest.raises(DataError, match="one reviewer"):
        save_verdicts(path, "t@0.1.0", [good, replace(good, reviewer="B")])
    with pytest.raises(DataError, match="YYYY-MM-DD"):
        save_verdicts(path, "t@0.1.0", [replace(good, date="yesterday")])
    assert path.read_bytes() == before
    raw = yaml.safe_load(before)
    raw["verdicts"] += [{**raw["verdicts"][0], "decision": "burn"}, {"reviewer": "C"}]
    path.write_text(yaml.safe_dump(raw), encoding="utf-8")
    with pytest.raises(DataError, match=r"(?s)entry 2: decision 'burn'.*entry 3"):
        read_verdicts(path)
    with pytest.raises(DataError, match="not a table id"):
        file_of("../../etc", "0.1.0")


def click(view, row):
    """What the browser sends when a point is clicked."""
    from plotly.callbacks import InputDeviceState, Points

    trace = view.scatter.data[0]
    at = [int(r) for r in trace.customdata[:, 0]].index(row)
    points = Points(point_inds=[at], xs=[trace.x[at]], ys=[trace.y[at]], trace_name=trace.name, trace_index=0)
    trace._dispatch_on_click(points, InputDeviceState())


def test_clicks_show_the_tree_and_the_refit_beside_the_table(desk, tmp_path):
    view = DeskView(desk, tmp_path)
    view.exclude.click()
    assert "Click a tree" in view.status.value
    view.response.value = "foliage"
    click(view, ROW)
    assert view.tree.value == ROW and "CL073" in view.record.value and "DFBETAS" in view.record.value
    view.exclude.click()
    assert "give a reason" in view.status.value and not desk.excluded
    view.reason.value = "<b>wrong</b> bag"
    view.exclude.click()
    assert view.status.value == "" and desk.excluded == {ROW: "<b>wrong</b> bag"}
    assert "&lt;b&gt;wrong" in view.record.value and "<b>wrong" not in view.record.value
    assert (
        "Set aside (1): CL073" in view.refit.value
        and f"{desk.parameters()['value_refit']['a2']:.4g}" in view.refit.value
    )
    at = list(view.scatter.data[0].customdata[:, 0]).index(ROW)
    assert view.scatter.data[0].marker.symbol[at] == "x" and view.curve.data[4].visible
    view.save.click()
    assert "no name" in view.status.value
    view.reviewer.value, view.remark.value = "Wang", "look again"
    view.save.click()
    assert "Saved" in view.status.value
    assert [v.decision for v in read_verdicts(tmp_path / TABLE / "0.1.0.yml")] == ["change", "exclude"]
    view.undo.click()
    assert "No tree" in view.refit.value and not view.curve.data[4].visible


def test_the_desk_speaks_chinese(desk, tmp_path):
    language.set_language("zh")
    view = DeskView(desk, tmp_path)
    language.set_language("en")
    assert view.exclude.description == "剔除" and ("修改后通过", "change") in view.decision.options


@pytest.fixture(scope="module")
def reviewed(workbench, tmp_path_factory):
    desk = Desk(TABLE)
    desk.exclude(ROW, "wrong leaf bag")
    path = desk.save("Wang | 1", "refuse", "weigh again", "2026-03-01", tmp_path_factory.mktemp("signed"))
    return desk, path, report.examine(TABLE, verdicts=path)


def test_verdicts_enter_the_report_with_their_effect(reviewed, tmp_path):
    desk, _, found = reviewed
    told = found.models[0].sensitivity.query("topic == 'verdict'").set_index("response")
    assert told.loc["foliage", "largest"] == pytest.approx(desk.effect().loc["foliage", "largest"], rel=1e-4)
    assert found.to_json()["verdicts"][1]["stale"] is False
    for lang, words in (("en", ("tree CL073 (73)", "refuse")), ("zh", ("样木 CL073（73）", "不通过"))):
        files = report.render(found, lang, folder=tmp_path)
        cells = [p.shown for p in pieces(WordFile(files["docx"])) if p.row]
        assert all(any(word in cell for cell in cells) for word in (*words, "Wang | 1", "wrong leaf bag")), (
            lang
        )


def test_verdicts_on_other_data_are_called_so_and_not_applied(reviewed, tmp_path):
    _, path, _ = reviewed
    old = [replace(v, data="0" * 64) for v in read_verdicts(path)]
    found = report.examine(TABLE, verdicts=save_verdicts(tmp_path / "old.yml", f"{TABLE}@0.1.0", old))
    assert found.stale == found.verdicts and len(found.stale) == 2
    assert "verdict" not in set(found.models[0].sensitivity["topic"])


def test_the_command_takes_a_file_of_verdicts(reviewed, tmp_path, capsys):
    _, path, _ = reviewed
    code = cli.main(
        ["review", TABLE, "--verdicts", str(path), "--to", "html", "-o", str(tmp_path), "--lang", "zh"]
    )
    assert code in (0, 1) and "0.1.0.zh.html" in capsys.readouterr().out
    assert "Wang | 1" in (tmp_path / "0.1.0.zh.html").read_text(encoding="utf-8")


def test_bounded_fits_are_recomputed_within_their_bounds(workbench, tmp_path):
    from sinklab.review.verification import verify

    free = sl.fit(trees(), "foliage = a * dbh**b", method="wls")
    # Near enough to the estimate for a curve that passes the gate.
    most = float(free.parameters.set_index("name").loc["b", "value"]) - 0.05
    fit = sl.fit(trees(), "foliage = a * dbh**b", method="wls", bounds={"b": (None, most)})
    assert fit.parameters.set_index("name").loc["b", "value"] == pytest.approx(most, abs=1e-3)
    Table.from_fits([fit], "foliage_forest_bounded", "0.1.0").write(tmp_path)
    told = verify("foliage_forest_bounded", tmp_path)
    values = [c for c in told.comparisons if c.file == "coefficients" and c.column == "value"]
    assert len(values) == 2 and all(c.agreed for c in values)


def test_influential_trees_are_coloured_when_asked_for(workbench, tmp_path):
    data = trees().head(60)
    fit = sl.fit(pd.DataFrame(data), "foliage = a * dbh**b", method="wls", name="trees.csv")
    data.to_csv(tmp_path / "trees.csv", index=False, encoding="utf-8")
    fit = replace(fit, source={"name": "trees.csv", "spec": "file:trees.csv", "files": {"trees.csv": "x"}})
    Table.from_fits([fit], "foliage_forest_own", "0.1.0").write(tmp_path / "params")
    view = DeskView(
        Desk("foliage_forest_own", root=tmp_path / "params", data=[tmp_path / "trees.csv"]), tmp_path
    )
    view.all_trees.click()
    cook = influence(view.desk.fit)["cook"]
    above = int((cook > 4 / 60).sum())
    assert above > 0 and f"{above} of 60 trees" in view.status.value
    assert sum(c == "#b5362a" for c in view.scatter.data[0].marker.color) == above

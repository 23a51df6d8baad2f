"""Roles of names: predictors, parameters, left sides, groups; and slips of the pen."""

import copy
import pickle

import pytest

from sinklab.equations.system import System, slips
from sinklab.language import EquationError

FOUR = """
stem    = a1 * dbh**b1 * height**c1
branch  = a2 * dbh**b2 * height**c2
foliage = a3 * dbh**b3 * height**c3
agb     = stem + branch + foliage
root    = agb * r0 * dbh**r1
bcef    = agb / volume / 1000
"""


def refused(call, *arguments, **options):
    with pytest.raises(EquationError) as caught:
        call(*arguments, **options)
    return str(caught.value)


def test_roles_without_data_come_from_the_vocabulary():
    system = System.parse(FOUR)
    assert system.responses == ("stem", "branch", "foliage", "agb", "root", "bcef")
    assert system.free == ("stem", "branch", "foliage", "root")
    assert system.identities == ("agb", "bcef")
    assert system.predictors == ("dbh", "height", "volume")
    assert system.parameters == ("a1", "b1", "c1", "a2", "b2", "c2", "a3", "b3", "c3", "r0", "r1")
    assert system.groups == {}
    assert not system.bound


def test_columns_decide_when_there_are_data():
    system = System.parse("W = a*D^b*H^c").bind(["D", "H", "W", "site"])
    assert system.predictors == ("D", "H")
    assert system.parameters == ("a", "b", "c")
    assert System.parse("W = a*D^b*H^c", columns=["D", "H", "W"]) == system
    assert System.parse("W = a*D^b*H^c", columns=["D", "a", "W"]).parameters == ("b", "H", "c")


def test_left_sides_are_responses_even_if_a_column_bears_their_name():
    columns = ["dbh", "height", "volume", "stem", "branch", "foliage", "root", "agb"]
    system = System.parse(FOUR).bind(columns)
    assert system.predictors == ("dbh", "height", "volume")
    assert system.identities == ("agb", "bcef")
    assert system.bound


def test_identities_may_be_absent_and_responses_only_when_predicting():
    columns = ["dbh", "height", "volume", "stem", "branch"]
    message = refused(System.parse(FOUR).bind, columns)
    assert "`foliage`" in message and "`root`" in message
    assert "`agb`" not in message and "`bcef`" not in message
    assert System.parse(FOUR).bind(columns, responses_required=False).predictors == (
        "dbh",
        "height",
        "volume",
    )
    assert System.parse(FOUR, columns[:3], responses_required=False).bound


def test_an_equation_of_predictors_alone_is_free_and_one_of_left_sides_with_a_parameter_too():
    system = System.parse("stem = 0.05*dbh^2.5\nbark = stem*p\nwood = stem - bark\nvolume = exp(stem)")
    assert system.free == ("stem", "bark")
    assert system.identities == ("wood", "volume")
    assert system.parameters == ("p",)


def test_all_names_that_do_not_fit_are_listed_at_once():
    text = "stem = a*dhb^b*Height^c\nroot = r*wood_density*hieght + age*sitex"
    message = refused(System.parse(text).bind, ["dbh", "height", "stem", "root", "site"])
    assert "Columns: dbh, height, stem, root, site." in message
    for line in (
        "line 1, column 10: `dhb` is not a column. Did you mean `dbh`?",
        "line 1, column 16: `Height` is not a column. Did you mean `height`?",
        "line 2, column 10: `wood_density` (",
        "line 2, column 23: `hieght` is not a column. Did you mean `height`?",
        "line 2, column 32: `age` (",
        "line 2, column 36: `sitex` is not a column. Did you mean `site`?",
    ):
        assert line in message
    assert message.count("^\n") + message.endswith("^") == 6
    assert "`a`" not in message and "`r`" not in message


def test_a_letter_beside_its_capital_is_a_parameter_if_the_capital_is_used():
    system = System.parse("W = a*D^b*H^c + d").bind(["D", "H", "W"])
    assert system.parameters == ("a", "b", "c", "d")
    assert "Did you mean `D`?" in refused(System.parse("W = a*d^b").bind, ["D", "H", "W"])
    assert "Did you mean `DBH`?" in refused(System.parse("W = a*DBH^b + dbh").bind, ["DBH", "W"])


def test_a_slip_beside_a_left_side_is_an_error_too():
    message = refused(System.parse("branch = a*dbh\nagb = brnch + b").bind, ["dbh", "branch", "agb"])
    assert "Did you mean `branch`?" in message


def test_bound_systems_keep_their_roles():
    system = System.parse("W = a*D^b*H^c").bind(["D", "H", "W"])
    assert system.bind(["D", "H", "W", "a"]) == system
    assert system.bind(["D", "H"], responses_required=False) == system
    assert "`H`" in refused(system.bind, ["D", "W"])
    message = refused(system.mean, [1, 1, 1], {"d": [1.0], "H": [1.0]})
    assert "`D` Did you mean `d`?" in message


@pytest.mark.parametrize(
    ("name", "candidates", "expected"),
    [
        ("hieght", ["height", "dbh"], ["height"]),
        ("heigh", ["height"], ["height"]),
        ("heightt", ["height"], ["height"]),
        ("hxight", ["height"], ["height"]),
        ("Dbh", ["dbh"], ["dbh"]),
        ("d", ["D", "H"], ["D"]),
        ("dbh1", ["dbh"], ["dbh"]),
        ("dbh", ["dbh1"], ["dbh1"]),
        ("stme1", ["stem1"], ["stem1"]),
        ("rate1", ["rate2", "rate12"], []),
        ("a1", ["b1", "a2", "a"], []),
        ("b10", ["c10", "b11"], []),
        ("abc", ["acd"], []),
        ("ab", ["abc"], []),
        ("dbh", ["dbh"], []),
        ("abcd", ["badc"], []),
        ("abcd", ["acbd"], ["acbd"]),
        ("stem", ["stems", "STEM"], ["STEM", "stems"]),
    ],
)
def test_what_counts_as_a_slip(name, candidates, expected):
    assert slips(name, candidates) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("stem = a\nstem = b", "line 2, column 1: `stem` has an equation already, on line 1"),
        ("agb = stem + a\nstem = b*dbh", "line 1, column 7: `stem` is used before its equation on line 2"),
        ("stem = a*stem", "line 1, column 10: `stem` is predicted from itself"),
        ("stem = 5", "line 1, column 1: the right side of `stem` names nothing"),
        ("stem = a[site]*dbh^b\nroot = a*dbh", "line 2, column 8: `a` was written `a[site]` before"),
        ("stem = a*dbh^a[site]", "line 1, column 14: `a[site]` was written `a` before"),
        ("stem = a[site]*a[plot]", "line 1, column 16: `a[plot]` was written `a[site]` before"),
        ("stem = a*dbh\nagb = stem[site]", "line 2, column 7: `stem[site]`"),
        ("stem = a*dbh\nagb = b[stem]*dbh", "line 2, column 7: `b[stem]`"),
    ],
)
def test_systems_that_contradict_themselves(text, expected):
    assert expected in refused(System.parse, text)


def test_contradictions_are_listed_at_once():
    message = refused(System.parse, "stem = 5\nstem = a*stem\nagb = root\nroot = b")
    assert message.count("line ") >= 4
    assert [line for line in message.splitlines() if line.startswith("line 3, column 7")]


def test_groups_are_recorded_and_checked():
    system = System.parse("stem = a1[site]*dbh^b1[site]*height^c1")
    assert system.groups == {"a1": "site", "b1": "site"}
    assert system.parameters == ("a1", "b1", "c1")
    assert system.predictors == ("dbh", "height")
    assert system.bind(["dbh", "height", "site", "stem"]).groups == system.groups
    message = refused(system.bind, ["dbh", "height", "Site", "stem"])
    assert "the group `site` of `a1` is not a column. Did you mean `Site`?" in message
    assert "of `b1`" in message
    assert "is a column" in refused(System.parse("stem = dbh[site]").bind, ["dbh", "site", "stem"])
    for call in (system.mean, system.jacobian):
        assert "a1[site], b1[site]" in refused(call, [1, 1, 1], {"dbh": [1.0], "height": [2.0]})


def test_an_identifier_is_no_number():
    message = refused(System.parse("stem = a*site").bind, ["site", "stem"])
    assert "`a[site]`" in message


def test_equality_copies_and_pickles():
    system = System.parse(FOUR).bind(["dbh", "height", "volume", "stem", "branch", "foliage", "root"])
    system.mean([0.1] * 11, {"dbh": [1.0], "height": [2.0], "volume": [3.0]})
    for other in (pickle.loads(pickle.dumps(system)), copy.deepcopy(system), copy.copy(system)):
        assert other == system and hash(other) == hash(system)
        assert (other.predictors, other.parameters, other.bound) == (
            system.predictors,
            system.parameters,
            True,
        )
    assert system != System.parse("stem = a*dbh")
    assert System.parse("W = a*D").bind(["D", "W"]) != System.parse("W = a*D").bind(["D", "a", "W"])
    assert system != "stem"
    with pytest.raises(AttributeError):
        system.predictors = ()
    assert str(system) == system.text


def test_an_unknown_response_is_refused():
    assert "left sides: stem" in refused(System.parse("stem = a*dbh").power_product, "branch")

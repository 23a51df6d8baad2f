"""The language of the equations: what is read, and how what is not part of it is refused."""

import pytest
from counting import calls

from sinklab.equations.system import System
from sinklab.language import EquationError, set_language


def refused(text):
    """Message of the error that ``text`` must end in, before much of it has been worked on."""

    def parse():
        with pytest.raises(EquationError) as caught:
            System.parse(text)
        return str(caught.value)

    message, count = calls(parse)
    assert count < 100_000, "31,632 for the worst of the texts here"
    return message


def test_canonical_text_reads_back_as_the_same_system():
    text = """
    # a comment, 胸径
    stem = a1*dbh^b1 * (height)**c1   # trailing
    branch = where((dbh<5)&(height>=2) | (not age == 3), 1e-3*a2, min(a2, dbh,
               2)) - -b2/(3.50*(dbh))
    agb = stem+(branch)
    root = a3[site]*2^-b3^2 + 007
    """
    system = System.parse(text)
    assert system.text.splitlines() == [
        "stem = a1 * dbh**b1 * height**c1",
        "branch = where((dbh < 5 and height >= 2) or (not (age == 3)), 0.001 * a2, min(a2, dbh, 2)) - (-b2 / (3.5 * dbh))",
        "agb = stem + branch",
        "root = a3[site] * 2**(-b3**2) + 7",
    ]
    assert System.parse(system.text) == system
    assert hash(System.parse(system.text)) == hash(system)
    assert System.parse(system.text).text == system.text


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("y = -x**2", "y = -x**2"),
        ("y = -x*2", "y = -x * 2"),
        ("y = a - (b - c)", "y = a - (b - c)"),
        ("y = a - b - c", "y = a - b - c"),
        ("y = a/(b/c)", "y = a / (b / c)"),
        ("y = (a/b)/c", "y = a / b / c"),
        ("y = (x^a)^b", "y = (x**a)**b"),
        ("y = x^a^b", "y = x**(a**b)"),
        ("y = (a+b)*x", "y = (a + b) * x"),
        ("y = --x", "y = -(-x)"),
        ("y = +x", "y = x"),
        ("y = where(0 < x <= 5, x, 1)", "y = where(0 < x and x <= 5, x, 1)"),
        ("\ufeffy = x\r\nz = y", "y = x\nz = y"),
        ("y = x; z = y  # one; two；three\nw = z；v = w;", "y = x\nz = y\nw = z\nv = w"),
        ("y = where(x < 1 and (x > 2 or x > 3), 1, x)", "y = where(x < 1 and (x > 2 or x > 3), 1, x)"),
    ],
)
def test_precedence_is_pythons(text, canonical):
    system = System.parse(text)
    assert system.text == canonical
    assert System.parse(canonical) == system


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ("stem = __import__('os')", 1, 19, "quotes"),
        ("stem = __import__(os)", 1, 8, "not a function"),
        ("a = 1\nb = ().__class__", 2, 7, "dot"),
        ("stem = dbh.real", 1, 11, "dot"),
        ("stem = x\nagb = stem. real", 2, 11, "dot"),
        ("stem = lambda", 1, 8, "reserved"),
        ("stem = a if dbh else b", 1, 10, "where(condition, a, b)"),
        ("stem = [x for x in y]", 1, 11, "reserved"),
        ("stem = [x, y]", 1, 8, "missing before `[`"),
        ("stem = (a := 3)", 1, 11, "`:`"),
        ("stem = f'{x}'", 1, 9, "quotes"),
        ("stem = {a}", 1, 8, "`{`"),
        ("stem = a // b", 1, 11, "missing before `/`"),
        ("stem = a % b", 1, 10, "`%`"),
        ("stem = a @ b", 1, 10, "`@`"),
        ("stem = 2dbh", 1, 8, "start with a digit"),
        ("stem = 0x10", 1, 8, "start with a digit"),
        ("stem = 1_000*a", 1, 8, "start with a digit"),
        ("stem = 3j*a", 1, 8, "start with a digit"),
        ("stem = a dbh", 1, 10, "operator is missing"),
        ("stem = 2(a)", 1, 9, "operator is missing"),
        ("stem = (a)(b)", 1, 11, "operator is missing"),
        ("stem = a *", 1, 10, "missing after `*`"),
        ("stem = * a", 1, 8, "missing before `*`"),
        ("stem =", 1, 6, "missing after `=`"),
        ("stem = a + * b", 1, 12, "missing before `*`"),
        ("stem = f(a,)", 1, 12, "missing before `)`"),
        ("stem", 1, 1, "no `=`"),
        ("stem = a = b", 1, 10, "second `=`"),
        ("log(stem) = a", 1, 1, "left side"),
        ("stem + a = b", 1, 1, "left side"),
        ("a[site] = b", 1, 1, "left side"),
        ("3 = b", 1, 1, "left side"),
        ("exp = b", 1, 1, "is a function"),
        ("stem = a*(dbh", 1, 10, "never closed"),
        ("stem = a*(dbh\nbranch = b", 1, 10, "never closed"),
        ("stem = a) + (b", 1, 9, "closes nothing"),
        ("stem = a[b)", 1, 11, "closes nothing"),
        ("stem = f(x=1)", 1, 11, "=="),
        ("stem = exp * 2", 1, 8, "is a function"),
        ("stem = a * ln(dbh)", 1, 12, "log(x)"),
        ("stem = pow(dbh, b)", 1, 8, "x^y"),
        ("stem = sqr(dbh)", 1, 8, "`sqrt`"),
        ("stem = b(dbh)", 1, 8, "write `*`"),
        ("stem = exp(a, b)", 1, 8, "expected exp(x)"),
        ("stem = exp()", 1, 12, "missing before `)`"),
        ("stem = min(a)", 1, 8, "min(a, b"),
        ("stem = where(a, b, c)", 1, 14, "expected a condition"),
        ("stem = where(dbh < 5, b)", 1, 8, "where(condition, a, b)"),
        ("stem = where(dbh < 5 & height < 2, a, b)", 1, 20, "parentheses"),
        ("stem = a * (dbh < 5)", 1, 13, "condition has no value"),
        ("stem = not a", 1, 8, "condition has no value"),
        ("stem = (a, b)", 1, 8, "not part of the language"),
        ("stem = a[1]", 1, 8, "parameter[group]"),
        ("stem = a[b][c]", 1, 8, "parameter[group]"),
        ("stem = a[b, c]", 1, 8, "parameter[group]"),
        ("stem = a[exp]", 1, 10, "is a function"),
        ("stem = pi * dbh^2", 1, 8, "3.14159"),
        ("stem = where(dbh < 5 and (x < 1) | not y < 2, a, b)", 1, 36, "parentheses"),
        ("stem = a and b", 1, 8, "condition has no value"),
        ("stem = a\n" + "x" * 90_000 + " = 5", 2, 1, "64 characters"),
        ("stem = \ud800", 1, 8, "U+D800"),
        ("stem = a\x0b", 1, 9, "U+000B"),
        ("stem = a · dbh", 1, 10, "write `*`"),
        ("stem = a1*dbh**b1\nbranch = exp（dbh)", 2, 13, "write `(`"),
        ("stem ＝ a*dbh", 1, 6, "write `=`"),
        ("stem = a ＊ dbh", 1, 10, "write `*`"),
        ("stem = a*某物", 1, 10, "ASCII letters"),
        ("stem = a*dbһ", 1, 12, "CYRILLIC"),
        ("stem = a*dbh²", 1, 13, "write `^2`"),
        ("stem = a\u00a0* dbh", 1, 9, "NO-BREAK SPACE"),
        ("stem = a\x00", 1, 9, "U+0000"),
        ("", 1, 1, "no equation"),
        ("# only a comment\n\n", 1, 1, "no equation"),
        ("stem = 9**9**9 * a", 1, 8, "not a finite number"),
        ("stem = a * 9^9^9", 1, 12, "not a finite number"),
        ("stem = a + 1e308*10", 1, 12, "not a finite number"),
        ("stem = a + 1/0", 1, 12, "not a finite number"),
        ("stem = a + log(-1)", 1, 12, "not a finite number"),
        ("stem = a * (-8)^(1/3)", 1, 12, "not a finite number"),
        ("stem = exp(exp(exp(9))) + a", 1, 12, "not a finite number"),
        ("stem = where(dbh < 1/0, a, b)", 1, 20, "not a finite number"),
        ("stem = a * 1e999", 1, 12, "not a finite number"),
        ("stem = a * " + "9" * 400, 1, 12, "not a finite number"),
        ("stem = a * " + "9" * 50_000, 1, 12, "not a finite number"),
    ],
)
def test_what_is_not_in_the_language_is_pointed_at(text, line, column, words):
    message = refused(text)
    assert message.startswith(f"line {line}, column {column}: ")
    assert words in message
    shown, caret = message.splitlines()[1:3]
    assert set(caret) == {" ", "^"}
    if (
        "…" not in shown
        and text.isascii()
        and text.isprintable()
        and column <= len(text.splitlines()[line - 1] if text else "")
    ):
        assert shown[len(caret) - 1] == text.splitlines()[line - 1][column - 1]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("stem = a + " * 1_000_000, "at most 100000"),
        ("x" * 10_000_000, "at most 100000"),
        ("stem = " + "(" * 10_000 + "a" + ")" * 10_000, "100 levels"),
        ("stem = " + "exp(" * 10_000 + "a" + ")" * 10_000, "100 levels"),
        ("stem = " + "-" * 1_500 + "a", "100 levels"),
        ("stem = a" + "^a" * 900, "100 levels"),
        ("stem = where(" + "not " * 1_500 + "a < 1, a, b)", "100 levels"),
        ("stem = a" + " + a" * 20_000, "2000 names"),
        ("\n".join(f"y{i} = a" for i in range(5_000)), "200 equations"),
    ],
    ids=["many terms", "10 MB", "parentheses", "calls", "minus", "powers", "not", "long sum", "equations"],
)
def test_limits_are_stated(text, words):
    message = refused(text)
    assert words in message
    assert "line " in message and "column " in message
    assert len(message) < 500


def test_a_long_sum_within_the_limit_is_read():
    system = System.parse("stem = a*dbh" + " + a*dbh" * 400)
    assert system.mean([2.0], {"dbh": [3.0]})["stem"] == pytest.approx([401 * 6.0])


@pytest.mark.parametrize("text", [None, b"stem = a", 3, ["stem = a"]])
def test_what_is_not_text_is_refused(text):
    assert "must be text" in refused(text)


def test_messages_exist_in_chinese():
    set_language("zh")
    message = refused("stem = a（dbh)")
    assert message.startswith("第 1 行第 9 列：")
    assert "请写 `(`" in message


def test_the_caret_allows_for_wide_characters():
    message = refused("stem = a # 注\nb = （a)")
    assert message.splitlines()[2] == " " * 8 + "^"
    message = refused("某物 = a")
    assert message.splitlines()[2] == " " * 4 + "^"

"""LaTeX as a standard prints it, expressions substituted, and forms that are straight lines in logarithms."""

import subprocess
import sys

import numpy as np
import pytest

from sinklab.equations.latex import parameter_symbol
from sinklab.equations.system import System
from sinklab.language import EquationError, set_language


def latex_of(text, columns=("D", "H"), **options):
    system = System.parse(text).bind(columns, responses_required=False)
    return [line.split(" = ", 1)[1] for line in system.latex(**options)][-1]


def test_an_additive_system_in_the_symbols_of_the_vocabulary():
    system = System.parse(
        "stem = a1*dbh^b1*height^c1\nbranch = a2*dbh^b2\nagb = stem + branch\nbcef = agb/volume"
    )
    assert system.latex() == [
        r"W_{\mathrm{S}} = a_{1}\,D^{b_{1}}\,H^{c_{1}}",
        r"W_{\mathrm{B}} = a_{2}\,D^{b_{2}}",
        r"W_{\mathrm{A}} = W_{\mathrm{S}} + W_{\mathrm{B}}",
        r"F_{\mathrm{BCE}} = \frac{W_{\mathrm{A}}}{V}",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("y = a*(D^2*H)^b", r"a\,\left(D^{2}\,H\right)^{b}"),
        ("y = a*b/c*D", r"\frac{a\,b\,D}{c}"),
        ("y = a/(1 + b*exp(-c*D))", r"\frac{a}{1 + b\,\exp\left(-c\,D\right)}"),
        ("y = a - (b - c)", r"a - \left(b - c\right)"),
        ("y = a - -b*D", r"a + b\,D"),
        ("y = -a*D", r"-a\,D"),
        ("y = a*-b", r"a\,\left(-b\right)"),
        ("y = (a - b)*D", r"\left(a - b\right)\,D"),
        ("y = (-a + b)/c", r"\frac{-a + b}{c}"),
        ("y = -a/c", r"-\frac{a}{c}"),
        ("y = a/(b/c)", r"\frac{a}{\frac{b}{c}}"),
        ("y = (a^b)^c", r"\left(a^{b}\right)^{c}"),
        ("y = (-a)^2", r"\left(-a\right)^{2}"),
        ("y = -a^2", r"-a^{2}"),
        ("y = D^-b", r"D^{-b}"),
        ("y = 2*3*D", r"2 \times 3\,D"),
        ("y = a*2^D", r"a \times 2^{D}"),
        ("y = exp(a)^2", r"\left(\exp\left(a\right)\right)^{2}"),
        ("y = sqrt(D)*log(H)", r"\sqrt{D}\,\ln\left(H\right)"),
        ("y = min(D, a, 3)", r"\min\left(D, a, 3\right)"),
        ("y = 1e-5*D", r"10^{-5}\,D"),
        ("y = 2.5e-7*a*D", r"2.5 \times 10^{-7}\,a\,D"),
        ("y = a[site]*D", r"a_{\mathrm{site}}\,D"),
        ("y = where(D < 5, a, b)", r"\begin{cases} a, & D < 5 \\ b, & D \ge 5 \end{cases}"),
        (
            "y = where(D < 5, a, where(D <= 9, b, c)) + d",
            r"\begin{cases} a, & D < 5 \\ b, & D \le 9 \\ c, & \text{otherwise} \end{cases} + d",
        ),
        (
            "y = a*where(not (D < 5 or H > 2), b, c)",
            r"a\,\left(\begin{cases} b, & \text{not }\left(D < 5\text{ or }H > 2\right) \\ "
            r"c, & \text{otherwise} \end{cases}\right)",
        ),
    ],
)
def test_latex_of_single_equations(text, expected):
    columns = ["D", "H", "site"] if "[" in text else ["D", "H"]
    assert latex_of(text, columns) == expected


def test_words_in_latex_follow_the_language():
    text = "y = where(D < 5 and H > 2, a, b)"
    assert r"D < 5\text{ 且 }H > 2" in latex_of(text, lang="zh")
    assert r"\text{其他}" in latex_of(text, lang="zh")
    set_language("zh")
    assert r"\text{其他}" in latex_of(text)
    assert r"\text{otherwise}" in latex_of(text, lang="en")


def test_latex_with_numbers():
    text = "y = a*D^b + c*H^d - e"
    values = {"a": 0.0512345678, "b": -2.5, "c": -3, "d": 1e-9, "e": -1.5}
    assert latex_of(text, values=values) == r"0.0512346\,D^{-2.5} - 3\,H^{10^{-9}} + 1.5"
    assert latex_of("y = D*c^2", values=values) == r"D\,\left(-3\right)^{2}"
    assert latex_of("y = D*a", values=values, number=lambda v: f"{v:.3f}") == r"D \times 0.051"
    assert latex_of("y = a*D^b", values={"b": 2.0}) == r"a\,D^{2}"
    assert latex_of("y = -c*D", values=values) == r"3\,D"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a", "a"),
        ("b12", "b_{12}"),
        ("log_a", r"\mathrm{log}_{a}"),
        ("sigma_stem", r"\sigma_{\mathrm{stem}}"),
        ("lambda_", r"\lambda"),
        ("rate", r"\mathrm{rate}"),
        ("b1_root", r"b_{1,\mathrm{root}}"),
        ("_", r"\mathrm{\_}"),
    ],
)
def test_symbols_of_parameters(name, expected):
    assert parameter_symbol(name) == expected


def test_no_latex_that_word_processors_stumble_over():
    text = "y = a*D^b*where(D < 5, H, c)/(b + D)\nz = y + exp(-a*D)"
    for line in System.parse(text).bind(["D", "H"], responses_required=False).latex():
        assert r"\!" not in line and r"\cdot" not in line
        assert line.count("{") == line.count("}")
        assert line.count(r"\left") == line.count(r"\right")


def test_expressions_with_earlier_left_sides_substituted():
    system = System.parse("stem = a*dbh^2*height^b\nagb = stem + 0.5*c\nr = where(dbh < 5, c, min(c, dbh))")
    values, tree = {"a": 0.3, "b": 0.7, "c": 3}, {"dbh": [4.0], "height": [7.0]}
    stem = 0.3 * 4**2 * 7**0.7
    assert system.mean(values, tree)["stem"] == pytest.approx([stem], rel=1e-14)
    assert system.mean(values, tree)["agb"] == pytest.approx([stem + 0.5 * 3], rel=1e-14)
    assert system.written_mean("agb", values, {"stem": np.array([2.0])}) == pytest.approx([3.5], rel=1e-14)
    assert system.mean(values, tree)["r"] == [3]
    assert system.mean(values | {"c": 30}, {"dbh": [6.0], "height": [7.0]})["r"] == [6]
    with pytest.raises(EquationError):
        system.compiled(["root"])


def test_no_unbounded_integer_is_ever_met():
    system = System.parse("y = ((999999*x)^99999)^99999 + a*(3*x)^1e300").bind(["x", "y"])
    assert system.mean([1.0], {"x": [0.0, 1.0]})["y"].tolist() == [0, np.inf]


def forms(text, columns=("dbh", "height", "y")):
    system = System.parse(text).bind(columns, responses_required=False)
    return system.power_product(system.responses[-1]), system.additive_terms(system.responses[-1])


@pytest.mark.parametrize(
    ("text", "coefficient", "log", "exponents"),
    [
        ("y = a*dbh^b*height^c", "a", False, {"dbh": "b", "height": "c"}),
        ("y = dbh^b*a", "a", False, {"dbh": "b"}),
        ("y = a*dbh^2*height", "a", False, {"dbh": 2.0, "height": 1.0}),
        ("y = a*dbh*dbh", "a", False, {"dbh": 2.0}),
        ("y = a*(dbh^2*height)^b", "a", False, {"dbh**2 * height": "b"}),
        ("y = a/height^b", "a", False, {"height**(-1)": "b"}),
        ("y = a*height^-b", "a", False, {"height**(-1)": "b"}),
        ("y = exp(la)*dbh^b", "la", True, {"dbh": "b"}),
        ("y = exp(la + b*log(dbh) + log(height)*c)", "la", True, {"dbh": "b", "height": "c"}),
        ("y = exp(-k*dbh)*a", "a", False, {"exp(dbh)**(-1)": "k"}),
        ("stem = q\ny = stem*r*dbh^s", "r", False, {"stem": 1.0, "dbh": "s"}),
        ("y = a", "a", False, {}),
        ("y = a*dbh^b*height^b", "a", False, {"dbh": "b", "height": "b"}),
    ],
)
def test_products_of_powers(text, coefficient, log, exponents):
    product, terms = forms(text)
    assert (product.coefficient, product.log, product.exponents) == (coefficient, log, exponents)
    assert product.constant == 1 and terms is None


@pytest.mark.parametrize(
    "text",
    [
        "y = a*k*dbh^b",
        "y = a*dbh^a",
        "y = a*dbh^b + c",
        "y = -a*dbh^b",
        "y = dbh^2",
        "y = dbh^b",
        "y = a^2*dbh",
        "y = (a + dbh)^b",
        "y = a*dbh^b*dbh^c",
        "y = a*(1 - exp(-b*dbh))^c",
        "y = exp(a*b*dbh)",
        "y = exp(a/b)",
        "y = 0*a",
        "y = dbh/a",
        "y = a*b^dbh",
        "y = a*where(dbh < 5, b, dbh)",
        "y = a*dbh^(2*b)",
    ],
)
def test_what_is_no_product_of_powers(text):
    assert forms(text)[0] is None


def test_terms_of_a_polynomial():
    _, terms = forms("y = a + b*dbh - c*dbh^2/4 + 3*height")
    assert [(t.coefficient, t.constant, t.exponents) for t in terms] == [
        ("a", 1, {}),
        ("b", 1, {"dbh": 1.0}),
        ("c", -0.25, {"dbh": 2.0}),
        (None, 3, {"height": 1.0}),
    ]
    assert forms("y = a*dbh + a*height")[1] is None
    assert forms("y = a*dbh + sqrt(b)")[1] is None


@pytest.mark.parametrize(
    "text",
    [
        "y = 3*a*dbh^b*height^2",
        "y = exp(a - b*log(dbh) + c*height + 2)",
        "y = a*(dbh^2*height)^b/height^c",
        "y = 0.5*a*sqrt(dbh)*dbh^b/(height*1e-3)",
        "y = a*dbh^b*height^b*dbh",
        "y = a*(dbh + 1)^b*2^height",
    ],
)
def test_the_design_is_the_logarithm_of_the_mean(text):
    rng = np.random.default_rng(1)
    data = {"dbh": rng.uniform(5, 40, 12), "height": rng.uniform(4, 25, 12)}
    system = System.parse(text)
    values = {"a": 0.7, "b": 1.3, "c": -0.4}
    product = system.power_product("y")
    assert sorted(product.parameters) == sorted(system.parameters)
    matrix, offset = product.design(data)
    theta = np.array([values[name] for name in product.parameters])
    if not product.log:
        theta[0] = np.log(theta[0])
    expected = np.log(system.mean(values, data)["y"])
    np.testing.assert_allclose(matrix @ theta + offset, expected, rtol=1e-12)


def test_importing_the_equations_does_not_import_sympy():
    code = "import sys, sinklab.equations; sys.exit('sympy' in sys.modules or 'pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

"""Certified values of further NIST nonlinear regression problems, of average and higher difficulty.

Source: National Institute of Standards and Technology, Statistical Reference Datasets, nonlinear
regression: Misra1a-d (Misra 1978), Rat42 and Rat43 (Ratkowsky 1983), BoxBOD (Box, Hunter & Hunter
1978), MGH09 (Kowalik & Osborne 1978), MGH10 (Meyer 1970). ``start`` is NIST's first start, far from
the solution; every problem is also solved without any start.
"""

from typing import NamedTuple

import pandas as pd
import pytest

import sinklab as sl


class Problem(NamedTuple):
    """Equation, data, certified estimates, their standard errors, residual sum of squares, first start."""

    equation: str
    x: list
    y: list
    values: list
    se: list
    squares: float
    start: list


MISRA_X = [77.6, 114.9, 141.1, 190.8, 239.9, 289.0, 332.8, 378.4, 434.8, 477.3, 536.8, 593.1, 689.1, 760.0]
MISRA_Y = [10.07, 14.73, 17.94, 23.93, 29.61, 35.18, 40.02, 44.82, 50.76, 55.05, 61.01, 66.40, 75.47, 81.78]
# fmt: off
PROBLEMS = {
    "Misra1a": Problem(
        "y = b1 * (1 - exp(-b2 * x))", MISRA_X, MISRA_Y,
        [2.3894212918e02, 5.5015643181e-04], [2.7070075241e00, 7.2668688436e-06], 1.2455138894e-01, [500, 1e-4],
    ),
    "Misra1b": Problem(
        "y = b1 * (1 - (1 + b2 * x / 2)**(-2))", MISRA_X, MISRA_Y,
        [3.3799746163e02, 3.9039091287e-04], [3.1643950207e00, 4.2547321834e-06], 7.5464681533e-02, [500, 1e-4],
    ),
    "Misra1c": Problem(
        "y = b1 * (1 - (1 + 2 * b2 * x)**(-0.5))", MISRA_X, MISRA_Y,
        [6.3642725809e02, 2.0813627256e-04], [4.6638326572e00, 1.7728423155e-06], 4.0966836971e-02, [500, 1e-4],
    ),
    "Misra1d": Problem(
        "y = b1 * b2 * x / (1 + b2 * x)", MISRA_X, MISRA_Y,
        [4.3736970754e02, 3.0227324449e-04], [3.6489174345e00, 2.9334354479e-06], 5.6419295283e-02, [500, 1e-4],
    ),
    "Rat42": Problem(
        "y = b1 / (1 + exp(b2 - b3 * x))",
        [9, 14, 21, 28, 42, 57, 63, 70, 79], [8.93, 10.8, 18.59, 22.33, 39.35, 56.11, 61.73, 64.62, 67.08],
        [7.2462237576e01, 2.6180768402e00, 6.7359200066e-02], [1.7340283401e00, 8.8295217536e-02, 3.4465663377e-03],
        8.0565229338e00, [100, 1, 0.1],
    ),
    "Rat43": Problem(
        "y = b1 / (1 + exp(b2 - b3 * x))**(1 / b4)", list(range(1, 16)),
        [16.08, 33.83, 65.80, 97.20, 191.55, 326.20, 386.87, 520.53, 590.03, 651.92, 724.93, 699.56, 689.96,
         637.56, 717.41],
        [6.9964151270e02, 5.2771253025e00, 7.5962938329e-01, 1.2792483859e00],
        [1.6302297817e01, 2.0828735829e00, 1.9566123451e-01, 6.8761936385e-01], 8.7864049080e03, [100, 10, 1, 1],
    ),
    "BoxBOD": Problem(
        "y = b1 * (1 - exp(-b2 * x))", [1, 2, 3, 5, 7, 10], [109, 149, 149, 191, 213, 224],
        [2.1380940889e02, 5.4723748542e-01], [1.2354515176e01, 1.0455993237e-01], 1.1680088766e03, [1, 1],
    ),
    "MGH09": Problem(
        "y = b1 * (x**2 + x * b2) / (x**2 + x * b3 + b4)",
        [4, 2, 1, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625],
        [0.1957, 0.1947, 0.1735, 0.16, 0.0844, 0.0627, 0.0456, 0.0342, 0.0323, 0.0235, 0.0246],
        [1.9280693458e-01, 1.9128232873e-01, 1.2305650693e-01, 1.3606233068e-01],
        [1.1435312227e-02, 1.9633220911e-01, 8.0842031232e-02, 9.0025542308e-02], 3.0750560385e-04,
        [25, 39, 41.5, 39],
    ),
    "MGH10": Problem(
        "y = b1 * exp(b2 / (x + b3))", list(range(50, 126, 5)),
        [34780, 28610, 23650, 19630, 16370, 13720, 11540, 9744, 8261, 7030, 6005, 5147, 4427, 3820, 3307, 2872],
        [5.6096364710e-03, 6.1813463463e03, 3.4522363462e02], [1.5687892471e-04, 2.3309021107e01, 7.8486103508e-01],
        8.7945855171e01, [2, 400000, 25000],
    ),
}
# fmt: on


@pytest.mark.parametrize("given", [True, False], ids=["first start", "automatic start"])
@pytest.mark.parametrize("name", PROBLEMS)
def test_certified_digits(name, given):
    problem = PROBLEMS[name]
    names = [f"b{i + 1}" for i in range(len(problem.values))]
    start = dict(zip(names, problem.start, strict=True)) if given else None
    data = pd.DataFrame({"x": problem.x, "y": problem.y}, dtype=float)
    fit = sl.fit(data, problem.equation, method="wls", variance="none", start=start)
    found = fit.parameters.set_index("name").loc[names]
    assert fit.converged
    assert found["value"].to_numpy() == pytest.approx(problem.values, rel=5e-6)
    assert found["se"].to_numpy() == pytest.approx(problem.se, rel=5e-6)
    told = fit.fitted()
    squares = ((told["observed"] - told["predicted"]) ** 2).sum()
    assert squares == pytest.approx(problem.squares, rel=1e-9)

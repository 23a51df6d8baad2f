"""Printed digits keep the predictions."""

from dataclasses import replace

import numpy as np
import pytest
from published_tables import log_table, site_table, system_table

from sinklab.language import TableError
from sinklab.tables.digits import corners_and_between, guard, rounded, text


@pytest.fixture(scope="module", params=[system_table, log_table, site_table])
def model(request):
    return request.param().models[0]


@pytest.mark.parametrize("fraction", [0.3, 0.1, 0.01])
def test_predictions_from_printed_digits_stay(model, fraction):
    printed = guard(model, fraction)
    k = len(model.labels)
    values = printed.numbers["printed"].to_numpy()
    # What a reader types off the page, not what the guard holds in memory.
    typed = [
        float(text(v, d)) for v, d in zip(printed.numbers["value"], printed.numbers["decimals"], strict=True)
    ]
    assert typed == list(values)
    factors = dict(zip([r for r, f in model.correction.items() if f != 1], values[k:], strict=True))
    reader = replace(
        model,
        parameters=model.parameters.assign(value=values[:k]),
        correction=model.correction | factors,
    )
    points = corners_and_between(model, 9)
    full, read = model.predict(points), reader.predict(points)
    for response in model.system.responses:
        off = np.abs(read[response] - full[response]) / full[f"{response}_se"]
        assert off.max() <= fraction * 1.1, response
    assert printed.worst <= fraction


def test_more_digits_only_where_they_are_needed(model):
    loose, strict = guard(model, 1000.0), guard(model, 1e-4)
    assert (loose.numbers["decimals"] == loose.numbers["by_error"]).all()
    assert loose.worst == loose.unguarded
    assert strict.unguarded == pytest.approx(loose.unguarded) and strict.worst <= 1e-4 < strict.unguarded
    assert (strict.numbers["decimals"] >= loose.numbers["decimals"]).all()


def test_error_rule_prints_two_digits_of_the_error():
    printed = guard(system_table().models[0], 1000.0)
    for row in printed.numbers.to_dict("records"):
        ratio = row["se"] * 10.0 ** row["decimals"]
        assert 9.5 <= ratio < 99.5


@pytest.mark.parametrize(
    ("value", "decimals", "shown"),
    [(0.044724, 4, "0.0447"), (-0.00004, 3, "0.000"), (1234.5, -2, "1200"), (-1.03341, 3, "-1.033")],
)
def test_text(value, decimals, shown):
    assert text(value, decimals) == shown
    assert rounded([value], [decimals])[0] == float(shown)


@pytest.mark.parametrize("fraction", [0.0, -1.0, float("nan")])
def test_a_fraction_must_be_positive(fraction):
    with pytest.raises(TableError, match="above 0"):
        guard(system_table().models[0], fraction)

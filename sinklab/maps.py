"""Maps of stocks: what there is, and how uncertain it is, side by side on a layer that the user brings."""

import numpy as np

from sinklab import fonts
from sinklab.language import language

NOTHING = "#eeeeee"


def stock_map(layer, value: str, uncertainty: str, label=None, lang=None):
    """Two choropleths of one layer: a value, and its relative uncertainty.

    Parameters
    ----------
    layer : GeoDataFrame
        Polygons with the two columns; rows without a number are drawn grey.
    value : str
        Column of the stock per hectare of carbon [t/ha].
    uncertainty : str
        Column of its relative half-width [-].
    label : str, optional
        Column whose text is written on the polygons.
    lang : "zh" or "en", optional

    Returns
    -------
    figure : matplotlib Figure
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    chinese = (lang or language()) == "zh"
    titles = (
        ("单位面积碳储量 (t/hm²)", "相对不确定性（半宽/估计值，%）")
        if chinese
        else ("carbon per area (t/ha)", "relative uncertainty (half-width / estimate, %)")
    )
    frame = layer.assign(_value=layer[value], _spread=100 * layer[uncertainty])
    with mpl.rc_context({"font.family": [fonts.register(), "DejaVu Sans"], "font.size": 9}):
        figure = Figure(figsize=(10, 4.8), layout="constrained")
        axes = figure.subplots(1, 2)
        for axis, column, title, colours in zip(
            axes, ("_value", "_spread"), titles, ("YlGn", "OrRd"), strict=True
        ):
            _draw(axis, frame, column, title, colours)
        if label is not None and len(frame) <= 60:
            inside = frame.geometry.representative_point()
            for name, point in zip(frame[label].astype(str), inside, strict=True):
                axes[0].annotate(name, (point.x, point.y), ha="center", va="center", fontsize=6)
    return figure


def _draw(axis, frame, column, title, colours) -> None:
    known = np.isfinite(frame[column].to_numpy(float))
    if (~known).any():
        frame[~known].plot(ax=axis, color=NOTHING, edgecolor="#999999", linewidth=0.3, hatch="///")
    if known.any():
        frame[known].plot(
            ax=axis, column=column, cmap=colours, edgecolor="#666666", linewidth=0.2, legend=True
        )
    axis.set_title(title, loc="left")
    axis.set_axis_off()

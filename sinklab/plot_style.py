"""Fonts, lines and colours that all figures of the house share."""

from contextlib import contextmanager
from functools import wraps

from sinklab import fonts
from sinklab.language import language

INK, BAND, FAINT, PRINTED = "#1b4d3e", "#7fb69a", "#d7e8de", "#b5651d"


@contextmanager
def style():
    """Fonts and lines of the house while figures are drawn; texts keep the font that is set when they are made."""
    import matplotlib as mpl

    rc = {
        "font.family": [fonts.register(), "DejaVu Sans"],
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "legend.frameon": False,
        "mathtext.fontset": "stix",
    }
    with mpl.rc_context(rc):
        yield


def styled(draw):
    """Draw a whole figure in the style of the house."""

    @wraps(draw)
    def inside(*arguments, **options):
        with style():
            return draw(*arguments, **options)

    return inside


def figure_of(width, height, rows=1, columns=1):
    """Figure and its axes, an array (rows, columns)."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False)


def axes_of(width, height, columns=1):
    """Figure and its axes side by side."""
    figure, axes = figure_of(width, height, 1, columns)
    return figure, axes[0]


def words(lang, zh, en):
    """The text of the language."""
    return zh if (lang or language()) == "zh" else en

"""A Chinese font that is always there, for figures and PDF on systems without one.

``SinklabSansSC.otf`` holds the letters of GB 2312, Greek, Cyrillic and mathematical signs of Noto Sans
CJK SC (regular), made with ``pyftsubset --no-hinting --layout-features=`` and renamed, as the SIL Open
Font License (``OFL.txt``) asks.
"""

from pathlib import Path

FAMILY = "Sinklab Sans SC"


def folder() -> Path:
    """Folder that holds the font file, for programs that search folders."""
    return Path(__file__).resolve().parent


def register() -> str:
    """Make the font known to matplotlib and return its family name."""
    from matplotlib import font_manager

    file = folder() / "SinklabSansSC.otf"
    if not any(entry.fname == str(file) for entry in font_manager.fontManager.ttflist):
        font_manager.fontManager.addfont(str(file))
    return FAMILY

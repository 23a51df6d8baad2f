"""The reader's language: every message exists in English and Chinese."""

import locale
import os

LANGUAGES = ("zh", "en")
_chosen: str | None = None


def language() -> str:
    """Language of the reader, ``"zh"`` or ``"en"``.

    The order of preference is :func:`set_language`, the variable ``SINKLAB_LANG``, the variables
    ``LC_ALL``, ``LC_MESSAGES`` and ``LANG``, the system locale, and English.
    """
    if _chosen:
        return _chosen
    wanted = os.environ.get("SINKLAB_LANG", "").lower()[:2]
    if wanted in LANGUAGES:
        return wanted
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if os.environ.get(name):
            return "zh" if os.environ[name].lower().startswith("zh") else "en"
    system = (locale.getlocale()[0] or "").lower()
    return "zh" if system.startswith(("zh", "chinese")) else "en"


def set_language(code: str | None) -> None:
    """Choose the language for this process; ``None`` returns to the reader's settings."""
    global _chosen
    if code is not None and code not in LANGUAGES:
        raise ValueError(f"language must be one of {LANGUAGES}, found {code!r}")
    _chosen = code


def tr(en: str, zh: str) -> str:
    """Return the English or the Chinese wording, as the reader prefers."""
    return zh if language() == "zh" else en

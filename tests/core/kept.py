"""Texts kept beside the tests. Where a change is meant, `FOREBAY_GOLDEN=write` writes them anew, for the review."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(__file__).parent / "golden"


def compare(name: str, text: str) -> None:
    """The text is the one that is kept under this name."""
    path = FOLDER / name
    if os.environ.get("FOREBAY_GOLDEN") == "write":
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")

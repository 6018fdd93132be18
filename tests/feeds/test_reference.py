"""docs/reference/documents.md holds every field of every kind, as the loader reads them."""

from pathlib import Path

from forebay.feeds import reference

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "documents.md"


def test_the_page_is_current() -> None:
    page = PAGE.read_text(encoding="utf-8")
    made = page[page.index(reference.BEGIN) + len(reference.BEGIN) : page.index(reference.END)]
    assert made.strip() == reference.documents_markdown().strip()

"""docs/reference/http.md holds every address, body and problem, as they are served."""

from pathlib import Path

from forebay.feeds.reference import BEGIN, END
from forebay.server import reference
from tests.server.rig import rigged

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "http.md"


def test_the_page_is_current(tmp_path: Path) -> None:
    page = PAGE.read_text(encoding="utf-8")
    made = page[page.index(BEGIN) + len(BEGIN) : page.index(END)]
    with rigged(tmp_path) as rig:
        assert made.strip() == reference.http_markdown(rig.app).strip()

"""The page of a replay stands alone: whole, without script or network, with everything that the report has."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import pytest

from forebay.twin import page, replay
from forebay.twin.asked import ReplayWords
from forebay.twin.trace import Trace

VOID = {"meta", "line", "rect", "path"}


class Read(HTMLParser):
    """Elements must close in order; what would be fetched is noted."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []
        self.headings: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.fetched += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag == "script":
            self.fetched.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "h2":
            self.headings.append(data)


@pytest.fixture
def trace(tmp_path: Path) -> Trace:
    path = tmp_path / "a<b>.swf"
    lines = ["; Version: 2.2", "broken <row>"]
    lines += [
        f"{i} {i * 60} 0 {600 + i * 37 % 9000} {1 + i % 40} -1 -1 1 90000 -1 1 {i % 50} 1 -1 1 -1 -1 -1"
        for i in range(300)
    ]
    path.write_text("\n".join(lines))
    return Trace(path)


def test_the_page_is_whole_and_fetches_nothing(trace: Trace) -> None:
    report = replay.run_trace(trace, ReplayWords(gpus=32, seed=1).setup())
    text = page.html(report.as_json())
    read = Read()
    read.feed(text)
    assert read.open == []
    assert read.fetched == []
    assert "http" not in text
    assert "a&lt;b&gt;.swf" in text
    assert "<row>" not in text
    assert read.headings == [
        "Over time", "By size", "By tenant", "Failures, seed 1", "How jobs ended", "Not taken in",
        "Broken rows: 1", "Money",
    ]  # fmt: skip
    assert "10 more are in the JSON report" in text
    assert report.digest in text


def test_a_replay_in_which_nothing_ran(tmp_path: Path) -> None:
    path = tmp_path / "t.swf"
    path.write_text("; Version: 2.2\n1 0 0 60 999 -1 -1 999 90 -1 1 1 1 -1 1 -1 -1 -1\n")
    text = page.html(replay.run_trace(Trace(path), ReplayWords(gpus=8).setup()).as_json())
    assert "never_fits" in text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (61, "1 min 1 s"),
        (1200, "20 min"),
        (3600, "1 h"),
        (5400, "1 h 30 min"),
        (90_000, "1 d 1 h"),
        (86_400, "1 d"),
    ],
)
def test_spans(seconds: int, text: str) -> None:
    assert page._span(seconds) == text

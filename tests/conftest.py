"""What every test may use: `needs`, Hypothesis profiles, and the list of suites that could not run."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

# No deadline: a slow machine is not a bug. On CI the examples are the same each time, so that what turns red
# is the change under test; elsewhere they vary, and one that failed is kept in .hypothesis and tried first.
settings.register_profile("default", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "default")

Needs = Callable[[str, object, str], None]


@pytest.fixture(scope="session")
def needs() -> Needs:
    """Skip where something is missing that not every machine has, and have it listed by name at the end.

    `needs("postgres", found, "no PostgreSQL server is installed")`, in a test or a fixture of any scope.
    """

    def check(suite: str, available: object, reason: str) -> None:
        if not available:
            pytest.skip(f"{suite}: {reason}")

    return check


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Write why tests were skipped to the file that scripts/check reads; any skip counts, however made."""
    report = os.environ.get("FOREBAY_NOT_RUN")
    if not report:
        return
    lines: set[str] = set()
    for skipped in terminalreporter.stats.get("skipped", []):
        _, _, reason = skipped.longrepr
        path = skipped.nodeid.split("::")[0]
        lines.add(f"{path}: {reason.removeprefix('Skipped: ')}\n")
    with Path(report).open("a", encoding="utf-8") as out:
        out.writelines(sorted(lines))

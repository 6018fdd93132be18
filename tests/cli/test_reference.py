"""The reference page is the one that the commands make."""

from forebay.cli import catalogue, reference
from forebay.cli.main import cli
from tests.cli.rig import ROOT


def test_the_page_is_current() -> None:
    written = (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    assert written == reference.markdown(), "run: python -m forebay.cli.reference > docs/reference/cli.md"


def test_the_catalogue_says_what_the_commands_say() -> None:
    with cli.make_context("forebay", ["status"]) as context:
        for _, rows in catalogue.SECTIONS:
            for name, _, told in rows:
                found = cli.get_command(context, name)
                assert found is not None
                assert found.name == name
                assert (found.help or "").strip().splitlines()[0] == told

"""The version of this program and of its server."""

from forebay import __version__
from tests.cli.rig import Lab, Shell


def test_without_a_server(shell: Shell) -> None:
    assert shell("version").out.startswith(f"forebay {__version__} (Python 3.")
    assert shell("version", "--json").json["server"] is None


def test_with_a_server(lab: Lab) -> None:
    assert f"server  {__version__} at {lab.host.address}" in lab.shell("version").out

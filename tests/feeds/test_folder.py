"""A project's folder: what is read, in which order, and what is told of files that cannot be."""

from pathlib import Path

import pytest

from forebay.feeds import folder, tree
from tests.feeds.test_commands import CONTRACT, SITE
from tests.feeds.test_reading import GANG


def test_documents_come_in_the_order_in_which_they_can_be_applied(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GANG + "---\n" + CONTRACT)
    (tmp_path / "b.yml").write_text(SITE)
    (tmp_path / "scenario.yaml").write_text("not: a document")
    (tmp_path / "notes.txt").write_text("nor this")
    (tmp_path / "sub.yaml").mkdir()
    read = folder.Folder.read(tmp_path)
    assert [file.name for file in read.files] == ["a.yaml", "b.yml"]
    assert [(each.kind, each.file) for each in read.documents] == [
        ("Site", "b.yml"),
        ("Contract", "a.yaml"),
        ("Gang", "a.yaml"),
    ]


def test_mistakes_of_all_files_are_told_together(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("forebay: 2")
    (tmp_path / "b.yaml").write_bytes(b"\xff")
    (tmp_path / "c.yaml").write_text("#" * (tree.BYTES_MAX + 1))
    with pytest.raises(tree.DocumentError) as error:
        folder.Folder.read(tmp_path)
    assert {problem.file for problem in error.value.problems} == {"a.yaml", "b.yaml", "c.yaml"}


@pytest.mark.parametrize(("name", "words"), [("", "no .yaml file"), ("none", "no such folder")])
def test_folders_without_documents(name: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(tree.DocumentError, match=words):
        folder.Folder.read(tmp_path / name)

"""Which documents lie in a project's folder? Every `*.yaml`, in the order in which they can be applied."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from forebay.feeds import kinds, reading, tree

#: Files that belong to somebody else (the twin's).
NOT_DOCUMENTS = frozenset({"scenario.yaml"})
FILES_MAX = 1000


class File(NamedTuple):
    """A file with documents in it, as it was read."""

    name: str
    text: str


class Folder(NamedTuple):
    """A project's documents, checked; `files` are the texts they came from."""

    path: Path
    files: list[File]
    documents: list[reading.Document]

    @classmethod
    def read(cls, path: Path) -> Folder:
        """Read and check everything. Raises `tree.DocumentError` with all that is wrong in any file."""
        files, problems = _texts(path)
        documents: list[reading.Document] = []
        for file in files:
            try:
                documents += reading.documents(file.text, file.name)
            except tree.DocumentError as error:
                problems += error.problems
        if problems:
            raise tree.DocumentError(problems)
        return cls(path, files, in_order(documents))


def in_order(documents: list[reading.Document]) -> list[reading.Document]:
    """What is named before what names it; else as they stand."""
    return sorted(documents, key=rank)


def rank(document: reading.Document) -> int:
    """Place of its kind in the order in which kinds are applied."""
    return list(kinds.KINDS).index(document.kind)


def _texts(path: Path) -> tuple[list[File], list[tree.Problem]]:
    if not path.is_dir():
        raise tree.DocumentError([tree.Problem("there is no such folder", file=str(path))])
    found = sorted(each for each in path.iterdir() if each.suffix in (".yaml", ".yml") and each.is_file())
    chosen = [each for each in found if each.name not in NOT_DOCUMENTS]
    if not chosen:
        raise tree.DocumentError([tree.Problem("there is no .yaml file in this folder", file=str(path))])
    if len(chosen) > FILES_MAX:
        raise tree.DocumentError([tree.Problem(f"more than {FILES_MAX} files", file=str(path))])
    files, problems = [], []
    for each in chosen:
        try:
            size = each.stat().st_size
            if size > tree.BYTES_MAX:
                raise ValueError(f"{size} bytes are more than a document may have ({tree.BYTES_MAX})")
            files.append(File(each.name, each.read_bytes().decode()))
        except UnicodeDecodeError:
            problems.append(tree.Problem("this is not UTF-8 text", file=each.name))
        except (OSError, ValueError) as error:
            problems.append(tree.Problem(str(error), file=each.name))
    return files, problems

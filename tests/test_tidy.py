"""The rules that linters do not know, as tests: what the core may use, how names and files are kept.

A rule is a function from a `Tree` to findings, each a line that says where and what. `RULES` run over this
checkout. `BAD` and `GOOD` are small made trees, to show that each rule can fail, and for its reason only.
"""

import ast
import functools
import os
import re
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

CORE_MAY_IMPORT = {
    "__future__",
    "abc",
    "bisect",
    "collections",
    "collections.abc",
    "dataclasses",
    "datetime",
    "enum",
    "functools",
    "hashlib",
    "heapq",
    "itertools",
    "math",
    "operator",
    "re",
    "typing",
}
#: All that `math` has for integers.
CORE_MAY_USE_OF_MATH = {"comb", "gcd", "isqrt", "lcm"}
#: Built-ins that do I/O, run text, or give an answer that differs from one process to the next.
CORE_MAY_NOT_CALL = {"__import__", "compile", "eval", "exec", "hash", "id", "input", "open", "print"}
CLOCK_CALLS = {"now", "today", "utcnow", "utcfromtimestamp"}

VAGUE_NAMES = {"base", "common", "helper", "helpers", "manager", "misc", "util", "utils"}
FILE_LINES_MAX = 800
CORE_FUNCTION_LINES_MAX = 90

#: Public names that may be defined in more than one module, each with its reason.
MAY_REPEAT = {
    "main": "the entry point of a program",
    "State": "what a stage of the core owns; read as stage.State",
    "handle": "World's verb; its stages answer to it as well, and are called as stage.handle",
    "wake": "as handle",
    "next_wake": "as handle",
    "apply": "as handle",
    "check": "as handle",
    "dues": "as handle: a stage's heap of due times",
    "meant": "as handle: whether a due time still means something",
}

#: Tests that no single source file owns. Whole-system tests go to tests/system/.
SYSTEM_TESTS = {"tests/test_tidy.py"}

# Put together from halves, so that this file does not find itself.
LEFTOVER = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME)\b|#.*\bXX" + r"X\b")
PRIVATE_PATH = re.compile(r"(?<![\w.~-])/(?:work|farm|home|root)/")
INDEX_HOST = re.compile(r"pypi\." + r"org|python" + r"hosted\.|registry\.npm" + r"js")
NOT_OURS = {".git", ".venv", "__pycache__", ".hypothesis", ".mypy_cache", ".pytest_cache", ".ruff_cache"}


@dataclass(frozen=True, slots=True)
class Module:
    #: Relative to the root, with slashes.
    path: str
    lines: list[str]
    tree: ast.Module

    @property
    def in_core(self) -> bool:
        return self.path.startswith("src/forebay/core/")


class Tree:
    """The files of a checkout that are tracked or would be."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @functools.cached_property
    def paths(self) -> list[str]:
        command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
        try:
            listed = subprocess.run(command, cwd=self.root, capture_output=True, check=True).stdout.decode()
            found = {path for path in listed.split("\0") if path}
        except (OSError, subprocess.CalledProcessError):
            found = set(self._walk())
        return sorted(path for path in found if (self.root / path).is_file())

    def _walk(self) -> Iterator[str]:
        for folder, subfolders, names in os.walk(self.root):
            subfolders[:] = [name for name in subfolders if name not in NOT_OURS]
            for name in names:
                yield (Path(folder) / name).relative_to(self.root).as_posix()

    @functools.cached_property
    def texts(self) -> dict[str, str]:
        """The text of every file that is text."""
        texts = {}
        for path in self.paths:
            content = (self.root / path).read_bytes()
            if b"\0" not in content:
                texts[path] = content.decode("utf-8", errors="replace")
        return texts

    @functools.cached_property
    def modules(self) -> list[Module]:
        return [
            Module(path, text.splitlines(), ast.parse(text, path))
            for path, text in self.texts.items()
            if path.endswith(".py")
        ]

    @functools.cached_property
    def core(self) -> list[Module]:
        return [module for module in self.modules if module.in_core]


Rule = Callable[[Tree], Iterator[str]]


def _at(module: Module, node: ast.stmt | ast.expr) -> str:
    return f"{module.path}:{node.lineno}"


# The core is pure


def core_imports_what_is_allowed(tree: Tree) -> Iterator[str]:
    for module in tree.core:
        for node in ast.walk(module.tree):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
                if node.module == "math":
                    for alias in node.names:
                        if alias.name not in CORE_MAY_USE_OF_MATH:
                            yield f"{_at(module, node)}: math.{alias.name} is not for integers"
            else:
                continue
            for name in names:
                if name not in CORE_MAY_IMPORT and name.split(".")[0] != "forebay":
                    yield f"{_at(module, node)}: the core does not import {name}"


def core_uses_no_floats(tree: Tree) -> Iterator[str]:
    for module in tree.core:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, float | complex):
                yield f"{_at(module, node)}: a float literal"
            elif isinstance(node, ast.Name) and node.id in ("float", "complex"):
                yield f"{_at(module, node)}: {node.id}"
            elif isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div):
                yield f"{_at(module, node)}: true division makes a float; use // or units"
            elif (
                isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and node.value.id == "math"
                and node.attr not in CORE_MAY_USE_OF_MATH
            ):
                yield f"{_at(module, node)}: math.{node.attr} is not for integers"


def core_reads_no_clock(tree: Tree) -> Iterator[str]:
    for module in tree.core:
        for node in ast.walk(module.tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            called = node.func.attr
            if called in CLOCK_CALLS:
                yield f"{_at(module, node)}: .{called}() reads the clock; the clock is an argument"
            elif called == "fromtimestamp" and len(node.args) < 2 and not node.keywords:
                yield f"{_at(module, node)}: fromtimestamp without a zone uses the machine's"


def core_calls_nothing_outside(tree: Tree) -> Iterator[str]:
    for module in tree.core:
        in_dunder_hash = {
            id(inner)
            for outer in ast.walk(module.tree)
            if isinstance(outer, ast.FunctionDef) and outer.name == "__hash__"
            for inner in ast.walk(outer)
        }
        for node in ast.walk(module.tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
                continue
            called = node.func.id
            if called in CORE_MAY_NOT_CALL and not (called == "hash" and id(node) in in_dunder_hash):
                yield f"{_at(module, node)}: the core does not call {called}()"


def core_is_not_async(tree: Tree) -> Iterator[str]:
    for module in tree.core:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.AsyncFunctionDef | ast.AsyncFor | ast.AsyncWith | ast.Await):
                yield f"{_at(module, node)}: no async in the core"


def core_functions_fit_a_screen(tree: Tree) -> Iterator[str]:
    for module in tree.core:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.FunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > CORE_FUNCTION_LINES_MAX:
                    yield f"{_at(module, node)}: {node.name} has {length} lines"


# Names and files


def names_say_something(tree: Tree) -> Iterator[str]:
    for module in tree.modules:
        for part in Path(module.path).with_suffix("").parts:
            if part.removeprefix("test_").strip("_") in VAGUE_NAMES:
                yield f"{module.path}: {part} says nothing about what is in it"


def files_are_short(tree: Tree) -> Iterator[str]:
    for module in tree.modules:
        if len(module.lines) > FILE_LINES_MAX:
            yield f"{module.path}: {len(module.lines)} lines, over {FILE_LINES_MAX}"


def no_public_name_twice(tree: Tree) -> Iterator[str]:
    homes: defaultdict[str, set[str]] = defaultdict(set)
    for module in tree.modules:
        if module.path.startswith("src/forebay/"):
            for node in module.tree.body:
                if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                    homes[node.name].add(module.path)
    for name, paths in sorted(homes.items()):
        if len(paths) > 1 and not name.startswith("_") and name not in MAY_REPEAT:
            yield f"{name} is defined in {', '.join(sorted(paths))}"


def every_test_has_its_source(tree: Tree) -> Iterator[str]:
    sources = {path.removeprefix("src/forebay/").removesuffix(".py") for path in tree.paths}
    sources |= {str(Path(path).parent) for path in sources}
    for path in tree.paths:
        if not re.fullmatch(r"tests/(?:.*/)?test_\w+\.py", path):
            continue
        if path in SYSTEM_TESTS or path.startswith("tests/system/"):
            continue
        mirrored = path.removeprefix("tests/").removesuffix(".py").replace("test_", "")
        if mirrored not in sources:
            yield f"{path}: there is no src/forebay/{mirrored}.py"


# What must not be in the repository


def nothing_left_over(tree: Tree) -> Iterator[str]:
    for path, text in tree.texts.items():
        for match in LEFTOVER.finditer(text):
            yield f"{path}:{text.count(chr(10), 0, match.start()) + 1}: {match.group()}"


def no_machine_is_named(tree: Tree) -> Iterator[str]:
    for path, text in tree.texts.items():
        for match in [*PRIVATE_PATH.finditer(text), *INDEX_HOST.finditer(text)]:
            yield f"{path}:{text.count(chr(10), 0, match.start()) + 1}: {match.group()}"


def locks_hold_packages_and_hashes_only(tree: Tree) -> Iterator[str]:
    for path, text in tree.texts.items():
        if Path(path).name == "uv.lock":
            yield f"{path}: requirements*.txt are the locks"
        if re.fullmatch(r"requirements[\w-]*\.txt", path):
            for number, line in enumerate(text.splitlines(), 1):
                if "://" in line or "file:" in line or re.match(r" *-(?!-hash=sha256:)", line):
                    yield f"{path}:{number}: {line.strip()}"


# Documents


def decisions_are_numbered_and_listed(tree: Tree) -> Iterator[str]:
    names = [Path(path).name for path in tree.paths if re.fullmatch(r"docs/adr/\d.*\.md", path)]
    index = tree.texts.get("docs/adr/README.md", "")
    for number, name in enumerate(names, 1):
        if not name.startswith(f"{number:04}-"):
            yield f"docs/adr/{name}: expected number {number:04} here"
        if f"({name})" not in index:
            yield f"docs/adr/README.md: does not list {name}"


def glossary_is_sorted(tree: Tree) -> Iterator[str]:
    terms = re.findall(r"^### (.+)$", tree.texts.get("docs/glossary.md", ""), flags=re.MULTILINE)
    for before, after in pairwise(terms):
        if before.casefold() >= after.casefold():
            yield f"docs/glossary.md: {after} comes after {before}"


def links_lead_somewhere(tree: Tree) -> Iterator[str]:
    for path, text in tree.texts.items():
        if not path.endswith(".md"):
            continue
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
            if not (tree.root / Path(path).parent / target).exists():
                yield f"{path}: no such file: {target}"


RULES: list[Rule] = [
    core_imports_what_is_allowed,
    core_uses_no_floats,
    core_reads_no_clock,
    core_calls_nothing_outside,
    core_is_not_async,
    core_functions_fit_a_screen,
    names_say_something,
    files_are_short,
    no_public_name_twice,
    every_test_has_its_source,
    nothing_left_over,
    no_machine_is_named,
    locks_hold_packages_and_hashes_only,
    decisions_are_numbered_and_listed,
    glossary_is_sorted,
    links_lead_somewhere,
]


@pytest.fixture(scope="module")
def checkout() -> Tree:
    return Tree(ROOT)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_checkout_keeps_the_rule(rule: Rule, checkout: Tree) -> None:
    findings = list(rule(checkout))
    assert not findings, "\n".join(findings)


# Each rule finds what it is for, and leaves its neighbour alone

CORE = "src/forebay/core/x.py"
LONG_FUNCTION = "def f() -> None:\n" + "    pass\n" * CORE_FUNCTION_LINES_MAX

#: rule, files of a tree that breaks it once
BAD: list[tuple[Rule, dict[str, str]]] = [
    (core_imports_what_is_allowed, {CORE: "import time\n"}),
    (core_imports_what_is_allowed, {CORE: "import os.path\n"}),
    (core_imports_what_is_allowed, {CORE: "def f():\n    from random import choice\n"}),
    (core_imports_what_is_allowed, {CORE: "from math import sqrt\n"}),
    (core_imports_what_is_allowed, {"src/forebay/core/claims/deep/y.py": "import json\n"}),
    (core_uses_no_floats, {CORE: "x = 0.5\n"}),
    (core_uses_no_floats, {CORE: "x = 1e6\n"}),
    (core_uses_no_floats, {CORE: "x = float(3)\n"}),
    (core_uses_no_floats, {CORE: "def f(x: float): ...\n"}),
    (core_uses_no_floats, {CORE: "x = a / b\n"}),
    (core_uses_no_floats, {CORE: "x /= 2\n"}),
    (core_uses_no_floats, {CORE: "import math\nx = math.floor(y)\n"}),
    (core_reads_no_clock, {CORE: "from datetime import datetime\nx = datetime.now()\n"}),
    (core_reads_no_clock, {CORE: "import datetime\nx = datetime.date.today()\n"}),
    (core_reads_no_clock, {CORE: "import datetime\nx = datetime.datetime.fromtimestamp(5)\n"}),
    (core_calls_nothing_outside, {CORE: "print(1)\n"}),
    (core_calls_nothing_outside, {CORE: "x = sorted(y, key=lambda z: hash(z))\n"}),
    (core_is_not_async, {CORE: "async def f() -> None:\n    pass\n"}),
    (core_functions_fit_a_screen, {CORE: LONG_FUNCTION}),
    (names_say_something, {"src/forebay/loop/utils.py": ""}),
    (names_say_something, {"src/forebay/common/x.py": ""}),
    (names_say_something, {"tests/loop/test_helpers.py": ""}),
    (files_are_short, {"src/forebay/a.py": "x = 1\n" * (FILE_LINES_MAX + 1)}),
    (no_public_name_twice, {"src/forebay/a.py": "class A: ...\n", "src/forebay/b.py": "def A(): ...\n"}),
    (every_test_has_its_source, {"tests/core/test_gone.py": "", "src/forebay/core/here.py": ""}),
    (nothing_left_over, {"docs/x.md": "# TO" + "DO later\n"}),
    (no_machine_is_named, {"x.txt": "see /ho" + "me/someone/x\n"}),
    (no_machine_is_named, {"x.toml": 'url = "https://py' + 'pi.org/simple"\n'}),
    (locks_hold_packages_and_hashes_only, {"uv.lock": "version = 1\n"}),
    (locks_hold_packages_and_hashes_only, {"requirements.txt": "--index-url https://example.org\na==1\n"}),
    (locks_hold_packages_and_hashes_only, {"requirements-dev.txt": "a @ file:a.whl\n"}),
    (
        decisions_are_numbered_and_listed,
        {"docs/adr/0001-a.md": "", "docs/adr/0003-b.md": "", "docs/adr/README.md": "(0001-a.md) (0003-b.md)"},
    ),
    (decisions_are_numbered_and_listed, {"docs/adr/0001-a.md": "", "docs/adr/README.md": "none"}),
    (glossary_is_sorted, {"docs/glossary.md": "### Claim\n### Block\n"}),
    (links_lead_somewhere, {"docs/a.md": "[b](b.md#part)\n"}),
]

GOOD: list[tuple[Rule, dict[str, str]]] = [
    (core_imports_what_is_allowed, {CORE: "from math import gcd\nfrom forebay.core import ids\n"}),
    (core_imports_what_is_allowed, {"src/forebay/loop/x.py": "import time\n"}),
    (core_uses_no_floats, {CORE: "x = a // b\n", "src/forebay/twin/x.py": "x = 0.5\n"}),
    (
        core_reads_no_clock,
        {CORE: "import datetime\nx = datetime.datetime.fromtimestamp(5, tz=datetime.UTC)\n"},
    ),
    (
        core_calls_nothing_outside,
        {CORE: "class A:\n    def __hash__(self) -> int:\n        return hash(self.x)\n"},
    ),
    (core_functions_fit_a_screen, {"src/forebay/loop/x.py": LONG_FUNCTION}),
    (
        no_public_name_twice,
        {
            "src/forebay/a.py": "def main(): ...\ndef _x(): ...\n",
            "src/forebay/b.py": "def main(): ...\ndef _x(): ...\n",
        },
    ),
    (every_test_has_its_source, {"tests/core/test_here.py": "", "src/forebay/core/here.py": ""}),
    (every_test_has_its_source, {"tests/core/test_claims.py": "", "src/forebay/core/claims/__init__.py": ""}),
    (no_machine_is_named, {"x.md": "[the home page](https://example.org/home/) and docs/work/x\n"}),
    (locks_hold_packages_and_hashes_only, {"requirements.txt": "a==1 \\\n    --hash=sha256:00\n"}),
    (glossary_is_sorted, {"docs/glossary.md": "### Block\ntext\n### claim\n"}),
    (links_lead_somewhere, {"docs/a.md": "[b](../b.md#x) [c](#c) [d](https://example.org)\n", "b.md": ""}),
]


def _planted(root: Path, files: dict[str, str]) -> Tree:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    return Tree(root)


@pytest.mark.parametrize(("rule", "files"), BAD)
def test_a_rule_finds_what_it_is_for(rule: Rule, files: dict[str, str], tmp_path: Path) -> None:
    assert len(list(rule(_planted(tmp_path, files)))) == 1


@pytest.mark.parametrize(("rule", "files"), GOOD)
def test_a_rule_leaves_its_neighbour_alone(rule: Rule, files: dict[str, str], tmp_path: Path) -> None:
    assert list(rule(_planted(tmp_path, files))) == []


def test_every_rule_is_shown_to_find_something() -> None:
    assert {rule for rule, _ in BAD} == set(RULES)

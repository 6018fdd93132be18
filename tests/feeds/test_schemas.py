"""The schemas that editors check with say what the loader says; every example and the shipped catalogue hold."""

from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from forebay.core import supply
from forebay.feeds import commands, folder, kinds, reading, schemas, tree
from tests.feeds.test_commands import CONTRACT, SITE
from tests.feeds.test_reading import GANG

ROOT = Path(__file__).resolve().parents[2]
PRICES = """\
forebay: 1
kind: PriceList
version: 1
currency: USD
prices:
  - {tier: spot, sku: s, price_per_gpu_hour: 1.5}
"""
POLICY = "forebay: 1\nkind: Policy\nversion: 2\novertake: PT15M\n"


def as_editors_read(node: tree.Node) -> Any:
    """A tree as JSON, its plain scalars resolved as YAML 1.2 says."""
    match node:
        case tree.Mapping():
            return {key: as_editors_read(value) for key, (_, value) in node.entries.items()}
        case tree.Sequence():
            return [as_editors_read(each) for each in node.items]
    match node.looks:
        case "null":
            return None
        case "boolean":
            return node.text.lower() == "true"
        case "integer":
            return int(node.text, 0) if node.text.startswith("0x") else int(node.text)
        case "number":
            return float(node.text)
    return node.text


def schema_accepts(text: str) -> bool:
    (root,) = tree.from_yaml(text)
    value = as_editors_read(root)
    kind = value["kind"] if value.get("kind") in kinds.KINDS else "Gang"
    return not list(jsonschema.Draft202012Validator(schemas.schema(kind)).iter_errors(value))


def loader_accepts(text: str) -> bool:
    try:
        reading.documents(text)
    except tree.DocumentError:
        return False
    return True


GOOD = [
    SITE, CONTRACT, GANG, PRICES, POLICY,
    PRICES.replace("1.5", "'1.5'"), PRICES.replace("1.5", "2"), PRICES + "effective: now\n",
    PRICES + "effective: 2027-01-01\nzone: UTC\n", PRICES + "effective: 2027-01-01T00:00:00.5+02:00\n",
    SITE.replace("1.2 MW", "1200000"), SITE.replace("1.2 MW", "1.2MW"), SITE.replace("FI", "NO"),
    CONTRACT.replace("term: 30d", "term: P30D"), CONTRACT.replace("term: 30d", "term: 90 min"),
    CONTRACT.replace("    lending: {reclaim_deadline: 5m, owner_share: 40 %}\n", "    lending:\n"),
    CONTRACT.replace("40 %", "100%"), CONTRACT.replace("40 %", "0.0001 %"),
    GANG.replace("[python, train.py, 100, 0.5, true]", "sleep 1"), GANG.replace("2h", "PT2H"),
    GANG + "  cpu: 0.5\n", GANG + "  cpu: '0.5'\n", GANG + "title: 'a: b'\n", GANG.replace("2 GiB", "0"),
]  # fmt: skip
BAD = [
    CONTRACT.replace("tenant: acme", "tenant: acme.b"), GANG.replace("tenant: acme", "tenant: a.b"),
    SITE.replace("limit: 1.2 MW", "limit: 1.2 mw"), SITE.replace("limit: 1.2 MW", "limit: 1.5"),
    SITE.replace("limit: 1.2 MW", "limit: -1"), SITE.replace("limit: 1.2 MW", "limt: 1 MW"),
    SITE.replace("FI", "fi"), SITE.replace("FI", "Finland"), SITE.replace("id: lpp", "id: 7"),
    SITE.replace("id: lpp", "id: a..b"), SITE.replace("id: lpp", "id: -x"), SITE.replace("id: lpp", "id:"),
    SITE.replace("kind: Site", "kind: Site\nextra: 1"), SITE.replace("forebay: 1", "forebay: 2"),
    CONTRACT.replace("USD", "XXX"), CONTRACT.replace("count: 2", "count: 0"),
    CONTRACT.replace("count: 2", "count: two"), CONTRACT.replace("40 %", "140 %"), CONTRACT.replace("40 %", "0.4"),
    CONTRACT.replace("start: now", "start: soon"), CONTRACT.replace("term: 30d", "term: 30"),
    CONTRACT.replace("term: 30d", "term: PT"), CONTRACT.replace("unit: node", "unit: gpu"),
    PRICES.replace("1.5", "-1"), PRICES.replace("1.5", "'1.1234567'"), PRICES.replace("1.5", "free"),
    PRICES.replace("version: 1", "version: 1.5"), PRICES.replace("tier: spot", "tier: cheap"),
    POLICY.replace("PT15M", "true"), GANG.replace("gpus: 8", "gpus: '8'"), GANG.replace("tier: spot\n", ""),
    GANG.replace("env: {EPOCHS: 3}", "env: {EPOCHS: [3]}"), GANG.replace("program:", "programme:"),
    GANG + "  shell: yes\n", GANG + "title: [a]\n",
]  # fmt: skip


@pytest.mark.parametrize("text", GOOD)
def test_both_accept(text: str) -> None:
    assert loader_accepts(text)
    assert schema_accepts(text)


@pytest.mark.parametrize("text", BAD)
def test_both_refuse(text: str) -> None:
    assert not loader_accepts(text)
    assert not schema_accepts(text)


def test_every_field_is_described() -> None:
    for kind, schema in {**schemas.schemas(), "any": schemas.any_kind()}.items():
        jsonschema.Draft202012Validator.check_schema(schema)
        if kind != "any":
            assert schema["title"] == kind
            _described(schema)


def _described(schema: dict[str, Any]) -> None:
    for name, field in schema.get("properties", {}).items():
        assert field["description"], name
        for inner in (field, field.get("items", {}), *field.get("anyOf", [])):
            _described(inner)


def test_one_schema_fits_all_kinds() -> None:
    validator = jsonschema.Draft202012Validator(schemas.any_kind())
    for text in (SITE, CONTRACT, GANG, PRICES, POLICY):
        (root,) = tree.from_yaml(text)
        assert not list(validator.iter_errors(as_editors_read(root)))


def _example_folders() -> list[Path]:
    found = {
        path.parent for path in (ROOT / "examples").rglob("*.yaml") if path.name not in folder.NOT_DOCUMENTS
    }
    return sorted(found)


@pytest.mark.parametrize("path", _example_folders(), ids=lambda path: path.name)
def test_every_example_holds(path: Path) -> None:
    for file in folder.Folder.read(path).files:
        for root in tree.from_yaml(file.text):
            value = as_editors_read(root)
            errors = jsonschema.Draft202012Validator(schemas.schema(value["kind"])).iter_errors(value)
            assert not [error.message for error in errors]


def test_the_shipped_catalogue_adds_up() -> None:
    text = (resources.files("forebay.feeds") / "catalogue.yaml").read_text()
    (document,) = reading.documents(text)
    command = commands.command_of(document, commands.Setting(0)).command
    assert isinstance(command, supply.ApplyCatalogue)
    for sku in command.skus:
        gpus = sku.gpus_per_node * sku.nodes_per_rack
        assert sku.rack_base_w + gpus * sku.gpu_w == sku.rack_w, sku.id
        assert sku.source
    assert isinstance(supply.apply_catalogue(supply.State(), command, lambda event: None), dict)
    names = [sku.id for sku in command.skus]
    assert names == ["gb200-nvl72", "gb300-nvl72", "vr-nvl72", "hgx-h100", "hgx-b200"]

"""What does the reference page about HTTP list? Addresses, bodies and problems, made from what is served."""

from __future__ import annotations

import inspect
import types
from typing import Any

from fastapi import FastAPI

from forebay.feeds import schemas
from forebay.server import app as application
from forebay.server import problems


def http_markdown(app: FastAPI) -> str:
    """Three sections: addresses, bodies, problems."""
    document = application.openapi(app)
    return "\n".join([*_addresses(document), *_bodies(document), *_problems()])


def _addresses(document: dict[str, Any]) -> list[str]:
    lines = [
        "## Addresses",
        "",
        "| address | for | takes | gives | what it does |",
        "| --- | --- | --- | --- | --- |",
    ]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            query = ", ".join(
                each["name"] for each in operation.get("parameters", []) if each["in"] == "query"
            )
            takes = _named(operation.get("requestBody", {}).get("content"))
            shown = f"`{method.upper()} {path}`" + (f" ({query})" if query else "")
            status, answer = next(iter(operation["responses"].items()))
            gives = _named(answer["content"]) + (f" ({status})" if status != "200" else "")
            roles = ", ".join(operation["x-roles"]) or "anybody"
            lines.append(f"| {shown} | {roles} | {takes} | {gives} | {operation['description']} |")
    return [*lines, ""]


def _named(content: dict[str, Any] | None) -> str:
    if not content:
        return ""
    (media,) = content.values()
    name = media["schema"].get("$ref", "").rpartition("/")[2]
    return f"[{name}](#{name.lower()})" if name and name != "Gang" else name or "a schema"


def _bodies(document: dict[str, Any]) -> list[str]:
    lines = ["## Bodies", "", "A field with `?` may be missing.", ""]
    ours = [
        *(item for module in application.BODIES for item in _own_types(module)),
        ("ProblemBody", problems.ProblemBody),
        ("ProblemError", problems.ProblemError),
    ]
    for name, kind in ours:
        schema = document["components"]["schemas"].get(name)
        if not isinstance(kind, type) or schema is None:
            continue
        said = schemas.comments(kind)
        lines += [f"### {name}", "", " ".join((inspect.getdoc(kind) or "").split()), ""]
        lines += ["| field | type | meaning |", "| --- | --- | --- |"]
        for field in kind.__annotations__:
            shape = schema["properties"][field]
            mark = "" if field in schema["required"] else "?"
            lines.append(f"| `{field}`{mark} | {_shape(shape)} | {said.get(field, '')} |")
        lines.append("")
    return lines


def _own_types(module: types.ModuleType) -> list[tuple[str, Any]]:
    return [(name, each) for name, each in vars(module).items() if _module_of(each) == module.__name__]


def _module_of(value: Any) -> str:
    return str(getattr(value, "__module__", ""))


def _shape(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(_shape(each) for each in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_shape(schema['items'])}"
    return str(schema.get("type", "any"))


def _problems() -> list[str]:
    lines = ["## Problems", "", "`type` is `urn:forebay:problem:` and the code.", ""]
    lines += ["| code | status | title |", "| --- | --- | --- |"]
    for code, (status, title) in problems.OWN.items():
        lines.append(f"| `{code}` | {status} | {title} |")
    for code, status in problems.STATUS_OF_REFUSAL.items():
        if code not in problems.OWN:
            lines.append(f"| `{code}` | {status} | {problems.title(code, status)} |")
    lines.append("| any other code of a refusal | 422 | the code in words |")
    return [*lines, ""]

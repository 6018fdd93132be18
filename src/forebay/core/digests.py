"""Is one command the same as another? A digest of its body, the same on every machine and version."""

from __future__ import annotations

import hashlib
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum
from typing import Any

from forebay.core.ids import Command


def body_digest(command: Command) -> str:
    """Tells one command body from another: `1:` and a SHA-256.

    Fields at their default are left out, so that a field that is added later does not change it.
    """
    return f"1:{hashlib.sha256(_canonical(command).encode()).hexdigest()}"


def _canonical(value: Any) -> str:
    if is_dataclass(value):
        told = [
            f"{f.name}={_canonical(getattr(value, f.name))}"
            for f in fields(value)
            if not _at_default(value, f)
        ]
        return f"{type(value).__name__}({','.join(told)})"
    if isinstance(value, dict):
        return f"{{{','.join(f'{key!a}:{_canonical(value[key])}' for key in sorted(value))}}}"
    if isinstance(value, (tuple, list)):
        return f"[{','.join(map(_canonical, value))}]"
    return ascii(value.value if isinstance(value, Enum) else value)


def _at_default(value: Any, known: Field[Any]) -> bool:
    default = known.default_factory() if known.default_factory is not MISSING else known.default
    return default is not MISSING and bool(getattr(value, known.name) == default)

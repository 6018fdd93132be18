"""What does a contract say of its place when there is too little? Plain records: `ranking` says what follows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Serving(StrEnum):
    """When a tranche is served, beside all other customers."""

    #: Before them.
    FIRST = "first"
    #: After them.
    LAST = "last"
    #: With them, by the same share.
    RATABLY = "ratably"


@dataclass(slots=True)
class ShortfallTerms:
    """A clause on shortfall: at least one of these is said. What names somebody comes before what is said of all."""

    served: Serving | None = None
    #: Contracts, or customers with all of theirs, that are served after this.
    before: tuple[str, ...] = ()
    #: Those that are served before it.
    after: tuple[str, ...] = ()


def clause_text(said: ShortfallTerms) -> str:
    """A clause, as a file says it: "served first, after acme-1"."""
    parts = [f"served {said.served.value}"] if said.served else []
    parts += [f"before {', '.join(said.before)}"] if said.before else []
    parts += [f"after {', '.join(said.after)}"] if said.after else []
    return ", ".join(parts)

"""How much of a contract does forebay handle? Its terms that are modelled, clauses that are watched, and the rest.

A term is modelled when it has a field of its own: whatever a contract states beyond what each has is listed by the
name that documents have for it, with the tranches or rights that state it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, NamedTuple

from forebay.core import claims
from forebay.feeds import commands

#: What each contract and tranche has: no terms.
_GIVEN = frozenset({"id", "version", "seller", "tenant", "currency", "effective_at", "clauses", "zone"})


class Term(NamedTuple):
    """A term that is modelled, and what states it: tranches, rights or caps by name, none for the contract itself."""

    term: str
    about: tuple[str, ...]


class Watched(NamedTuple):
    """A clause that falls due."""

    title: str
    at: int


class Covered(NamedTuple):
    """What is done about all that a contract says."""

    modelled: tuple[Term, ...]
    #: Those that fall due next come first.
    watched: tuple[Watched, ...]
    not_handled: tuple[str, ...]


def covered(plan: claims.ContractPlan) -> Covered:
    """What is done about all that a contract says."""
    terms: dict[str, list[str]] = {}
    for term, about in _terms(plan):
        terms.setdefault(term, []).extend(about)
    by_coverage: dict[claims.Coverage, list[claims.Clause]] = {each: [] for each in claims.Coverage}
    for clause in plan.clauses:
        by_coverage[clause.coverage].append(clause)
    modelled = [Term(term, tuple(about)) for term, about in terms.items()]
    modelled += [Term(clause.title, ()) for clause in by_coverage[claims.Coverage.MODELLED]]
    watched = (Watched(clause.title, clause.watch_at) for clause in by_coverage[claims.Coverage.WATCHED])
    return Covered(
        tuple(modelled),
        tuple(sorted(watched, key=lambda each: (each.at, each.title))),
        tuple(clause.title for clause in by_coverage[claims.Coverage.NOT_HANDLED]),
    )


def _terms(plan: claims.ContractPlan) -> Iterator[tuple[str, list[str]]]:
    for name, value in _stated(plan):
        if name == "rights":
            for right in value:
                yield f"right of {right.kind.value}", [right.id]
        elif name == "tranches":
            yield "capacity for a term at a price", [tranche.id for tranche in value]
            for tranche in value:
                for inner, _ in _stated(tranche):
                    yield commands.document_field(inner).replace("_", " "), [tranche.id]
        else:
            about = [each.id for each in value] if name == "caps" else []
            yield commands.document_field(name).replace("_", " "), about


def _stated(part: Any) -> Iterator[tuple[str, Any]]:
    """Fields that say something: those that may be left out, and were not."""
    for field in dataclasses.fields(part):
        value = getattr(part, field.name)
        if field.name not in _GIVEN and field.default is not dataclasses.MISSING and value != field.default:
            yield field.name, value

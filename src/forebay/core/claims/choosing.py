"""Where, and of what, is a tranche that leaves a choice once it is signed? At the first place where it fits.

The places are tried in the order of `nomination.choices`, each as if the tranche were meant for it alone: who has a
right of first refusal there, what is left over the whole term, also for a right to go on with it, whole racks, power.
Tranches of one contract are looked at in turn, each with what those before it took.

Where a tranche fits nowhere, it is put at the first place that no right of first refusal stands before, and refused
there; the refusal names every place, each with its own reason.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import replace
from typing import NamedTuple

from forebay.core import supply
from forebay.core.claims import contracts, exercise, fitting, nomination, refusals
from forebay.core.claims.calendar import Calendar, Stock
from forebay.core.claims.contracts import Hold, Nomination, State
from forebay.core.claims.rights import RightKind
from forebay.core.claims.terms import ContractPlan, TranchePlan
from forebay.core.ids import Refusal, TrancheId
from forebay.core.supply.blocks import Confidence


class Objection(NamedTuple):
    """A place where a tranche may be and does not fit, and why."""

    stock: Stock
    why: Refusal


class Choice(NamedTuple):
    """A contract with each tranche at one site and of one SKU."""

    plan: ContractPlan
    #: What was chosen for those that leave a choice.
    nominations: tuple[Nomination, ...]
    #: Of each tranche that fits nowhere: its places in order. The one that it was put at first.
    objections: tuple[tuple[Objection, ...], ...] = ()


class Places:
    """What is there to be chosen from: at a confidence, with a customer's own hold free again."""

    def __init__(
        self,
        state: State,
        supplied: supply.State,
        calendar: Calendar,
        sure: Confidence,
        hold: Hold | None,
        at: int,
    ) -> None:
        self.state = state
        self.supplied = supplied
        self.calendar = calendar
        self.sure = sure
        self.hold = hold
        self.at = at
        self.left = nomination.Left(calendar, sure, hold)
        self.racks = fitting.Racks(state, supplied, calendar, sure, at)

    def refuse(self, plan: ContractPlan, place: int, made: TranchePlan) -> Refusal | None:
        """Why the tranche at a place of a contract cannot be signed as it is `made`: first_refusal, oversold (it, and
        then its extensions), no_whole_racks, no_power.
        """
        where = f"tranches[{place}]"
        alone = replace(plan, tranches=(made,), rights=())
        going = list(self._going(alone, plan))
        sales = [*refusals.promised(self.supplied, alone), *going]
        no = refusals.refuse_unoffered(self.state, self.calendar, plan.tenant, sales, self.hold, self.at)
        no = no or fitting.refuse_oversold(self.left, self.supplied, made, self.at, self.sure, where)
        for sale in going:
            # It goes on where the tranche ends: they do not take from each other.
            no = no or fitting.refuse_oversold_right(self.left, sale, self.sure)
        return no or self.racks.refuse(made, plan, where)

    def take(self, plan: ContractPlan, made: TranchePlan) -> None:
        """A tranche is where it is made."""
        found = self.racks.find(made, plan, "")
        self.racks.take(made, plan, () if isinstance(found, Refusal) else found)
        self.left.promise(made, plan, self.supplied)

    def _going(self, alone: ContractPlan, plan: ContractPlan) -> Iterator[refusals.Sale]:
        """What the rights to go on with the one tranche may take; those that nobody could grant are refused later."""
        for place, right in enumerate(plan.rights):
            if right.kind is RightKind.EXTENSION and right.tranche == alone.tranches[0].id:
                one = replace(alone, rights=(right,), caps=plan.caps)
                if exercise.refuse_rights(self.state, self.supplied, one, self.at) is None:
                    for sale in refusals.granted(self.state, self.supplied, one, self.at):
                        yield sale._replace(where=f"rights[{place}]")


def choose(places: Places, plan: ContractPlan, among: Container[TrancheId] | None = None) -> Choice:
    """A contract with each tranche somewhere, and why those that leave a choice fit nowhere; `among` which of them,
    where the others are somewhere already.
    """
    if not any(map(nomination.has_choice, plan.tranches)):
        return Choice(plan, ())
    found: list[TranchePlan] = []
    chosen: list[Nomination] = []
    unfit: list[tuple[Objection, ...]] = []
    for place, tranche in enumerate(plan.tranches):
        made = tranche
        if among is not None and tranche.id not in among:
            found.append(tranche)
            continue
        if nomination.has_choice(tranche):
            objections: list[Objection] = []
            for stock in nomination.choices(tranche, places.supplied):
                made = contracts.nominated(tranche, *stock)
                no = places.refuse(plan, place, made)
                if no is None:
                    break
                objections.append(Objection(stock, no))
            else:
                first = next((each for each in objections if each.why.code != "first_refusal"), objections[0])
                made = contracts.nominated(tranche, *first.stock)
                unfit.append((first, *(each for each in objections if each is not first)))
            chosen.append(Nomination(made.id, made.site, made.sku))
        places.take(plan, made)
        found.append(made)
    return Choice(replace(plan, tranches=tuple(found)), tuple(chosen), tuple(unfit))


def every_place(no: Refusal, choice: Choice) -> Refusal:
    """A refusal as it stands, or, of a tranche that may be elsewhere too, with the reasons of all its places."""
    for first, *others in choice.objections:
        if others and (first.why.code, first.why.field) == (no.code, no.field):
            told = [
                f"Nor {other.stock.sku} at {other.stock.site} ({other.why.code}): {_shortly(other.why)}"
                for other in others
            ]
            return replace(no, detail=". ".join([no.detail, *told]))
    return no


def _shortly(no: Refusal) -> str:
    """Without the name of the tranche, which was told before."""
    subject, promises, rest = no.detail.partition(" promises ")
    return f"it promises {rest}" if promises and subject.startswith("tranche ") else no.detail

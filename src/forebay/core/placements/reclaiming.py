"""When is lent capacity called back, and from whom? Whenever somebody of the owner waits who would fit without loans.

Who leaves anyway counts as gone, unless it is late already: its engine is silent, and others go instead. Of the rest
those go that `victims` says. What was called back for somebody stays meant for it: nobody of its own lane goes by who
would take what it then lacks.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from forebay.core import claims
from forebay.core.ids import TrancheId
from forebay.core.placements import gang as gangs
from forebay.core.placements import schedule, victims
from forebay.core.placements.borrowers import Borrower, LoanBook
from forebay.core.placements.checkpoints import lost_gpu_us
from forebay.core.placements.gang import Gang, Phase, Tier
from forebay.core.placements.index import Index, as_bits
from forebay.core.placements.queue import Lane, Shape, shape_of
from forebay.core.placements.schedule import Desk, Fit
from forebay.core.placements.search import Misfit, Want
from forebay.core.units import SECOND_US


def reclaim(desk: Desk) -> bool:
    """Take lent capacity back for tranches' own gangs that wait, so that each starts within the reclaim deadline.
    Whether any was called back.

    After all else is placed, for that draws power too. Once more after each round: with more leaving, who is first
    may be given other nodes than those left for it.
    """
    derived = desk.derived
    if derived.borrowed.books:
        _catch_up(desk)
    called = False
    for tranche in sorted(derived.lent):
        if derived.queue.standing(Lane(Tier.DEDICATED, tranche), desk.state.gangs):
            while _call_back(desk, tranche):
                called = True
    return called


def _catch_up(desk: Desk) -> None:
    derived, state = desk.derived, desk.state
    derived.borrowed.catch_up(
        derived.lent, state.gangs, state.lending.checkpoints, derived.index.plant.rack_of_node
    )


def loans_of(desk: Desk, tranche: TrancheId) -> LoanBook:
    """Who borrows from a tranche that has borrowers, as it is now."""
    derived, state = desk.derived, desk.state
    _catch_up(desk)
    return derived.borrowed.of(
        tranche, derived.lent, state.gangs, state.lending.checkpoints, derived.index.plant.rack_of_node
    )


class Recall(NamedTuple):
    """Who is to go so that a gang fits, and where it fits then."""

    #: To be asked to stop.
    victims: list[Gang]
    #: On the way out already: from now on for this owner too.
    leaving: list[Gang]
    fit: Fit


def _call_back(desk: Desk, name: TrancheId) -> bool:
    """One round, over those who wait in their order. Whether any was called back."""
    lane = Lane(Tier.DEDICATED, name)
    book = loans_of(desk, name)
    leaving = [desk.state.gangs[gang] for gang in sorted(book.leaving)]
    if not (book.staying or any(loan.reclaim_at == 0 for loan in leaving)):
        return False
    lending = claims.lending_at(desk.claimed.tranches[name], desk.at)
    assert lending is not None, "a tranche that does not lend has no borrowers"
    deadline_at = desk.at + lending.reclaim_deadline_s * SECOND_US
    scratch = without(desk, leaving)
    called = False
    hopeless: set[Shape] = set()
    for entry in sorted(desk.derived.queue.waiting(lane, desk.state.gangs)):
        gang = desk.state.gangs[entry.gang]
        if shape_of(gang.spec) in hopeless:
            continue
        call = make_room(desk, book, scratch, gang, leaving)
        if call is None:
            hopeless.add(shape_of(gang.spec))
            continue
        for loan in call.leaving:
            # It leaves for another reason: from now on the owner's deadline runs as well.
            if desk.state.gangs[loan.spec.id].reclaim_at == 0:
                desk.emit(gangs.LoanReclaimed(name, loan.spec.id, loan.generation, gang.spec.id, deadline_at))
                called = True
        for victim in call.victims:
            left, generation = victim.spec.id, victim.generation
            lost = lost_gpu_us(victim, desk.state.lending.checkpoints.get(left), desk.at)
            desk.emit(gangs.LoanReclaimed(name, left, generation, gang.spec.id, deadline_at, lost))
            desk.emit(gangs.GangStopping(left, generation, "reclaim", again=True))
            called = True
    return called


def without(desk: Desk, leaving: list[Gang]) -> Index:
    """The index as it will be once those have left who leave anyway and are not late."""
    scratch = desk.derived.index.scratch()
    for loan in leaving:
        if loan.reclaim_at >= 0 or loan.returns_at:
            scratch.release(loan.runs, desk.supplied.skus[loan.spec.sku].gpu_w)
    return scratch


def spoils(desk: Desk, gang: Gang, fit: Fit) -> bool:
    """Whether a gang of an owner, in its place, would take what somebody who comes before it then lacks, and for whom
    something was called back.
    """
    state, derived = desk.state, desk.derived
    mine = (not gang.front, gang.order)
    before = [
        other
        for name in state.lending.called_for
        if (other := state.gangs[name]).spec.tranche == gang.spec.tranche
        and other.phase is Phase.PENDING
        and (not other.front, other.order) < mine
    ]
    if not before:
        return False
    before.sort(key=lambda other: (not other.front, other.order))
    leaving = [state.gangs[name] for name in sorted(derived.lent.get(gang.spec.tranche, ()))]
    scratch = without(desk, [loan for loan in leaving if loan.phase is Phase.STOPPING or loan.returns_at])
    beside = scratch.copy()
    beside.take(fit.runs, desk.supplied.skus[gang.spec.sku].gpu_w)
    for other in before:
        gpu_w = desk.supplied.skus[other.spec.sku].gpu_w
        found = schedule.find(desk, other, index=scratch)
        if isinstance(found, Fit):
            scratch.take(found.runs, gpu_w)
            then = schedule.find(desk, other, index=beside)
            if isinstance(then, Misfit):
                return True
            beside.take(then.runs, gpu_w)
    return False


def make_room(desk: Desk, book: LoanBook, scratch: Index, gang: Gang, leaving: list[Gang]) -> Recall | None:
    """Who has to go so that a gang of the owner fits, nobody where that is not needed; None where nothing makes it
    fit. In `scratch` it is placed then and they are gone, and they stay in the book no longer.
    """
    gpu_w = desk.supplied.skus[gang.spec.sku].gpu_w
    found, chosen = schedule.find(desk, gang, index=scratch), list[Borrower]()
    if isinstance(found, Misfit):
        restart_us = desk.state.policy.restart_s * SECOND_US
        scene = victims.Scene(book, scratch, desk.at, restart_us)
        site = desk.claimed.tranches[gang.spec.tranche].plan.site
        for more in _ever_more(scene, schedule.want_of(gang.spec, gang.spec.tranche, site, gpu_w)):
            for borrower in more:
                scratch.release(borrower.runs, gpu_w)
            chosen += more
            found = schedule.find(desk, gang, index=scratch)
            if isinstance(found, Fit):
                break
    needed = as_bits(found.runs) if isinstance(found, Fit) else 0
    called = []
    for borrower in chosen:
        if as_bits(borrower.runs) & needed:
            book.leave(borrower.gang)
            called.append(desk.state.gangs[borrower.gang])
        else:
            scratch.take(borrower.runs, gpu_w)
    if isinstance(found, Misfit):
        return None
    scratch.take(found.runs, gpu_w)
    return Recall(called, [loan for loan in leaving if as_bits(loan.runs) & needed], found)


def _ever_more(scene: victims.Scene, want: Want) -> Iterator[list[Borrower]]:
    """Whom to call back; and where they are not enough, for power or for what else is short, the others by the age of
    their checkpoints, ever more at a time.
    """
    chosen = victims.pick(scene, want)
    if chosen:
        yield chosen
    known = {each.gang for each in chosen}
    others = [each for each in scene.book.youngest_first(scene.at) if each.gang not in known]
    count, first = 1, 0
    while first < len(others):
        yield others[first : first + count]
        first += count
        count *= 2

"""How do documents become decisions? All are read and checked before the first is applied.

Each is one command; a site and its schedule, where each names the other, are one together. Several are tried first,
on a copy of the World: where one would be refused, nothing is applied. Should the World have moved on in between, so
that one is refused all the same, nothing is undone: what came before it stays, the answer says so, and applying the
same files again changes only what is not as they say.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from forebay.core import claims, ids, supply
from forebay.core.ids import ContractId, GangId, HoldId
from forebay.core.placements import campaigns, gang, substitutes
from forebay.core.supply import blocks
from forebay.core.world import World
from forebay.feeds import commands, folder, kinds, reading, successions, tree
from forebay.server import bodies, campaign_views, contract_views, forecasting, problems
from forebay.server.calls import Call

#: Kinds of documents that each role may apply.
KINDS_FOR = {
    ids.Role.OPERATOR: frozenset(kinds.KINDS),
    ids.Role.FINANCE: frozenset({"PriceList", "PriceIndex", "Contract", "Overlay", "Notice", "Taxes"}),
    ids.Role.TENANT: frozenset({"Gang", "Projects"}),
}
FILES_MAX = 200


class _Recorded(NamedTuple):
    """What documents are read against."""

    started: dict[str, int]
    #: Contracts and gangs of the documents' ids.
    contracts: dict[str, list[claims.ContractPlan]]
    gangs: dict[str, gang.Spec]
    openings: dict[str, claims.Opening]


async def apply(call: Call, posted: bodies.PostedDocuments) -> bodies.DocumentsBody:
    """Apply the files, or with `dry_run` say what would come of it."""
    wanted = await asked_for(call, posted)
    if posted.dry_run:
        at = call.forebay.clock.now()
        applied = await call.read(lambda world: try_on(world.fork(), call, wanted, at))
        return {"applied": applied, "dry_run": True}
    return {"applied": await decide_all(call, wanted), "dry_run": False}


async def decide_all(call: Call, wanted: list[One]) -> list[bodies.Applied]:
    """Have each decided in turn, if none would be refused; the first that is refused ends it."""
    if sum(one.command is not None for one in wanted) > 1:
        await _refuse_any(call, wanted)
    applied: list[bodies.Applied] = []
    for number, one in enumerate(wanted):
        if one.command is None:
            applied.append(_applied(one.want, {}, _came_beside(one, applied)))
            continue
        answer = await call.submit(one.command, _key(call, number))
        if isinstance(answer, ids.Refusal):
            raise _refused(call, one.want, answer, applied)
        if isinstance(one.command, blocks.ApplySchedule) or "planned" in answer:
            # What is signed next is checked against how sure these dates are.
            await asyncio.to_thread(call.forebay.forecaster.settle)
        applied.append(_applied(one.want, answer, commands.answer_changed(one.want.document.kind, answer)))
    return applied


async def _refuse_any(call: Call, wanted: list[One]) -> None:
    """Refuse here what would be refused after something else was applied."""
    keys = [_key(call, number) for number in range(len(wanted))]
    at = call.forebay.clock.now()
    await call.read(lambda world: try_on(world.fork(), call, wanted, at, keys))


async def contracts_to_sign(
    call: Call, documents: list[bodies.PostedDocument], hold: str, override: str, policy: int
) -> list[One]:
    """The contracts of files as commands that use up a hold, or go beyond what can be promised for a reason."""
    wanted = await asked_for(call, bodies.PostedDocuments(documents))
    strange = [each for each in wanted if each.want.document.kind != "Contract"]
    if strange or not wanted:
        where = strange[0].want.document if strange else None
        told = f"a {where.kind} is not a contract" if where else "there is no contract to sign"
        wrong = tree.Problem(told) if where is None else where.problem(("kind",), told)
        raise problems.unreadable(tree.DocumentError([wrong]))
    if hold and len(wanted) > 1:
        raise problems.Failure("bad_body", f"a hold is used up by one contract, and here are {len(wanted)}")
    return [
        one._replace(
            command=dataclasses.replace(one.command, hold=HoldId(hold), override=override, policy=policy)
        )
        if isinstance(one.command, claims.SignContract)
        else one
        for one in wanted
    ]


def _key(call: Call, number: int) -> str:
    """The key of one document among those of a request."""
    key = call.key()
    return f"{key}#{number}" if key else ""


class One(NamedTuple):
    """A document and what is to be asked."""

    want: commands.Wanted
    #: None for a gang or a contract that is recorded already, word for word; and for a schedule that comes with its
    #: site.
    command: ids.Command | None


async def asked_for(call: Call, posted: bodies.PostedDocuments) -> list[One]:
    """What the files ask for, in the order in which it can be applied; all of them are read and checked."""
    if len(posted.documents) > FILES_MAX:
        raise problems.Failure("too_large", f"at most {FILES_MAX} files at once")
    found: list[tuple[reading.Document, str]] = []
    wrong: list[tree.Problem] = []
    for file in posted.documents:
        try:
            found += [(document, file.folder) for document in reading.documents(file.text, file.name)]
        except tree.DocumentError as error:
            wrong += error.problems
    if wrong:
        raise problems.unreadable(tree.DocumentError(wrong))
    found.sort(key=lambda pair: folder.rank(pair[0]))
    for document, where in found:
        _permit(call, document, where)
    documents = [document for document, _ in found]
    keys = [_key(call, number) for number in range(len(documents))]
    recorded = await call.glance(lambda world: _recorded(world, documents, call.principal))
    made: list[One] = []
    first: dict[tuple[str, str], commands.Wanted] = {}
    for number, (document, where) in enumerate(found):
        try:
            want = commands.command_of(document, setting(call, recorded.started, where))
        except tree.DocumentError as error:
            wrong += error.problems
            continue
        permit_gang(call, want)
        if isinstance(want.command, campaigns.ApplyCampaign):
            want = await _with_windows(call, want, want.command)
        earlier = first.setdefault((document.kind, want.about), want)
        if earlier is not want and document.name:
            wrong.append(_twice(want, earlier))
            continue
        if isinstance(want.command, gang.SubmitArray):
            # The World says whether it is the same.
            made.append(One(want, dataclasses.replace(want.command, again=True)))
            continue
        if not keys[number]:
            made.append(One(want, None if _is_recorded(want.command, recorded) else want.command))
            continue
        # One with a key is asked all the same: the World answers as it did then, or remembers the key.
        keyed = want.command
        if isinstance(keyed, gang.SubmitGang):
            keyed = dataclasses.replace(keyed, again=True)
        made.append(One(want, keyed))
    if wrong:
        raise problems.unreadable(tree.DocumentError(wrong))
    try:
        made = successions.in_succession([one.want for one in made], made)
    except tree.DocumentError as error:
        raise problems.unreadable(error) from None
    return _with_schedules(made)


async def _with_windows(call: Call, want: commands.Wanted, asked: campaigns.ApplyCampaign) -> commands.Wanted:
    """A campaign with the windows that it is judged by."""
    return want._replace(command=await call.glance(lambda world: campaign_views.with_windows(world, asked)))


def _with_schedules(made: list[One]) -> list[One]:
    """A site whose racks name blocks and its schedule, where both are here, as one command: neither comes first."""
    schedules = {one.want.about: one.want for one in made if isinstance(one.command, blocks.ApplySchedule)}
    joined: set[str] = set()
    found: list[One] = []
    for one in made:
        name = one.want.about
        if isinstance(one.command, supply.ApplySite) and name in schedules:
            if any(rack.block for hall in one.command.plan.halls for rack in hall.racks):
                both = one.want.with_schedule(schedules[name])
                one, joined = One(both, both.command), joined | {name}
        elif isinstance(one.command, blocks.ApplySchedule) and name in joined:
            one = One(one.want, None)
        found.append(one)
    return found


def _came_beside(one: One, applied: list[bodies.Applied]) -> bool:
    """Whether a schedule was new when its site was applied with it."""
    return one.want.document.kind == "Schedule" and any(
        each["kind"] == "Site" and each["id"] == one.want.about and each["answer"].get("planned", False)
        for each in applied
    )


def _twice(want: commands.Wanted, earlier: commands.Wanted) -> tree.Problem:
    """Two documents of one call that make the same thing: which of them is meant cannot be told."""
    there, here = (_name_place(each.document) for each in (earlier, want))
    place = ":".join(str(part) for part in (there.file, there.line) if part)
    first = f" (first in {place})" if place else ""
    told = f"{want.document.kind} {want.about} stands twice in what is applied{first}: one of them is meant"
    return here._replace(detail=told, code="duplicate_id")


def _name_place(document: reading.Document) -> tree.Problem:
    """Where a document says what it is called."""
    key = next(name for name in ("id", "name", "version") if hasattr(document.body, name))
    return document.problem((key,), "")


def _is_recorded(command: ids.Command, recorded: _Recorded) -> bool:
    match command:
        case gang.SubmitGang():
            known = recorded.gangs.get(command.spec.id)
            return known is not None and substitutes.same_as_asked(known, command.spec)
        case claims.SignContract():
            opened = command.opening in (None, recorded.openings.get(command.plan.id))
            return opened and command.plan in recorded.contracts.get(command.plan.id, ())
    return False


def _permit(call: Call, document: reading.Document, where: str) -> None:
    if document.kind not in KINDS_FOR[call.principal.role]:
        raise problems.Failure("forbidden", f"a {document.kind} is not for the role {call.principal.role}")
    if where and call.principal.role is not ids.Role.OPERATOR:
        raise problems.Failure("forbidden", "only operators name a folder on forebay's machine")
    if where and not Path(where).is_absolute():
        raise problems.Failure("bad_body", f"the folder of {document.file} is to be absolute")


def permit_gang(call: Call, want: commands.Wanted) -> None:
    """A tenant's gangs are its own, and have programs only where this installation allows it."""
    if call.principal.role is not ids.Role.TENANT or not isinstance(
        want.command, (gang.SubmitGang, gang.SubmitArray)
    ):
        return
    spec = want.command.spec
    if spec.tenant != call.principal.tenant:
        raise problems.Failure("forbidden", "a tenant submits gangs of its own")
    if spec.program is not None and not call.forebay.permissions.tenant_programs:
        raise problems.Failure(
            "forbidden",
            "this forebay does not run programs of tenants: they would run as its own user "
            "(its operator may allow it: --tenant-programs)",
        )


def setting(call: Call, started: dict[str, int], where: str) -> commands.Setting:
    """What this caller's documents are read against."""
    return commands.Setting(
        call.forebay.clock.now(),
        started,
        call.principal.tenant,
        Path(where) if where else None,
        call.forebay.work_folder,
    )


def _recorded(world: World, documents: list[reading.Document], by: ids.Principal) -> _Recorded:
    claimed = world.state.claims
    plans = {name: each.plan for name, each in claimed.tranches.items()}
    plans |= {name: each.plan for name, each in claimed.rented.tranches.items()}
    named = [entry.id for each in documents if each.kind == "Contract" for entry in each.body.tranches]
    started = {name: plans[name].start_at for name in named if name in plans}
    signed = {name: [each.plan for each in known] for name, known in claimed.versions.items()}
    signed |= {name: [each.plan for each in known] for name, known in claimed.rented.versions.items()}
    known, opened = world.state.placements.gangs, claimed.openings
    contracts = [ContractId(each.body.id) for each in documents if each.kind == "Contract"]
    gangs = [
        GangId(f"{each.body.tenant or by.tenant}.{each.body.name}")
        for each in documents
        if each.kind == "Gang"
    ]
    return _Recorded(
        started,
        {name: signed[name] for name in contracts if name in signed},
        {name: known[name].spec for name in gangs if name in known},
        {name: opened[name] for name in contracts if name in opened},
    )


class Refused(problems.Failure):
    """A document that the World refuses; `command` is what it asked for."""

    command: ids.Command


def try_on(
    copy: World, call: Call, wanted: list[One], at: int, keys: Sequence[str] = ()
) -> list[bodies.Applied]:
    """Decide about everything on a copy of the World, each under its key if there are any: what was decided already
    is answered as it was. Raises `Refused`.
    """
    applied: list[bodies.Applied] = []
    for number, one in enumerate(wanted):
        if one.command is None:
            applied.append(_applied(one.want, {}, _came_beside(one, applied)))
            continue
        asked = ids.Asked(one.command, call.principal, keys[number] if keys else "")
        answer = copy.handle(asked, max(at, copy.now)).answer
        if isinstance(answer, ids.Refusal):
            raise _refused(call, one.want, answer, [])
        forecasting.settle_copy(copy, max(at, copy.now))
        applied.append(_applied(one.want, answer, commands.answer_changed(one.want.document.kind, answer)))
    return applied


def _applied(want: commands.Wanted, answer: ids.Answer, changed: bool) -> bodies.Applied:
    document = want.document
    told: bodies.Applied = {
        "name": document.file,
        "kind": document.kind,
        "id": want.about,
        "changed": changed,
        "answer": answer,
    }
    if isinstance(want.command, claims.SignContract):
        told["coverage"] = contract_views.coverage_body(want.command.plan)
    return told


def _refused(
    call: Call, want: commands.Wanted, refusal: ids.Refusal, applied: list[bodies.Applied]
) -> Refused:
    """A refusal, told at its line."""
    detail = refusal.told_to(call.principal)
    problem = want.problem(refusal, detail)
    failure = Refused(
        refusal.code, problem.sentence(), errors=[problems.located(problem)], more={"applied": applied}
    )
    failure.command = want.command
    return failure

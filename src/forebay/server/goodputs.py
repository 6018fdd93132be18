"""What became of the GPU-time that gangs held? Read from the journal, on the caller's thread: never from the loop."""

from __future__ import annotations

from forebay.core.ids import GangId, Principal
from forebay.core.placements import goodput
from forebay.core.placements.gang import Tier
from forebay.loop import codec, ports
from forebay.server import amounts, goodput_bodies, sight

#: Kinds of events that say something of gangs, as a record holds them.
_KINDS = (
    b'"GangSubmitted"', b'"GangPlaced"', b'"GangStarted"', b'"GangStartLearned"', b'"GangCheckpointed"',
    b'"GangEnded"', b'"GangWithdrawn"',
)  # fmt: skip


def stories(journal: ports.Journal, known: codec.Codec) -> dict[GangId, goodput.GangStory]:
    """Every gang by its name; of a name that was used again the latest. Raises `ports.JournalError`."""
    found: dict[GangId, goodput.GangStory] = {}
    for stored in journal.read():
        # Looked for before anything is decoded.
        if any(kind in stored.data for kind in _KINDS):
            envelope = codec.envelope(stored)
            if b'"%s"' % envelope.kind.encode() in _KINDS:
                goodput.take(found, known.decode(envelope), envelope.at)
    return found


def goodputs(
    journal: ports.Journal, known: codec.Codec, principal: Principal, gang: str, tranche: str, at: int
) -> goodput_bodies.GoodputsBody | None:
    """Of a gang, or of all gangs of a tranche, or of every tranche; None for what a principal does not see."""
    seen = {
        name: story
        for name, story in stories(journal, known).items()
        if sight.owns(principal, story.spec.tenant) and gang in ("", name)
    }
    items = []
    if gang:
        items = [_body(name, 1, story, goodput.goodput(story, at)) for name, story in seen.items()]
    else:
        of_tranche: dict[str, list[goodput.GangStory]] = {}
        for story in seen.values():
            if story.spec.tier is Tier.DEDICATED and tranche in ("", story.spec.tranche):
                of_tranche.setdefault(story.spec.tranche, []).append(story)
        for name, own in sorted(of_tranche.items()):
            total = goodput.Goodput()
            for story in own:
                total = total.plus(goodput.goodput(story, at))
            items.append(_body(name, len(own), own[0], total))
    if (gang or tranche) and not items:
        return None
    return {"until": amounts.when(at), "items": items}


def _body(
    name: str, gangs: int, story: goodput.GangStory, found: goodput.Goodput
) -> goodput_bodies.GoodputBody:
    hours = amounts.gpu_hour_text
    return {
        "name": name,
        "tenant": story.spec.tenant,
        "gangs": gangs,
        "held_gpu_us": found.held_gpu_us,
        "productive_gpu_us": found.productive_gpu_us,
        "starting_gpu_us": found.starting_gpu_us,
        "at_risk_gpu_us": found.at_risk_gpu_us,
        "held_gpu_hours": hours(found.held_gpu_us),
        "productive_gpu_hours": hours(found.productive_gpu_us),
        "starting_gpu_hours": hours(found.starting_gpu_us),
        "at_risk_gpu_hours": hours(found.at_risk_gpu_us),
        "lost": [
            {"cause": cause.value, "gpu_us": lost, "gpu_hours": hours(lost)}
            for cause, lost in zip(goodput.LossCause, found.lost_gpu_us, strict=True)
            if lost
        ],
        "goodput_percent": _percent(found.productive_gpu_us, found.held_gpu_us),
        "ettr_percent": _percent(found.productive_gpu_us, found.span_gpu_us),
        "running_us": found.running_us,
        "starts": found.starts,
        "failures": found.failures,
        "mtbf_hours": hours(found.running_us // found.failures) if found.failures else None,
    }


def _percent(part: int, whole: int) -> str | None:
    if not whole:
        return None
    cut = part * 10_000 // whole
    return f"{cut // 100}.{cut % 100:02d}"

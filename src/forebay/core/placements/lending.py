"""What is kept of loans beside the gangs: checkpoints, for whom something was called back, who passed its wipe, and
by which rule who was evicted last.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from forebay.core.ids import GangId, NodeIndex, TrancheId
from forebay.core.placements import gang as gangs
from forebay.core.placements.checkpoints import Checkpoint, GangCheckpointed, lost_gpu_us
from forebay.core.placements.gang import Gang


class Eviction(NamedTuple):
    """When, by which rule, and what work a gang was last told to leave, to start again."""

    at: int
    reason: str
    #: GPU-microseconds of work since its last checkpoint.
    lost_gpu_us: int
    #: For whom its nodes were called back, of which tranche, and until when; "" and 0 where it is no loan.
    for_gang: GangId = GangId("")
    tranche: TrancheId = TrancheId("")
    deadline_at: int = 0


@dataclass(slots=True)
class Records:
    """Of gangs that are not over."""

    #: The last checkpoint that was reported.
    checkpoints: dict[GangId, Checkpoint] = field(default_factory=dict)
    #: Gang of an owner that waits -> those that were called back for it.
    called_for: dict[GangId, tuple[GangId, ...]] = field(default_factory=dict)
    #: The last eviction of a gang.
    evicted: dict[GangId, Eviction] = field(default_factory=dict)
    #: Nodes that a gang left and that are reported clean, until all of them return.
    wiped: dict[GangId, tuple[NodeIndex, ...]] = field(default_factory=dict)

    def copy(self) -> Records:
        """With containers of its own."""
        return Records(
            self.checkpoints.copy(), self.called_for.copy(), self.evicted.copy(), self.wiped.copy()
        )

    def record_wiped(self, event: gangs.NodeWiped) -> None:
        """A node that a gang left is clean."""
        self.wiped[event.gang] = (*self.wiped.get(event.gang, ()), event.node)

    def record_checkpoint(self, event: GangCheckpointed) -> None:
        """A gang's work up to an instant is kept."""
        self.checkpoints[event.gang] = Checkpoint(event.generation, event.effective_at)

    def record_stopping(self, was: Gang, event: gangs.GangStopping, at: int) -> None:
        """A gang leaves; where it is to start again, by which rule."""
        name, before = event.gang, self.evicted.get(event.gang)
        called = before if before is not None and before.reason == "" and before.at == at else None
        if not event.again:
            self.evicted.pop(name, None)
            return
        lost = lost_gpu_us(was, self.checkpoints.get(name), at)
        made = Eviction(at, event.reason, lost)
        if called is not None:
            made = called._replace(reason=event.reason, lost_gpu_us=lost)
        self.evicted[name] = made

    def record_reclaimed(self, was: Gang, event: gangs.LoanReclaimed, at: int) -> None:
        """A loan was called back; the reason follows where it was not leaving before."""
        before = self.evicted.get(event.gang)
        here = (event.for_gang, event.tranche, event.deadline_at)
        if was.phase is gangs.Phase.STOPPING and before is not None:
            self.evicted[event.gang] = before._replace(for_gang=here[0], tranche=here[1], deadline_at=here[2])
        elif was.phase in gangs.HOLDING and was.phase is not gangs.Phase.STOPPING:
            self.evicted[event.gang] = Eviction(at, "", event.lost_gpu_us, *here)
        called = self.called_for.get(event.for_gang, ())
        self.called_for[event.for_gang] = (*(name for name in called if name != event.gang), event.gang)

    def forget_waiting(self, name: GangId) -> None:
        """A gang waits no more: nothing is called back for it."""
        self.called_for.pop(name, None)

    def forget_start(self, name: GangId, *, over: bool) -> None:
        """A start of a gang has ended; `over` where it was the last."""
        self.checkpoints.pop(name, None)
        if over:
            self.evicted.pop(name, None)

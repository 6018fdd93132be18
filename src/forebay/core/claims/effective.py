"""Since when does what a command says count for who went short?"""

from __future__ import annotations

from forebay.core.claims import acceptance, deliveries
from forebay.core.ids import Command
from forebay.core.supply import blocks


def since_when(command: Command, at: int) -> int:
    """A fact that is reported late counts since it was so."""
    if isinstance(command, (blocks.ReportReached, deliveries.ReportDelivered)):
        return min(at, command.effective_at)
    if isinstance(command, acceptance.AcceptDelivery):
        return min(at, command.effective_at or at)
    return at

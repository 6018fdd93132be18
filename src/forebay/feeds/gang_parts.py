"""Parts of a gang's document: what it runs, what it comes after, and on which kinds of rack it may run."""

from __future__ import annotations

import msgspec

from forebay.core.placements import chains
from forebay.feeds import forms


class GangPart(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """A part of a document."""


class ProgramEntry(GangPart, kw_only=True, frozen=True):
    """What each rank runs."""

    #: The command and its arguments; a first word `{python}` is the interpreter that runs forebay. Run as it is, not
    #: by a shell, unless `shell` is asked for.
    argv: list[forms.AsWritten] | forms.AsWritten
    #: Run `argv`, then one text, by /bin/sh.
    shell: bool = False
    #: Added to the clean environment of each rank. It is recorded: nothing secret belongs here.
    env: dict[str, forms.AsWritten] = {}
    #: Working folder, below the folder of this document.
    folder: forms.Words = ""
    #: Processors that the whole gang may use; 0 for no limit.
    cpu: forms.Processors = 0
    #: Memory that the whole gang may use; 0 for no limit.
    memory: forms.Bytes = 0
    #: Size at which a rank's log is rotated.
    log_limit: forms.Bytes = 4_000_000


class AfterEntry(GangPart, kw_only=True, frozen=True):
    """A gang that has to be over first."""

    #: Its name; or that of an array, of which all have to be over.
    gang: forms.Name
    #: How it has to be over: having `completed`; `ended`, in whatever way; or `failed`: over, and not completed.
    when: chains.Precondition = chains.Precondition.COMPLETED


class ChoiceEntry(GangPart, kw_only=True, frozen=True):
    """A kind of rack that a gang may run on."""

    #: Which kind.
    sku: forms.Name
    #: How many GPUs of it; left out for as many as the gang says.
    gpus: forms.Many | None = None

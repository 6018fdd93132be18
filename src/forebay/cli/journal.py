"""`forebay journal`: the record itself, read from its file, with or without a server that writes to it."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from typing import Any

import click
import msgspec

from forebay.cli import command, paper, places, session
from forebay.cli.failure import Failed, Status
from forebay.journals import sqlite
from forebay.loop import codec, ports

#: Records verified between two steps of the progress bar.
STEP = 1000
#: How often `tail -f` looks for new records, seconds.
LOOK_S = 0.3


@command.group("journal", examples="forebay journal verify\nforebay journal tail -f\nforebay journal show 12")
def journal_group() -> None:
    """Verify and read the journal, with or without a server.

    The journal is opened for reading only: none of these commands changes it, whoever else writes to it.
    """


@contextlib.contextmanager
def _opened(said: session.Session) -> Iterator[sqlite.SqliteReader]:
    path = places.local_state(said) / places.JOURNAL
    if not path.exists():
        raise Failed(f"there is no journal at {path}", hint="A world's journal begins with `forebay up DIR`.")
    try:
        reader = sqlite.SqliteReader(path)
        try:
            yield reader
        finally:
            reader.close()
    except ports.Damaged as error:
        raise Failed(
            str(error),
            code="damaged",
            hint=f"Records up to {error.last_good_seq} are sound. docs/how-to/read-the-journal.md tells what to do.",
        ) from None
    except ports.JournalError as error:
        raise Failed(str(error), code="journal") from None


@journal_group.command("verify", examples="forebay journal verify\nforebay journal verify --digest 4f1c...")
@click.option(
    "--digest", default="", metavar="HEX", help="A digest noted elsewhere, which the chain must pass through."
)
def _verify(digest: str) -> None:
    """Check every record against the chain of digests."""
    said = session.current()
    with _opened(said) as reader:
        end, _ = reader.head()
        walk = codec.Walk(_counted(reader.read(), end, said))
        found_at = 0
        wanted = digest.lower()
        for _ in walk:
            if wanted and walk.digest.hex() == wanted:
                found_at = walk.seq
        if wanted and not found_at:
            raise Failed(
                f"the chain does not pass through {digest}: records are missing at its end, or it is another journal",
                code="digest_not_found",
            )
        body = {
            "records": walk.seq,
            "digest": walk.digest.hex(),
            "path": str(reader.path),
            "passed_at": found_at,
        }
    if said.json:
        said.emit("journal.verify", body)
    else:
        click.echo(f"{paper.count(walk.seq, 'record')}, all as written; digest {walk.digest.hex()}")
        if found_at:
            click.echo(f"the chain passes through {digest} at record {found_at}")


def _counted(records: Iterator[ports.Stored], end: int, said: session.Session) -> Iterator[ports.Stored]:
    """The same records, with a progress bar on a terminal."""
    if not said.progress_shown() or end < 20 * STEP:
        yield from records
        return
    import sys

    with click.progressbar(length=end, label="verifying", file=sys.stderr) as bar:
        for place, record in enumerate(records, 1):
            if place % STEP == 0:
                bar.update(STEP)
            yield record


@journal_group.command("digest", examples="forebay journal digest\nforebay journal digest --at 120")
@click.option("--at", "seq", type=click.IntRange(min=0), help="After this record instead of the last.")
def _digest(seq: int | None) -> None:
    """Print the digest of the chain.

    Note it where nobody can change it: `journal verify --digest` holds a later journal against it.
    """
    said = session.current()
    with _opened(said) as reader:
        last, found = reader.head()
        if seq is not None and seq != last:
            if seq > last:
                raise Failed(f"there is no record {seq}; the last is {last}", code="unknown_record")
            records = list(reader.read(after=seq - 1, limit=1)) if seq else []
            last, found = seq, records[0].digest if records else codec.GENESIS
    if said.json:
        said.emit("journal.digest", {"seq": last, "digest": found.hex()})
    else:
        click.echo(f"{last} {found.hex()}")


@journal_group.command("show", examples="forebay journal show 12\nforebay journal show 12 --json")
@click.argument("seq", type=click.IntRange(min=1))
def _show(seq: int) -> None:
    """Print one record: who, when, why and what.

    Its digest is held against the records before and after it; the exit status is 1 when they do not follow from each
    other. Only `journal verify` holds the whole chain.
    """
    said = session.current()
    with _opened(said) as reader:
        near = {record.seq: record for record in reader.read(after=max(0, seq - 2), limit=3)}
        record = near.get(seq)
        if record is None:
            raise Failed(f"there is no record {seq}; the last is {reader.head()[0]}", code="unknown_record")
        envelope = codec.envelope(record)
    _print_record(envelope, record, said)
    wrong = _break(near.get(seq - 1), record) or (seq + 1 in near and _break(record, near[seq + 1]))
    if wrong:
        raise Failed(
            f"this record cannot be trusted: {wrong}",
            code="damaged",
            hint="`forebay journal verify` tells up to where the journal is sound.",
        )


def _break(before: ports.Stored | None, record: ports.Stored) -> str:
    """How a record does not follow from the one before it; "" when it does."""
    if before is None and record.seq > 1:
        return f"record {record.seq - 1} is missing"
    digest = before.digest if before is not None else codec.GENESIS
    if codec.chain(digest, record.data) == record.digest:
        return ""
    if before is None:
        return "its digest does not match"
    return f"the digest of record {record.seq} does not follow from record {before.seq}"


def _print_record(envelope: codec.Envelope, record: ports.Stored, said: session.Session) -> None:
    body, digest = _as_json(envelope), record.digest.hex()
    if said.json:
        said.emit("journal.record", body | {"digest": digest})
        return
    who = f"{envelope.actor} ({envelope.role}{f', {envelope.tenant}' if envelope.tenant else ''})"
    click.echo(
        paper.facts(
            [
                ("record", record.seq),
                ("kind", f"{envelope.kind}, version {envelope.version}"),
                ("recorded", paper.moment(envelope.at)),
                ("command", f"{envelope.command_id}, event {envelope.place + 1} of {envelope.places}"),
                ("by", who),
                ("follows from", f"record {envelope.cause}" if envelope.cause else "nothing earlier"),
                ("digest", digest),
            ]
        )
    )
    click.echo(json.dumps(body["body"], indent=2, ensure_ascii=False))


def _as_json(envelope: codec.Envelope) -> dict[str, Any]:
    named = msgspec.structs.asdict(envelope)
    return named | {"body": json.loads(bytes(envelope.body))}


@journal_group.command(
    "tail", examples="forebay journal tail\nforebay journal tail -n 50 -f\nforebay journal tail --json"
)
@click.option(
    "-n", "lines", default=20, show_default=True, type=click.IntRange(min=0), help="How many records."
)
@click.option("-f", "--follow", is_flag=True, help="Go on with what is recorded from now on, until Ctrl-C.")
def _tail(lines: int, follow: bool) -> Status:
    """Print the last records, one a line.

    Each is held against the one before it; a break of the chain is told, and makes the exit status 1.
    """
    said = session.current()
    status = Status.OK
    with _opened(said) as reader:
        after = max(0, reader.head()[0] - lines)
        before = next(reader.read(after=after - 1, limit=1), None) if after else None
        while True:
            for record in reader.read(after=after):
                after = record.seq
                if wrong := _break(before, record):
                    said.warn(f"forebay: from here on the journal cannot be trusted: {wrong}")
                    status = Status.FAILED
                before = record
                envelope = codec.envelope(record)
                if said.json:
                    said.emit_line("journal.record", _as_json(envelope) | {"digest": record.digest.hex()})
                else:
                    click.echo(_line(envelope))
            if not follow:
                return status
            time.sleep(LOOK_S)


def _line(envelope: codec.Envelope) -> str:
    text = f"{envelope.seq:>7}  {paper.moment(envelope.at)}  {envelope.kind:<20}  "
    body = bytes(envelope.body).decode(errors="replace")
    room = max(20, paper.width() - len(text))
    return text + (body if len(body) <= room else body[: room - 3] + "...")

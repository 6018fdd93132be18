"""`forebay up`: a world from a folder of documents, told as it happens."""

from __future__ import annotations

import hashlib
import json
import signal
from pathlib import Path
from typing import Any

import click

from forebay.cli import apply, client, command, hosting, invoice, paper, places, scenario, session, story
from forebay.cli.failure import Failed, Status
from forebay.loop import clocks
from forebay.server import listening
from forebay.server.composition import Permissions

EXAMPLES = """
    forebay up examples/one_site                 run the example and watch it
    forebay up examples/one_site --fresh         from the start again; the old state is kept under another name
    forebay up my_site --stay                    serve until Ctrl-C
"""


@command.command("up", examples=EXAMPLES)
@click.argument("project", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="DIR")
@click.option("--fresh", is_flag=True, help="Begin anew; the state so far is moved aside, never deleted.")
@click.option("--stay", is_flag=True, help="When the scenario is over, go on serving until Ctrl-C.")
@click.option("--host", default="127.0.0.1", show_default=True, metavar="HOST", help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help="Port to listen on; 0 for any that is free.  [default: 8420]",
)
@click.option(
    "--tls-cert",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Certificate, to serve HTTPS.",
)
@click.option(
    "--tls-key", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE", help="Its key."
)
@click.option(
    "--tenant-programs",
    is_flag=True,
    help="Tenants may submit programs; they run as this user, who can read all of forebay's state.",
)
@click.option(
    "--keep-days",
    type=click.IntRange(1, listening.DAYS_MAX),
    metavar="DAYS",
    help="How long logs and checkpoints of a gang stay after its end.  [default: 14, or FOREBAY_KEEP_DAYS]",
)
def up_command(
    project: Path,
    fresh: bool,
    stay: bool,
    host: str,
    port: int | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    tenant_programs: bool,
    keep_days: int | None,
) -> int:
    """Start a world from a folder of documents, and tell what happens.

    Starts a server in this process, applies the *.yaml of the folder, plays its scenario.yaml if there is one and
    prints the invoices; without a scenario, or with --stay, it serves until Ctrl-C. Stopping asks all work to save
    and stop, and the same command goes on where it was. (SIGTERM ends forebay only; work goes on and is taken up
    again.) If the world is running already, its story is told here as well.
    """
    hosting.check_python()
    said = session.current()
    state = places.stated(said) or places.state_root() / project.resolve().name
    running = places.read_server(state)
    if running is not None and running.alive and not fresh:
        return _attach(said, running)
    places.refuse_remote(said, "this starts a server of its own")
    told = scenario.load(project / "scenario.yaml") if (project / "scenario.yaml").is_file() else None
    documents = apply.read(str(project))
    if fresh:
        aside = hosting.set_aside(state)
        if aside is not None:
            said.say(f"the state so far is kept in {aside}")
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    progress = scenario.Progress(state / "scenario.json", told) if told is not None else None
    if told is not None and told.as_of and not (state / "journal.sqlite").exists():
        clocks.shift(state / "clock.json", told.as_of)
    flags: list[tuple[str, object]] = [
        ("--state", said.state),
        ("--host", host if host != "127.0.0.1" else ""),
        ("--port", port),
    ]
    flags += [("--tls-cert", tls_cert), ("--tls-key", tls_key), ("--keep-days", keep_days)]
    words = [*hosting.start_command(project), *(f"{name} {value}" for name, value in flags if value)]
    again = " ".join([*words, "--tenant-programs"] if tenant_programs else words)
    if progress is not None and progress.finished and not stay:
        said.say(f"this story has been told to its end (its state is in {state})")
        said.say(f"  {again} --fresh    tells it again, from the start")
        said.say(f"  {again} --stay     serves what came of it")
        return Status.OK
    options = listening.Options(
        state,
        host,
        listening.PORT if port is None else port,
        project.resolve().name,
        tls_cert,
        tls_key,
        Permissions(tenant_programs=tenant_programs),
        keep_days or 0,
    )
    return _Session(said, project, options, progress, documents, again).run(stay, any_port=port is None)


class _Session:
    """One run of `forebay up` with a server of its own."""

    def __init__(
        self,
        said: session.Session,
        project: Path,
        options: listening.Options,
        progress: scenario.Progress | None,
        documents: list[dict[str, str]],
        again: str,
    ) -> None:
        self._said = said
        self._project = project
        self._options = options
        self._state = options.state
        self._progress = progress
        self._documents = documents
        self._again = again

    def run(self, stay: bool, *, any_port: bool) -> int:
        """Start, tell, and stop; the exit status."""
        since = hosting.last_record(self._state)
        certificate = str(self._options.tls_cert.resolve()) if self._options.tls_cert else ""
        interrupts = _Interrupts()
        told_to_the_end, leave = False, False
        try:
            host = hosting.Host(self._options, any_port=any_port)
            found: client.Client | None = None
            try:
                again = f"{self._again} --stay" if stay else self._again
                hosting.note(self._state, again, host.world, certificate)
                found = host.client(certificate)
                self._greet(host, since)
                teller = story.Teller(found, self._said, since, interrupts.recall)
                self._tell(teller, stay)
                told_to_the_end = True
            except KeyboardInterrupt as interrupt:
                told_to_the_end = self._progress is None or self._progress.finished
                leave = isinstance(interrupt, _Terminated)
            finally:
                if found is not None:
                    found.close()  # a connection that is kept would be waited for
                interrupts.quiet = True  # from here on, another one must not break into the stopping
                self._stop(host, leave, interrupts)
        finally:
            interrupts.restore()
        if not told_to_the_end:
            self._said.say(f"everything is kept; go on with: {self._again}")
            return Status.INTERRUPTED
        self._part(stay)
        return Status.OK

    def _greet(self, host: hosting.Host, since: int) -> None:
        said = self._said
        title = self._progress.scenario.title if self._progress is not None else ""
        said.say(f"{host.world}: {title}" if title else host.world)
        said.say(f"  listens on {host.address}")
        said.say(f"  state in   {self._state}")
        if since:
            said.say(f"  goes on after record {since}; what was running is taken up again")
        said.say("  Ctrl-C     stops it, and the same command goes on where it was")

    def _tell(self, teller: story.Teller, stay: bool) -> None:
        key = hashlib.sha256(json.dumps(self._documents).encode()).hexdigest()
        answer = teller.client.post("/v1/documents", {"documents": self._documents}, f"up-{key[:32]}")
        if not any(each["changed"] for each in answer["applied"]):
            self._said.say(f"  documents  {len(answer['applied'])} in {self._project}, all known already")
        self._said.say("")
        teller.listen(0)
        if self._progress is not None:
            if self._progress.other:
                self._said.say(
                    "scenario.yaml is not the one that was begun: it is played from its first step"
                )
            story.Player(teller, self._project, self._state / "engine", self._progress).play()
            _print_invoices(teller.client, self._said)
        if stay or self._progress is None:
            teller.say(f"Serving on {teller.client.address} until Ctrl-C.", "serving")
            while True:
                teller.listen(3600)

    def _stop(self, host: hosting.Host, leave: bool, interrupts: _Interrupts) -> None:
        """Stop the server, and the work unless it is to be left; another Ctrl-C does not wait for the work."""
        try:
            if leave:
                self._said.say("\nforebay ends; what runs goes on without it")
                return
            left = host.stop_work(
                lambda count: self._said.say(
                    f"\n{paper.count(count, 'gang')} {'is' if count == 1 else 'are'} asked to save and stop "
                    "(Ctrl-C again does not wait)"
                ),
                lambda: interrupts.hurry,
            )
            if left:
                self._said.say(f"{paper.count(left, 'gang')} still to stop: killed when the grace is over")
        finally:
            host.close()

    def _part(self, stay: bool) -> None:
        if self._progress is None:
            self._said.say(f"\nstopped; serve it again with: {self._again}")
            return
        program = self._again.split()[0]
        rows = [
            (f"{self._again} --stay", "serve it; then, in another terminal:"),
            *(_QUESTIONS_PLANNED if self._progress.scenario.as_of else _QUESTIONS_RUN),
            (f"{program} journal tail", "every record, with or without a server"),
            (f"{self._again} --fresh", "the same story from the start"),
        ]
        rows = [(left.replace("PROGRAM", program), right) for left, right in rows]
        size = max(len(left) for left, _ in rows)
        self._said.say("\nThat was the whole story. To look around in what came of it:")
        for left, right in rows[3:] if stay else rows:
            self._said.say(f"  {left:<{size}}  {right}")


_QUESTIONS_RUN = [
    ("  PROGRAM explain INV-000001:1", "what a line of an invoice rests on, down to the seconds"),
    ("  PROGRAM status", "what there is, and what it is used for"),
]
_QUESTIONS_PLANNED = [
    ("  PROGRAM capacity", "what there will be, what is promised, and what can still be promised"),
    ("  PROGRAM schedule", "every milestone, with its dates and how sure they are"),
]


class _Terminated(KeyboardInterrupt):
    """SIGTERM: as Ctrl-C, but work is left running, as whoever restarts a service expects."""


class _Interrupts:
    """The first SIGINT or SIGTERM is raised. What comes after it, or once `quiet` is set, only asks to hurry.

    An exception that is raised while Python runs a finalizer or a callback is printed and lost: whoever waits asks
    now and then (`recall`), and it is raised again.
    """

    def __init__(self) -> None:
        self.quiet = False
        self.hurry = False
        self._raised: type[KeyboardInterrupt] | None = None
        signals = (signal.SIGINT, signal.SIGTERM)
        self._before = [(number, signal.signal(number, self._handle)) for number in signals]

    def _handle(self, number: int, frame: object) -> None:
        if self.quiet:
            self.hurry = True
            return
        self.quiet = True
        self._raised = _Terminated if number == signal.SIGTERM else KeyboardInterrupt
        raise self._raised

    def recall(self) -> None:
        """Raise again what was raised before, and seems to have been lost."""
        if self._raised is not None:
            raise self._raised

    def restore(self) -> None:
        """As it was before."""
        for number, handler in self._before:
            signal.signal(number, handler)


def _print_invoices(found: client.Client, said: session.Session) -> None:
    for summary in found.pages("/v1/invoices"):
        body: dict[str, Any] = found.get(f"/v1/invoices/{client.escaped(summary['id'])}")
        if said.json:
            said.emit_line("invoice", body)
        else:
            click.echo(f"\n{invoice.invoice_text(body, said.colors())}")


def _attach(said: session.Session, running: places.Running) -> int:
    """Tell what happens in a world that runs already, without a hand in it."""
    said.say(
        f"{running.world} is running already (process {running.pid}, {running.address}): this only watches it"
    )
    said.say("  Ctrl-C ends the watching; the world goes on\n")
    found = (
        client.connect(said)
        if said.server
        else client.Client(running.address, _operator_token(running), running.certificate, own=True)
    )
    teller = story.Teller(found, said, int(found.get("/v1/journal/head")["seq"]))
    try:
        while True:
            teller.listen(3600)
    except KeyboardInterrupt:
        said.say("\nthe world goes on")
    except Failed as failed:
        if failed.status is not Status.NO_SERVER:
            raise
        said.say("the world has stopped")
    return Status.OK


def _operator_token(running: places.Running) -> str:
    try:
        return (running.folder / "operator.token").read_text(encoding="ascii").strip()
    except OSError as error:
        raise Failed(f"the token in {running.folder} cannot be read: {error.strerror}", Status.AUTH) from None

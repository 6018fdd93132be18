"""Where does forebay listen, and how is it started and stopped?

Loopback by default. Beyond loopback only with TLS: bearer tokens must not travel in the open. While it listens,
STATE/server.json says where, readable by its owner only.

    serve(options)    in the foreground, until SIGINT or SIGTERM
    start(options)    in this process, on a thread; `close` on what it returns
    spawn(options)    in the background, as a process of its own; returns when it answers
    stop(state)       stops the one in the background
"""

from __future__ import annotations

import contextlib
import datetime
import errno
import fcntl
import gc
import ipaddress
import os
import signal
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import uvicorn

from forebay.engines import retention
from forebay.server import app, auth, composition
from forebay.server.composition import Permissions, StartError

PORT = 8420
#: Longest that what a gang left can be kept, days: a hundred years.
DAYS_MAX = 36_500
#: New objects between two collections, and how many of these until one looks at older objects too (see `gc`).
COLLECT_AFTER = (20_000, 20, 50)
#: How long requests may take to end when it stops, seconds.
GRACE_S = 3
#: How long a server in the background may take to answer, or to end, seconds.
PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Options:
    """Process configuration; none of it reaches the World. Port 0 takes any that is free."""

    state: Path
    host: str = "127.0.0.1"
    port: int = PORT
    #: The name of a new World; one that exists keeps its own.
    world: str = ""
    tls_cert: Path | None = None
    tls_key: Path | None = None
    permissions: Permissions = Permissions()
    #: Days for which logs and checkpoints of a gang stay after its end; 0 for what the environment says.
    keep_days: int = 0


class Whereabouts(msgspec.Struct, frozen=True):
    """What server.json says."""

    address: str
    pid: int
    world: str
    #: RFC 3339.
    started: str


class Listener:
    """A forebay that listens."""

    def __init__(self, options: Options) -> None:
        self._state = options.state.absolute()
        #: Days for which logs and checkpoints of a gang stay after its end.
        self.keep_days = _keep_days(options, os.environ.get("FOREBAY_KEEP_DAYS", ""))
        binds = _binds(os.environ.get("FOREBAY_BINDING", ""))
        self._socket = _bind(options)
        try:
            self.forebay = composition.open_state(
                self._state, options.world, options.permissions, self.keep_days, binds=binds
            )
        except BaseException:
            self._socket.close()
            raise
        self._lock: int | None = _lock(self._state)
        config = uvicorn.Config(
            app.create(self.forebay), lifespan="off", log_config=None, access_log=False, server_header=False,
            timeout_graceful_shutdown=GRACE_S, ws="none",
            ssl_certfile=options.tls_cert, ssl_keyfile=options.tls_key,
        )  # fmt: skip
        self._server = uvicorn.Server(config)
        scheme = "https" if options.tls_cert else "http"
        host, port = self._socket.getsockname()[:2]
        self.address = f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"

    def run(self) -> None:
        """Serve until `stop` or, on the main thread, SIGINT or SIGTERM. Blocks; then all is closed."""
        try:
            with _signals(self.stop):
                _spare_what_stays()
                self._announce()
                self._server.run(sockets=[self._socket])
        finally:
            self.close()

    def stop(self) -> None:
        """Let `run` return soon. From any thread."""
        self._server.should_exit = True
        self.forebay.tail.wake()

    def close(self) -> None:
        """Let go of everything. Work goes on."""
        self._socket.close()
        if self._lock is not None:
            (self._state / "server.json").unlink(missing_ok=True)
            lock, self._lock = self._lock, None
            self.forebay.close()
            os.close(lock)

    @property
    def answers(self) -> bool:
        """Whether it takes requests."""
        return self._server.started

    def _announce(self) -> None:
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        written = Whereabouts(self.address, os.getpid(), self.forebay.world, now)
        auth.write_private(self._state / "server.json", msgspec.json.encode(written) + b"\n")


class Background:
    """A forebay in this process, on a thread of its own."""

    def __init__(self, running: Listener) -> None:
        self.running = running
        self.address = running.address
        self._thread = threading.Thread(target=running.run, name="http", daemon=True)
        self._thread.start()
        until = time.monotonic() + PATIENCE_S
        while not running.answers:
            if not self._thread.is_alive() or time.monotonic() > until:
                running.stop()
                raise StartError("the HTTP server did not start; its log says more")
            time.sleep(0.01)

    def close(self) -> None:
        """Stop it. Work goes on."""
        self.running.stop()
        self._thread.join()


def serve(options: Options) -> None:
    """Serve in the foreground. Raises `StartError`, `auth.AuthError`, `ports.JournalError`, OSError."""
    Listener(options).run()


def start(options: Options) -> Background:
    """Serve from a thread of this process; when it returns, requests are answered. Raises as `serve`."""
    return Background(Listener(options))


def spawn(options: Options) -> Whereabouts:
    """Serve from a process of its own that outlives this one. Raises `StartError` with what it said.

    Its log is STATE/server.log.
    """
    state = options.state.absolute()
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    log = os.open(state / "server.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        begun = os.fstat(log).st_size
        pid = os.posix_spawn(
            sys.executable,
            [sys.executable, "-P", "-m", "forebay.server", *_arguments(options)],
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, log, 1),
                (os.POSIX_SPAWN_DUP2, log, 2),
            ],
            setsid=True,
        )
    finally:
        os.close(log)
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        found = whereabouts(state)
        if found is not None and found.pid == pid:
            return found
        if os.waitpid(pid, os.WNOHANG) != (0, 0):
            said = (state / "server.log").read_bytes()[begun:].decode(errors="replace").strip()
            raise StartError(said.splitlines()[-1].removeprefix("forebay: ") if said else "it ended at once")
        time.sleep(0.05)
    raise StartError(f"it did not answer in {PATIENCE_S:.0f} s; see {state / 'server.log'}")


def stop(state: Path) -> bool:
    """Stop the server of this state folder and wait until it has; False when none runs."""
    found = whereabouts(state)
    if found is None:
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(found.pid, signal.SIGTERM)
    until = time.monotonic() + PATIENCE_S
    while _alive(state):
        if time.monotonic() > until:
            raise StartError(f"process {found.pid} did not end in {PATIENCE_S:.0f} s")
        time.sleep(0.05)
    return True


def whereabouts(state: Path) -> Whereabouts | None:
    """Where the server of this state folder listens; None when none does. What a killed one left does not count."""
    with contextlib.suppress(OSError, msgspec.DecodeError):
        if _alive(state):
            return msgspec.json.decode((state / "server.json").read_bytes(), type=Whereabouts)
    return None


def _alive(state: Path) -> bool:
    """Whether a server holds the lock, also one that has stopped listening and still closes.

    A process id would say little, since it is used again; the lock goes with the process that holds it.
    """
    handle = os.open(state / "server.lock", os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def _lock(state: Path) -> int:
    """Held as long as the server lives: `whereabouts` asks for it."""
    handle = os.open(state / "server.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(handle, fcntl.LOCK_EX)  # nobody holds it for longer than it takes to ask
    return handle


def _spare_what_stays() -> None:
    """Let the garbage collector pass over what was read at the start, and look for cycles less often.

    The World is one large heap that stays: to go through it again and again took a sixth of each request.
    """
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


def _keep_days(options: Options, said: str) -> int:
    """Days for which logs and checkpoints of a gang stay after its end: the option's, else those that the environment
    says. Raises `StartError`.
    """
    if not 0 <= options.keep_days <= DAYS_MAX:
        raise StartError(f"--keep-days is {options.keep_days}: from 1 to {DAYS_MAX} is meant")
    if options.keep_days:
        return options.keep_days
    if not said:
        return retention.KEEP_DAYS
    if not (said.isascii() and said.isdigit() and 0 < int(said) <= DAYS_MAX):
        raise StartError(
            f"FOREBAY_KEEP_DAYS is {said!r}: a whole number of days, from 1 to {DAYS_MAX}, is meant"
        )
    return int(said)


def _binds(said: str) -> bool:
    """Whether racks are planned without being asked for. Raises `StartError`."""
    if said not in ("", "auto", "manual"):
        raise StartError(f"FOREBAY_BINDING is {said!r}: auto or manual is meant")
    return said != "manual"


def _bind(options: Options) -> socket.socket:
    """A listening socket. Raises `StartError` for what must not be, or cannot."""
    if (options.tls_cert is None) is not (options.tls_key is None):
        raise StartError("--tls-cert and --tls-key go together")
    if options.tls_cert is not None:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(options.tls_cert, options.tls_key)
        except OSError as error:  # an SSLError is one
            raise StartError(f"the certificate or its key cannot be used: {error}") from None
    if not 0 <= options.port < 1 << 16:
        raise StartError(f"{options.port} is no port: from 0 (any that is free) to 65535 is meant")
    try:
        family, _, _, _, where = socket.getaddrinfo(options.host, options.port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise StartError(f"{options.host!r} is no address to listen on: {error}") from None
    if not ipaddress.ip_address(where[0]).is_loopback and options.tls_cert is None:
        raise StartError(
            f"{options.host} can be reached from other machines: give --tls-cert and --tls-key, so that tokens "
            "do not travel in the open, or listen on 127.0.0.1"
        )
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(where)
        bound.listen(512)
    except OSError as error:
        bound.close()
        if error.errno == errno.EADDRINUSE:
            raise StartError(
                f"port {options.port} on {options.host} is in use: stop what listens there, or choose another "
                "with --port"
            ) from None
        raise StartError(f"cannot listen on {options.host}:{options.port}: {error.strerror}") from None
    return bound


@contextlib.contextmanager
def _signals(stop: Callable[[], None]) -> Iterator[None]:
    """On the main thread, SIGINT and SIGTERM stop it, from before it is known until all is closed.

    uvicorn puts its own handlers in place while it serves, and raises what it caught once more when it has ended.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    both = (signal.SIGINT, signal.SIGTERM)
    before = {each: signal.signal(each, lambda *_: stop()) for each in both}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _arguments(options: Options) -> list[str]:
    words = ["--state", str(options.state.absolute()), "--host", options.host, "--port", str(options.port)]
    words += ["--world", options.world] if options.world else []
    if options.tls_cert and options.tls_key:
        words += [
            "--tls-cert",
            str(options.tls_cert.absolute()),
            "--tls-key",
            str(options.tls_key.absolute()),
        ]
    words += ["--keep-days", str(options.keep_days)] if options.keep_days else []
    return [*words, "--tenant-programs"] if options.permissions.tenant_programs else words

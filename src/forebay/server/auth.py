"""Who asks? Bearer tokens, of which only digests are kept.

    STATE/tokens.json      {"format": 1, "tokens": [{"id", "sha256", "actor", "role", "tenant"}]}, mode 0600
    STATE/operator.token   the operator's own token, in plain, mode 0600: for the command line on this machine

The file is read again whenever it changes, so that `add` and `revoke` from another process take effect at once. It is
refused when others than its owner could read it.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import hmac
import os
import secrets
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec

from forebay.core import ids

#: Roles that a token may have. Edges and the clock are parts of forebay itself.
ROLES = (ids.Role.OPERATOR, ids.Role.FINANCE, ids.Role.TENANT, ids.Role.METER)
PREFIX = "forebay_"


class AuthError(Exception):
    """The token file cannot be trusted, or a token cannot be made; the message says why."""


class Token(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One token: who its bearer is, and the SHA-256 of what is borne."""

    #: Names it, to revoke it; not secret.
    id: str
    sha256: str
    #: Opaque: never a person's name.
    actor: str
    role: ids.Role
    tenant: str = ""

    @property
    def principal(self) -> ids.Principal:
        """Its bearer."""
        return ids.Principal(self.actor, self.role, ids.TenantId(self.tenant))


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    tokens: tuple[Token, ...] = ()
    format: int = 1


class Tokens:
    """The tokens of one state folder. Safe to use from any thread and beside other processes."""

    def __init__(self, state: Path) -> None:
        self._path = state / "tokens.json"
        self._lock = threading.Lock()
        self._stamp: tuple[int, ...] = ()
        self._tokens: tuple[Token, ...] = ()

    def principal(self, presented: str) -> ids.Principal | None:
        """Who bears this token, None when nobody does. Raises `AuthError`."""
        digest = _digest(presented)
        found: ids.Principal | None = None
        # Every one is compared, in constant time: how long it takes says nothing about any of them.
        for token in self.known():
            if hmac.compare_digest(token.sha256, digest):
                found = token.principal
        return found

    def known(self) -> tuple[Token, ...]:
        """Every token, read again if the file has changed. Raises `AuthError`."""
        with self._lock:
            try:
                status = self._path.stat()
            except FileNotFoundError:
                self._stamp, self._tokens = (), ()
                return ()
            if status.st_mode & 0o077:
                raise AuthError(f"{self._path} can be read by others: chmod 600 it, and make new tokens")
            stamp = (status.st_mtime_ns, status.st_ino, status.st_size, status.st_ctime_ns)
            if stamp != self._stamp:
                self._tokens = self._read()
                self._stamp = stamp
            return self._tokens

    def add(self, role: ids.Role, actor: str, tenant: str = "") -> tuple[Token, str]:
        """Make a token; the second value is its plain text, which is kept nowhere. Raises `AuthError`."""
        if role not in ROLES:
            raise AuthError(f"a token cannot have the role {role}: one of {', '.join(ROLES)}")
        if (role is ids.Role.TENANT) is not bool(tenant):
            raise AuthError("a tenant's token names its tenant, and no other does")
        for name in (actor, tenant) if tenant else (actor,):
            if not ids.valid_name(name):
                raise AuthError(f"{name!r} is not a name: {ids.NAME_RULE}")
        if "." in tenant:
            raise AuthError(f"{tenant!r} is not the name of a tenant: no '.' may stand in it")
        plain = PREFIX + secrets.token_urlsafe(32)
        made = Token(secrets.token_hex(4), _digest(plain), actor, role, tenant)
        with self._changing() as tokens:
            self._write((*tokens, made))
        return made, plain

    def revoke(self, token_id: str) -> Token:
        """Take a token away. Raises `AuthError` when there is none of that id."""
        with self._changing() as tokens:
            gone = next((token for token in tokens if token.id == token_id), None)
            if gone is None:
                raise AuthError(f"there is no token {token_id}")
            self._write(tuple(token for token in tokens if token.id != token_id))
        return gone

    def first_operator(self) -> Path:
        """Where the operator's own token is; it is made when there is no token at all yet. Raises `AuthError`."""
        path = self._path.with_name("operator.token")
        if not self.known():
            _, plain = self.add(ids.Role.OPERATOR, "operator")
            write_private(path, (plain + "\n").encode())
        return path

    @contextlib.contextmanager
    def _changing(self) -> Iterator[tuple[Token, ...]]:
        handle = os.open(self._path.with_name("tokens.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield self.known()
        finally:
            os.close(handle)

    def _write(self, tokens: tuple[Token, ...]) -> None:
        write_private(self._path, msgspec.json.format(msgspec.json.encode(_File(tokens))) + b"\n")

    def _read(self) -> tuple[Token, ...]:
        try:
            file = msgspec.json.decode(self._path.read_bytes(), type=_File)
        except (msgspec.MsgspecError, OSError, UnicodeDecodeError) as error:
            raise AuthError(f"{self._path} cannot be read: {error}") from None
        if file.format != 1 or any(token.role not in ROLES for token in file.tokens):
            raise AuthError(f"{self._path} is not as this forebay writes it")
        return file.tokens


def write_private(path: Path, data: bytes) -> None:
    """Put a file in place as a whole, readable by its owner only."""
    new = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}.new")
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, path)
    except BaseException:
        with contextlib.suppress(OSError):
            new.unlink()
        raise


def bearer(header: str) -> str:
    """The token in an Authorization header, "" when there is none."""
    scheme, _, token = header.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _digest(plain: str) -> str:
    return hashlib.sha256(plain.encode("utf-8", "surrogateescape")).hexdigest()

"""How does a command talk to a server? HTTP and JSON over the standard library, since a command must start fast.

Every POST carries an idempotency key, so that it can be sent again when the connection breaks before the answer.
"""

from __future__ import annotations

import http.client
import json
import os
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote, urlencode, urlsplit

from forebay.cli import places
from forebay.cli.failure import Failed, Status, status_of_refusal
from forebay.cli.session import Session

TIMEOUT_S = 30.0


class Client:
    """One server, as one principal. Not for use from several threads."""

    def __init__(
        self,
        address: str,
        token: str,
        certificate: str = "",
        timeout_s: float = TIMEOUT_S,
        *,
        own: bool = False,
    ) -> None:
        self.address = address.rstrip("/")
        #: Whether we are the operator of a server on this very machine, who may name folders on it.
        self.own = own
        self._token = token
        self._certificate = certificate
        self._timeout_s = timeout_s
        self._connection: http.client.HTTPConnection | None = None

    def get(self, path: str, **query: object) -> Any:
        """The JSON that a path answers with. Raises `Failed`."""
        asked = {name: value for name, value in query.items() if value not in (None, "")}
        return self._ask("GET", path + (f"?{urlencode(asked)}" if asked else ""), b"", {})

    def pages(self, path: str, most: int = 0, **query: object) -> list[dict[str, Any]]:
        """The items of all pages, or at most `most` of them."""
        items: list[dict[str, Any]] = []
        cursor = ""
        while True:
            page = self.get(path, cursor=cursor, **query)
            items += page["items"]
            cursor = page.get("next_cursor") or ""
            if not cursor or (most and len(items) >= most):
                return items[:most] if most else items

    def post(self, path: str, body: dict[str, Any], key: str = "") -> Any:
        """Ask for something; with the same key it is done once, however often it is asked."""
        headers = {"Content-Type": "application/json", "Idempotency-Key": key or os.urandom(16).hex()}
        return self._ask("POST", path, json.dumps(body).encode(), headers)

    def send(self, path: str, data: bytes, media_type: str) -> Any:
        """Post a body of another type than JSON's own."""
        return self._ask("POST", path, data, {"Content-Type": media_type})

    def download(self, path: str, file: BinaryIO, **query: object) -> None:
        """Write what a path answers with to a file as it comes. Raises `Failed`, also where it breaks off."""
        asked = {name: value for name, value in query.items() if value not in (None, "")}
        self.close()  # a kept connection that the server closed meanwhile would look like one that breaks off
        self._connection = self._connect()
        headers = {"Authorization": f"Bearer {self._token}"}
        try:
            self._connection.request("GET", path + (f"?{urlencode(asked)}" if asked else ""), None, headers)
            response = self._connection.getresponse()
            if response.status >= 400:
                self._read(response.status, response.read())
            while piece := response.read(1 << 20):
                file.write(piece)
        except (OSError, http.client.HTTPException) as error:
            raise self._nobody(error) from None
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _ask(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Any:
        headers = headers | {"Accept": "application/json", "Authorization": f"Bearer {self._token}"}
        for last_try in (False, True):
            try:
                if self._connection is None:
                    self._connection = self._connect()
                self._connection.request(method, path, body or None, headers)
                response = self._connection.getresponse()
                return self._read(response.status, response.read())
            except ConnectionRefusedError as error:
                self.close()
                raise self._nobody(error) from None
            except (OSError, http.client.HTTPException) as error:
                # A kept connection that the server closed meanwhile, or one that broke: the key makes it safe.
                self.close()
                if last_try:
                    raise self._nobody(error) from None
        raise AssertionError("the second try returns or raises")

    def _connect(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Failed(
                f"{self.address!r} is not the address of a server",
                Status.USAGE,
                hint=f"An address looks like {places.EXAMPLE}",
            )
        if parts.scheme == "http":
            return http.client.HTTPConnection(parts.hostname, parts.port, timeout=self._timeout_s)
        import ssl

        trusted = ssl.create_default_context()
        if self._certificate:
            trusted.load_verify_locations(self._certificate)
        return http.client.HTTPSConnection(
            parts.hostname, parts.port, timeout=self._timeout_s, context=trusted
        )

    def _nobody(self, error: Exception) -> Failed:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        hint = "Start it: forebay up DIR (for example examples/one_site)"
        if "certificate" in str(error).lower():
            hint = "Name the certificate to trust in SSL_CERT_FILE."
        return Failed(
            f"the server at {self.address} does not answer: {reason}",
            Status.NO_SERVER,
            hint=hint,
            code="no_server",
        )

    def _read(self, status: int, data: bytes) -> Any:
        try:
            body = json.loads(data) if data else {}
        except ValueError:
            raise Failed(
                f"what answers at {self.address} is not forebay (HTTP status {status})", Status.NO_SERVER
            ) from None
        if status < 400:
            return body
        told = body if isinstance(body, dict) else {}
        code = str(told.get("code") or "")
        detail = str(told.get("detail") or told.get("title") or f"HTTP status {status}")
        outcome = status_of_refusal(code, status)
        hint = (
            "A token is read from --token-file, FOREBAY_TOKEN_FILE or the state folder."
            if status == 401
            else ""
        )
        if "applied" in told and not hint:
            # Of documents: what came before the one that was refused.
            names = [f"{each['kind']} {each['id']}" for each in told["applied"]]
            hint = f"Applied before it: {', '.join(names)}." if names else "Nothing was applied."
        errors = told.get("errors")
        listed = errors if isinstance(errors, list) else []
        raise Failed(detail, outcome, hint=hint, code=code, errors=listed, body=told)


def escaped(part: str) -> str:
    """A part of a path."""
    return quote(part, safe="")


def connect(said: Session, timeout_s: float = TIMEOUT_S) -> Client:
    """The server that is meant (see `places`). Raises `Failed`."""
    address = said.server or os.environ.get("FOREBAY_SERVER", "")
    running: places.Running | None = None
    if not address:
        running = places.find_running(said)
        address = running.address
    elif (folder := places.stated(said)) is not None:
        running = places.read_server(folder)
    else:
        known = [found for path in places.worlds() if (found := places.read_server(path)) is not None]
        running = next((found for found in known if found.address.rstrip("/") == address.rstrip("/")), None)
    certificate = running.certificate if running is not None else ""
    own = running is not None and not _token_file(said)
    return Client(address, _token(said, running), certificate, timeout_s, own=own)


def _token_file(said: Session) -> str:
    return said.token_file or os.environ.get("FOREBAY_TOKEN_FILE", "")


def _token(said: Session, running: places.Running | None) -> str:
    named = _token_file(said)
    if not named and running is None:
        raise Failed(
            "no token for this server",
            Status.AUTH,
            hint="Name a file that holds one: --token-file FILE. An operator makes them (`forebay token create`).",
            code="no_token",
        )
    path = Path(named).expanduser() if named or running is None else running.folder / "operator.token"
    try:
        token = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise Failed(
            f"the token in {path} cannot be read: {error.strerror}", Status.AUTH, code="no_token"
        ) from None
    if not token or not token.isascii() or not token.isprintable():
        raise Failed(f"{path} holds no token", Status.AUTH, code="no_token")
    return token

"""The client keeps its connection, and asks again with the same key when it breaks."""

import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from forebay.cli import client
from forebay.cli.failure import Failed, Status


class Server(http.server.ThreadingHTTPServer):
    """Answers from a list; an answer of None breaks the connection."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[tuple[int, Any] | None] = []
        self.heard: list[tuple[str, str, str | None]] = []


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.heard.append((self.command, self.path, self.headers.get("Idempotency-Key")))
        answer = self.server.answers.pop(0)
        if answer is None:
            self.close_connection = True
            return
        data = answer[1] if isinstance(answer[1], bytes) else json.dumps(answer[1]).encode()
        self.send_response(answer[0])
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_POST = do_GET  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.fixture
def asking(server: Server) -> Iterator[client.Client]:
    made = client.Client(f"http://127.0.0.1:{server.server_address[1]}/", "t")
    yield made
    made.close()


def test_a_broken_connection_is_tried_again_with_the_same_key(server: Server, asking: client.Client) -> None:
    server.answers = [None, (200, {"ok": True})]
    assert asking.post("/v1/x", {}) == {"ok": True}
    (_, _, first), (_, _, second) = server.heard
    assert first == second
    assert first


def test_twice_broken_is_no_server(server: Server, asking: client.Client) -> None:
    server.answers = [None, None]
    with pytest.raises(Failed) as failed:
        asking.get("/v1/x")
    assert failed.value.status is Status.NO_SERVER


def test_pages(server: Server, asking: client.Client) -> None:
    one = {"items": [{"n": 1}, {"n": 2}], "next_cursor": "c"}
    two = {"items": [{"n": 3}], "next_cursor": None}
    server.answers = [(200, one), (200, two), (200, one)]
    assert asking.pages("/v1/x", tenant="a", phase=None) == [{"n": 1}, {"n": 2}, {"n": 3}]
    assert [path for _, path, _ in server.heard] == ["/v1/x?tenant=a", "/v1/x?cursor=c&tenant=a"]
    assert asking.pages("/v1/x", 1) == [{"n": 1}]


def test_a_problem(server: Server, asking: client.Client) -> None:
    server.answers = [(409, {"code": "oversold", "detail": "too much", "errors": [{"detail": "too much"}]})]
    with pytest.raises(Failed) as failed:
        asking.get("/v1/x")
    assert (failed.value.status, failed.value.code) == (Status.INFEASIBLE, "oversold")
    assert failed.value.lines() == ["forebay: too much"]


def test_somebody_else_who_answers(server: Server, asking: client.Client) -> None:
    server.answers = [(200, b"<html>")]
    with pytest.raises(Failed, match="is not forebay"):
        asking.get("/v1/x")

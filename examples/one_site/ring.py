"""Adding up a vector over several processes: a ring all-reduce over TCP sockets.

All ranks stand in a circle; each sends to the next one and receives from the one before. Nothing here knows what is
added up: `train.py` sends gradients.
"""

import contextlib
import json
import select
import socket
import time

import numpy as np

#: A peer that says nothing for so long is as good as lost.
TIMEOUT_S = 30

Address = tuple[str, int]


class Ring:
    """Rank `rank` of `ranks`. They find each other at `master`, where rank 0 listens until all are there.

    Everything raises OSError, and soon, once a peer is lost.
    """

    def __init__(self, rank: int, ranks: int, master: Address) -> None:
        self._rank, self._ranks = rank, ranks
        if ranks == 1:
            return
        # 1. Everybody listens somewhere; rank 0 collects where, and tells everybody.
        listener, addresses = host(ranks, master) if rank == 0 else join(rank, master)
        # 2. Connect to the next, accept the one before.
        with listener:
            self._next = socket.create_connection(addresses[(rank + 1) % ranks], TIMEOUT_S)
            listener.settimeout(TIMEOUT_S)
            self._before, _ = listener.accept()
        for peer in (self._next, self._before):
            peer.setblocking(False)
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def close(self) -> None:
        """Let go of the neighbours, who then fail."""
        if self._ranks > 1:
            self._next.close()
            self._before.close()

    def all_reduce(self, values: np.ndarray) -> np.ndarray:
        """The sum of every rank's `values`, the same to the last bit on all of them.

        Ring all-reduce: each rank sends and receives 2 (n - 1) / n of the vector, however many ranks there are.
        Patarasuk and Yuan, "Bandwidth optimal all-reduce algorithms for clusters of workstations", 2009.
        """
        rank, ranks = self._rank, self._ranks
        parts = np.array_split(values.astype(np.float64), ranks)
        # Reduce-scatter: after n - 1 turns, part rank + 1 is summed here, in the order of the ring.
        for turn in range(ranks - 1):
            into = (rank - turn - 1) % ranks
            parts[into] = parts[into] + self._exchange(parts[(rank - turn) % ranks], parts[into].size)
        # All-gather: the finished parts go round; nobody adds anything up again, so all get the same bits.
        for turn in range(ranks - 1):
            into = (rank - turn) % ranks
            parts[into] = self._exchange(parts[(rank - turn + 1) % ranks], parts[into].size)
        return np.concatenate(parts)

    def _exchange(self, part: np.ndarray, size: int) -> np.ndarray:
        """Send `part` on while `size` numbers come in; both at once, or a full ring would wait for itself."""
        outgoing, incoming = memoryview(part.tobytes()), bytearray()
        while outgoing or len(incoming) < size * 8:
            readable, writable, _ = select.select(
                [self._before] if len(incoming) < size * 8 else [],
                [self._next] if outgoing else [],
                [],
                TIMEOUT_S,
            )
            if not readable and not writable:
                raise TimeoutError(f"a neighbour was silent for {TIMEOUT_S} s")
            if writable:
                outgoing = outgoing[self._next.send(outgoing) :]
            if readable:
                data = self._before.recv(size * 8 - len(incoming))
                if not data:
                    raise ConnectionError("a neighbour is gone")
                incoming += data
        return np.frombuffer(bytes(incoming))


def host(ranks: int, master: Address) -> tuple[socket.socket, list[Address]]:
    """Rank 0: wait until everybody has said where it listens, and tell everybody."""
    listener = socket.create_server((master[0], 0))
    addresses = {0: listener.getsockname()}
    with contextlib.ExitStack() as open_peers, socket.create_server(master) as server:
        server.settimeout(TIMEOUT_S)
        peers: list[socket.socket] = []
        while len(peers) < ranks - 1:
            peer = open_peers.enter_context(server.accept()[0])
            peer.settimeout(TIMEOUT_S)
            rank, address = json.loads(peer.makefile().readline())
            addresses[rank] = tuple(address)
            peers.append(peer)
        everybody = [addresses[rank] for rank in range(ranks)]
        for peer in peers:
            peer.sendall(json.dumps(everybody).encode() + b"\n")
    return listener, everybody


def join(rank: int, master: Address) -> tuple[socket.socket, list[Address]]:
    """The others: say where we listen, and hear where everybody does."""
    with connect_patiently(master) as rank_0, contextlib.ExitStack() as if_it_fails:
        listener = if_it_fails.enter_context(socket.create_server((rank_0.getsockname()[0], 0)))
        rank_0.sendall(json.dumps([rank, listener.getsockname()]).encode() + b"\n")
        answer = rank_0.makefile().readline()
        if not answer:
            raise ConnectionError("rank 0 is gone")
        if_it_fails.pop_all()
    return listener, [tuple(address) for address in json.loads(answer)]


def connect_patiently(address: Address) -> socket.socket:
    """Connect to rank 0, which may not listen yet."""
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        try:
            return socket.create_connection(address, TIMEOUT_S)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)

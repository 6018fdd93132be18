"""Data-parallel training on several processes, small enough to read: numpy and sockets.

Each rank computes gradients on its share of every batch; a ring all-reduce over TCP adds them up, so that all ranks
take the same step. It is what large training jobs do, without the GPUs, and it behaves as they should: it checkpoints
while it runs, resumes where it was (also with another number of ranks), stops cleanly when asked, and fails at once
when a rank is lost.

    RANK=0 WORLD_SIZE=1 python train.py --steps 400

With more ranks, start one process for each, with MASTER_ADDR and MASTER_PORT; forebay sets all of them.
"""

import argparse
import contextlib
import hashlib
import json
import math
import os
import select
import signal
import socket
import sys
import time

import numpy as np

RANK = int(os.environ.get("RANK", "0"))
RANKS = int(os.environ.get("WORLD_SIZE", "1"))
MASTER = (os.environ.get("MASTER_ADDR", "127.0.0.1"), int(os.environ.get("MASTER_PORT", "29500")))
CHECKPOINTS = os.environ.get("FOREBAY_CHECKPOINT_DIR", "")
#: A peer that says nothing for so long is as good as lost.
TIMEOUT_S = 30

SEED = 1
SHAPES = [(2, 48), (48,), (48, 48), (48,), (48, 2), (2,)]
SIZE = sum(math.prod(shape) for shape in SHAPES)
LEARNING_RATE = 0.005


class Ring:
    """All ranks in a circle: each sends to the next one and receives from the one before."""

    def __init__(self) -> None:
        if RANKS == 1:
            return
        # 1. Everybody listens somewhere; rank 0 collects where, and tells everybody.
        listener, addresses = self._host() if RANK == 0 else self._join()
        # 2. Connect to the next, accept the one before.
        with listener:
            self._next = socket.create_connection(addresses[(RANK + 1) % RANKS], TIMEOUT_S)
            listener.settimeout(TIMEOUT_S)
            self._before, _ = listener.accept()
        for peer in (self._next, self._before):
            peer.setblocking(False)
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _host(self) -> tuple[socket.socket, list[tuple[str, int]]]:
        listener = socket.create_server((MASTER[0], 0))
        addresses = {0: listener.getsockname()}
        with contextlib.ExitStack() as open_peers, socket.create_server(MASTER) as server:
            server.settimeout(TIMEOUT_S)
            peers: list[socket.socket] = []
            while len(peers) < RANKS - 1:
                peer = open_peers.enter_context(server.accept()[0])
                peer.settimeout(TIMEOUT_S)
                rank, address = json.loads(peer.makefile().readline())
                addresses[rank] = tuple(address)
                peers.append(peer)
            everybody = [addresses[rank] for rank in range(RANKS)]
            for peer in peers:
                peer.sendall(json.dumps(everybody).encode() + b"\n")
        return listener, everybody

    def _join(self) -> tuple[socket.socket, list[tuple[str, int]]]:
        with connect_patiently(MASTER) as master:
            listener = socket.create_server((master.getsockname()[0], 0))
            master.sendall(json.dumps([RANK, listener.getsockname()]).encode() + b"\n")
            answer = master.makefile().readline()
        if not answer:
            raise ConnectionError("rank 0 is gone")
        return listener, [tuple(address) for address in json.loads(answer)]

    def all_reduce(self, values: np.ndarray) -> np.ndarray:
        """The sum of every rank's `values`, the same to the last bit on all of them.

        Ring all-reduce: each rank sends and receives 2 (n - 1) / n of the vector, however many ranks there are.
        Patarasuk and Yuan, "Bandwidth optimal all-reduce algorithms for clusters of workstations", 2009.
        """
        parts = np.array_split(values.astype(np.float64), RANKS)
        # Reduce-scatter: after n - 1 turns, part RANK + 1 is summed here, in the order of the ring.
        for turn in range(RANKS - 1):
            received = (RANK - turn - 1) % RANKS
            parts[received] = parts[received] + self._exchange(
                parts[(RANK - turn) % RANKS], parts[received].size
            )
        # All-gather: the finished parts go round; nobody adds anything up again, so all get the same bits.
        for turn in range(RANKS - 1):
            received = (RANK - turn) % RANKS
            parts[received] = self._exchange(parts[(RANK - turn + 1) % RANKS], parts[received].size)
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


def connect_patiently(address: tuple[str, int]) -> socket.socket:
    """Connect to rank 0, which may not listen yet."""
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        try:
            return socket.create_connection(address, TIMEOUT_S)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def two_spirals(count: int = 2000) -> tuple[np.ndarray, np.ndarray]:
    """Points on two spirals that wind around each other, and which spiral each is on."""
    dice = np.random.default_rng(SEED)
    label = np.arange(count) % 2
    turn = np.sqrt(dice.random(count)) * 1.5 * 2 * np.pi
    angle = turn + label * np.pi
    points = np.stack([np.cos(angle), np.sin(angle)], axis=1) * (turn / 8)[:, None]
    return points + dice.normal(0, 0.02, points.shape), label


def layers(vector: np.ndarray) -> list[np.ndarray]:
    """The weights and biases that a flat vector holds."""
    ends = np.cumsum([math.prod(shape) for shape in SHAPES])
    return [part.reshape(shape) for part, shape in zip(np.split(vector, ends[:-1]), SHAPES, strict=True)]


def first_weights() -> np.ndarray:
    """Random weights, no biases."""
    dice = np.random.default_rng(SEED)
    return np.concatenate(
        [dice.normal(0, shape[0] ** -0.5 if len(shape) == 2 else 0, math.prod(shape)) for shape in SHAPES]
    )


def gradient(weights: np.ndarray, points: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, float, int]:
    """Gradient of the summed cross-entropy, that sum, and how many points are classified rightly."""
    w1, b1, w2, b2, w3, b3 = layers(weights)
    hidden1 = np.tanh(points @ w1 + b1)
    hidden2 = np.tanh(hidden1 @ w2 + b2)
    scores = hidden2 @ w3 + b3
    scores -= scores.max(axis=1, keepdims=True)
    chances = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    rows = np.arange(len(label))
    loss = -np.log(chances[rows, label] + 1e-12).sum()
    slope = chances.copy()
    slope[rows, label] -= 1
    slope2 = (slope @ w3.T) * (1 - hidden2**2)
    slope1 = (slope2 @ w2.T) * (1 - hidden1**2)
    parts = [
        points.T @ slope1,
        slope1.sum(0),
        hidden1.T @ slope2,
        slope2.sum(0),
        hidden2.T @ slope,
        slope.sum(0),
    ]
    return np.concatenate([part.ravel() for part in parts]), loss, int((scores.argmax(axis=1) == label).sum())


def load() -> np.ndarray:
    """Step, weights, and the optimizer's two moments, from the checkpoint or from the start."""
    path = os.path.join(CHECKPOINTS, "checkpoint.npy")
    if CHECKPOINTS and os.path.exists(path):
        loaded: np.ndarray = np.load(path)
        return loaded
    return np.concatenate([[0], first_weights(), np.zeros(2 * SIZE)])


def save(state: np.ndarray) -> None:
    """Write the checkpoint so that a crash leaves the old one or the new one."""
    if not CHECKPOINTS:
        return
    path = os.path.join(CHECKPOINTS, "checkpoint.npy")
    with open(path + ".tmp", "wb") as file:
        np.save(file, state)
        file.flush()
        os.fsync(file.fileno())
    os.rename(path + ".tmp", path)
    folder = os.open(CHECKPOINTS, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


def say(text: str) -> None:
    """A line in the log, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def train(options: argparse.Namespace) -> None:
    """Train until steps or seconds are used up, or somebody asks to stop. Raises OSError if a rank is lost."""
    stop_asked = False

    def on_sigterm(*_: object) -> None:
        nonlocal stop_asked
        stop_asked = True

    signal.signal(signal.SIGTERM, on_sigterm)
    ring = Ring()
    # Only rank 0 reads the checkpoint; the others add zeros to it, which hands it to them.
    state = ring.all_reduce(load() if RANK == 0 else np.zeros(1 + 3 * SIZE))
    step = int(state[0])
    if RANK == 0 and step:
        say(f"resumed from step {step} with {RANKS} ranks")
    _, weights, mean, square = np.split(state, [1, 1 + SIZE, 1 + 2 * SIZE])
    points, label = two_spirals()
    began = saved = told = time.monotonic()
    told_step, stop = step, False
    while step < options.steps and not stop:
        # The batch depends on the step alone, and is dealt out to however many ranks there are.
        batch = np.random.default_rng([SEED, step]).integers(len(label), size=options.batch)[RANK::RANKS]
        slopes, loss, right = gradient(weights, points[batch], label[batch])
        out_of_time = options.seconds > 0 and time.monotonic() - began >= options.seconds
        total = ring.all_reduce(np.concatenate([slopes, [loss, right, stop_asked or out_of_time]]))
        slopes, (loss, right, votes) = total[:SIZE] / options.batch, total[SIZE:]
        step += 1
        # The optimizer is Adam: Kingma and Ba, 2015.
        mean = 0.9 * mean + 0.1 * slopes
        square = 0.999 * square + 0.001 * slopes**2
        weights = weights - LEARNING_RATE * (mean / (1 - 0.9**step)) / (
            np.sqrt(square / (1 - 0.999**step)) + 1e-8
        )
        # One that wants to stop is enough, and all see it in the same step.
        stop = votes > 0
        now = time.monotonic()
        if RANK == 0 and (step % options.tell_every == 0 or stop or step == options.steps):
            speed = (step - told_step) * options.batch / max(now - told, 1e-9)
            accuracy = right / options.batch
            say(
                f"step {step}  loss {loss / options.batch:.6f}  accuracy {accuracy:.3f}  {speed:.0f} samples/s"
            )
            told, told_step = now, step
        if RANK == 0 and now - saved >= options.checkpoint_every:
            save(np.concatenate([[step], weights, mean, square]))
            saved = now
        time.sleep(options.step_ms / 1000)
    if RANK == 0:
        save(np.concatenate([[step], weights, mean, square]))
        say(f"stopped at step {step}" if stop else f"done at step {step}")
    say(f"rank {RANK}: weights {hashlib.sha256(weights.tobytes()).hexdigest()[:16]}")


def main() -> int:
    """Exit status: 0 when it is done or was asked to stop, 1 when a rank was lost."""
    parser = argparse.ArgumentParser(description="Data-parallel training on several processes.")
    parser.add_argument(
        "--steps", type=int, default=1000, help="steps in all, those before a resume included"
    )
    parser.add_argument("--seconds", type=float, default=0, help="stop after so many seconds; 0 for no limit")
    parser.add_argument("--checkpoint-every", type=float, default=5, help="seconds between checkpoints")
    parser.add_argument("--step-ms", type=float, default=0, help="pause after each step, in milliseconds")
    parser.add_argument("--batch", type=int, default=240, help="samples a step, over all ranks")
    parser.add_argument("--tell-every", type=int, default=10, help="steps between lines in the log")
    try:
        train(parser.parse_args())
    except OSError as why:
        say(f"rank {RANK}: cannot go on: {why}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

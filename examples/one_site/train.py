"""Data-parallel training on several processes, small enough to read: numpy and sockets.

Each rank computes gradients on its share of every batch; a ring all-reduce (ring.py) adds them up, so that all ranks
take the same step. It is what large training jobs do, without the GPUs, and it behaves as they should: it checkpoints
while it runs, resumes where it was (also with another number of ranks), stops cleanly when asked, and fails at once
when a rank is lost. Alone: `python train.py --steps 400`. With more ranks, start one process for each, with RANK,
WORLD_SIZE, MASTER_ADDR and MASTER_PORT; forebay sets all of them.
"""

import argparse
import hashlib
import math
import os
import signal
import sys
import time

import numpy as np
from ring import Ring

RANK = int(os.environ.get("RANK", "0"))
RANKS = int(os.environ.get("WORLD_SIZE", "1"))
MASTER = (os.environ.get("MASTER_ADDR", "127.0.0.1"), int(os.environ.get("MASTER_PORT", "29500")))
CHECKPOINTS = os.environ.get("FOREBAY_CHECKPOINT_DIR", "")
CHECKPOINT = os.path.join(CHECKPOINTS, "checkpoint.npy")

SEED = 1
SHAPES = [(2, 48), (48,), (48, 48), (48,), (48, 2), (2,)]
SIZES = [math.prod(shape) for shape in SHAPES]
SIZE = sum(SIZES)


def two_spirals(count: int = 2000) -> tuple[np.ndarray, np.ndarray]:
    """Points on two spirals that wind around each other, and which spiral each is on."""
    dice = np.random.default_rng(SEED)
    label = np.arange(count) % 2
    turn = np.sqrt(dice.random(count)) * 1.5 * 2 * np.pi
    angle = turn + label * np.pi
    points = np.stack([np.cos(angle), np.sin(angle)], axis=1) * (turn / 8)[:, None]
    return points + dice.normal(0, 0.02, points.shape), label


def gradient(weights: np.ndarray, points: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, float, int]:
    """Gradient of the summed cross-entropy, that sum, and how many points are classified rightly."""
    parts = np.split(weights, np.cumsum(SIZES)[:-1])
    w1, b1, w2, b2, w3, b3 = (part.reshape(shape) for part, shape in zip(parts, SHAPES, strict=True))
    hidden1 = np.tanh(points @ w1 + b1)
    hidden2 = np.tanh(hidden1 @ w2 + b2)
    scores = hidden2 @ w3 + b3
    scores -= scores.max(axis=1, keepdims=True)
    chances = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    slope3 = chances - np.eye(2)[label]
    loss = -np.log(chances[np.arange(len(label)), label] + 1e-12).sum()
    slope2 = (slope3 @ w3.T) * (1 - hidden2**2)
    slope1 = (slope2 @ w2.T) * (1 - hidden1**2)
    layers = [(points, slope1), (hidden1, slope2), (hidden2, slope3)]
    slopes = [part.ravel() for inputs, slope in layers for part in (inputs.T @ slope, slope.sum(0))]
    return np.concatenate(slopes), loss, int((scores.argmax(axis=1) == label).sum())


def load() -> np.ndarray:
    """Step, weights, and the optimizer's two moments, from the checkpoint, or random weights to start with."""
    if CHECKPOINTS and os.path.exists(CHECKPOINT):
        return np.load(CHECKPOINT)
    dice = np.random.default_rng(SEED)
    spread = [shape[0] ** -0.5 if len(shape) == 2 else 0 for shape in SHAPES]  # no biases
    weights = [dice.normal(0, *each) for each in zip(spread, SIZES, strict=True)]
    return np.concatenate([[0], *weights, np.zeros(2 * SIZE)])


def save(*state: np.ndarray) -> None:
    """Write the checkpoint so that a crash leaves the old one or the new one."""
    if not CHECKPOINTS:
        return
    with open(CHECKPOINT + ".tmp", "wb") as file:
        np.save(file, np.concatenate(state))
        file.flush()
        os.fsync(file.fileno())
    os.rename(CHECKPOINT + ".tmp", CHECKPOINT)
    folder = os.open(CHECKPOINTS, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


def say(text: str) -> None:
    """A line in the log, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def train(options: argparse.Namespace) -> None:
    """Train until steps or seconds are used up, or somebody asks to stop. Raises OSError if a rank is lost."""
    asked_to_stop: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: asked_to_stop.append(number))
    ring = Ring(RANK, RANKS, MASTER)
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
        # 1. The batch depends on the step alone, and is dealt out to however many ranks there are.
        batch = np.random.default_rng([SEED, step]).integers(len(label), size=options.batch)[RANK::RANKS]
        slopes, loss, right = gradient(weights, points[batch], label[batch])
        # 2. Add up over all ranks. One that wants to stop is enough, and all see it in the same step.
        out_of_time = options.seconds > 0 and time.monotonic() - began >= options.seconds
        total = ring.all_reduce(np.concatenate([slopes, [loss, right, bool(asked_to_stop) or out_of_time]]))
        slopes, (loss, right, votes) = total[:SIZE] / options.batch, total[SIZE:]
        step, stop = step + 1, votes > 0
        # 3. Take the same step everywhere. The optimizer is Adam (Kingma and Ba, 2015), its rate 0.005.
        mean = 0.9 * mean + 0.1 * slopes
        square = 0.999 * square + 0.001 * slopes**2
        scale = np.sqrt(square / (1 - 0.999**step)) + 1e-8
        weights = weights - 0.005 * (mean / (1 - 0.9**step)) / scale
        # 4. Rank 0 tells how it goes, and saves.
        now = time.monotonic()
        if RANK == 0 and (step % options.tell_every == 0 or stop or step == options.steps):
            speed = (step - told_step) * options.batch / max(now - told, 1e-9)
            loss, accuracy = loss / options.batch, right / options.batch
            say(f"step {step}  loss {loss:.6f}  accuracy {accuracy:.3f}  {speed:.0f} samples/s")
            told, told_step = now, step
        if RANK == 0 and now - saved >= options.checkpoint_every:
            save([step], weights, mean, square)
            saved = now
        time.sleep(options.step_ms / 1000)
    if RANK == 0:
        save([step], weights, mean, square)
        say(f"stopped at step {step}" if stop else f"done at step {step}")
    say(f"rank {RANK}: weights {hashlib.sha256(weights.tobytes()).hexdigest()[:16]}")


def main() -> int:
    """Exit status: 0 when it is done or was asked to stop, 1 when a rank was lost."""
    parser = argparse.ArgumentParser(description="Data-parallel training on several processes.")
    add = parser.add_argument
    add("--steps", type=int, default=1000, help="steps in all, those before a resume included")
    add("--seconds", type=float, default=0, help="stop after so many seconds; 0 for no limit")
    add("--checkpoint-every", type=float, default=5, help="seconds between checkpoints")
    add("--step-ms", type=float, default=0, help="pause after each step, in milliseconds")
    add("--batch", type=int, default=240, help="samples a step, over all ranks")
    add("--tell-every", type=int, default=10, help="steps between lines in the log")
    try:
        train(parser.parse_args())
    except OSError as why:
        say(f"rank {RANK}: cannot go on: {why}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

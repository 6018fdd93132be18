import contextlib
import importlib.util
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from forebay.engines import launching

PATH = Path(__file__).resolve().parents[3] / "examples" / "one_site" / "ring.py"


@pytest.fixture(scope="module")
def ring() -> ModuleType:
    spec = importlib.util.spec_from_file_location("ring", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def on_each(ranks: int, work: Callable[[int], Any]) -> list[Any]:
    """What `work` gives for each rank, all at the same time."""
    with ThreadPoolExecutor(ranks) as pool:
        return list(pool.map(work, range(ranks)))


@pytest.mark.parametrize("ranks", [1, 2, 3, 5])
@pytest.mark.parametrize("size", [0, 1, 4, 100_003])
def test_all_get_the_same_sum(ring: ModuleType, ranks: int, size: int) -> None:
    master = ("127.0.0.1", launching.free_port(()))
    shares = [np.random.default_rng(rank).normal(size=size) for rank in range(ranks)]

    def work(rank: int) -> Any:
        with contextlib.closing(ring.Ring(rank, ranks, master)) as mine:
            return mine.all_reduce(shares[rank])

    sums = on_each(ranks, work)
    for found in sums:
        assert found.tobytes() == sums[0].tobytes()
        np.testing.assert_allclose(found, np.sum(shares, axis=0), atol=1e-9)


def test_who_loses_a_neighbour_hears_of_it(ring: ModuleType) -> None:
    master = ("127.0.0.1", launching.free_port(()))
    all_met, gone = threading.Barrier(3), threading.Event()

    def work(rank: int) -> None:
        with contextlib.closing(ring.Ring(rank, 3, master)) as mine:
            all_met.wait()
            if rank == 1:
                mine.close()
                gone.set()
                return
            gone.wait()
            with pytest.raises(ConnectionError):
                mine.all_reduce(np.zeros(1_000_000))

    on_each(3, work)


def test_a_rank_fails_when_rank_0_goes_before_all_are_there(ring: ModuleType) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as pool:
        made = pool.submit(ring.Ring, 1, 2, server.getsockname())
        server.accept()[0].close()
        with pytest.raises(ConnectionError):
            made.result()

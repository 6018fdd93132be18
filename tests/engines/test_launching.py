import socket

import pytest

from forebay.core.placements import gang
from forebay.engines import launching

#: runs, (node, gpu, local rank, local world size) of each rank
SEATS = [
    ((gang.Run(0, 1, 0b1),), [(0, 0, 0, 1)]),
    ((gang.Run(5, 2, 0b101),), [(5, 0, 0, 2), (5, 2, 1, 2), (6, 0, 0, 2), (6, 2, 1, 2)]),
    ((gang.Run(0, 1, 0b11), gang.Run(9, 1, 0b1000)), [(0, 0, 0, 2), (0, 1, 1, 2), (9, 3, 0, 1)]),
    # one node in two runs is still one node
    ((gang.Run(0, 1, 0b1), gang.Run(0, 1, 0b10)), [(0, 0, 0, 2), (0, 1, 1, 2)]),
    ((), []),
]


@pytest.mark.parametrize(("runs", "seats"), SEATS)
def test_each_gpu_is_a_seat(runs: tuple[gang.Run, ...], seats: list[tuple[int, int, int, int]]) -> None:
    assert [tuple(seat) for seat in launching.seats(runs)] == seats


def test_a_port_that_is_taken_or_listened_on_is_not_given() -> None:
    port = launching.free_port(())
    with socket.create_server(("127.0.0.1", port)):
        for _ in range(50):
            assert launching.free_port(()) != port
    given = {launching.free_port(()) for _ in range(50)}
    assert launching.free_port(given) not in given

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.planner import draws

#: Uniform draws as the whole numbers that they are multiples of 2^-53, so that each bit counts.
GOLDEN = [4441914759322963, 5453364450442879, 3629988646771509]


def test_a_stream_never_changes() -> None:
    found = draws.uniform(1, ("cause", "vendor"), 3)
    assert [int(each * 2**53) for each in found] == GOLDEN


def test_a_longer_stream_begins_like_a_shorter_one() -> None:
    assert list(draws.uniform(1, ("a",), 100)[:10]) == list(draws.uniform(1, ("a",), 10))


@pytest.mark.parametrize(
    ("seed", "name"), [(2, ("a", "b")), (1, ("a", "c")), (1, ("ab",)), (1, ("a", "b", ""))]
)
def test_another_seed_or_name_gives_another_stream(seed: int, name: tuple[str, ...]) -> None:
    assert draws.uniform(seed, name, 1)[0] != draws.uniform(1, ("a", "b"), 1)[0]


def test_draws_are_uniform_and_normal() -> None:
    u = draws.uniform(1, ("a",), 100_000)
    assert 0 < u.min() < 0.001
    assert 0.999 < u.max() < 1
    assert abs(u.mean() - 0.5) < 0.005
    z = draws.normal(1, ("a",), 200_000)
    assert z.sum() == 0
    assert abs(z.std() - 1) < 0.01
    assert list(z[::2]) == list(draws.normal_quantile(u))
    assert list(draws.normal(1, ("a",), 7)) == list(z[:7])


@given(st.floats(min_value=2**-53, max_value=1 - 2**-53))
def test_the_quantile_is_that_of_the_normal_distribution(p: float) -> None:
    assert draws.normal_quantile(np.array([p]))[0] == pytest.approx(
        NormalDist().inv_cdf(p), rel=1e-13, abs=1e-15
    )


@pytest.mark.parametrize(
    "p", [2**-53, 1e-12, 0.07, 0.075, 0.08, 0.5, 0.92, 0.925, 0.93, 1 - 1e-12, 1 - 2**-53]
)
def test_the_quantile_holds_in_every_branch(p: float) -> None:
    assert draws.normal_quantile(np.array([p]))[0] == pytest.approx(NormalDist().inv_cdf(p), rel=1e-13)


@given(st.floats(min_value=1e-300, max_value=1e300))
def test_the_logarithm(x: float) -> None:
    assert draws.log(np.array([x]))[0] == pytest.approx(math.log(x), rel=1e-15, abs=1e-15)


@given(st.floats(min_value=-700, max_value=700))
def test_the_exponential(x: float) -> None:
    assert draws.exp(np.array([x]))[0] == pytest.approx(math.exp(x), rel=1e-14)


def test_streams_that_are_made_at_once_are_those_that_are_made_alone() -> None:
    names = [("milestone", str(n)) for n in range(19)]
    at_once = list(draws.normals(1, names, 7))
    assert [list(stream) for stream in at_once] == [list(draws.normal(1, name, 7)) for name in names]

"""What ranks wrote is printed, and followed until they are done."""

from tests.cli.rig import Lab


def test_the_log_of_a_rank(lab: Lab) -> None:
    assert lab.shell("logs", "acme.long", "--rank", "3").out == "asleep\n"
    assert lab.shell("logs", "acme.long", "--tail", "3").out == "ep\n"


def test_following_until_the_end(lab: Lab) -> None:
    count = "import time\nfor n in range(20):\n    print(n, flush=True)\n    time.sleep(0.05)"
    lab.submit("acme", "count", "acme-t1", 1, count)
    ran = lab.shell("logs", "-f", "acme.count")
    assert ran.status == 0
    assert ran.out.split() == [str(n) for n in range(20)]


def test_what_never_ran(lab: Lab) -> None:
    ran = lab.shell("logs", "birch.large")
    assert (ran.status, ran.out) == (0, "")
    assert "has not been started yet" in ran.err
    assert lab.shell("logs", "acme.nobody").status == 1

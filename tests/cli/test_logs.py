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


def test_a_rank_or_a_start_that_there_is_not(lab: Lab) -> None:
    ran = lab.shell("logs", "acme.long", "--rank", "9")
    assert (ran.status, ran.out) == (1, "")
    assert "there is no rank 9 of acme.long: its ranks are 0 to 3" in ran.err
    ran = lab.shell("logs", "birch.hello", "--rank", "1")
    assert "it has rank 0 only" in ran.err or "there is no gang" in ran.err
    ran = lab.shell("logs", "acme.long", "--start", "5")
    assert (ran.status, ran.out) == (1, "")
    assert "there is no start 5 of acme.long: it was started once" in ran.err


def test_what_never_ran(lab: Lab) -> None:
    ran = lab.shell("logs", "birch.large")
    assert (ran.status, ran.out) == (0, "")
    assert "has not been started yet" in ran.err
    assert lab.shell("logs", "acme.nobody").status == 1

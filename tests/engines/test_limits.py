import os
import signal
import sys
from pathlib import Path

import pytest

from forebay.core.placements import gang
from forebay.engines import gang_folders, limits, supervisor
from tests.conftest import Needs
from tests.engines import local_bench
from tests.engines.local_bench import LocalBench, run_gang, shell, until

MOUNTINFO = "30 29 0:26 / {root} rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"


def fake_group(folder: Path, controllers: str = "cpuset cpu io memory pids") -> Path:
    """A control group made of plain files."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cgroup.controllers").write_text(controllers + "\n")
    (folder / "cgroup.procs").write_text("")
    (folder / "cgroup.subtree_control").write_text("")
    return folder


def fake_proc(folder: Path, root: Path, own: str) -> Path:
    """What /proc/self says of a process that is in the group `own` of the hierarchy mounted at `root`."""
    folder.mkdir()
    (folder / "mountinfo").write_text("22 1 0:20 / /proc rw - proc proc rw\n" + MOUNTINFO.format(root=root))
    (folder / "cgroup").write_text(f"1:name=systemd:/\n0::{own}\n")
    return folder


def set_up(tmp_path: Path, controllers: str = "cpu memory") -> tuple[Path, limits.Limits]:
    root = fake_group(tmp_path / "cgroup", controllers)
    return root, limits.Limits(root, proc=fake_proc(tmp_path / "proc", root, "/"))


def test_a_control_group_holds_the_gang_as_a_whole(tmp_path: Path) -> None:
    root, there = set_up(tmp_path)
    assert there.offer() == limits.LimitsOffered("cgroup", "cgroup", "cgroup", str(root))
    applied = there.apply("a.0", cpu_millis=1500, memory_bytes=1 << 30, ranks=4, first_cpu=0)
    group = root / "a.0"
    assert applied.cgroup == str(group)
    assert (applied.data_bytes_max, applied.cpus) == (0, [])
    assert (group / "cpu.max").read_text() == "150000 100000"
    assert (group / "memory.max").read_text() == str(1 << 30)
    assert (group / "memory.swap.max").read_text() == "0"
    assert (group / "memory.oom.group").read_text() == "1"
    assert applied.words == {
        "kill": "cgroup.kill",
        "memory": "memory.max=1073741824",
        "cpu": "cpu.max=150000 100000",
    }


def test_no_limit_is_none_asked_for(tmp_path: Path) -> None:
    root, there = set_up(tmp_path)
    applied = there.apply("a.0", cpu_millis=0, memory_bytes=0, ranks=4, first_cpu=0)
    assert os.listdir(root / "a.0") == []
    assert applied.words == {"kill": "cgroup.kill"}


def test_the_kernel_takes_no_quota_under_a_millisecond(tmp_path: Path) -> None:
    root, there = set_up(tmp_path)
    there.apply("a.0", cpu_millis=1, memory_bytes=0, ranks=1, first_cpu=0)
    assert (root / "a.0" / "cpu.max").read_text() == "1000 100000"


def test_a_controller_that_is_not_offered_falls_back(tmp_path: Path) -> None:
    _, there = set_up(tmp_path, controllers="memory pids")
    assert (there.offer().memory, there.offer().cpu, there.offer().kill) == ("cgroup", "affinity", "cgroup")


@pytest.mark.parametrize("root", ["missing/deep", "plain"])
def test_a_folder_that_is_no_control_group_is_not_used(tmp_path: Path, root: str) -> None:
    (tmp_path / "plain").mkdir()
    offer = limits.Limits(tmp_path / root).offer()
    assert (offer.memory, offer.cpu, offer.kill) == ("rlimit", "affinity", "descent")
    assert offer.detail.startswith("no control group: ")


def test_without_a_control_group_each_rank_gets_a_share(tmp_path: Path) -> None:
    there = limits.Limits(None)
    applied = there.apply("a.0", cpu_millis=0, memory_bytes=1000, ranks=4, first_cpu=0)
    assert applied == limits.LimitsApplied("", 250, [], {"memory": "RLIMIT_DATA=250 a rank"})


#: CPUs there are, wanted, first, chosen
CHOICES = [
    ([0, 1, 2, 3], 1, 0, [0]),
    ([0, 1, 2, 3], 2, 3, [0, 3]),
    ([4, 6], 1, 3, [6]),
    ([0, 1], 2, 0, []),
    ([0, 1], 5, 0, []),
]


@pytest.mark.parametrize(("there_are", "wanted", "first", "chosen"), CHOICES)
def test_gangs_are_spread_over_cpus(there_are: list[int], wanted: int, first: int, chosen: list[int]) -> None:
    assert limits._choose_cpus(there_are, wanted, first) == chosen


# Delegation


def delegate(group: Path, needs: Needs) -> None:
    try:
        os.setxattr(group, "user.delegate", b"1")
    except OSError:
        needs("control groups", False, "the file system of the tests has no user attributes")


def test_a_group_that_was_delegated_is_found_and_emptied(tmp_path: Path, needs: Needs) -> None:
    root = tmp_path / "cgroup"
    own = fake_group(root / "system.slice" / "forebay.service")
    delegate(own, needs)
    (own / "cgroup.procs").write_text("7\n8\n")
    (own / "control").mkdir()
    (own / "control" / "cgroup.procs").write_text("")
    proc = fake_proc(tmp_path / "proc", root, "/system.slice/forebay.service")
    assert limits.find_delegated(proc) == own
    assert (own / "control" / "cgroup.procs").read_text() in (
        "7",
        "8",
    )  # one write each, as the kernel wants it


def test_a_service_may_be_one_level_down_already(tmp_path: Path, needs: Needs) -> None:
    root = tmp_path / "cgroup"
    above = fake_group(root / "forebay.service")
    delegate(above, needs)
    fake_group(above / "main")
    assert limits.find_delegated(fake_proc(tmp_path / "proc", root, "/forebay.service/main")) == above


def test_a_group_that_was_not_delegated_is_left_alone(tmp_path: Path) -> None:
    root = tmp_path / "cgroup"
    fake_group(root / "user.slice")
    assert limits.find_delegated(fake_proc(tmp_path / "proc", root, "/user.slice")) is None


def test_a_host_without_cgroup_v2_has_none(tmp_path: Path) -> None:
    proc = fake_proc(tmp_path / "proc", tmp_path, "/")
    (proc / "mountinfo").write_text("22 1 0:20 / /proc rw - proc proc rw\n")
    assert limits.find_delegated(proc) is None


# On real processes


def test_memory_is_limited(tmp_path: Path) -> None:
    bench = LocalBench(tmp_path / "state")
    try:
        argv = (sys.executable, "-S", "-c", "print(len(bytearray(10 << 20)), flush=True); bytearray(1 << 30)")
        program = gang.Program(argv, memory_bytes=2 * 256 << 20)
        bench.engine.release([run_gang("a", 0, program)])
        folder = tmp_path / "state" / "gangs" / "a" / "0"
        until(lambda: gang_folders.read_outcome(folder))
        outcome, started = gang_folders.read_outcome(folder), gang_folders.read_started(folder)
        assert outcome is not None
        assert started is not None
        assert (outcome["ending"], outcome["exit_status"]) == ("failed", 1)
        assert outcome["evidence"].endswith("MemoryError")
        assert started["limits"] == {"memory": "RLIMIT_DATA=268435456 a rank"}
        assert bench.engine.read_log("a", outcome["rank"])[0].startswith(b"10485760\n")
    finally:
        bench.clean_up()


def test_cpus_are_limited(tmp_path: Path, needs: Needs) -> None:
    needs("CPU affinity", len(os.sched_getaffinity(0)) > 1, "there is only one CPU")
    bench = LocalBench(tmp_path / "state")
    try:
        bench.engine.release(
            [run_gang("a", 0, shell("grep Cpus_allowed_list /proc/self/status", cpu_millis=600), mask=1)]
        )
        folder = tmp_path / "state" / "gangs" / "a" / "0"
        until(lambda: gang_folders.read_outcome(folder))
        allowed = bench.engine.read_log("a", 0)[0].split()[1].decode()
        assert allowed.isdigit()
    finally:
        bench.clean_up()


def test_a_control_group_finds_who_cleaned_and_left(tmp_path: Path, needs: Needs) -> None:
    """On the kernel itself: a process without our mark, outside its session, whose supervisor is dead."""
    mount = limits._mount_point(Path("/proc/self"))
    root = mount / f"forebay-test-{os.getpid()}" if mount is not None else None
    usable = root is not None and limits.Limits(root).offer().kill == "cgroup"
    needs("control groups", usable, "no cgroup v2 hierarchy that we may write to")
    assert root is not None
    bench = LocalBench(tmp_path / "state", control_group=root)
    try:
        bench.engine.release([run_gang("a", 0, shell("setsid env -i sleep 60 & exec sleep 60"), mask=1)])
        folder = tmp_path / "state" / "gangs" / "a" / "0"
        until(lambda: gang_folders.read_started(folder))
        keeper = local_bench.keeper_pid(folder)
        until(lambda: len((root / "a.0" / "cgroup.procs").read_text().split()) == 2)
        below = [int(pid) for pid in (root / "a.0" / "cgroup.procs").read_text().split()]
        assert keeper not in below
        os.kill(keeper, signal.SIGKILL)
        until(lambda: gang_folders.read_outcome(folder))
        until(lambda: not any(supervisor.identity_of(pid, "") for pid in below))
        until(lambda: not (root / "a.0").exists())
    finally:
        bench.clean_up()
        root.rmdir()

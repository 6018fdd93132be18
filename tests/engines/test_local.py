import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from forebay.core import ids
from forebay.core.placements import gang
from forebay.engines import gang_folders, local, supervisor
from tests.engines import contract, local_bench
from tests.engines.contract import CAUSE, Story
from tests.engines.local_bench import LocalBench, run_gang, shell, until


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[LocalBench]:
    made = LocalBench(tmp_path / "state")
    yield made
    made.clean_up()


class TestContract(contract.Contract):
    @pytest.fixture
    def bench(self, tmp_path: Path) -> Iterator[LocalBench]:
        made = LocalBench(tmp_path / "state")
        yield made
        made.clean_up()


def end_of(bench: LocalBench, name: str, generation: int = 0) -> gang.ReportGangEnded:
    """Wait for the end of a generation."""
    found: list[gang.ReportGangEnded] = []

    def look() -> bool:
        for asked in bench.engine.reports(0):
            report = asked.command
            if isinstance(report, gang.ReportGangEnded) and (report.gang, report.generation) == (
                name,
                generation,
            ):
                found.append(report)
        return bool(found)

    until(look)
    return found[0]


def wait_started(bench: LocalBench, name: str, generation: int = 0) -> Path:
    """Wait until it is up; its folder."""
    key = (name, generation)
    until(
        lambda: any(
            isinstance(asked.command, gang.ReportGangStarted)
            and (asked.command.gang, asked.command.generation) == key
            for asked in bench.engine.reports(0)
        )
    )
    return bench.state / "gangs" / name / str(generation)


def output(bench: LocalBench, name: str, rank: int = 0) -> str:
    return bench.engine.read_log(name, rank)[0].decode()


# What a rank sees


def test_a_rank_starts_in_a_clean_environment(bench: LocalBench) -> None:
    program = gang.Program(("env", "-0"), env={"MODEL": "a=b", "OMP_NUM_THREADS": "2"})
    bench.engine.release([run_gang("a", 5, program, mask=0b1010, starts_before=3, reclaim_s=300)])
    assert end_of(bench, "a", 5).ending is gang.Ending.COMPLETED
    text = output(bench, "a", 1)
    seen = dict(line.split("=", 1) for line in text.split("\0") if line)
    port, launch = int(seen.pop("MASTER_PORT")), seen.pop(supervisor.LAUNCH_VARIABLE)
    assert 1024 < port < 65536
    assert len(launch) == 32
    home = bench.state / "gangs" / "a" / "home"
    assert seen == {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": str(home),
        "TMPDIR": str(home / "tmp"),
        "RANK": "1",
        "WORLD_SIZE": "2",
        "LOCAL_RANK": "1",
        "LOCAL_WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "FOREBAY_GANG": "a",
        "FOREBAY_GENERATION": "5",
        "FOREBAY_NODE": "node-4",
        "FOREBAY_GPU": "3",
        "FOREBAY_CHECKPOINT_DIR": str(bench.state / "gangs" / "a" / "checkpoints"),
        "FOREBAY_PROGRESS_FILE": str(home / "progress.5"),
        "FOREBAY_STARTS_BEFORE": "3",
        "FOREBAY_GRACE_S": "20",
        "FOREBAY_RECLAIM_S": "300",
        "OMP_NUM_THREADS": "2",
        "MODEL": "a=b",
    }


def test_nothing_in_argv_means_anything_to_a_shell(bench: LocalBench) -> None:
    nasty = "$HOME `id` $(id) ; rm -rf x && * > y | z \\ ' \" \n\t~ é"
    bench.engine.release([run_gang("a", 0, gang.Program(("printf", "%s|", nasty, "--", "")), mask=1)])
    assert end_of(bench, "a").ending is gang.Ending.COMPLETED
    assert output(bench, "a") == f"{nasty}|--||"


def test_a_rank_has_no_files_and_no_signals_of_ours(bench: LocalBench) -> None:
    program = gang.Program(("sh", "-c", "umask; exec grep -E '^Sig(Ign|Blk)' /proc/self/status"))
    bench.engine.release([run_gang("a", 0, program, mask=1)])
    assert end_of(bench, "a").ending is gang.Ending.COMPLETED
    umask, *lines = output(bench, "a").split("\n")
    seen = dict(line.split() for line in lines if line)
    assert umask == "0022"
    assert int(seen["SigBlk:"], 16) == 0
    # The C library keeps signals 32 and 33 for itself; a spawned process ignores them until it needs them.
    assert int(seen["SigIgn:"], 16) & ~(0b11 << 31) == 0
    program = gang.Program(
        (sys.executable, "-S", "-c", "import os; print(sorted(os.listdir('/proc/self/fd')))")
    )
    bench.engine.release([run_gang("b", 0, program, mask=1)])
    end_of(bench, "b")
    assert output(bench, "b") == "['0', '1', '2', '3']\n"  # 3 is the folder that it lists


def test_the_state_is_for_its_owner_only(bench: LocalBench) -> None:
    assert stat.S_IMODE(bench.state.stat().st_mode) == 0o700


# What cannot be run


@pytest.mark.parametrize(
    ("program", "evidence"),
    [
        (None, "no program"),
        (gang.Program(()), "no program"),
        (gang.Program(("/etc/passwd",)), "Permission denied: '/etc/passwd'"),
        (gang.Program(("true",), folder="/nonexistent"), "No such file or directory: '/nonexistent'"),
        (gang.Program(("true",), env={"A\0B": ""}), "rank 0: embedded null byte"),
        (gang.Program(("true", "\0")), "rank 0: embedded null byte"),
        (gang.Program(("true",), env={"A=B": ""}), "rank 0: illegal environment variable name"),
    ],
)
def test_what_cannot_be_run_says_why(bench: LocalBench, program: gang.Program | None, evidence: str) -> None:
    bench.engine.release([run_gang("a", 0, program)])
    end = end_of(bench, "a")
    assert end.ending is gang.Ending.UNSTARTABLE
    assert evidence in end.evidence


@pytest.mark.parametrize("name", ["../a", "a/b", "..", ".", "", "a b", "a\n", "x" * 201])
def test_an_id_that_is_no_safe_folder_name_is_refused(bench: LocalBench, name: str) -> None:
    effect = run_gang(name, 0, shell("exit 0"))
    bench.engine.release([effect, effect])
    assert end_of(bench, name).ending is gang.Ending.UNSTARTABLE
    assert list((bench.state / "gangs").iterdir()) == []
    with pytest.raises(ValueError, match="gang id"):
        bench.engine.read_log(name, 0)


def test_more_ranks_than_this_machine_should_start_are_refused(bench: LocalBench) -> None:
    bench.engine.release([run_gang("a", 0, shell("exit 0"), mask=(1 << 257) - 1)])
    assert "257 ranks" in end_of(bench, "a").evidence


def test_a_refusal_survives_the_engine(bench: LocalBench) -> None:
    bench.engine.release([run_gang("a", 0, None)])
    first = end_of(bench, "a")
    bench.go_down()
    bench.come_up()
    assert end_of(bench, "a") == first
    assert bench.engine.reports(0)[0].cause == CAUSE


# How ranks end


def test_the_last_line_of_a_failed_rank_is_evidence(bench: LocalBench) -> None:
    bench.engine.release([run_gang("a", 0, shell("echo fine; echo 'loss is nan' >&2; exit 7"), mask=1)])
    end = end_of(bench, "a")
    assert (end.rank, end.exit_status) == (0, 7)
    assert end.evidence == "rank 0 exited with status 7: loss is nan"


def test_a_killed_rank_is_told_by_its_signal(bench: LocalBench) -> None:
    bench.engine.release([bench.run("a", 0, Story.RUNS)])
    wait_started(bench, "a")
    until(lambda: len(bench.starts("a")) == 2)
    os.kill(bench.engine.rank_pids("a")[1], signal.SIGKILL)
    end = end_of(bench, "a")
    assert (end.ending, end.rank, end.exit_status) == (gang.Ending.FAILED, 1, -9)
    assert "killed by SIGKILL" in end.evidence
    assert bench.engine.rank_pids("a") == {}


def test_a_rank_that_was_stopped_can_be_asked_to_end(bench: LocalBench) -> None:
    bench.engine.release([run_gang("a", 0, shell("exec sleep 60"), mask=1)])
    wait_started(bench, "a")
    os.kill(bench.engine.rank_pids("a")[0], signal.SIGSTOP)
    bench.engine.release([contract.stop("a", 0)])
    assert end_of(bench, "a").ending is gang.Ending.STOPPED


#: Leaves a process behind that has left its session, with and without our mark in its environment.
DETACH = "setsid sh -c 'exec sleep 60' & setsid env -i sleep 60 & "


@pytest.mark.parametrize(
    "script", [DETACH + "sleep 0.1; exit 0", DETACH + "exit 1", DETACH + "exec sleep 60"]
)
def test_nothing_that_a_rank_started_outlives_the_gang(bench: LocalBench, script: str) -> None:
    bench.engine.release([run_gang("a", 0, shell(script), mask=1)])
    folder = wait_started(bench, "a")
    keeper = local_bench.keeper_pid(folder)
    below: set[int] = set()
    if script.endswith("exec sleep 60"):
        until(lambda: len(supervisor.descendants(keeper)) == 3)
        below = set(supervisor.descendants(keeper))
        bench.engine.release([contract.stop("a", 0)])
    end_of(bench, "a")
    assert not [pid for pid in below if supervisor.identity_of(pid, "")]
    assert not local_bench.is_alive(folder)


# Adoption, by identity


def test_two_engines_cannot_share_a_state_folder(bench: LocalBench) -> None:
    with pytest.raises(local.Occupied):
        local.LocalEngine(bench.state, str, lambda: None)


def test_an_engine_that_is_closed_does_nothing(bench: LocalBench) -> None:
    bench.engine.close()
    bench.engine.close()
    bench.engine.release([bench.run("a", 0, Story.RUNS)])
    assert not (bench.state / "gangs" / "a").exists()


def plant(bench: LocalBench, pid: int, started: int, boot: str, token_in_claim: str) -> None:
    """A generation whose supervisor and rank claim to be process `pid`."""
    folder = bench.state / "gangs" / "a" / "0"
    folder.mkdir(parents=True)
    order = {"cause": CAUSE, "grace_s": 1, "port": 0, "token": "f" * 32, "cgroup": ""}
    supervisor.write_whole(str(folder / "spec.json"), order)
    keeper: supervisor.Keeper = {"pid": pid, "started": started, "boot": boot, "token": token_in_claim}
    supervisor.claim_generation(str(folder), keeper)
    ranks = [supervisor.ProcessIdentity(pid, 0, boot)]
    supervisor.write_whole(str(folder / "started.json"), {"at": 5, "ranks": ranks, "limits": {}})


@pytest.mark.parametrize("difference", ["started", "boot", "token"])
def test_a_process_that_is_not_the_one_is_left_alone(bench: LocalBench, difference: str) -> None:
    """As when its process id was used again: one of the four does not agree, so the supervisor is gone."""
    bench.engine.close()
    with subprocess.Popen(["sleep", "60"], env={"TOKEN": "e" * 32}) as stranger:
        boot = supervisor.boot_id()
        who = supervisor.identity_of(stranger.pid, boot)
        assert who is not None
        plant(
            bench,
            stranger.pid,
            who.started + (difference == "started"),
            "another" if difference == "boot" else boot,
            "e" * 32 if difference == "token" else "sleep",
        )
        bench.come_up()
        end = end_of(bench, "a")
        assert end.ending is gang.Ending.LOST
        assert "supervisor was gone" in end.evidence
        assert stranger.poll() is None
        stranger.kill()


def test_what_a_restart_of_the_host_ended_ended_before_it_came_up(bench: LocalBench) -> None:
    bench.engine.close()
    plant(bench, 1, 1, "the boot before", "x")
    bench.come_up()
    up_for = float(Path("/proc/uptime").read_text().split()[0])
    now = supervisor.wall_clock_us()
    assert abs(end_of(bench, "a").effective_at - (now - up_for * 1e6)) < 5e6


def test_no_rank_outlives_its_supervisor(bench: LocalBench) -> None:
    bench.engine.release([run_gang("a", 0, shell("setsid sleep 60 & exec sleep 60"))])
    folder = wait_started(bench, "a")
    until(lambda: len(local_bench.ranks_of(folder)) == 4)
    os.kill(local_bench.keeper_pid(folder), signal.SIGKILL)
    end = end_of(bench, "a")
    assert (end.ending, end.rank) == (gang.Ending.LOST, -1)
    assert not local_bench.is_alive(folder)


def test_a_supervisor_that_died_while_we_were_down_is_noticed(bench: LocalBench) -> None:
    bench.engine.release([run_gang("a", 0, shell("setsid sleep 60 & exec sleep 60"))])
    folder = wait_started(bench, "a")
    until(lambda: len(local_bench.ranks_of(folder)) == 4)
    bench.engine.close()
    os.kill(local_bench.keeper_pid(folder), signal.SIGKILL)
    until(lambda: len(local_bench.ranks_of(folder)) == 2)  # the ranks died with it; what they started did not
    bench.come_up()
    assert end_of(bench, "a").ending is gang.Ending.LOST
    assert not local_bench.is_alive(folder)


def test_a_supervisor_that_is_told_to_end_takes_its_ranks_along(bench: LocalBench) -> None:
    bench.engine.release([bench.run("a", 0, Story.RUNS)])
    folder = wait_started(bench, "a")
    os.kill(local_bench.keeper_pid(folder), signal.SIGTERM)
    end = end_of(bench, "a")
    assert end.ending is gang.Ending.LOST
    assert "SIGTERM" in end.evidence


def test_a_start_that_was_ordered_and_not_made_is_made_once(bench: LocalBench) -> None:
    """As when forebay is killed between the two."""
    effect = bench.run("a", 0, Story.RUNS)
    bench.engine.release([effect])
    folder = wait_started(bench, "a")
    order = gang_folders.read_order(folder)
    assert order is not None
    bench.clean_up()
    other = bench.state / "gangs" / "b" / "0"
    other.mkdir(parents=True)
    supervisor.write_whole(str(other / "spec.json"), order)
    half = bench.state / "gangs" / "c" / "0"
    half.mkdir(parents=True)
    bench.come_up()
    run_b, run_c = bench.run("b", 0, Story.RUNS), bench.run("c", 0, Story.RUNS)
    bench.engine.release([run_b, run_b, run_c, run_c])
    wait_started(bench, "b")
    wait_started(bench, "c")
    until(lambda: bench.starts("c") == [(0, 0), (0, 1)])
    bench.engine.release([run_b, run_c])
    bench.settle()
    assert len(local_bench.ranks_of(other)) == 2
    assert bench.starts("c") == [(0, 0), (0, 1)]


def test_an_order_that_is_not_wanted_any_more_never_starts(bench: LocalBench) -> None:
    bench.engine.close()
    folder = bench.state / "gangs" / "a" / "0"
    folder.mkdir(parents=True)
    order = {"cause": CAUSE, "grace_s": 1, "port": 0, "token": "f" * 32, "cgroup": ""}
    supervisor.write_whole(str(folder / "spec.json"), order)
    bench.come_up()
    bench.engine.resync([])
    assert end_of(bench, "a").ending is gang.Ending.STOPPED
    # A supervisor that was on its way finds the generation taken.
    late = subprocess.run(
        [sys.executable, "-I", "-S", supervisor.__file__, str(folder), "f" * 32],
        capture_output=True,
        check=False,
    )
    assert late.returncode != 0
    assert gang_folders.read_started(folder) is None


def test_a_supervisor_that_cannot_even_begin_is_told_by_its_last_words(bench: LocalBench) -> None:
    bench.engine.close()
    folder = bench.state / "gangs" / "a" / "0"
    folder.mkdir(parents=True)
    order = {"cause": CAUSE, "grace_s": 1, "port": 0, "token": "f" * 32, "cgroup": "", "ranks": "no list"}
    supervisor.write_whole(str(folder / "spec.json"), order)
    bench.come_up()
    bench.engine.release([bench.run("a", 0, Story.RUNS)])
    end = end_of(bench, "a")
    assert end.ending is gang.Ending.LOST
    assert "Error" in end.evidence


def test_a_supervisor_that_does_not_answer_is_killed(tmp_path: Path) -> None:
    bench = LocalBench(tmp_path / "state", overdue_s=0.2)
    try:
        bench.engine.release([bench.run("a", 0, Story.RUNS)])
        folder = wait_started(bench, "a")
        os.kill(local_bench.keeper_pid(folder), signal.SIGSTOP)
        bench.engine.release([contract.stop("a", 0, grace_s=0)])
        end = end_of(bench, "a")
        assert end.ending is gang.Ending.STOPPED
        assert not local_bench.is_alive(folder)
    finally:
        bench.clean_up()


def test_the_end_is_not_before_the_start_when_the_clock_was_set_back(bench: LocalBench) -> None:
    bench.engine.release([bench.run("a", 0, Story.RUNS)])
    folder = wait_started(bench, "a")
    later = supervisor.wall_clock_us() + 3600 * 1_000_000
    started = gang_folders.read_started(folder)
    assert started is not None
    supervisor.write_whole(str(folder / "started.json"), started | {"at": later})
    os.kill(local_bench.keeper_pid(folder), signal.SIGKILL)
    assert end_of(bench, "a").effective_at == later


# Being told, and room


def test_it_nudges_when_there_is_something_to_report(bench: LocalBench) -> None:
    bench.nudged.clear()
    bench.engine.release([bench.run("a", 0, Story.COMPLETES)])
    assert bench.nudged.wait(local_bench.DEADLINE_S)
    end_of(bench, "a")
    bench.go_down()
    bench.nudged.clear()
    bench.come_up()
    assert bench.nudged.wait(local_bench.DEADLINE_S)
    assert bench.engine.next_report() is None


def test_a_nudge_that_raises_does_not_stop_the_engine(tmp_path: Path) -> None:
    calls = []

    def nudge() -> None:
        calls.append(1)
        raise RuntimeError("not now")

    bench = LocalBench(tmp_path / "state")
    bench.engine.close()
    bench.engine = local.LocalEngine(bench.state, str, nudge)
    try:
        for number in range(2):
            bench.engine.release([bench.run(f"g{number}", 0, Story.COMPLETES)])
            end_of(bench, f"g{number}")
        assert len(calls) > 1
    finally:
        bench.clean_up()


def test_old_generations_go_and_what_the_program_wrote_stays(tmp_path: Path) -> None:
    bench = LocalBench(tmp_path / "state", ended_kept=2)
    try:
        wrote = "echo x; echo $FOREBAY_GENERATION >$FOREBAY_CHECKPOINT_DIR/step"
        for name, generation, script in [
            ("a", 0, wrote),
            ("a", 1, wrote),
            ("b", 0, "echo x"),
            ("c", 0, "echo x"),
        ]:
            bench.engine.release(
                [run_gang(name, generation, shell(script), mask=1, starts_before=generation)]
            )
            end_of(bench, name, generation)
            bench.engine.acknowledge(bench.engine.reports(0))
        until(
            lambda: (
                sorted(path.parent.name for path in local_bench.generation_folders(bench.state)) == ["b", "c"]
            )
        )
        with pytest.raises(LookupError):
            bench.engine.read_log("a", 0)
        assert output(bench, "c") == "x\n"
        assert (bench.engine.checkpoints("a") / "step").read_text() == "1\n"
        bench.engine.close()
        bench.come_up()
        bench.engine.release([run_gang("d", 0, shell("echo x"), mask=1)])
        end_of(bench, "d")
        bench.engine.acknowledge(bench.engine.reports(0))
        until(lambda: not (bench.state / "gangs" / "b").exists())  # nothing of its program's was in it
    finally:
        bench.clean_up()


def test_a_gang_that_takes_a_used_name_starts_afresh(bench: LocalBench) -> None:
    looks = "ls $FOREBAY_CHECKPOINT_DIR $HOME | grep -Ex '[0-9]+'; "
    wrote = "touch $FOREBAY_CHECKPOINT_DIR/$FOREBAY_GENERATION $HOME/1$FOREBAY_GENERATION"
    #: generation, starts before it, what it finds: the second gang begins with generation 3
    runs = [(1, 0, ""), (2, 1, "1\n11\n"), (3, 0, ""), (4, 1, "3\n13\n")]
    for generation, starts_before, found in runs:
        program = shell(looks + wrote)
        bench.engine.release([run_gang("a", generation, program, mask=1, starts_before=starts_before)])
        assert end_of(bench, "a", generation).ending is gang.Ending.COMPLETED
        assert bench.engine.read_log("a", 0, generation)[0].decode() == found
    aside = bench.state / "gangs" / "a" / "earlier" / "1"
    assert sorted(path.name for path in (aside / "checkpoints").iterdir()) == ["1", "2"]


def test_a_log_that_never_was_is_not_found(bench: LocalBench) -> None:
    with pytest.raises(LookupError):
        bench.engine.read_log("a", 0)
    with pytest.raises(LookupError):
        bench.engine.read_log("a", 0, generation=3)
    assert bench.engine.rank_pids("a") == {}
    assert bench.engine.generations("a") == []


# Killed at any moment

DRIVER = """
import sys
from pathlib import Path
from forebay.engines import local
from tests.engines.local_bench import SCRIPTS, run_gang, shell
from tests.engines.contract import Story
engine = local.LocalEngine(Path(sys.argv[1]), str, lambda: None)
print("up", flush=True)
for number in range(4):
    engine.release([run_gang(f"g{number}", 0, shell(SCRIPTS[Story.RUNS]))])
sys.stdin.read()
"""


@pytest.mark.slow
@pytest.mark.serial
@pytest.mark.parametrize("delay_ms", [0, 2, 4, 7, 10, 14, 19, 25, 32, 40, 50, 65, 85, 120, 200])
def test_forebay_killed_at_any_moment_leaves_no_orphan_and_no_double(tmp_path: Path, delay_ms: int) -> None:
    state = tmp_path / "state"
    root = Path(__file__).resolve().parents[2]
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(state)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": f"{root / 'src'}{os.pathsep}{root}"},
    )
    with driver:
        assert driver.stdout is not None
        assert driver.stdout.readline() == b"up\n"
        # The moment is what is tested here; nothing is waited for.
        try:
            driver.wait(delay_ms / 1000)
        except subprocess.TimeoutExpired:
            driver.kill()
    names = [f"g{number}" for number in range(4)]
    bench = LocalBench(state)
    try:
        wanted = [bench.run(name, 0, Story.RUNS) for name in names]
        bench.engine.resync(wanted)
        for name in names:
            wait_started(bench, name)
        until(lambda: all(len(bench.starts(name)) >= 2 for name in names))
        bench.settle()
        for name in names:
            assert bench.starts(name) == [(0, 0), (0, 1)]
            (folder,) = local_bench.generation_folders(state, name)
            assert local_bench.ranks_of(folder) == sorted(bench.engine.rank_pids(name).values())
        assert {type(asked.command) for asked in bench.engine.reports(0)} == {gang.ReportGangStarted}
        bench.engine.resync([])
        for name in names:
            assert end_of(bench, name).ending is gang.Ending.STOPPED
            assert not bench.alive(name)
    finally:
        bench.clean_up()


def test_ids_of_reports_are_those_of_effects(bench: LocalBench) -> None:
    bench.engine.release([bench.run("a.b-c_1", 7, Story.COMPLETES)])
    end = end_of(bench, "a.b-c_1", 7)
    assert (end.gang, end.source) == (ids.GangId("a.b-c_1"), "local")

from pathlib import Path

import pytest

from forebay.engines import gang_folders, supervisor
from tests.engines.local_bench import LocalBench, run_gang, shell, until


def log(folder: Path, parts: dict[int, bytes], rank: int = 0) -> None:
    for base, content in parts.items():
        (folder / f"rank-{rank}.{base}.log").write_bytes(content)


#: parts, offset, limit, what is read, where to go on
READS = [
    ({}, 0, 100, b"", 0),
    ({}, -5, 100, b"", 0),
    ({0: b"abcdef"}, 0, 100, b"abcdef", 6),
    ({0: b"abcdef"}, 2, 3, b"cde", 5),
    ({0: b"abcdef"}, 6, 100, b"", 6),
    ({0: b"abcdef"}, 99, 100, b"", 99),
    ({0: b"abcdef"}, -2, 100, b"ef", 6),
    ({0: b"abc", 3: b"def"}, 0, 100, b"abcdef", 6),
    ({0: b"abc", 3: b"def"}, 1, 3, b"bcd", 4),
    ({0: b"abc", 3: b"def"}, 3, 100, b"def", 6),
    ({0: b"abc", 3: b""}, 3, 100, b"", 3),
    # rotated away: what is left from there on
    ({7: b"hij", 10: b"klm"}, 2, 100, b"hijklm", 13),
    ({7: b"hij", 10: b"klm"}, -100, 100, b"hijklm", 13),
    # by number, not by name
    ({9: b"j", 10: b"k"}, 0, 100, b"jk", 11),
]


@pytest.mark.parametrize(("parts", "offset", "limit", "found", "next_offset"), READS)
def test_a_log_is_read_over_its_parts(
    tmp_path: Path, parts: dict[int, bytes], offset: int, limit: int, found: bytes, next_offset: int
) -> None:
    log(tmp_path, parts)
    log(tmp_path, {0: b"of another rank"}, rank=10)
    assert gang_folders.read_rank_log(tmp_path, 0, offset, limit) == (found, next_offset)


def test_a_log_is_followed_while_it_is_rotated(tmp_path: Path) -> None:
    bench = LocalBench(tmp_path / "state")
    try:
        script = "i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done; echo end"
        program = shell(script, log_bytes_max=4096)
        bench.engine.release([run_gang("a", 0, program, mask=1)])
        until(lambda: bench.engine.generations("a"))
        seen, offset = b"", 0

        def follow() -> bool:
            nonlocal seen, offset
            data, next_offset = bench.engine.read_log("a", 0, offset=offset, limit=1000)
            if next_offset - len(data) != offset:
                seen += b"...\n"  # the rest of the line was rotated away
            seen += data
            offset = next_offset
            return seen.endswith(b"end\n")

        until(follow)
        # What was rotated away before we read it is missing; what is there is whole and in order.
        lines = [
            line for line in seen.split(b"\n") if line.startswith(b"line ") and not line.endswith(b"...")
        ]
        numbers = [int(line.split()[1]) for line in lines]
        assert numbers == sorted(set(numbers))
        assert numbers[-1] == 2999
        folder = tmp_path / "state" / "gangs" / "a" / "0"
        until(lambda: gang_folders.read_outcome(folder))
        assert len(list(folder.glob("rank-0.*.log"))) == 2
        assert sum(path.stat().st_size for path in folder.glob("rank-0.*.log")) <= 2 * (4096 + 512)
    finally:
        bench.clean_up()


def test_a_damaged_file_counts_as_missing(tmp_path: Path) -> None:
    (tmp_path / "outcome.json").write_text('{"ending": ')
    assert gang_folders.read_outcome(tmp_path) is None
    assert gang_folders.read_outcome(tmp_path / "nonexistent") is None


def test_started_reads_back_as_identities(tmp_path: Path) -> None:
    who = supervisor.ProcessIdentity(1, 2, "boot")
    supervisor.write_whole(str(tmp_path / "started.json"), {"at": 1, "ranks": [who], "limits": {}})
    started = gang_folders.read_started(tmp_path)
    assert started is not None
    assert started["ranks"] == [who]


def test_generations_are_in_order_of_number(tmp_path: Path) -> None:
    folders = gang_folders.GangFolders(tmp_path)
    for generation in (10, 9, 2):
        folders.make_generation("a", generation)
    folders.hand_out("a", 0, again=False)
    assert folders.generations("a") == [2, 9, 10]
    with pytest.raises(FileExistsError):
        folders.make_generation("a", 9)
    with pytest.raises(ValueError, match="negative"):
        folders.make_generation("a", -1)


#: whose it was ("" when not known), which gang asks, whether it was started before, what it finds, what is aside
OWNERS = [
    ("1", 1, False, ["x"], []),
    ("1", 1, True, ["x"], []),
    ("1", 4, False, [], ["1"]),
    ("1", 4, True, [], ["1"]),
    ("", 4, False, [], ["0"]),
    ("", 4, True, ["x"], []),
]


@pytest.mark.parametrize(("owner", "first", "again", "found", "aside"), OWNERS)
def test_what_a_program_wrote_is_for_its_own_gang(
    tmp_path: Path, owner: str, first: int, again: bool, found: list[str], aside: list[str]
) -> None:
    folders = gang_folders.GangFolders(tmp_path)
    folder = folders.of_gang("a")
    checkpoints, _ = folders.hand_out("a", 1, again=False)
    (checkpoints / "x").touch()
    (folder / "first.json").write_text(owner)
    for _ in range(2):
        checkpoints, home = folders.hand_out("a", first, again=again)
        assert [path.name for path in checkpoints.iterdir()] == found
        assert (home / "tmp").is_dir()
        assert sorted(path.name for path in folder.glob("earlier/*")) == aside
        again = True


def test_setting_aside_is_finished_after_a_crash_in_between(tmp_path: Path) -> None:
    folders = gang_folders.GangFolders(tmp_path)
    checkpoints, home = folders.hand_out("a", 1, again=False)
    (home / "x").touch()
    aside = folders.of_gang("a") / "earlier" / "1"
    aside.mkdir(parents=True)
    checkpoints.rename(aside / "checkpoints")
    checkpoints, home = folders.hand_out("a", 2, again=False)
    assert [path.name for path in home.iterdir()] == ["tmp"]
    assert (aside / "home" / "x").exists()
    assert (aside / "checkpoints").exists()


def test_a_pruned_gang_leaves_no_folder_unless_its_program_wrote_something(tmp_path: Path) -> None:
    folders = gang_folders.GangFolders(tmp_path)
    for name in ("wrote", "empty"):
        checkpoints, _ = folders.hand_out(name, 1, again=False)
        folders.make_generation(name, 1)
        if name == "wrote":
            (checkpoints / "x").touch()
        folders.prune(name, 1)
    assert folders.gangs() == ["wrote"]


def test_what_is_removed_is_gone_at_once_and_its_room_later(tmp_path: Path) -> None:
    folders = gang_folders.GangFolders(tmp_path)
    for first in (1, 2):
        folders.hand_out("a", first, again=False)
        folders.remove("a")
        assert folders.gangs() == []
    assert folders.holds_removed
    folders.free_removed()
    assert list(tmp_path.iterdir()) == [tmp_path / "gangs"]
    folders.free_removed()

from pathlib import Path

from tests.server.rig import gang, rigged


def test_an_engine_is_told_which_gangs_are_over(tmp_path: Path) -> None:
    with rigged(tmp_path) as rig:
        rig.furnish()
        asked = ["acme.own", "acme.more", "birch.own", "acme.queued", "nobody.knows"]
        assert rig.operator.post("/v1/gangs", json=gang("acme", "queued", gpus=64)).status_code == 201
        assert rig.forebay.ended_among(asked) == set()
        for name in ("acme.own", "acme.queued"):
            assert rig.operator.post(f"/v1/gangs/{name}/cancel").status_code == 200
        # Asked to stop is not over: the engine has still to say so.
        rig.settle()
        assert rig.forebay.ended_among(asked) == {"acme.own", "acme.queued"}
        # They leave the World at the close of a period, and are over all the same.
        rig.pass_time(3_600_000_000)
        assert rig.operator.post("/v1/periods/close").status_code == 200
        assert rig.operator.get("/v1/gangs/acme.own").status_code == 404
        assert rig.forebay.ended_among(asked) == {"acme.own", "acme.queued"}
        # The name is taken again.
        assert rig.operator.post("/v1/gangs", json=gang("acme", "queued")).status_code == 201
        assert rig.forebay.ended_among(asked) == {"acme.own"}


def test_a_loop_that_has_stopped_cannot_say_what_is_over(tmp_path: Path) -> None:
    with rigged(tmp_path) as rig:
        pass
    assert rig.forebay.ended_among(["acme.own"]) is None

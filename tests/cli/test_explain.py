"""Why a gang waits, and what an invoice line rests on."""

from tests.cli.rig import Lab


def test_a_gang_that_waits(lab: Lab) -> None:
    ran = lab.shell("explain", "birch.large")
    assert ran.out.startswith("birch.large is pending. Nodes: 2 wholly free nodes")
    assert "It starts by" in ran.out


def test_a_gang_that_runs(lab: Lab) -> None:
    ran = lab.shell("explain", "acme.long")
    assert ran.out.startswith(
        "acme.long is running. It runs on its own tranche acme-t1: 4 GPUs on 1 node in 1 rack."
    )


def test_a_line_of_an_invoice(lab: Lab) -> None:
    ran = lab.shell("explain", "INV-000001:1")
    assert "12.00" not in ran.out
    assert "acme-1 version 1, tranches[acme-t1].price_per_gpu_hour" in ran.out
    assert "acme.hello" in ran.out
    assert "in all" in ran.out
    assert lab.shell("explain", "INV-000001:99").status == 1

"""`forebay binding`: which racks each tranche has, and why; and planning them anew."""

from __future__ import annotations

from typing import Any

import click

from forebay.cli import client, command, paper, session

#: Beyond what the solver may take, for an answer, seconds.
MORE_S = 60.0
EXAMPLES = """
    forebay binding
    forebay binding list --site fjord --racks
    forebay binding solve --dry-run
    forebay binding solve --site fjord --sku nvl72 --seconds 60
"""
#: What became of a plan.
OUTCOMES = {
    "taken": "the plan is taken",
    "kept": "nothing is to be gained: what is bound stays",
    "tried": "a dry run, nothing is recorded",
    "refused": "the plan is refused",
}
#: How a plan was made, where no solver made it better.
HOW = {"spread": "dealt out, and good enough", "kept": "no better than what is bound"}
#: Figures of a report, by field.
FIGURES = (
    ("nodes owed and not bound yet", "short"),
    ("nodes lost with the worst feed of each tranche", "worst_feed"),
    ("nodes lost with the worst row of each tranche", "worst_row"),
    ("nodes lost with the worst cooling loop of each tranche", "worst_loop"),
    ("racks in parts", "broken_racks"),
    ("nodes stranded on them", "stranded"),
    ("spare racks", "spare_racks"),
    ("spare nodes in service", "spare_nodes"),
)


@command.group("binding", examples=EXAMPLES, invoke_without_command=True)
@click.pass_context
def binding_group(context: click.Context) -> None:
    """Which racks each tranche has, and why; plan them anew.

    Signing binds at once, first fit. Where that can be better a plan is made beside it: each tranche is spread over
    feeds, rows and cooling loops, parts of racks are put together, and what runs stays. Operators only.
    """
    if context.invoked_subcommand is None:
        context.invoke(_list_bindings)


@binding_group.command(
    "list", examples="forebay binding list\nforebay binding list --site fjord --racks --json"
)
@click.option("--site", default="", metavar="SITE", help="This site only.")
@click.option("--sku", default="", metavar="SKU", help="This kind of rack only.")
@click.option("--racks", is_flag=True, help="Name the racks of each tranche too.")
def _list_bindings(site: str = "", sku: str = "", racks: bool = False) -> None:
    """Show what each tranche has, and the newest plan of each stock with its reasons."""
    said = session.current()
    body = client.connect(said).get("/v1/bindings", site=site, sku=sku)
    if said.json:
        said.emit("binding", body)
    elif body["stocks"]:
        click.echo("\n\n".join(stock_text(each, racks, said.colors()) for each in body["stocks"]))
    else:
        said.say("no tranche is promised anything that is not over")


def stock_text(stock: dict[str, Any], racks: bool, color: bool) -> str:
    """Who has what of a stock, and why."""
    head = f"{stock['site']}, {stock['sku']}"
    headers = ("TRANCHE", "STANDING", "FROM", "UNTIL", "RACKS", "OF", "ROWS", "FEEDS", "LOOPS", "WORST FEED")
    rows = [_row(each, stock["nodes_per_rack"]) for each in stock["tranches"]]
    told = [
        click.style(head, bold=True) if color else head,
        paper.table(headers, rows, right="    rrrrr", color=color),
    ]
    if racks:
        told += [f"{each['tranche']}: {_named(each['racks'], stock)}" for each in stock["tranches"]]
    told.append(
        plan_text(stock["plan"])
        if stock["plan"]
        else "bound first fit; no plan was made since the server started"
    )
    return "\n".join(told)


def _row(each: dict[str, Any], per_rack: int) -> list[object]:
    worst = max((place["nodes"] for place in each["feeds"]), default=0)
    share = f"{100 * worst / each['bound']:.0f} %" if each["bound"] else "-"
    return [
        each["tranche"], each["standing"], paper.day(each["start"]), paper.day(each["end"]),
        _racks(each["bound"], per_rack), _racks(each["promised"], per_rack), len(each["rows"]), len(each["feeds"]),
        len(each["loops"]) or "-", share,
    ]  # fmt: skip


def _racks(nodes: int, per_rack: int) -> str:
    return f"{nodes // per_rack:,}" if nodes % per_rack == 0 else f"{nodes / per_rack:,.2f}"


def _named(places: list[dict[str, Any]], stock: dict[str, Any]) -> str:
    """Racks by name; those of which only a part is had with their nodes."""
    whole = stock["nodes_per_rack"]
    named = [
        each["name"] + ("" if each["nodes"] == whole else f" ({paper.count(each['nodes'], 'node')})")
        for each in places
    ]
    return ", ".join(named) or "none yet"


@binding_group.command(
    "solve", examples="forebay binding solve --dry-run\nforebay binding solve --site fjord --moves"
)
@click.option("--site", default="", metavar="SITE", help="This site only.")
@click.option("--sku", default="", metavar="SKU", help="This kind of rack only.")
@click.option("--seconds", type=click.IntRange(0, 600), default=30, show_default=True,
              help="Longest time of the solver for each stock; 0 for a quick plan.")  # fmt: skip
@click.option(
    "--moves", is_flag=True, help="Tranches whose term runs may have to give up nodes, with their work."
)
@click.option("-n", "--dry-run", is_flag=True, help="Show the plan; record nothing.")
def _solve(site: str, sku: str, seconds: int, moves: bool, dry_run: bool) -> None:
    """Plan which tranche has which racks, now.

    A plan is taken whole, or refused where something changed meanwhile; then it is made again.
    """
    said = session.current()
    found = client.connect(said, seconds + MORE_S)
    stocks = found.get("/v1/bindings", site=site, sku=sku)["stocks"]
    posted = {"seconds": seconds, "moves": moves, "dry_run": dry_run}
    plans = [
        found.post(f"/v1/bindings/{client.escaped(each['site'])}/{client.escaped(each['sku'])}/solve", posted)
        for each in stocks
    ]
    if said.json:
        said.emit("binding.solve", {"items": plans})
    elif plans:
        click.echo("\n\n".join(plan_text(each) for each in plans))
    else:
        said.say("no tranche is promised anything that is not over")


def plan_text(plan: dict[str, Any]) -> str:
    """What became of a plan, and why it is as it is."""
    detail = f" ({plan['detail']})" if plan["detail"] else ""
    if (plan["outcome"], plan["how"]) == ("tried", "kept"):
        detail = "; nothing is to be gained"
    told = [
        f"{plan['sku']} at {plan['site']}, planned {paper.moment(plan['made'])}: {OUTCOMES[plan['outcome']]}{detail}"
    ]
    by = HOW.get(plan["how"], f"solver: {plan['status']}")
    gap = f"{plan['gap_ppm'] / 10_000:.2f} %"
    told.append(f"  made for version {plan['version']} in {plan['took_ms'] / 1000:.1f} s ({by})")
    told.append(f"  cost {plan['cost']}, at least {plan['bound']} (gap {gap})")
    for title, name in FIGURES:
        before, after = plan["before"][name], plan["after"][name]
        if before or after:
            told.append(f"  {title}: {before:,}" + (f" -> {after:,}" if before != after else ""))
    told.append(
        f"  nodes given up by running tranches: {plan['moved']:,} ({plan['work_moved']:,} with work), by others: "
        f"{plan['changed']:,}"
    )
    covered = [each["kind"] for each in plan["domains"] if each["covered"]]
    told.append(f"  the spare racks cover the loss of the largest {', '.join(covered)}" if covered
                else "  the spare racks cover the loss of no rack")  # fmt: skip
    if plan["spares_needed"]:
        missing = f"{plan['spares_missing']:,} are missing" if plan["spares_missing"] else "none is missing"
        told.append(
            f"  spares by the promise policy: {plan['spares_needed']:,} nodes, as the largest {plan['spares']} has; "
            f"{missing}"
        )
    if plan["tranches"]:
        told.append(f"  other nodes for: {', '.join(plan['tranches'])}")
    return "\n".join(told)

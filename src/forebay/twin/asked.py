"""What was asked of a replay, in words of the command line? And the setups that follow: one, or many variations."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from forebay.core.placements import gang as gangs
from forebay.core.placements.estimates import Estimates
from forebay.feeds import commands, kinds, quantities, reading, tree, trials
from forebay.twin import mapping, plants, replay
from forebay.twin.faults import FailureRate, Rates

#: Variations of one replay at the most.
VARIATIONS_MAX = 1000
#: What may be varied.
VARIED = (
    "gpus", "policy", "depth", "price", "power", "load", "seed", "tier", "checkpoint",
    "curtail", "estimates",
)  # fmt: skip
#: Between checkpoints where things fail and nothing else is said, seconds.
CHECKPOINT_S = 1800


class BadReplay(ValueError):
    """What was asked for cannot be meant; the message names the option."""


@dataclass(frozen=True, slots=True)
class ReplayWords:
    """Options of a replay as they were said; "" and None for what was not."""

    gpus: int = 0
    gpus_per_node: int = 8
    estate: tuple[Path, ...] = ()
    begins: str = ""
    #: A name, or a file with a Policy.
    policy: str = ""
    depth: int = 0
    price: str = "2.00"
    power: str = "100 %"
    load: str = "1"
    tier: gangs.Tier = gangs.Tier.ON_DEMAND
    map: Path | None = None
    checkpoint: str = ""
    seed: int | None = None
    rates: Path | None = None
    recorded: bool = True
    measured: bool = True
    #: Each FEED=SHARE:AFTER:FOR.
    curtail: tuple[str, ...] = ()
    #: Of those that ask for no limit of time; "" as the policy says.
    estimates: str = ""

    def setup(self) -> replay.Setup:
        """The replay that is meant. Raises `BadReplay`, `tree.DocumentError`."""
        if bool(self.gpus) is bool(self.estate):
            raise BadReplay("one of --gpus and --estate is meant: a plant made up, or your own documents")
        try:
            price_micros = quantities.price_micros(self.price)
        except quantities.Malformed as error:
            raise BadReplay(f"--price: {error}") from None
        order, policy = self._policy()
        estimates = Estimates(self.estimates) if self.estimates else None
        if self.estate:
            if self._power_ppm() != 1_000_000:
                raise BadReplay(
                    "--power is for a plant of --gpus; the limits of an estate stand in its documents"
                )
            try:
                plant = plants.of_documents(
                    self.estate, self.begins, order, self.depth, None if order else policy, price_micros,
                    estimates,
                )  # fmt: skip
            except quantities.Malformed as error:
                raise BadReplay(f"--begin: {error}") from None
            told = ""
        else:
            policy = policy or gangs.Policy(order=order or gangs.Order.OVERTAKE)
            policy = dataclasses.replace(policy, depth=self.depth) if self.depth else policy
            policy = dataclasses.replace(policy, estimates=estimates) if estimates else policy
            try:
                plant = plants.of_gpus(self.gpus, self.gpus_per_node, price_micros, policy, self._power_ppm())
            except ValueError as error:
                raise BadReplay(str(error)) from None
            told = replay.policy_told(policy)
        checkpoint_s = self._seconds("--checkpoint", self.checkpoint)
        if not self.checkpoint and self.seed is not None:
            checkpoint_s = CHECKPOINT_S
        return replay.Setup(
            plant, told, mapping.JobMap(self._rules(), self.tier, checkpoint_s), self.seed, self._rates(),
            self._load_ppm(), tuple(map(self._curtailment, self.curtail)), self.recorded, self.measured,
        )  # fmt: skip

    def varied(self, name: str, value: str) -> ReplayWords:
        """The same with one thing another. Raises `BadReplay`."""
        try:
            match name:
                case "gpus" | "depth" | "seed":
                    number: Any = {name: int(value)}
                    return dataclasses.replace(self, **number)
                case "curtail":
                    return dataclasses.replace(self, curtail=() if value == "none" else (value,))
                case "tier":
                    return dataclasses.replace(self, tier=gangs.Tier(value))
                case "estimates":
                    return dataclasses.replace(self, estimates=Estimates(value).value)
                case "policy" | "price" | "power" | "load" | "checkpoint":
                    words: Any = {name: value}
                    return dataclasses.replace(self, **words)
        except ValueError:
            raise BadReplay(f"--vary {name}={value}: {value!r} is not one of its values") from None
        raise BadReplay(f"--vary {name}: known are {', '.join(VARIED)}")

    def _policy(self) -> tuple[gangs.Order | None, gangs.Policy | None]:
        """The order that was named, or the policy of a file."""
        if not self.policy:
            return None, None
        if self.policy in {order.value for order in gangs.Order}:
            order = gangs.Order(self.policy)
            return order, gangs.Policy(order=order, depth=self.depth or 100)
        path = Path(self.policy)
        if not path.is_file():
            known = ", ".join(order.value for order in gangs.Order)
            raise BadReplay(f"--policy: {self.policy!r} is neither a policy ({known}) nor a file with one")
        document = _one(path, "Policy", kinds.KINDS)
        command = commands.command_of(document, commands.Setting(0)).command
        assert isinstance(command, gangs.ApplyPolicy), "a Policy is applied"
        return None, command.policy

    def _rules(self) -> tuple[mapping.Rule, ...]:
        if self.map is None:
            return ()
        body: trials.TraceMapDocument = _one(self.map, "TraceMap", trials.TRIALS).body
        return tuple(
            mapping.Rule(
                rule.match, rule.gpus_from, rule.gpus_to, rule.tenant, rule.tier, rule.tranche, rule.sku,
                rule.within, rule.checkpoint, rule.restarts,
            )
            for rule in body.rules
        )  # fmt: skip

    def _rates(self) -> Rates:
        if self.rates is None:
            return Rates()
        body: trials.FailureRatesDocument = _one(self.rates, "FailureRates", trials.TRIALS).body
        said: Any = {
            name: FailureRate(entry.mtbf, entry.repair, entry.source or str(self.rates))
            for name in ("node", "rack", "feed")
            if (entry := getattr(body, name)) is not None
        }
        return dataclasses.replace(Rates(restart_s=body.restart), **said)

    def _power_ppm(self) -> int:
        try:
            found = quantities.share_ppm(self.power)
        except quantities.Malformed as error:
            raise BadReplay(f"--power: {error}") from None
        if not found > 0:
            raise BadReplay(f"--power: {self.power!r} leaves nothing")
        return found

    def _load_ppm(self) -> int:
        try:
            found = quantities.price_micros(self.load)
        except quantities.Malformed:
            found = 0
        if not 0 < found <= 1_000_000_000:
            raise BadReplay(f"--load: {self.load!r} is not a number above 0 and up to 1,000")
        return found

    def _curtailment(self, text: str) -> replay.LessPower:
        feed, equals, rest = text.partition("=")
        parts = rest.split(":")
        try:
            if not equals or len(parts) != 3:
                raise quantities.Malformed("FEED=SHARE:AFTER:FOR is meant, such as 'substation=70%:5d:12h'")
            share_ppm, after_s, for_s = quantities.share_ppm(parts[0]), *map(quantities.seconds, parts[1:])
        except quantities.Malformed as error:
            raise BadReplay(f"--curtail {text}: {error}") from None
        return replay.LessPower(feed, share_ppm, after_s, for_s)

    def _seconds(self, option: str, text: str) -> int:
        if not text:
            return 0
        try:
            return quantities.seconds(text)
        except quantities.Malformed as error:
            raise BadReplay(f"{option}: {error}") from None


def _one(path: Path, kind: str, known: dict[str, type[msgspec.Struct]]) -> reading.Document:
    """The one document of a file, of this kind."""
    try:
        roots = tree.from_yaml(path.read_bytes(), str(path))
    except OSError as error:
        raise BadReplay(f"{path}: {error.strerror}") from None
    if len(roots) != 1:
        raise tree.DocumentError(
            [tree.Problem(f"one {kind} is meant, and here are {len(roots)}", file=str(path))]
        )
    return reading.document(roots[0], str(path), kind, known)


class Variation:
    """One of several replays: what is other in it."""

    def __init__(self, values: dict[str, str], setup: replay.Setup) -> None:
        self.values = values
        self.setup = setup


def variations(asked: ReplayWords, said: Sequence[str]) -> list[Variation]:
    """Every combination of `NAME=VALUE,VALUE` words. Raises `BadReplay`, `tree.DocumentError`."""
    names: list[str] = []
    lists: list[list[str]] = []
    for words in said:
        name, equals, values = words.partition("=")
        if not equals or name not in VARIED or name in names:
            raise BadReplay(f"--vary {words}: NAME=VALUE,VALUE is meant, each of {', '.join(VARIED)} once")
        names.append(name)
        lists.append(list(_values(name, values)))
    count = 1
    for each in lists:
        count *= len(each)
    if count > VARIATIONS_MAX:
        raise BadReplay(f"--vary: {count} variations are more than {VARIATIONS_MAX}")
    found = []
    for chosen in itertools.product(*lists):
        one = asked
        for name, value in zip(names, chosen, strict=True):
            one = one.varied(name, value)
        found.append(Variation(dict(zip(names, chosen, strict=True)), one.setup()))
    return found


def _values(name: str, text: str) -> Iterator[str]:
    """Values between commas; of whole numbers also a range such as 1-100."""
    for value in text.split(","):
        first, dash, last = value.partition("-")
        if dash and name in ("seed", "depth", "gpus") and first.isdigit() and last.isdigit():
            if int(last) - int(first) >= VARIATIONS_MAX:
                raise BadReplay(f"--vary {name}={value}: more than {VARIATIONS_MAX} values")
            yield from map(str, range(int(first), int(last) + 1))
        else:
            yield value.strip()

"""Who decides about what both sides of a contract say, and about what depends on which side is ours?

A delivery of ours and one to us, an amendment that we grant and one that we take: the same command leads to another
decision on each side. The World asks here first.
"""

from __future__ import annotations

from forebay.core import supply
from forebay.core.claims import (
    acceptance,
    answering,
    contracts,
    deliveries,
    handover,
    lateness,
    offers,
    overlays,
    parties,
    receiving,
    relief,
    rental_amendments,
    renting,
    rights,
)
from forebay.core.claims.contracts import State
from forebay.core.ids import Answer, Command, Refusal
from forebay.core.supply import Emit, blocks


def decide_dealing(
    claimed: State, supplied: supply.State, command: Command, at: int, emit: Emit
) -> Answer | Refusal | None:
    """What is answered on our side; None for a command that is decided in the same way on both, or on ours as its
    seller.
    """
    match command:
        case (
            acceptance.GiveReadyNotice()
            | acceptance.AcceptDelivery()
            | acceptance.RejectDelivery()
            | relief.ReportRelief()
        ) if command.tranche in claimed.rented.tranches:
            return receiving.receive(claimed, supplied, command, at, emit)
        case acceptance.GiveReadyNotice():
            return handover.give_notice(claimed, supplied, command, at, emit)
        case acceptance.AcceptDelivery():
            return handover.accept(claimed, command, at, emit)
        case acceptance.RejectDelivery():
            return handover.reject(claimed, command, at, emit)
        case relief.ReportRelief():
            return lateness.report_relief(claimed, command, at, emit)
        case parties.ApplyEstate():
            return overlays.apply_estate(claimed, command, emit)
        case parties.ApplyOverlay():
            return overlays.apply_overlay(claimed, supplied, command, emit)
        case deliveries.NotifyDelivery():
            return renting.notify(claimed, command, at, emit)
        case deliveries.ReportDelivered():
            return renting.report_delivered(claimed, command, at, emit)
        case deliveries.ForecastDelivery():
            return renting.forecast_delivery(claimed, command, emit)
        case supply.ApplySite():
            return renting.refuse_building(claimed, supplied, command)
        case blocks.ApplySchedule():
            return renting.refuse_rented_site(claimed, command.plan.site)
        case rights.WaiveRight() if command.right in claimed.rented.rights:
            return renting.waive_rented(claimed, supplied, command, at, emit)
        case rights.ExerciseRight() if command.right in claimed.rented.rights:
            return renting.use_rented(claimed, supplied, command, at, emit)
        case offers.ReceiveOffer():
            return answering.receive_offer(claimed, supplied, command, at, emit)
        case contracts.SignContract():
            side = overlays.side_of(claimed.estate, command.plan)
            if side is rights.Side.CUSTOMER:
                return rental_amendments.sign_rental(claimed, supplied, command, at, emit)
            return overlays.refuse_stranger(claimed, command.plan)
    return None

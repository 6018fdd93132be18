"""Who may ask for what?"""

from __future__ import annotations

from forebay.core import claims, money, supply
from forebay.core.claims import (
    acceptance,
    deliveries,
    offers,
    parties,
    prices,
    relief,
    rights,
    workdays,
)
from forebay.core.ids import (
    Command,
    Role,
)
from forebay.core.placements import (
    campaigning,
    checkpoints,
    projects,
    shedding,
    silence,
    upkeep,
)
from forebay.core.placements import gang as gangs
from forebay.core.supply import blocks

#: Who may ask for what. The default is no. A tenant may ask only about what is its own: `placements.foreign`.
ALLOWED: dict[type[Command], frozenset[Role]] = {
    supply.ApplyCatalogue: frozenset({Role.OPERATOR}),
    supply.ApplySite: frozenset({Role.OPERATOR}),
    **upkeep.ROLES,
    blocks.ApplySchedule: frozenset({Role.OPERATOR}),
    blocks.ReportForecast: frozenset({Role.OPERATOR, Role.EDGE}),
    blocks.ReportReached: frozenset({Role.OPERATOR, Role.EDGE}),
    blocks.RecordForecast: frozenset({Role.OPERATOR, Role.EDGE}),
    claims.ApplyPromisePolicy: frozenset({Role.OPERATOR}),
    claims.AllocateShortfall: frozenset({Role.OPERATOR}),
    workdays.ApplyBusinessCalendar: frozenset({Role.OPERATOR}),
    claims.SignContract: frozenset({Role.OPERATOR, Role.FINANCE}),
    claims.ProposeBinding: frozenset({Role.OPERATOR}),
    claims.NominateTranche: frozenset({Role.OPERATOR, Role.FINANCE}),
    claims.HoldCapacity: frozenset({Role.OPERATOR, Role.FINANCE}),
    claims.ReleaseHold: frozenset({Role.OPERATOR, Role.FINANCE}),
    parties.ApplyEstate: frozenset({Role.OPERATOR}),
    parties.ApplyOverlay: frozenset({Role.OPERATOR, Role.FINANCE}),
    deliveries.NotifyDelivery: frozenset({Role.OPERATOR, Role.FINANCE}),
    deliveries.ReportDelivered: frozenset({Role.OPERATOR, Role.FINANCE}),
    deliveries.ForecastDelivery: frozenset({Role.OPERATOR}),
    rights.OfferSale: frozenset({Role.OPERATOR, Role.FINANCE}),
    offers.ReceiveOffer: frozenset({Role.OPERATOR, Role.FINANCE}),
    rights.ExerciseRight: frozenset({Role.OPERATOR, Role.FINANCE, Role.TENANT}),
    rights.WaiveRight: frozenset({Role.OPERATOR, Role.FINANCE, Role.TENANT}),
    acceptance.GiveReadyNotice: frozenset({Role.OPERATOR}),
    acceptance.AcceptDelivery: frozenset({Role.OPERATOR, Role.TENANT}),
    acceptance.RejectDelivery: frozenset({Role.OPERATOR, Role.TENANT}),
    relief.ReportRelief: frozenset({Role.OPERATOR}),
    **dict.fromkeys(shedding.CURTAILING, frozenset({Role.OPERATOR, Role.EDGE})),
    **campaigning.CAMPAIGN_ROLES,
    **silence.ENGINE_ROLES,
    supply.storage.ApplyStorage: frozenset({Role.OPERATOR}),
    gangs.ApplyPolicy: frozenset({Role.OPERATOR}),
    projects.ApplyProjects: frozenset({Role.OPERATOR, Role.TENANT}),
    gangs.SubmitGang: frozenset({Role.OPERATOR, Role.TENANT}),
    gangs.SubmitArray: frozenset({Role.OPERATOR, Role.TENANT}),
    gangs.CancelGang: frozenset({Role.OPERATOR, Role.TENANT}),
    gangs.ReportGangStarted: frozenset({Role.EDGE}),
    gangs.ReportGangEnded: frozenset({Role.EDGE}),
    checkpoints.ReportCheckpoint: frozenset({Role.EDGE, Role.OPERATOR, Role.TENANT}),
    prices.PublishIndex: frozenset({Role.OPERATOR, Role.FINANCE}),
    money.ApplyPriceList: frozenset({Role.OPERATOR, Role.FINANCE}),
    money.CloseBillingPeriod: frozenset({Role.OPERATOR, Role.FINANCE}),
    money.RecordReceipt: frozenset({Role.OPERATOR, Role.FINANCE}),
    money.AllocateReceipt: frozenset({Role.OPERATOR, Role.FINANCE}),
    money.ReverseReceipt: frozenset({Role.OPERATOR, Role.FINANCE}),
}

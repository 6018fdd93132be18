"""Which commands are there? Their names, where they live and what they do, without importing one of them."""

from __future__ import annotations

#: Sections of `forebay --help`: title, then (name, module and attribute, what it does).
SECTIONS: tuple[tuple[str, tuple[tuple[str, str, str], ...]], ...] = (
    (
        "Start",
        (
            (
                "up",
                "forebay.cli.up:up_command",
                "Start a world from a folder of documents, and tell what happens.",
            ),
            (
                "status",
                "forebay.cli.status:status_command",
                "What there is, what runs and what waits, at a glance.",
            ),
            ("doctor", "forebay.cli.doctor:doctor_command", "Look for what is wrong, and say what to do."),
        ),
    ),
    (
        "Work",
        (
            (
                "submit",
                "forebay.cli.submit:submit_command",
                "Submit gangs from files, or a command as a gang.",
            ),
            ("jobs", "forebay.cli.jobs:jobs_command", "List gangs: waiting, running, ended."),
            (
                "queue",
                "forebay.cli.queue:queue_command",
                "Who waits, in the order in which they are tried, and why in this order.",
            ),
            (
                "projects",
                "forebay.cli.projects:projects_command",
                "How a tenant divides what it may use: a tree of projects with shares, caps, budgets and use.",
            ),
            (
                "loans",
                "forebay.cli.loans:loans_command",
                "List loans: who lends what to whom, when it could be back, and what work that would cost.",
            ),
            (
                "checkpoint",
                "forebay.cli.loans:checkpoint_command",
                "Report that a gang has written a checkpoint: what it did before is not lost when it is stopped.",
            ),
            ("logs", "forebay.cli.logs:logs_command", "Print what a rank of a gang wrote."),
            (
                "explain",
                "forebay.cli.explain:explain_command",
                "Why a gang waits or runs; what an invoice line adds up.",
            ),
            (
                "cancel",
                "forebay.cli.jobs:cancel_command",
                "Stop gangs for good, or take them out of the queue.",
            ),
        ),
    ),
    (
        "Documents and plant",
        (
            (
                "apply",
                "forebay.cli.apply:apply_command",
                "Apply documents: sites, contracts, prices, policies, gangs.",
            ),
            (
                "import",
                "forebay.cli.import_tables:import_command",
                "Apply sites, schedules and contracts from tables: CSV and XLSX.",
            ),
            (
                "node",
                "forebay.cli.node:node_group",
                "List nodes; cordon, drain, fail, restore or quarantine one.",
            ),
            (
                "progress",
                "forebay.cli.failing:progress_command",
                "Report how far a gang got: a number that grows, such as its step.",
            ),
            (
                "fail",
                "forebay.cli.failing:fail_command",
                "Report that a node, or a part of the plant with all that hangs on it, has failed.",
            ),
            (
                "repair",
                "forebay.cli.failing:repair_command",
                "Report that a node, or a part of the plant, is well again.",
            ),
            (
                "drain",
                "forebay.cli.node:drain_command",
                "Move the work off a node (the same as `node drain`).",
            ),
            (
                "power",
                "forebay.cli.power:power_command",
                "What each feed and cooling loop may carry, carries and has left.",
            ),
            (
                "curtail",
                "forebay.cli.power:curtail_command",
                "A feed or a cooling loop is to carry less for a while; `end ID` lifts that.",
            ),
            (
                "curtailments",
                "forebay.cli.power:curtailments_command",
                "List curtailments that are announced or hold.",
            ),
            (
                "engines",
                "forebay.cli.engines:engines_command",
                "List engines: when they were last heard of, and which are silent.",
            ),
            (
                "engine",
                "forebay.cli.engines:engine_group",
                "What is done about an engine.",
            ),
            (
                "campaigns",
                "forebay.cli.campaigns:campaigns_command",
                "List maintenance campaigns, and how far they are.",
            ),
            (
                "campaign",
                "forebay.cli.campaigns:campaign_group",
                "Maintenance of many nodes in waves: plan, show, pause, resume, cancel; consent to it.",
            ),
        ),
    ),
    (
        "Usage and money",
        (
            (
                "invoice",
                "forebay.cli.invoice:invoice_group",
                "List and print invoices, draft what is to come; close the billing period.",
            ),
            (
                "ledger",
                "forebay.cli.ledger:ledger_command",
                "Balances of all accounts, or what was posted to one.",
            ),
            (
                "availability",
                "forebay.cli.availability:availability_command",
                "What was delivered of what was entitled, and the credit due.",
            ),
            (
                "readings",
                "forebay.cli.readings:readings_group",
                "Readings of meters: bring in a file, show what became of them.",
            ),
            (
                "goodput",
                "forebay.cli.goodputs:goodput_command",
                "How much of what gangs held became work that lasts.",
            ),
            (
                "exclusion",
                "forebay.cli.exclusions:exclusion_group",
                "Record loss that a tenant caused itself, withdraw that, list it.",
            ),
            (
                "claim-credit",
                "forebay.cli.exclusions:claim_command",
                "Claim the service credit of a month, where the contract gives it on claim.",
            ),
            (
                "receipt",
                "forebay.cli.receipts:receipt_group",
                "Record money that came, allocate it to invoices, reverse what was wrong.",
            ),
            (
                "receivables",
                "forebay.cli.receivables:receivables_command",
                "Open invoices by age, and money on account.",
            ),
            (
                "entry",
                "forebay.cli.entries:entry_group",
                "Propose journal entries by hand; another person approves or rejects them.",
            ),
            (
                "prepayments",
                "forebay.cli.prepayments:prepayments_command",
                "What contracts paid ahead: asked for, paid, drawn by fees, returned, and what is left.",
            ),
            (
                "refund",
                "forebay.cli.prepayments:refund_command",
                "What a contract that is over paid ahead, and did not draw, goes back.",
            ),
            (
                "taxes",
                "forebay.cli.taxes:taxes_command",
                "Taxes by account: rates, from when on they hold, and what they rest on.",
            ),
            (
                "credit-note",
                "forebay.cli.credit_notes:credit_note_group",
                "Credit lines of invoices, print and list credit notes, let them pay other invoices.",
            ),
            (
                "payables",
                "forebay.cli.payables:payables_command",
                "What we are to pay for a month of a contract, by what both sides know.",
            ),
            (
                "dispute",
                "forebay.cli.contesting:dispute_group",
                "Contest lines of an invoice; compare a provider's invoice with our own computation.",
            ),
            (
                "costs",
                "forebay.cli.costs:costs_command",
                "What was invoiced, by tenant, site, project: used, paid unused, and per useful GPU-hour.",
            ),
            (
                "export",
                "forebay.cli.export:export_group",
                "Write invoices and contracts as files that other tools read.",
            ),
        ),
    ),
    (
        "Capacity and promises",
        (
            (
                "capacity",
                "forebay.cli.capacity:capacity_command",
                "What can still be promised: site by kind of rack by month.",
            ),
            (
                "schedule",
                "forebay.cli.schedule:schedule_command",
                "What is to come at a site, and when: milestones, blocks, power.",
            ),
            (
                "slip",
                "forebay.cli.schedule:slip_command",
                "A milestone comes at another date: who goes short?",
            ),
            ("reached", "forebay.cli.schedule:reached_command", "A milestone is done."),
            (
                "quote",
                "forebay.cli.offer:quote_command",
                "Where and from when on a request fits; hold an offer.",
            ),
            ("hold", "forebay.cli.offer:hold_group", "List what is held for customers; release it."),
            ("sign", "forebay.cli.sign:sign_command", "Sign contracts of files, if they can be kept."),
            (
                "contracts",
                "forebay.cli.contracts:contracts_group",
                "What was signed, version by version; clauses that are watched.",
            ),
            (
                "shortfall",
                "forebay.cli.shortfall:shortfall_group",
                "Who goes short, by how many GPUs, for how much; share it out by hand.",
            ),
            (
                "datasets",
                "forebay.cli.datasets:datasets_command",
                "List datasets and where they lie; for operators also pools and copies on their way.",
            ),
            (
                "fragmentation",
                "forebay.cli.fragmentation:fragmentation_command",
                "Show how free capacity lies: wholly free nodes and racks, the largest gangs, what is scattered.",
            ),
            (
                "estimates",
                "forebay.cli.estimates:estimates_command",
                "Show learned run times, by tenant, and how wrong estimates were.",
            ),
            (
                "binding",
                "forebay.cli.binding:binding_group",
                "Which racks each tranche has, and why; plan them anew.",
            ),
            (
                "terms",
                "forebay.cli.terms:terms_command",
                "What a contract says of prices, service levels, lateness.",
            ),
            (
                "nominate",
                "forebay.cli.nominate:nominate_command",
                "Put a tranche that leaves a choice elsewhere.",
            ),
            (
                "payments",
                "forebay.cli.payments:payments_command",
                "What falls due under a contract, and when.",
            ),
            (
                "rights",
                "forebay.cli.rights:rights_group",
                "What may still be asked for; offer, be offered, exercise, waive.",
            ),
            (
                "calendars",
                "forebay.cli.calendars:calendars_group",
                "By which days notices are counted.",
            ),
            (
                "deliveries",
                "forebay.cli.deliveries:deliveries_command",
                "What is ready, accepted and billed of each tranche.",
            ),
            (
                "ready",
                "forebay.cli.deliveries:ready_command",
                "Give the customer notice that a part of a tranche is ready.",
            ),
            ("accept", "forebay.cli.deliveries:accept_command", "Accept what a ready notice was about."),
            (
                "reject",
                "forebay.cli.deliveries:reject_command",
                "Do not accept what a ready notice was about, and say why.",
            ),
            (
                "relief",
                "forebay.cli.deliveries:relief_command",
                "Report what the contract gives relief for: committed dates move.",
            ),
            (
                "suppliers",
                "forebay.cli.suppliers:suppliers_command",
                "From whom our capacity is, month by month.",
            ),
            (
                "entitlements",
                "forebay.cli.entitlements:entitlements_command",
                "Who is entitled to what under a contract: the same in both parties' Worlds.",
            ),
            (
                "notice",
                "forebay.cli.arrivals:notice_command",
                "A seller told its customer another date for a delivery.",
            ),
            (
                "delivered",
                "forebay.cli.arrivals:delivered_command",
                "A delivery came; either side records it.",
            ),
            (
                "forecast",
                "forebay.cli.arrivals:forecast_command",
                "When we, the customer, expect a delivery, whatever its seller says.",
            ),
            (
                "overlays",
                "forebay.cli.entitlements:overlays_command",
                "What we alone know of our contracts: floors, priorities, milestones behind dates.",
            ),
            (
                "what-if",
                "forebay.cli.what_if:what_if_group",
                "What a slip, a sale, more work, a failure, a curtailment or a reclaim would change.",
            ),
        ),
    ),
    (
        "Record and replay",
        (
            (
                "journal",
                "forebay.cli.journal:journal_group",
                "Verify and read the journal, with or without a server.",
            ),
            ("replay", "forebay.cli.replay:replay_command", "Replay a trace of jobs in the twin."),
        ),
    ),
    (
        "This program",
        (
            ("token", "forebay.cli.token:token_group", "Create, list and revoke tokens."),
            ("schema", "forebay.cli.schema:schema_command", "Print the JSON Schema of a kind of document."),
            (
                "completion",
                "forebay.cli.completion:completion_command",
                "Print completions for bash, zsh or fish.",
            ),
            (
                "version",
                "forebay.cli.version:version_command",
                "Print the version of this program and of its server.",
            ),
        ),
    ),
)

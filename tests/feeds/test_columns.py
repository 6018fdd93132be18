"""Names of columns: what they mean, and that no name means two things."""

import pytest

from forebay.cli import import_tables
from forebay.feeds import columns

#: table, name as it stands in a sheet, column, unit
NAMES = [
    ("racks", "Rack ID", "rack", ""),
    ("racks", "id", "rack", ""),
    ("racks", "FEED_limit (MW)", "feed_limit", "MW"),
    ("racks", "limit kW", "limit", "kW"),
    ("racks", "Site title", "site_title", ""),
    ("racks", "country", "jurisdiction", ""),
    ("tranches", "GPU/h price", "price_per_gpu_hour", ""),
    ("tranches", "GPU/h price [USD]", "price_per_gpu_hour", "USD"),
    ("tranches", "Price per GPU hour", "price_per_gpu_hour", ""),
    ("tranches", "Owner share (%)", "lending_owner_share", "%"),
    ("tranches", "Term (days)", "term", "d"),
    ("tranches", "Delivery date", "delivery_at", ""),
    ("deliveries", "Date", "at", ""),
    ("price_steps", "Price date", "at", ""),
    ("price_steps", "GPU/h price (USD)", "price_per_gpu_hour", "USD"),
    ("tranches", "Index base", "index_base", ""),
    ("milestones", "P50 (days)", "duration_p50", "d"),
    ("milestones", "Depends on", "after", ""),
    ("power", "Contracted MW", "contracted", "MW"),
]
#: table, name that is no column of it
STRANGERS = [
    ("racks", "colour"),
    ("racks", "title"),
    ("racks", "limit (EUR)"),
    ("racks", "limit (parsecs)"),
    ("racks", "rack kW"),
    ("tranches", "term (m)"),
    ("blocks", "()"),
    ("blocks", ""),
]


@pytest.mark.parametrize(("table", "header", "name", "unit"), NAMES)
def test_a_name_means_a_column(table: str, header: str, name: str, unit: str) -> None:
    match = columns.match(table, header)
    assert match is not None
    assert (match.column.name, match.unit) == (name, unit)


@pytest.mark.parametrize(("table", "header"), STRANGERS)
def test_other_names_mean_nothing(table: str, header: str) -> None:
    assert columns.match(table, header) is None


@pytest.mark.parametrize("table", columns.TABLES)
def test_no_two_columns_of_a_table_are_called_the_same(table: str) -> None:
    made = columns.columns_of_table(columns.TABLES[table])
    names = [columns.plain_name(column.name) for column in made]
    assert len(set(names)) == len(names)
    for column in made:
        for synonym in column.synonyms:
            found = columns.match(table, synonym)
            assert found is not None
            assert found.column == column, f"{synonym} is {found.column.name} and {column.name}"


def test_every_synonym_is_of_a_column() -> None:
    known = {(column.level.word, "_".join(column.path)) for table in columns.TABLES.values()
             for column in columns.columns_of_table(table)}  # fmt: skip
    assert set(columns.SYNONYMS) <= known


def test_the_command_line_offers_these_tables() -> None:
    assert tuple(columns.TABLES) == import_tables.TABLES

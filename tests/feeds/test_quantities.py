"""How people write quantities, and which integer each is."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.feeds import quantities as q

Read = Callable[[str], int]

#: reader, text, integer
READ: list[tuple[Read, str, int]] = [
    (q.watts, "132 kW", 132_000), (q.watts, "1.2 MW", 1_200_000), (q.watts, "1.2MW", 1_200_000),
    (q.watts, "5 GW", 5 * 10**9), (q.watts, "700", 700), (q.watts, "700 W", 700), (q.watts, "13.2 kW", 13_200),
    (q.octets, "2 GiB", 2**31), (q.octets, "512 MiB", 2**29), (q.octets, "1 GB", 10**9), (q.octets, "0", 0),
    (q.octets, "1.5 KiB", 1536),
    (q.seconds, "90s", 90), (q.seconds, "15m", 900), (q.seconds, "15 min", 900), (q.seconds, "2h", 7200),
    (q.seconds, "30d", 30 * 86400), (q.seconds, "1.5h", 5400), (q.seconds, "0s", 0),
    (q.seconds, "PT15M", 900), (q.seconds, "P1DT2H3M4S", 93784),
    (q.seconds, "P2W", 14 * 86400), (q.seconds, "P1D", 86400),
    (q.price_micros, "2.85", 2_850_000), (q.price_micros, "0", 0), (q.price_micros, "0.000001", 1),
    (q.amount_micros, "15000000000", 15 * 10**15), (q.amount_micros, "0.5", 500_000),
    (q.measure_micros, "370.5", 370_500_000), (q.measure_micros, "0.000001", 1),
    (q.price_micros, "12", 12_000_000), (q.price_micros, "2.850000", 2_850_000),
    (q.share_ppm, "30 %", 300_000), (q.share_ppm, "12.5%", 125_000), (q.share_ppm, "0.0001 %", 1),
    (q.multiple_ppm, "250 %", 2_500_000), (q.clock_s, "02:30", 9_000), (q.clock_s, "23:59", 86_340),
    (q.share_ppm, "100 %", 1_000_000), (q.cpu_millis, "0.5", 500), (q.cpu_millis, "64", 64_000),
    (q.instant_us, "2026-12-01T08:00:00Z", 1796112000000000),
    (q.instant_us, "2026-12-01T10:00:00+02:00", 1796112000000000),
    (q.instant_us, "2026-12-01 08:00Z", 1796112000000000),
    (q.instant_us, "2026-12-01T08:00:00.000001Z", 1796112000000001),
    (lambda text: q.instant_us(text, "Europe/Helsinki"), "2026-12-01", 1796076000000000),
    (lambda text: q.instant_us(text, "Europe/Helsinki"), "2026-12-01T10:00", 1796112000000000),
    (lambda text: q.instant_us(text, "America/Chicago"), "2026-07-01", 1782882000000000),
]  # fmt: skip


@pytest.mark.parametrize(("read", "text", "value"), READ)
def test_what_is_read(read: Read, text: str, value: int) -> None:
    assert read(text) == value


#: reader, text, words of the message
MALFORMED: list[tuple[Read, str, str]] = [
    (q.watts, "132 kw", "'132 kW'"), (q.watts, "132 kWh", "'132 kW'"), (q.watts, "0.5 W", "finer than is kept"),
    (q.watts, "-1", "is not power"), (q.watts, "1e3", "is not power"), (q.watts, "١٢", "is not power"),
    (q.watts, "99999999 GW", "too large"), (q.watts, "", "is not power"),
    (q.octets, "2 GIB", "is not a size"), (q.seconds, "90", "is not a duration"), (q.seconds, "1.5s", "finer"),
    (q.seconds, "PT", "is not a duration"), (q.seconds, "P", "is not a duration"), (q.seconds, "P1DT", "is not"),
    (q.seconds, "1 month", "is not a duration"),
    (q.price_micros, "2.8500001", "more digits than a micro-unit"), (q.price_micros, "$2", "is not a price"),
    (q.amount_micros, "1000000000001", "is too large"), (q.amount_micros, "5 USD", "is not an amount"),
    (q.price_micros, "15000000000", "is too large"),
    (q.price_micros, "-2", "is not a price"), (q.price_micros, "2,85", "is not a price"),
    (q.measure_micros, "72h", "is not a number"), (q.measure_micros, "0.0000001", "finer"),
    (q.share_ppm, "30", "is not a share"), (q.share_ppm, "0.3", "is not a share"),
    (q.share_ppm, "101 %", "the whole"), (q.multiple_ppm, "9", "is not a share"),
    (q.clock_s, "24:00", "is not a time of the day"), (q.clock_s, "2:30", "is not a time of the day"),
    (q.share_ppm, "0.00001 %", "finer"), (q.cpu_millis, "0.0001", "finer"), (q.cpu_millis, "2 cores", "is not"),
    (q.instant_us, "2026-12-01", "has no zone"), (q.instant_us, "2026-12-01T08:00:00", "has no zone"),
    (q.instant_us, "tomorrow", "is not a time"), (q.instant_us, "2026-13-01T00:00:00Z", "is not a time"),
    (q.instant_us, "1969-12-31T23:59:59Z", "a year from"), (q.instant_us, "9999-12-31T23:59:59-12:00", "a year from"),
    (q.instant_us, "2026-12-01T08:00:00+25:00", "is not a time"),
    (lambda text: q.instant_us(text, "Mars/Base"), "2026-12-01", "is not a time zone"),
    (lambda text: q.instant_us(text, "../etc/passwd"), "2026-12-01", "is not a time zone"),
    (lambda text: q.instant_us(text, "Europe/Helsinki"), "2026-03-29T03:30", "clocks change"),
    (lambda text: q.instant_us(text, "Europe/Helsinki"), "2026-10-25T03:30", "clocks change"),
]  # fmt: skip


@pytest.mark.parametrize(("read", "text", "words"), MALFORMED)
def test_what_is_not(read: Read, text: str, words: str) -> None:
    with pytest.raises(q.Malformed, match=words.replace("(", r"\(")):
        read(text)


@given(st.sampled_from([q.watts, q.octets, q.seconds, q.price_micros, q.measure_micros, q.share_ppm, q.cpu_millis,
                        q.instant_us]),
       st.text(alphabet="0123456789.+-:TZPDHMSWkMGiB% e", max_size=24))  # fmt: skip
def test_anything_is_an_exact_integer_or_malformed(read: Read, text: str) -> None:
    try:
        value = read(text)
    except q.Malformed:
        return
    assert type(value) is int
    assert 0 <= value <= q.QUANTITY_MAX


@given(st.integers(0, 10**9 - 1))
def test_prices_are_never_rounded(micros: int) -> None:
    assert q.price_micros(f"{micros // 10**6}.{micros % 10**6:06}") == micros

import pytest

from iwf_interpreter.core.attribute_values import format_datetime, parse_datetime

SECOND = 1_000_000_000
DAY = 86_400 * SECOND
NOW = 1_700_000_000 * SECOND + 7


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        pytest.param("", "1970-01-01T00:00:00Z", id="empty-is-the-epoch"),
        pytest.param("2024-02-29T12:00:00Z", "2024-02-29T12:00:00Z", id="utc"),
        pytest.param("2024-02-29T12:00:00-00:00", "2024-02-29T12:00:00Z", id="minus-zero"),
        pytest.param("2023-04-17T16:17:49-05:00", "2023-04-17T21:17:49Z", id="west"),
        pytest.param(
            "2024-02-29T12:00:00.123456789+05:30", "2024-02-29T06:30:00.123456789Z", id="east-nanoseconds"
        ),
        pytest.param("2024-11-12T16:00:01.731455544-08:00", "2024-11-13T00:00:01.731455544Z", id="next-day"),
        pytest.param("2024-02-29T12:00:00.5000Z", "2024-02-29T12:00:00.5Z", id="trailing-zeros"),
        pytest.param("2024-02-29T12:00:00.000Z", "2024-02-29T12:00:00Z", id="zero-fraction"),
        pytest.param(
            "2024-02-29T12:00:00.1234567899Z", "2024-02-29T12:00:00.123456789Z", id="beyond-nanoseconds"
        ),
        pytest.param("1969-12-31T23:59:59.9Z", "1969-12-31T23:59:59.9Z", id="before-the-epoch"),
        pytest.param("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z", id="first"),
        pytest.param("9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59.999999999Z", id="last"),
        pytest.param("1681732669000000000", "2023-04-17T11:57:49Z", id="unix-nanoseconds"),
        pytest.param("1", "1970-01-01T00:00:00.000000001Z", id="one-nanosecond"),
        pytest.param("-1", "1969-12-31T23:59:59.999999999Z", id="minus-one-nanosecond"),
        pytest.param("9223372036854775807", "2262-04-11T23:47:16.854775807Z", id="largest-integer"),
        pytest.param("-9223372036854775808", "1677-09-21T00:12:43.145224192Z", id="smallest-integer"),
    ],
)
def test_a_time_is_written_in_utc_to_the_nanosecond(text: str, canonical: str) -> None:
    assert format_datetime(parse_datetime(text, NOW)) == canonical


@pytest.mark.parametrize(
    ("text", "ago"),
    [
        pytest.param("1s", SECOND, id="s"),
        pytest.param("2second", 2 * SECOND, id="second"),
        pytest.param("3m", 180 * SECOND, id="m"),
        pytest.param("4minute", 240 * SECOND, id="minute"),
        pytest.param("5h", 18_000 * SECOND, id="h"),
        pytest.param("6hour", 21_600 * SECOND, id="hour"),
        pytest.param("7d", 7 * DAY, id="d"),
        pytest.param("8day", 8 * DAY, id="day"),
        pytest.param("9w", 63 * DAY, id="w"),
        pytest.param("10week", 70 * DAY, id="week"),
        pytest.param("11M", 330 * DAY, id="month-letter"),
        pytest.param("12month", 360 * DAY, id="month"),
        pytest.param("13y", 13 * 365 * DAY, id="y"),
        pytest.param("14year", 14 * 365 * DAY, id="year"),
        pytest.param("999999s", 999_999 * SECOND, id="largest-number"),
        pytest.param("999999y", NOW, id="not-before-the-epoch"),
    ],
)
def test_a_number_with_a_unit_is_that_long_ago(text: str, ago: int) -> None:
    assert parse_datetime(text, NOW) == NOW - ago


@pytest.mark.parametrize(
    "text",
    [
        "yesterday",
        " ",
        "2024-02-29T12:00:00",
        "2024-02-29 12:00:00Z",
        "2024-02-29T12:00:00z",
        "2024-02-29T12:00:00.Z",
        "2024-02-29T12:00:00+0530",
        "2024-02-29T12:00:00+24:00",
        "2024-02-29T12:00:00+05:60",
        "2023-02-29T12:00:00Z",
        "2024-13-01T12:00:00Z",
        "2024-02-29T24:00:00Z",
        "2024-02-29T12:60:00Z",
        "2024-02-29T12:00:60Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "2024-02-29T12:00:00Z\n",
        "٢٠٢٤-02-29T12:00:00Z",
        "9223372036854775808",
        "-9223372036854775809",
        "1.5",
        "1_000",
        "0s",
        "01s",
        "1000000s",
        "-1s",
        "1S",
        "1D",
        "1 s",
        "1seconds",
        "s",
    ],
)
def test_any_other_text_is_not_a_time(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time"):
        parse_datetime(text, NOW)

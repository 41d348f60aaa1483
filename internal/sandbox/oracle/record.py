"""One archived record of the payroll topic: which disposition it has, and which row it becomes.

Every rule of the dataset stands here once, in the order in which it decides. Numbers stay text
until they are exact integers; no float is ever made. It must not know about files, offsets of
other records. Called by partition.py for each record.

A parsed value holds a JSON string as str and a JSON number as bytes, the text that spells it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple, NoReturn, TypeVar

T = TypeVar("T")

MICROS = 1_000_000
EPOCH_DAY = date(1970, 1, 1).toordinal()
FIRST_INSTANT = (date.min.toordinal() - EPOCH_DAY) * 86_400 * MICROS
LAST_INSTANT = (date.max.toordinal() + 1 - EPOCH_DAY) * 86_400 * MICROS - 1

WANTED_TYPES = ("payment.settled", "payment.reversed")
SOURCE = "payroll"
SUPER_BYTES = 65_535
AMOUNT_SCALE = 2
AMOUNT_LIMIT = 10**18

UNREADABLE = "unreadable"
TOMBSTONE = "tombstone"
UNDATABLE = "undatable"
OUT_OF_WINDOW = "out_of_window"
FILTERED = "filtered"
SUPPRESSED = "suppressed"
REJECTED = "rejected"
ROW = "row"

RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII
)
NUMERIC = re.compile(r"([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?)(\d+))?", re.ASCII)
JSON_BLANKS = re.compile(r"[ \t\n\r]*")


class MisfitError(ValueError):
    """A value that its column can't hold."""


class Time(NamedTuple):
    """An instant: whole microseconds since 1970, and whether smaller digits were cut off."""

    micros: int
    cut: bool


class Row(NamedTuple):
    """The columns of the table that come from the event; amounts in units of 0.01."""

    event_id: str
    type: str
    employee_id: int
    company_id: int | None
    gross_amount: int | None
    tax_amount: int | None
    net_amount: int | None
    currency: str | None
    pay_run_id: str | None
    occurred_at: int
    version: int
    bank_account: str | None
    details: str | None
    source: str


@dataclass(frozen=True)
class Rules:
    """What a run chooses: [start, end) in microseconds, what stands in the body, and rounding of times."""

    start: int
    end: int
    body_offsets: bool = False
    floor_fraction: bool = False


class Verdict(NamedTuple):
    """Disposition of a record; offset if its body carries one; row if the disposition is ROW."""

    disposition: str
    offset: int | None = None
    row: Row | None = None


def judge(record: bytes, rules: Rules) -> Verdict:
    """Decides a record. ROW means a row unless the record turns out to repeat an offset."""
    try:
        text = record.decode("utf-8")
        value = DECODER.decode(text)
    except (ValueError, RecursionError):
        return Verdict(UNREADABLE)
    if value is None:
        return Verdict(TOMBSTONE)
    offset = body_offset(value) if rules.body_offsets else None
    time = read_time(member(value, "occurred_at"))
    instant = time.micros if time else None
    if instant is None and rules.body_offsets:
        instant = kafka_time(value)
    if instant is None:
        return Verdict(UNDATABLE, offset)
    if not rules.start <= instant < rules.end:
        return Verdict(OUT_OF_WINDOW, offset)
    kind = member(value, "type")
    if kind not in WANTED_TYPES:
        return Verdict(FILTERED, offset)
    try:
        return Verdict(ROW, offset, make_row(value, text, time, rules))
    except MisfitError:
        return Verdict(REJECTED, offset)


def make_row(value: object, text: str, time: Time | None, rules: Rules) -> Row:
    """Returns the row of an event; text is the whole record. MisfitError if a column can't hold its value."""
    if time is None:
        raise MisfitError("occurred_at is required")
    if time.cut and not rules.floor_fraction:
        raise MisfitError("occurred_at has digits past microseconds")
    return Row(
        event_id=required(read_text(member(value, "event_id"), 36)),
        type=required(read_text(member(value, "type"), 32)),
        employee_id=required(read_integer(member(value, "employee", "id"), 64)),
        company_id=read_integer(member(value, "company_id"), 64),
        gross_amount=read_amount(member(value, "gross_amount")),
        tax_amount=read_amount(member(value, "tax_amount")),
        net_amount=read_amount(member(value, "net_amount")),
        currency=read_currency(member(value, "currency")),
        pay_run_id=read_text(member(value, "pay_run_id"), 36),
        occurred_at=time.micros,
        version=required(read_integer(member(value, "version"), 32)),
        bank_account=read_text(member(value, "bank_account"), 64),
        details=read_details(value, text),
        source=SOURCE,
    )


def member(value: object, *path: str) -> object:
    """Follows names into nested objects; absent and null are both None."""
    for name in path:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def required(value: T | None) -> T:
    """Refuses None."""
    if value is None:
        raise MisfitError("a required column is null")
    return value


def read_text(value: object, limit: int) -> str | None:
    """Reads a varchar(limit); limit counts UTF-8 bytes."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise MisfitError("not a string")
    if "\0" in value:
        raise MisfitError("U+0000 in a string")
    try:
        size = len(value.encode("utf-8"))
    except UnicodeEncodeError as error:
        raise MisfitError("half of a surrogate pair") from error
    if size > limit:
        raise MisfitError(f"{size} bytes in varchar({limit})")
    return value


def read_currency(value: object) -> str | None:
    """Reads a char(3): ASCII only."""
    text = read_text(value, 3)
    if text is not None and not text.isascii():
        raise MisfitError("char holds ASCII only")
    return text


def read_integer(value: object, bits: int) -> int | None:
    """Reads a signed integer from a number or from text, in any spelling that is exactly integral."""
    if value is None:
        return None
    units = read_units(value, 0)
    if not -(2 ** (bits - 1)) <= units < 2 ** (bits - 1):
        raise MisfitError("out of range")
    return units


def read_amount(value: object) -> int | None:
    """Reads a decimal(18,2) as units of 0.01."""
    if value is None:
        return None
    units = read_units(value, AMOUNT_SCALE)
    if abs(units) >= AMOUNT_LIMIT:
        raise MisfitError("out of range")
    return units


def read_units(value: object, scale: int) -> int:
    """Reads a number, or text that spells one, as a whole number of 10^-scale; at most 19 digits."""
    text = value.decode() if isinstance(value, bytes) else value
    if not isinstance(text, str):
        raise MisfitError("not a number")
    match = NUMERIC.fullmatch(text)
    if match is None:
        raise MisfitError("not a number")
    sign, whole, fraction, exponent_sign, exponent = (part or "" for part in match.groups())
    if not whole + fraction:
        raise MisfitError("no digits")
    digits = (whole + fraction).lstrip("0")
    if not digits:
        return 0
    significant = digits.rstrip("0")
    # An exponent that is longer than this can't be balanced by the digits of any line.
    exponent = exponent.lstrip("0")
    power = int(exponent or "0") if len(exponent) <= 12 else 10**12
    power = -power if exponent_sign == "-" else power
    shift = power - len(fraction) + len(digits) - len(significant) + scale
    if shift < 0:
        raise MisfitError("not exact")
    if len(significant) + shift > 19:
        raise MisfitError("out of range")
    units = int(significant) * 10**shift
    return -units if sign == "-" else units


def read_time(value: object) -> Time | None:
    """Reads an RFC 3339 instant; None if the value is not one. Leap seconds have no instant."""
    if not isinstance(value, str):
        return None
    match = RFC3339.fullmatch(value)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in match.group(1, 2, 3, 4, 5, 6))
    fraction, sign, zone_hour, zone_minute = match.group(7, 8, 9, 10)
    ahead_hours, ahead_minutes = int(zone_hour or "0"), int(zone_minute or "0")
    if hour > 23 or minute > 59 or second > 59 or ahead_hours > 23 or ahead_minutes > 59:
        return None
    try:
        days = date(year, month, day).toordinal() - EPOCH_DAY
    except ValueError:
        return None
    ahead = (ahead_hours * 60 + ahead_minutes) * (-1 if sign == "-" else 1)
    seconds = days * 86_400 + (hour * 60 + minute - ahead) * 60 + second
    digits = fraction or ""
    micros = seconds * MICROS + int(digits[:6].ljust(6, "0"))
    if not FIRST_INSTANT <= micros <= LAST_INSTANT:
        return None
    return Time(micros, digits[6:].strip("0") != "")


def kafka_time(value: object) -> int | None:
    """Reads `_kafka.timestamp`: milliseconds since 1970; Kafka writes -1 where there is none."""
    stamp = member(value, "_kafka", "timestamp")
    if not isinstance(stamp, bytes):
        time = read_time(stamp)
        return time.micros if time else None
    try:
        millis = read_units(stamp, 0)
    except MisfitError:
        return None
    return millis * 1000 if 0 <= millis * 1000 <= LAST_INSTANT else None


def body_offset(value: object) -> int | None:
    """Reads `_kafka.offset`; None if it is no offset."""
    try:
        offset = read_integer(member(value, "_kafka", "offset"), 64)
    except MisfitError:
        return None
    return offset if offset is not None and offset >= 0 else None


def read_details(value: object, text: str) -> str | None:
    """Returns the JSON text of `details` exactly as the record spells it; null is None."""
    if member(value, "details") is None:
        return None
    raw = raw_member(text, "details")
    if len(raw.encode("utf-8")) > SUPER_BYTES:
        raise MisfitError("details is too long")
    return raw


def raw_member(text: str, name: str) -> str:
    """Returns the text of an object's member; the last one counts. text is valid and holds the name."""
    key_text = f'"{name}"'
    if text.count(key_text) == 1 and "\\u" not in text:
        # Without escapes the name has one spelling, so this is its only place.
        start = skip_blanks(text, skip_blanks(text, text.index(key_text) + len(key_text)) + 1)
        return text[start : DECODER.raw_decode(text, start)[1]]
    found = ""
    at = skip_blanks(text, skip_blanks(text, 0) + 1)
    while text[at] != "}":
        key, at = DECODER.raw_decode(text, at)
        start = skip_blanks(text, skip_blanks(text, at) + 1)
        _, at = DECODER.raw_decode(text, start)
        if key == name:
            found = text[start:at]
        at = skip_blanks(text, at)
        if text[at] == ",":
            at = skip_blanks(text, at + 1)
    return found


def skip_blanks(text: str, at: int) -> int:
    """Returns the place of the next character that is no JSON whitespace."""
    match = JSON_BLANKS.match(text, at)
    return match.end() if match else at


def refuse_constant(name: str) -> NoReturn:
    """Refuses NaN and Infinity, which Python reads and JSON does not know."""
    raise ValueError(f"{name} is not JSON")


DECODER = json.JSONDecoder(parse_int=str.encode, parse_float=str.encode, parse_constant=refuse_constant)

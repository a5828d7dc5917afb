"""Differences between what the reference server did and what a play saw, and which of them are meant.

A deviation is data: where a difference is expected, in which scenarios, why, and what must be there instead.
A difference that no deviation covers is a failure. So is a deviation whose difference did not occur, unless
it says that timing decides: a list of excuses would otherwise only ever grow.
"""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path as FilePath

import msgspec
from msgspec import UNSET

from iwf_testkit.golden.places import Json, Path, contains, is_list, is_object, same_scalar, shown, value_of
from iwf_testkit.golden.scenarios import Case, Recording

_MOST_SHOWN = 400


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One place where two recordings differ."""

    path: Path
    golden: Json
    """`UNSET` when only the play has the place."""
    actual: Json
    """`UNSET` when only the recording has it."""

    def __str__(self) -> str:
        return f"{shown(self.path)}\n    golden: {_short(self.golden)}\n    actual: {_short(self.actual)}"


class Where(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Places of some scenarios where one deviation shows."""

    scenarios: tuple[str, ...]
    """Patterns of `area/name`, for all variants, or `area/name@variant`."""
    at: tuple[str, ...]
    """Patterns of places; a difference at or below such a place is covered."""
    want: Json = UNSET
    """What must be contained in what is at the place."""
    absent: bool = False
    """There must be nothing at the place."""
    engines: tuple[str, ...] = ()
    """Only there; by default everywhere."""
    sometimes: str = ""
    """Why timing decides whether the difference occurs; empty when it always does."""

    def applies(self, case: Case, engine: str) -> bool:
        """Whether a play of the case on that engine may differ here."""
        if self.engines and engine not in self.engines:
            return False
        return any(case.fits(pattern) for pattern in self.scenarios)

    def place_covering(self, difference: Difference, actual: Json) -> str | None:
        """The pattern that covers a difference, if one does and what is there is what is wanted."""
        for length in range(1, len(difference.path) + 1):
            path = difference.path[:length]
            for pattern in self.at:
                if fnmatchcase(shown(path), pattern) and self._accepts(value_of(actual, path)):
                    return pattern
        return None

    def _accepts(self, there: Json) -> bool:
        if self.absent:
            return there is None
        return self.want is UNSET or contains(there, self.want)


class Deviation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something that this server does differently, on purpose."""

    id: str
    reason: str
    docs: str
    """`page.md#section` of our documentation that describes what we do."""
    where: tuple[Where, ...]


class Covered(msgspec.Struct, frozen=True, kw_only=True):
    """A difference that is meant."""

    deviation: str
    where: int
    """Index into its `where`."""
    place: str
    """The pattern that covers it."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What comparing one play came to."""

    case: Case
    unexpected: tuple[Difference, ...]
    covered: frozenset[Covered]


class Missing(msgspec.Struct, frozen=True, kw_only=True):
    """A difference that is listed and did not occur."""

    deviation: str
    where: int
    what: str
    """The case in which nothing differed, or the place where nothing ever did."""


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    deviation: tuple[Deviation, ...]


def load_deviations(file: FilePath) -> tuple[Deviation, ...]:
    """Read the deviations of a TOML file.

    Raises:
        msgspec.ValidationError: The file is not as the models say.
    """
    return msgspec.convert(tomllib.loads(file.read_text()), _File).deviation


def differences(golden: Recording, actual: Recording) -> list[Difference]:
    """All places where two recordings differ, in the order of the golden one."""
    return list(_differences((), msgspec.to_builtins(golden), msgspec.to_builtins(actual)))


def judge(
    case: Case, golden: Recording, actual: Recording, deviations: Sequence[Deviation], engine: str
) -> Verdict:
    """Compare a play with the recording of the reference server."""
    found = differences(golden, actual)
    if not found:
        return Verdict(case=case, unexpected=(), covered=frozenset())
    value = msgspec.to_builtins(actual)
    candidates = [
        (deviation.id, index, where)
        for deviation in deviations
        for index, where in enumerate(deviation.where)
        if where.applies(case, engine)
    ]
    unexpected: list[Difference] = []
    covered: set[Covered] = set()
    for difference in found:
        covering = [
            Covered(deviation=id_, where=index, place=place)
            for id_, index, where in candidates
            if (place := where.place_covering(difference, value)) is not None
        ]
        covered.update(covering)
        if not covering:
            unexpected.append(difference)
    return Verdict(case=case, unexpected=tuple(unexpected), covered=frozenset(covered))


def missing(
    verdicts: Sequence[Verdict], deviations: Sequence[Deviation], engine: str, *, all_played: bool
) -> list[Missing]:
    """The listed differences that did not occur in some plays.

    Args:
        verdicts: One for each case that was played.
        deviations: What is expected.
        engine: Where they were played.
        all_played: Also tell places and scenario patterns that nothing in the plays fits.
    """
    found: list[Missing] = []
    for deviation in deviations:
        for index, where in enumerate(deviation.where):
            if where.sometimes or (where.engines and engine not in where.engines):
                continue
            own = {
                verdict.case.id: {
                    covered.place
                    for covered in verdict.covered
                    if (covered.deviation, covered.where) == (deviation.id, index)
                }
                for verdict in verdicts
                if where.applies(verdict.case, engine)
            }
            what = [case_id for case_id, places in own.items() if not places]
            if all_played:
                seen = set[str]().union(*own.values())
                what += [place for place in where.at if place not in seen]
                what += [
                    pattern
                    for pattern in where.scenarios
                    if not any(verdict.case.fits(pattern) for verdict in verdicts)
                ]
            found += [Missing(deviation=deviation.id, where=index, what=text) for text in what]
    return found


def _differences(path: Path, golden: Json, actual: Json) -> Iterator[Difference]:
    if is_object(golden) and is_object(actual):
        yield from _in_mappings(path, golden, actual)
    elif is_list(golden) and is_list(actual):
        yield from _in_mappings(path, _by_index(golden), _by_index(actual))
    elif not same_scalar(golden, actual):
        yield Difference(path=path, golden=golden, actual=actual)


def _by_index(values: Sequence[Json]) -> dict[str, Json]:
    return {str(index): item for index, item in enumerate(values)}


def _in_mappings(path: Path, golden: Mapping[str, Json], actual: Mapping[str, Json]) -> Iterator[Difference]:
    for key in [*golden, *(key for key in actual if key not in golden)]:
        yield from _differences((*path, key), golden.get(key, UNSET), actual.get(key, UNSET))


def _short(value: Json) -> str:
    if value is UNSET:
        return "nothing"
    text = msgspec.json.encode(value).decode()
    return text if len(text) < _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."

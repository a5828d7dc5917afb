"""Differences, deviations that cover them, and deviations that no longer occur."""

from pathlib import Path

import msgspec
import pytest

from iwf_testkit.golden import (
    Case,
    Deviation,
    Missing,
    Recording,
    Scenario,
    Verdict,
    differences,
    judge,
    load_deviations,
    missing,
)
from iwf_testkit.golden.comparing import Where
from iwf_testkit.golden.places import Json
from iwf_testkit.golden.scenarios import Variant


def case(name: str = "a/one", variant: Variant = "base") -> Case:
    return Case(scenario=Scenario(name=name, about="x", steps=()), variant=variant)


def recording(**answers: Json) -> Recording:
    return Recording(answers=answers, worker={}, final={})


def deviation(*where: Where) -> Deviation:
    return Deviation(id="d", reason="because", docs="page.md#section", where=where)


def judged(*where: Where, actual: Json = "other", of: Case | None = None, engine: str = "memory") -> Verdict:
    """A play whose answer `a` is not "golden"."""
    return judge(
        of or case(), recording(a="golden", b=1), recording(a=actual, b=1), [deviation(*where)], engine
    )


def unmet(verdict: Verdict, *where: Where, engine: str = "memory", all_played: bool = True) -> list[str]:
    found = missing([verdict], [deviation(*where)], engine, all_played=all_played)
    assert all(item == Missing(deviation="d", where=item.where, what=item.what) for item in found)
    return [item.what for item in found]


def test_every_place_that_differs_is_found() -> None:
    golden = recording(same=1, number=1, gone={"x": 1}, list=["a", "b"], kind={})
    actual = recording(same=1.0, number=True, list=["a", "c", "d"], kind=[], new=None)

    found = [str(difference) for difference in differences(golden, actual)]

    assert found == [
        "answers/number\n    golden: 1\n    actual: true",
        'answers/gone\n    golden: {"x":1}\n    actual: nothing',
        'answers/list/1\n    golden: "b"\n    actual: "c"',
        'answers/list/2\n    golden: nothing\n    actual: "d"',
        "answers/kind\n    golden: {}\n    actual: []",
        "answers/new\n    golden: nothing\n    actual: null",
    ]


def test_long_values_are_shown_in_short() -> None:
    (difference,) = differences(recording(a="x" * 1000), recording(a=""))

    assert len(str(difference)) < 500


def test_a_difference_that_nothing_covers_is_unexpected() -> None:
    verdict = judged(Where(scenarios=("a/two",), at=("answers/a",)))

    assert [difference.path for difference in verdict.unexpected] == [("answers", "a")]


@pytest.mark.parametrize("pattern", ["answers/a", "answers/*", "answers", "*"])
def test_a_place_covers_what_is_at_or_below_it(pattern: str) -> None:
    assert judged(Where(scenarios=("a/*",), at=(pattern,))).unexpected == ()


def test_a_place_covers_nothing_beside_it() -> None:
    assert len(judged(Where(scenarios=("a/*",), at=("answers/b", "final"))).unexpected) == 1


def test_what_is_there_must_be_what_is_wanted() -> None:
    where = Where(scenarios=("a/one",), at=("answers/a",), want={"status": 400})

    right = judged(where, actual={"status": 400, "body": {}})
    wrong = judged(where, actual={"status": 500})

    assert right.unexpected == ()
    assert len(wrong.unexpected) == 1


def test_what_is_wanted_to_be_absent_must_be_absent() -> None:
    where = Where(scenarios=("a/one",), at=("answers/a",), absent=True)
    gone = judge(case(), recording(a=1), recording(), [deviation(where)], "memory")

    assert gone.unexpected == ()
    assert len(judged(where).unexpected) == 1


def test_a_deviation_holds_on_its_engines_and_variants_only() -> None:
    where = Where(scenarios=("a/one@can1",), at=("answers/a",), engines=("memory",))

    assert judged(where, of=case(variant="can1")).unexpected == ()
    assert len(judged(where, of=case(variant="base")).unexpected) == 1
    assert len(judged(where, of=case(variant="can1"), engine="temporal").unexpected) == 1


def test_a_listed_difference_that_occurs_is_not_missing() -> None:
    where = Where(scenarios=("a/one",), at=("answers/a",))

    assert unmet(judged(where), where) == []


def test_a_listed_difference_that_does_not_occur_is_missing() -> None:
    where = Where(scenarios=("a/one",), at=("answers/a",))

    assert unmet(judged(where, actual="golden"), where, all_played=False) == ["a/one@base"]


@pytest.mark.parametrize(
    "where",
    [
        pytest.param(Where(scenarios=("a/one",), at=("answers/a",), sometimes="a race"), id="timing-decides"),
        pytest.param(
            Where(scenarios=("a/one",), at=("answers/a",), engines=("temporal",)), id="other-engine"
        ),
    ],
)
def test_a_difference_that_need_not_occur_is_not_missing(where: Where) -> None:
    assert unmet(judged(where, actual="golden"), where) == []


def test_places_and_scenarios_that_fit_nothing_are_missing_when_all_was_played() -> None:
    where = Where(scenarios=("a/one", "a/two"), at=("answers/a", "answers/c"))
    verdict = judged(where)

    assert unmet(verdict, where) == ["answers/c", "a/two"]
    assert unmet(verdict, where, all_played=False) == []


def test_a_deviation_that_another_one_shadows_still_occurs() -> None:
    where = (Where(scenarios=("a/one",), at=("answers/a",)), Where(scenarios=("a/*",), at=("answers",)))

    assert unmet(judged(*where), *where) == []


def test_deviations_are_read_from_toml(tmp_path: Path) -> None:
    file = tmp_path / "deviations.toml"
    file.write_text(
        '[[deviation]]\nid = "d"\nreason = "because"\ndocs = "page.md#section"\n'
        '[[deviation.where]]\nscenarios = ["a/*"]\nat = ["answers/a"]\nwant = { status = 400 }\n'
    )

    loaded = load_deviations(file)

    assert loaded == (deviation(Where(scenarios=("a/*",), at=("answers/a",), want={"status": 400})),)


def test_a_misspelt_deviation_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "deviations.toml"
    file.write_text('[[deviation]]\nid = "d"\nreasons = ""\ndocs = ""\nwhere = []\n')

    with pytest.raises(msgspec.ValidationError):
        load_deviations(file)

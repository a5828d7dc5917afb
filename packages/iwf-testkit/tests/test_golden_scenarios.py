"""Reading scenarios, filling placeholders, finding places."""

from pathlib import Path

import msgspec
import pytest

from iwf_testkit.golden import load_cases, load_recording
from iwf_testkit.golden.placeholders import Placeholders, UnknownPlaceholder
from iwf_testkit.golden.places import Json, contains, value_at, value_of


def write(folder: Path, name: str, value: Json) -> None:
    file = folder / f"{name}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(msgspec.json.encode(value))


def placeholders(**values: Json) -> Placeholders:
    return Placeholders(values, lambda: 1700000000.7)


def test_a_scenario_is_one_case_for_each_variant_named_after_its_file(tmp_path: Path) -> None:
    write(tmp_path, "b/two", {"about": "x", "steps": [], "variants": ["base", "can1"]})
    write(tmp_path, "a/one", {"about": "x", "steps": []})

    cases = load_cases(tmp_path)

    assert [case.id for case in cases] == ["a/one@base", "b/two@base", "b/two@can1"]


@pytest.mark.parametrize(
    "scenario",
    [
        pytest.param({"about": "x", "steps": [], "varaints": []}, id="unknown-field"),
        pytest.param({"about": "x", "steps": [{"do": "jump"}]}, id="unknown-step"),
        pytest.param(
            {"about": "x", "steps": [{"do": "open", "gate": "g", "ms": 1}]}, id="field-of-other-step"
        ),
        pytest.param({"about": "x", "steps": [], "variants": ["can2"]}, id="unknown-variant"),
        pytest.param(
            {"about": "x", "steps": [], "worker": {"S1.execute": [{"staus": 1}]}}, id="unknown-answer-field"
        ),
    ],
)
def test_a_misspelt_scenario_is_refused(tmp_path: Path, scenario: Json) -> None:
    write(tmp_path, "a/one", scenario)

    with pytest.raises(msgspec.ValidationError):
        load_cases(tmp_path)


def test_the_recording_of_a_variant_has_its_name_except_for_base(tmp_path: Path) -> None:
    write(tmp_path / "s", "a/one", {"about": "x", "steps": [], "variants": ["base", "can1"]})
    for name in ("one", "one@can1"):
        recording = {"answers": {"name": name}, "worker": {}, "final": {}}
        write(tmp_path / "r", f"a/{name}", recording)

    recordings = [load_recording(tmp_path / "r", case) for case in load_cases(tmp_path / "s")]

    assert [recording.answers["name"] for recording in recordings] == ["one", "one@can1"]


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        pytest.param("a/one", True, id="name-means-all-variants"),
        pytest.param("a/*", True, id="pattern"),
        pytest.param("a/one@can1", True, id="variant"),
        pytest.param("a/one@base", False, id="other-variant"),
        pytest.param("a/two", False, id="other-name"),
    ],
)
def test_a_pattern_names_cases(tmp_path: Path, pattern: str, *, fits: bool) -> None:
    write(tmp_path, "a/one", {"about": "x", "steps": [], "variants": ["can1"]})

    (case,) = load_cases(tmp_path)

    assert case.fits(pattern) == fits


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        pytest.param("{{id}}", "g1", id="value"),
        pytest.param("x-{{id}}-{{ id }}", "x-g1-g1", id="inside-text"),
        pytest.param("{{count}}", 3, id="alone-keeps-its-type"),
        pytest.param("n{{count}}", "n3", id="inside-becomes-text"),
        pytest.param("{{now}}", 1700000000, id="now"),
        pytest.param("{{now-60}}", 1699999940, id="past"),
        pytest.param("{{repeat:ab:3}}", "ababab", id="repeat"),
        pytest.param("{plain}", "{plain}", id="no-placeholder"),
    ],
)
def test_placeholders_are_filled(text: str, filled: Json) -> None:
    assert placeholders(id="g1", count=3).fill(text) == filled


def test_placeholders_are_filled_at_every_depth_and_in_keys() -> None:
    filled = placeholders(id="g1").fill({"{{id}}": [{"a": "{{id}}"}, 1, None]})

    assert filled == {"g1": [{"a": "g1"}, 1, None]}


def test_every_uuid_is_another_one() -> None:
    one, other = placeholders().fill(["{{uuid}}", "{{uuid}}"])

    assert len(one) == len(other) == 36
    assert one != other


def test_a_name_that_nothing_has_set_is_an_error() -> None:
    names = placeholders()

    with pytest.raises(UnknownPlaceholder, match="run"):
        names.fill("{{run}}")
    names.save("run", "r1")

    assert names.fill("{{run}}") == "r1"


def test_a_further_value_does_not_show_outside() -> None:
    names = placeholders(id="g1")

    inner = names.with_value("n", "0")

    assert inner.fill("{{id}}-{{n}}") == "g1-0"
    with pytest.raises(UnknownPlaceholder):
        names.fill("{{n}}")


@pytest.mark.parametrize(
    ("place", "value"),
    [
        pytest.param("a", [{"k": "x", "v": 1}, {"k": "y", "v": 2}], id="field"),
        pytest.param("a/1/v", 2, id="index"),
        pytest.param("a/k=y/v", 2, id="element-by-field"),
        pytest.param("a/k=z/v", None, id="no-such-element"),
        pytest.param("a/7", None, id="index-too-large"),
        pytest.param("a/0/v/w", None, id="below-a-scalar"),
    ],
)
def test_places_are_found(place: str, value: Json) -> None:
    document = {"a": [{"k": "x", "v": 1}, {"k": "y", "v": 2}]}

    assert value_at(document, place) == value


def test_an_exact_path_may_have_slashes_in_its_keys() -> None:
    assert value_of({"01 timer/skip": {"status": 200}}, ("01 timer/skip", "status")) == 200


@pytest.mark.parametrize(
    ("wanted", "contained"),
    [
        pytest.param({}, True, id="nothing"),
        pytest.param({"n": 1}, True, id="field"),
        pytest.param({"n": 1.0}, True, id="numbers-by-value"),
        pytest.param({"n": True}, False, id="true-is-not-one"),
        pytest.param({"n": "1"}, False, id="text-is-not-a-number"),
        pytest.param({"l": [{"k": "b"}]}, True, id="element-anywhere"),
        pytest.param({"l": [{"k": "c"}]}, False, id="no-such-element"),
        pytest.param({"m": None}, False, id="absent-is-not-null"),
        pytest.param([], False, id="other-type"),
    ],
)
def test_a_part_is_contained(wanted: Json, *, contained: bool) -> None:
    actual = {"n": 1, "l": [{"k": "a"}, {"k": "b", "v": 1}]}

    assert contains(actual, wanted) == contained

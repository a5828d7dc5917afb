"""The page of deviations says what the data says."""

from pathlib import Path

import pytest

from iwf_testkit.golden import Deviation, load_deviations
from tools import deviations
from tools.deviations import DATA, PAGE, main, page

LIST = """\
[[deviation]]
id = "null-body"
reason = "A body that is `null` is no object."
docs = "http-api.md#errors"

[[deviation.where]]
scenarios = ["api/*_malformed", "api/b"]
at = ["answers/08 *"]
want = { status = 400 }

[[deviation.where]]
scenarios = ["api/c@can1"]
at = ["final"]
engines = ["temporal"]
sometimes = "A race decides."
"""


def listed(folder: Path) -> tuple[Deviation, ...]:
    file = folder / "deviations.toml"
    file.write_text(LIST)
    return load_deviations(file)


def test_the_page_in_the_repository_is_current() -> None:
    assert PAGE.read_text() == page(load_deviations(DATA))


def test_a_section_says_why_and_where(tmp_path: Path) -> None:
    text = page(listed(tmp_path))

    assert text.endswith(
        "\n## Null body\n\nA body that is `null` is no object.\n\n"
        "What we do: [http-api.md](http-api.md#errors).\n\n"
        "- `api/*_malformed`, `api/b`: `answers/08 *`.\n"
        "- `api/c@can1`: `final`. Only on temporal. Not always: a race decides.\n"
    )


def test_lines_are_not_broken_inside_a_place(tmp_path: Path) -> None:
    file = tmp_path / "deviations.toml"
    places = ", ".join(f'"answers/{number:02} some call"' for number in range(20))
    file.write_text(LIST.replace('"answers/08 *"', places))

    lines = page(load_deviations(file)).splitlines()

    assert max(len(line) for line in lines) <= 118
    assert all(line.count("`") % 2 == 0 for line in lines)


def test_check_fails_until_the_page_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    listed(tmp_path)
    monkeypatch.setattr(deviations, "DATA", tmp_path / "deviations.toml")
    monkeypatch.setattr(deviations, "PAGE", tmp_path / "deviations.md")

    assert main(["check"]) == 1
    assert "not current" in capsys.readouterr().err
    assert main(["write"]) == 0
    assert main(["check"]) == 0

    (tmp_path / "deviations.md").write_text("edited")
    assert main(["check"]) == 1

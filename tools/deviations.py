"""The page of deviations from the reference server, made from the data that the golden tests check.

    python -m tools.deviations write     write docs/deviations.md
    python -m tools.deviations check     exit with 1 if it is not what would be written

Nobody edits the page: `integ/golden/deviations.toml` says what differs and why, and the tests see to it that
all of it is true.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from iwf_testkit.golden import Deviation, load_deviations

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "integ" / "golden" / "deviations.toml"
PAGE = ROOT / "docs" / "deviations.md"

_WIDTH = 118

_HEAD = """\
# Deviations from the reference server

Made from `integ/golden/deviations.toml` by `python -m tools.deviations write`; edit that file.

The golden tests (`integ/golden/README.md`) play scenarios that were recorded from the reference server in
Go. This server gives the same answers, makes the same calls to workers and ends workflows in the same way,
but for what is listed here. Each entry is on purpose. A difference that is not listed fails the tests, and
so does an entry that no longer differs. The rest, which no scenario shows, is under
[Differences from the reference server](http-api.md#differences-from-the-reference-server).
"""


def page(deviations: Sequence[Deviation]) -> str:
    """The page as text."""
    return _HEAD + "".join(_section(deviation) for deviation in deviations)


def _section(deviation: Deviation) -> str:
    title = deviation.id.replace("-", " ").capitalize()
    paragraphs = [
        f"## {title}",
        _wrapped(deviation.reason, ""),
        f"What we do: [{deviation.docs.partition('#')[0]}]({deviation.docs}).",
        "\n".join(_rows(deviation)),
    ]
    return "\n" + "\n\n".join(paragraphs) + "\n"


def _rows(deviation: Deviation) -> Iterator[str]:
    for where in deviation.where:
        scenarios = ", ".join(f"`{pattern}`" for pattern in where.scenarios)
        places = ", ".join(f"`{pattern}`" for pattern in where.at)
        text = f"{scenarios}: {places}."
        if where.engines:
            text += f" Only on {' and '.join(where.engines)}."
        if where.sometimes:
            text += f" Not always: {where.sometimes[0].lower()}{where.sometimes[1:]}"
        yield _wrapped(text, "- ")


def _wrapped(text: str, bullet: str) -> str:
    """Lines of limited width, never broken inside backticks."""
    lines = [bullet]
    for word in _words(text):
        if len(lines[-1]) + 1 + len(word) > _WIDTH and lines[-1].strip(" -"):
            lines.append(" " * len(bullet))
        line = lines[-1]
        lines[-1] = line + word if not line.strip(" -") else f"{line} {word}"
    return "\n".join(lines)


def _words(text: str) -> Iterator[str]:
    word = ""
    for part in text.split(" "):
        word = f"{word} {part}" if word else part
        if word.count("`") % 2 == 0:
            yield word
            word = ""
    if word:
        yield word


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.deviations", description=__doc__)
    parser.add_argument("command", choices=["write", "check"])
    command = parser.parse_args(arguments).command
    text = page(load_deviations(DATA))
    if command == "write":
        PAGE.write_text(text)
        return 0
    if not PAGE.exists() or PAGE.read_text() != text:
        print("docs/deviations.md is not current: run `python -m tools.deviations write`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The example of the page about the engine in memory works."""

import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs" / "memory-engine.md"


def test_example_of_the_page_prints_how_the_workflow_ended() -> None:
    example = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert example is not None

    run = subprocess.run([sys.executable, "-c", example[1]], capture_output=True, text=True, check=False)

    assert (run.stdout, run.stderr) == ("COMPLETED\n", "")

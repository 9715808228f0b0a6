"""Draws docs/demo.svg, the picture of `outlay demo` in the README, from a real run of it.

Run: make picture (or, to compare only: python docs/picture.py --check)
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

from outlay._demo.run import run_demo

PICTURE = Path(__file__).with_name("demo.svg")
WIDTH = 118
#: The first workflow and the verdict: what is the same on every run, for it has no times.
FIRST, LAST, VERDICT = "Workflow fuel-report", "Workflow weather-report", "The audit held"
# As Rich has it, less the fonts that it would load from the network.
FORMAT = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: "Fira Code", "DejaVu Sans Mono", Menlo, Consolas, monospace;
  font-size: {char_height}px; line-height: {line_height}px; font-variant-east-asian: full-width; }}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: arial; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def shown() -> list[Text]:
    """Run the demo and return the lines of the picture."""
    console = Console(file=io.StringIO(), force_terminal=False, color_system=None, width=WIDTH)
    if not run_demo(console):
        sys.exit("the audit of the demo did not hold")
    output = console.file.getvalue().splitlines()
    first = next(i for i, line in enumerate(output) if line.startswith(FIRST))
    last = next(i for i, line in enumerate(output) if line.startswith(LAST))
    verdict = next(line for line in output if line.startswith(VERDICT))
    return [styled(line) for line in ("$ outlay demo", *output[first : last - 1], "...", verdict)]


def styled(line: str) -> Text:
    """Return a line with the colours that the demo has on a terminal."""
    text = Text(line)
    text.highlight_regex(r"\bok$", "green")
    text.highlight_regex(r"WARNING.*|warned:.*$", "bold yellow")
    text.highlight_regex(r"denied:.*$|\{\"error\".*", "bold red")
    text.highlight_regex(
        r"^(Workflow [\w-]+|Instead of.*|The agent answers.*|\$ outlay demo|The audit.*)", "bold"
    )
    return text


def render() -> str:
    """Return the picture as SVG."""
    console = Console(record=True, file=io.StringIO(), force_terminal=True, width=WIDTH)
    for line in shown():
        console.print(line)
    return console.export_svg(title="outlay demo", code_format=FORMAT, unique_id="outlay")


def main() -> None:
    """Write the picture, or with `--check` fail if it is not that of today's demo."""
    picture = render()
    if "--check" not in sys.argv[1:]:
        PICTURE.write_text(picture, encoding="utf-8")
    elif PICTURE.read_text(encoding="utf-8") != picture:
        sys.exit("docs/demo.svg is not that of today's demo: run make picture")


if __name__ == "__main__":
    main()

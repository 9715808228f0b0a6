"""Tables in Markdown, and what they were measured with."""

from __future__ import annotations

import platform
import sys
import time
from pathlib import Path


def processor() -> str:
    """Return the name of the processor, as far as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{len(names)} x {names[0]}" if names else platform.machine()


def interpreter() -> str:
    """Return the name of the interpreter, with the compiler that made it."""
    version = " ".join(sys.version.split())
    return f"{platform.python_implementation()} {version}"


def heading(rounds: int) -> str:
    """Tell where and when this was measured."""
    from outlay import __version__

    day = time.strftime("%Y-%m-%d")
    where = f"{platform.system()} {platform.release()}, {processor()}"
    return f"outlay {__version__}, {day}, {interpreter()}, {where}, {rounds} rounds\n"


def table(result: dict) -> str:
    """Return the table of a group."""
    lines = [f"### {result['title']}", "", "| operation | ns | median ns | / empty | beside | in all |"]
    lines.append("| --- | ---: | ---: | ---: | ---: | ---: |")
    for name, figure in result["figures"].items():
        beside = "" if figure["beside"] is None else f"{figure['beside']:.2f}"
        whole = "" if figure["without"] is None else f"{figure['without']:,.0f}"
        ns, median = f"{figure['best']:,.0f}", f"{figure['median']:,.0f}"
        lines.append(f"| {name} | {ns} | {median} | {figure['ratio']:.2f} | {beside} | {whole} |")
    return "\n".join(lines) + "\n"

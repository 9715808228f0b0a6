"""Writes THIRD-PARTY-LICENSES.md: the licence of every crate that is linked into the wheel.

The crates are those that Cargo resolves for the platforms of the wheel; the texts are those that the
crates ship. Crates that ship the same text share one copy.

Run: python packaging/third_party.py [--check]
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "THIRD-PARTY-LICENSES.md"
PLATFORMS = ("x86_64-unknown-linux-gnu", "aarch64-apple-darwin", "x86_64-pc-windows-msvc")
TEXTS = ("license", "licence", "copying", "copyright", "unlicense", "notice")


def crates() -> list[dict]:
    """Return the packages that are linked into the extension, on any platform of the wheel."""
    found: dict[str, dict] = {}
    for platform in PLATFORMS:
        command = ["cargo", "metadata", "--format-version", "1", "--locked", "--features", "python"]
        answer = subprocess.run(
            [*command, "--filter-platform", platform], cwd=ROOT, check=True, capture_output=True, text=True
        )
        metadata = json.loads(answer.stdout)
        packages = {package["id"]: package for package in metadata["packages"]}
        nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
        root = metadata["resolve"]["root"]
        for linked in reachable(root, nodes, packages) - {root}:
            found[linked] = packages[linked]
    return sorted(found.values(), key=lambda package: (package["name"], package["version"]))


def reachable(root: str, nodes: dict[str, dict], packages: dict[str, dict]) -> set[str]:
    """Return the ids that `root` links: normal dependencies, but for macros, which run at build time."""
    seen, waiting = set(), [root]
    while waiting:
        node = waiting.pop()
        if node in seen or any("proc-macro" in target["kind"] for target in packages[node]["targets"]):
            continue
        seen.add(node)
        for dependency in nodes[node]["deps"]:
            if any(kind["kind"] is None for kind in dependency["dep_kinds"]):
                waiting.append(dependency["pkg"])
    return seen


def texts(package: dict) -> list[str]:
    """Return the licence texts that a crate ships; an empty list if it ships none."""
    folder = Path(package["manifest_path"]).parent
    files = sorted(path for path in folder.iterdir() if path.name.lower().startswith(TEXTS))
    return [path.read_text(encoding="utf-8", errors="replace").strip() for path in files if path.is_file()]


def render() -> str:
    """Return the page for the crates of today's Cargo.lock."""
    linked = crates()
    users: dict[str, list[str]] = {}
    rows = []
    for package in linked:
        name = f"{package['name']} {package['version']}"
        rows.append(f"| {name} | {package['license'] or 'see its text'} |")
        for text in texts(package):
            users.setdefault(text, []).append(name)
    parts = [
        "# Licences of other projects in the wheel\n",
        "The extension module of outlay links these crates. The text of each licence stands below, once.\n",
        "| crate | licence |\n| --- | --- |\n" + "\n".join(rows) + "\n",
    ]
    for text, names in users.items():
        fence = "`" * 4
        parts.append(f"## {', '.join(names)}\n\n{fence}text\n{text}\n{fence}\n")
    return "\n".join(parts)


def main() -> None:
    """Write the page, or with `--check` fail if it is not that of today's Cargo.lock."""
    page = render()
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(page, encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != page:
        sys.exit("THIRD-PARTY-LICENSES.md is out of date: run python packaging/third_party.py")


if __name__ == "__main__":
    main()

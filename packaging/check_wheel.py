"""Checks a built wheel: its platform, its unwinder, its licences and what it asks to be installed.

CPython before 3.14 ends daemon threads by a forced unwind of libgcc. A wheel that carries an unwinder of
its own crashes there at exit, so every `_Unwind_*` of the extension has to come from libgcc_s.

Run: python packaging/check_wheel.py dist/outlay-*.whl
"""

from __future__ import annotations

import io
import re
import sys
import zipfile
from email.parser import HeaderParser
from pathlib import Path

from elftools.elf.elffile import ELFFile

LICENCES = ("LICENSE-MIT", "LICENSE-APACHE", "THIRD-PARTY-LICENSES.md")
# Extras are for users: what only the project's own tests need is a dependency group.
NO_EXTRAS = ("dev", "others", "peers")


def own_unwinder(extension: bytes) -> list[str]:
    """Return what is wrong with the `_Unwind_*` symbols of an ELF file."""
    elf = ELFFile(io.BytesIO(extension))
    symbols = elf.get_section_by_name(".dynsym")
    versions = elf.get_section_by_name(".gnu.version")
    needed = elf.get_section_by_name(".gnu.version_r")
    wrong, found = [], 0
    for index, symbol in enumerate(symbols.iter_symbols()):
        if not symbol.name.startswith("_Unwind_"):
            continue
        found += 1
        if symbol["st_shndx"] != "SHN_UNDEF":
            wrong.append(f"{symbol.name} is defined in the extension; it has to come from libgcc_s")
            continue
        entry = needed.get_version(versions.get_symbol(index)["ndx"])
        version = entry[1].name if entry else "no version"
        if not version.startswith("GCC_"):
            wrong.append(f"{symbol.name} has {version}; it has to have a version GCC_*")
    if not found:
        wrong.append("no _Unwind_* symbol is imported: the unwinder was linked into the extension")
    return wrong


def wrong_platform(name: str) -> list[str]:
    """Return what is wrong with the tags of a wheel that was built here."""
    if sys.platform != "linux":
        return []
    if re.search(r"-cp311-abi3-.*manylinux(2014|_2_17)_", name):
        return []
    return [f"the tags are {name!r}; allowed: cp311-abi3 and manylinux2014"]


def problems(path: Path) -> list[str]:
    """Return all that is wrong with the wheel, one sentence each."""
    wrong = wrong_platform(path.name)
    with zipfile.ZipFile(path) as wheel:
        names = wheel.namelist()
        for licence in LICENCES:
            if not any(name.endswith(f".dist-info/licenses/{licence}") for name in names):
                wrong.append(f"{licence} is not in the wheel")
        metadata_name = next(name for name in names if name.endswith(".dist-info/METADATA"))
        metadata = HeaderParser().parsestr(wheel.read(metadata_name).decode())
        for need in metadata.get_all("Requires-Dist") or []:
            if "extra ==" not in need:
                wrong.append(f"the wheel requires {need!r}; the package requires nothing")
        for extra in metadata.get_all("Provides-Extra") or []:
            if extra in NO_EXTRAS:
                wrong.append(f"the extra {extra!r} is for developers; make it a dependency group")
        if not metadata.get_all("Project-URL"):
            wrong.append("the wheel names no project URL")
        if sys.platform == "linux":
            extension = next(name for name in names if name.endswith("_core.abi3.so"))
            wrong += own_unwinder(wheel.read(extension))
    return wrong


def main() -> None:
    """Print what is wrong with each wheel named on the command line; fail if anything is."""
    failed = False
    for argument in sys.argv[1:]:
        wrong = problems(Path(argument))
        failed |= bool(wrong)
        print(f"{argument}: {'ok' if not wrong else ''}")
        for sentence in wrong:
            print(f"  {sentence}")
    sys.exit(failed or len(sys.argv) < 2)


if __name__ == "__main__":
    main()

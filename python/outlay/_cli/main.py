"""The command ``outlay``: policies (``check``, ``explain``), stores (``top``, ``migrate``), and the rest."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from outlay._core import __version__
from outlay._printable import printable

__all__ = ["main"]

_POLICY = "a policy in TOML, or a pyproject.toml"
_MISSING = 'the demo needs packages that are not installed ({name}): pip install "outlay[demo]"'


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    Args:
        argv: The arguments without the program's name; None takes the process's own.

    Returns:
        0 if the policy can be read or the demo's audit held, else 1. 2 for bad use: a file that cannot be
        replayed, a package that is not installed, no command. 130 after Ctrl-C. Bad arguments end the process
        with status 2, as argparse does.

    """
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.command is None:
        parser.print_help()
        return 2
    if arguments.command != "demo":
        return _policy_command(arguments)
    try:
        return _demo(arguments.trace, plain=arguments.plain, as_json=arguments.json)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("outlay"):
            raise
        print(f"outlay: {_MISSING.format(name=error.name)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        # As a shell reports a process that Ctrl-C ended.
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="outlay", description="The accounts of AI agents.")
    parser.add_argument("-V", "--version", action="version", version=f"outlay {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    demo = commands.add_parser(
        "demo",
        help="run an agent and a rush of calls under real limits, offline",
        description="Run a LangChain agent under a token budget, a workflow quota and a shared pool, then a "
        "rush of calls under a limiter of tokens per minute, against a server on loopback; or replay a trace "
        "of real agent sessions. Needs no network and no key. The exit status is 0 where the final audit "
        "held, 1 where it did not.",
    )
    demo.add_argument(
        "--trace",
        metavar="FILE",
        type=Path,
        help="replay a csv or csv.gz with the columns agent, session, turn, t_ms, in_tokens, out_tokens",
    )
    demo.add_argument("--plain", action="store_true", help="no colour and no live display")
    check = commands.add_parser(
        "check",
        help="read policy files and say whether they are good",
        description="Read one policy or several. The exit status is 0 where a guard can be made of each, 1 "
        "where not: then the file, the line and what is allowed are on stderr.",
    )
    explain = commands.add_parser(
        "explain",
        help="show which rules of a policy a request would meet",
        description="Show every rule that matches a request with these labels, its limits in a fresh guard, "
        "and what the model costs.",
    )
    check.add_argument("policies", type=Path, nargs="+", metavar="POLICY", help=_POLICY)
    explain.add_argument("policy", type=Path, help=_POLICY)
    explain.add_argument(
        "labels", nargs="*", type=_label, metavar="LABEL=VALUE", help="such as agent=coder model=gpt-x"
    )
    doctor = commands.add_parser(
        "doctor",
        help="show what is installed and which integrations work",
        description="Show the installed extras with their versions, and what is active in the process. "
        "It uses no network. In a program, outlay.doctor() returns the same as a dict.",
    )
    doctor.add_argument(
        "--imports", action="store_true", help="import each integration too; some hosts take seconds"
    )
    top = commands.add_parser(
        "top",
        help="show the limits of a store, and which processes have shares of them",
        description="Show each limit of a store: its most, what all processes have used, what is with "
        "processes that have not used it, and what each of them has. It only reads.",
    )
    top.add_argument("--once", action="store_true", required=True, help="print it once: the one way so far")
    migrate = commands.add_parser(
        "migrate",
        help="create an empty store, for stores that are opened with strict",
        description="Create an empty store, which a store that is opened with strict=True refuses to do.",
    )
    migrate.add_argument("--create", action="store_true", help="create the store if it is not there")
    for command in (top, migrate):
        command.add_argument("url", metavar="URL", help="such as sqlite:///budgets.db")
        command.add_argument("--namespace", default="default", help='its part; default "default"')
    for command in (demo, check, explain, doctor, top, migrate):
        command.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _label(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise argparse.ArgumentTypeError(f"LABEL=VALUE is allowed, not {text!r:.100}")
    return name, value


def _policy_command(arguments: argparse.Namespace) -> int:
    from outlay._cli.check import check
    from outlay._cli.explain import explain
    from outlay._cli.show_doctor import show_doctor

    if arguments.command in ("top", "migrate"):
        return _store_command(arguments)
    if arguments.command == "doctor":
        return show_doctor(imports=arguments.imports, as_json=arguments.json)
    if arguments.command == "check":
        return check(arguments.policies, as_json=arguments.json)
    return explain(arguments.policy, dict(arguments.labels), as_json=arguments.json)


def _store_command(arguments: argparse.Namespace) -> int:
    from outlay._cli.top import migrate, top

    url, namespace, as_json = arguments.url, arguments.namespace, arguments.json
    if arguments.command == "top":
        return top(url, namespace=namespace, as_json=as_json)
    return migrate(url, namespace=namespace, create=arguments.create, as_json=as_json)


def _demo(trace: Path | None, *, plain: bool, as_json: bool) -> int:
    # Imported here: the package itself never imports a vendor, and --version must work without one.
    from outlay._demo.show import Report, make_console

    console = make_console(plain=plain, as_json=as_json)
    if trace is None:
        from outlay._demo.run import run_demo

        held = run_demo(console)
    else:
        from outlay._demo.replay.file import TraceError
        from outlay._demo.replay.show import run_trace

        try:
            held = run_trace(trace, console)
        except TraceError as error:
            print(f"outlay: {printable(str(error))}", file=sys.stderr)
            return 2
    if isinstance(console, Report):
        console.print_json_of(held=held)
    return 0 if held else 1

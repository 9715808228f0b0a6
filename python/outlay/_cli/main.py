"""The command ``outlay``: ``check`` and ``explain`` for policies, ``doctor``, and the ``demo``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

__all__ = ["main"]

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
        return _demo(arguments.trace, plain=arguments.plain)
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
    parser.add_argument("--version", action="version", version=f"outlay {version('outlay')}")
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
        help="read a policy file and say whether it is good",
        description="Read a policy. The exit status is 0 where a guard can be made of it, 1 where not: then "
        "the file, the line and what is allowed are on stderr.",
    )
    explain = commands.add_parser(
        "explain",
        help="show which rules of a policy a request would meet",
        description="Show every rule that matches a request with these labels, its limits in a fresh guard, "
        "and what the model costs.",
    )
    for command in (check, explain):
        command.add_argument("policy", type=Path, help="a policy in TOML, or a pyproject.toml")
    explain.add_argument(
        "labels", nargs="*", type=_label, metavar="LABEL=VALUE", help="such as agent=coder model=gpt-x"
    )
    commands.add_parser(
        "doctor",
        help="show what is installed and which integrations work",
        description="Show the installed extras with their versions, whether each integration imports, and "
        "what is active in the process. In a program, outlay.doctor() returns the same as a dict.",
    )
    return parser


def _label(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise argparse.ArgumentTypeError(f"LABEL=VALUE is allowed, not {text!r:.100}")
    return name, value


def _policy_command(arguments: argparse.Namespace) -> int:
    from outlay._cli.policy import check, explain
    from outlay._cli.show_doctor import show_doctor

    if arguments.command == "doctor":
        return show_doctor()
    if arguments.command == "check":
        return check(arguments.policy)
    return explain(arguments.policy, dict(arguments.labels))


def _demo(trace: Path | None, *, plain: bool) -> int:
    # Imported here: the package itself never imports a vendor, and --version must work without one.
    from outlay._demo.show import make_console

    console = make_console(plain=plain)
    if trace is None:
        from outlay._demo.run import run_demo

        return 0 if run_demo(console) else 1
    from outlay._demo.replay.file import TraceError
    from outlay._demo.replay.show import run_trace

    try:
        return 0 if run_trace(trace, console) else 1
    except TraceError as error:
        print(f"outlay: {error}", file=sys.stderr)
        return 2

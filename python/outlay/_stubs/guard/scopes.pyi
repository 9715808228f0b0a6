"""The scopes of a guard: labels, runs, steps and the final answer."""

from contextlib import AbstractContextManager

from outlay._stubs.arguments import Labels
from outlay._stubs.guard.bound_guard import BoundGuard

class _GuardScopes:  # methods of Guard
    def bind(self, *, labels: Labels | None = None, **named: str) -> BoundGuard:
        """Return a view of the guard whose requests all have these labels, wherever they are made.

        It is a budget of every `wrap`, and needs no context: use it in generators, callbacks and threads. It
        decides with the guard's own counters. The labels of a request come before those that are bound, and
        these before the labels of the scopes around.

        Args:
            labels: Labels as a mapping, beside the keywords; default None.
            **named: The labels.

        Raises:
            InvalidId: A label is no text of 1 to 1,024 bytes.
            PolicyError: A label is given twice, with two values.

        Example:
            >>> guard = Guard({"budget": [{"name": "u", "scope": {"user": "*"}, "limit": {"calls": 1}}]})
            >>> ann = guard.bind(user="ann")
            >>> ann.reserve().commit()
            >>> guard.bind(labels={"user": "bob"}).reserve().commit()
            >>> [counter["values"]["user"] for counter in guard.snapshot()]
            ['ann', 'bob']
        """

    def scope(self, *, labels: Labels | None = None, **named: str) -> AbstractContextManager[None]:
        """Add labels to every request of every guard inside the `with` block.

        The labels of a request, and those of a scope within, come before those of a scope around it. Tasks
        that are started inside inherit the scope; `outlay.in_scope` hands it on to threads and executors.

        Args:
            labels: Labels as a mapping, beside the keywords; default None.
            **named: The labels.

        Raises:
            InvalidId: A label is no text of 1 to 1,024 bytes.

        Example:
            >>> guard = Guard({"budget": [{"name": "u", "scope": {"user": "*"}, "limit": {"calls": 1}}]})
            >>> with guard.scope(user="ann"):
            ...     guard.reserve().commit()
        """

    def run(
        self, run_id: str | None = None, *, labels: Labels | None = None, **named: str
    ) -> AbstractContextManager[str]:
        """Begin a run for the `with` block: a rule with `window = "run"` counts each run by itself.

        Args:
            run_id: The label `run`; default None, a new one.
            labels: Labels as a mapping, beside the keywords; default None.
            **named: More labels, as of `scope`.

        Returns:
            A context manager that gives the id of the run.
        """

    def step(
        self, name: str = "default", *, labels: Labels | None = None, **named: str
    ) -> AbstractContextManager[None]:
        """Charge one step as the `with` block begins; inside, the limits of `step.NAME` hold for it alone.

        Args:
            name: The name of the step; default "default", whose limits a step has that has none of its own.
            labels: Labels as a mapping, beside the keywords; default None.
            **named: More labels, as of `scope`.

        Returns:
            A context manager; to enter it raises `StepLimitExceeded` where no step is left.

        Example:
            >>> guard = Guard({"workflow": [{"name": "release", "step": {"review": {"tokens": 500}}}]})
            >>> with guard.run(workflow="release"), guard.step("review"):
            ...     guard.reserve(500).commit()
        """

    def landing(self) -> AbstractContextManager[None]:
        """Allow what budgets keep back (`landing`) inside the `with` block: for the final answer.

        Example:
            >>> rule = {"name": "all", "limit": {"tokens": 1_000}, "landing": {"tokens": 200}}
            >>> guard = Guard({"budget": [rule]})
            >>> guard.reserve(800).commit()
            >>> with guard.landing():
            ...     guard.reserve(200).commit()
        """

"""`Job`: the handle of a job that an `AllowanceService` has admitted."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, NoReturn, Self, SupportsIndex

from outlay._allowances.checks import no_copies
from outlay._allowances.reports import QuotaEvent, UsageReport
from outlay._errors import ForkedLedger
from outlay._same import same, same_deeply

if TYPE_CHECKING:
    from datetime import datetime
    from types import TracebackType

_log = logging.getLogger("outlay")


class Job:
    """A running job. It holds its estimate and a slot until its end is reported, once.

    A `with` block (sync or async) reports the end. A block that ends normally completes the job at its
    estimate. An `Exception` fails it. A cancelled or interrupted job counts in full, because the work may be
    under way. An end that the block has reported itself stands; if the store refused it, leaving the block
    reports it again. Dropping the handle ends nothing.

    Made by `AllowanceService.start_job` and `overdue_jobs`.

    Example:
        >>> from outlay import AgentAllowance, AllowanceService
        >>> service = AllowanceService()
        >>> service.set_allowance(AgentAllowance(agent_id="a-1"))
        >>> with service.start_job("a-1", "j-1", model="m-1", estimated_tokens=100) as job:
        ...     job.complete(tokens_in=60, tokens_out=30)
        True
        >>> service.get_usage("a-1").tokens_used, service.get_model_usage("m-1")
        (90, 90)

    """

    __slots__ = (
        "__weakref__",
        "_agent_id",
        "_deadline",
        "_ended",
        "_job_id",
        "_model",
        "_record",
        "_repo",
        "_unrecorded",
    )

    def __init__(
        self,
        record: Callable[[UsageReport, bool], bool],
        agent_id: str,
        job_id: str,
        model: str,
        repo: str | None,
        deadline: datetime | None,
    ) -> None:
        self._record = record
        self._agent_id = agent_id
        self._job_id = job_id
        self._model = model
        self._repo = repo
        self._deadline = deadline
        self._ended = False
        #: The last end that the block has reported, until it is recorded.
        self._unrecorded: UsageReport | None = None

    @property
    def agent_id(self) -> str:
        """The agent."""
        return self._agent_id

    @property
    def job_id(self) -> str:
        """The job: a name of the agent's own."""
        return self._job_id

    @property
    def model(self) -> str:
        """The model, "" for none."""
        return self._model

    @property
    def repo(self) -> str | None:
        """The repository, None for none."""
        return self._repo

    @property
    def deadline(self) -> datetime | None:
        """When the job is overdue, in UTC; None for never."""
        return self._deadline

    def complete(
        self, tokens_in: SupportsIndex = 0, tokens_out: SupportsIndex = 0, cost_micros_usd: SupportsIndex = 0
    ) -> bool:
        """Report that the job has completed. Its tokens are charged.

        Args:
            tokens_in: Tokens sent; default 0. No tokens at all mean the estimate.
            tokens_out: Tokens received; default 0.
            cost_micros_usd: What it has cost; default 0.

        Returns:
            Whether it was counted; False if an end was reported before, which is logged.

        Raises:
            InvalidAmount: A count is no whole number from 0 to 2**64 - 1; the job runs on.

        """
        return self._end(QuotaEvent.JOB_COMPLETED, tokens_in, tokens_out, cost_micros_usd)

    def fail(
        self, tokens_in: SupportsIndex = 0, tokens_out: SupportsIndex = 0, cost_micros_usd: SupportsIndex = 0
    ) -> bool:
        """Report that the job has failed: half of its tokens come back, rounded down.

        The cooldown of its repository begins.

        Args:
            tokens_in: Tokens sent; default 0. No tokens at all mean the estimate.
            tokens_out: Tokens received; default 0.
            cost_micros_usd: What it has cost, none of which comes back; default 0.

        Returns:
            Whether it was counted; False if an end was reported before, which is logged.

        Raises:
            InvalidAmount: A count is no whole number from 0 to 2**64 - 1; the job runs on.

        """
        return self._end(QuotaEvent.JOB_FAILED, tokens_in, tokens_out, cost_micros_usd)

    def cancel(
        self, tokens_in: SupportsIndex = 0, tokens_out: SupportsIndex = 0, cost_micros_usd: SupportsIndex = 0
    ) -> bool:
        """Report that the job was cancelled. All of its tokens come back.

        Args:
            tokens_in: Tokens sent; default 0.
            tokens_out: Tokens received; default 0.
            cost_micros_usd: What it has cost, none of which comes back; default 0.

        Returns:
            Whether it was counted; False if an end was reported before, which is logged.

        Raises:
            InvalidAmount: A count is no whole number from 0 to 2**64 - 1; the job runs on.

        """
        return self._end(QuotaEvent.JOB_CANCELLED, tokens_in, tokens_out, cost_micros_usd)

    def _end(
        self,
        event: QuotaEvent,
        tokens_in: SupportsIndex = 0,
        tokens_out: SupportsIndex = 0,
        cost_micros_usd: SupportsIndex = 0,
    ) -> bool:
        self._unrecorded = self._report(event, tokens_in, tokens_out, cost_micros_usd)
        return self._submit(self._unrecorded)

    def _report(
        self,
        event: QuotaEvent,
        tokens_in: SupportsIndex = 0,
        tokens_out: SupportsIndex = 0,
        cost_micros_usd: SupportsIndex = 0,
    ) -> UsageReport:
        return UsageReport(
            agent_id=self._agent_id,
            job_id=self._job_id,
            event=event,
            tokens_in=tokens_in,
            tokens_out=tokens_out,
            cost_micros_usd=cost_micros_usd,
        )

    def _submit(self, report: UsageReport, *, leaving: bool = False) -> bool:
        counted = self._record(report, leaving)
        self._ended = True
        return counted

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> Literal[False]:
        if self._ended:
            return False
        # Cancelled or interrupted, the work may be under way: it counts in full.
        failed = kind is not None and issubclass(kind, Exception)
        event = QuotaEvent.JOB_FAILED if failed else QuotaEvent.JOB_COMPLETED
        try:
            # Use the end that the block has reported, also where it could not be recorded.
            self._submit(self._unrecorded or self._report(event), leaving=True)
        except ForkedLedger:
            pass  # the job is the parent's: a child that leaves the block ends nothing
        except Exception:
            if kind is None:
                raise
            # The store's error must not hide the error that left the block.
            _log.exception(
                "the end of job %r of agent %r could not be recorded", self._job_id, self._agent_id
            )
        return False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> Literal[False]:
        return self.__exit__(kind, error, traceback)

    def __repr__(self) -> str:
        return f"<Job {self._job_id!r} of {self._agent_id!r}>"

    __copy__ = same
    __deepcopy__ = same_deeply

    def __reduce__(self) -> NoReturn:
        no_copies(self)


Job.__module__ = "outlay"  # the place that users import from

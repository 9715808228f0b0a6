"""A store, which keeps limits for several processes."""

from typing import Any, Literal, Self, TypeAlias, final

from outlay._stubs.arguments import Period
from outlay._stubs.clocks import Clock
from outlay.types import StoreLimit, StoreStatus

@final
class Store:
    """A store of limits that several processes share, and that survives each of them.

    Every class that keeps accounts takes `store=`: a `Store`, or its URL. Calls are decided in memory,
    against the *share* of the limit that this process has. The store is asked where a share is too small.
    That takes a trip to it, of at most `timeout`. Threads wait without the GIL, and methods that are awaited
    do not block their event loop. A process has one store for each URL and namespace: with equal options it
    is the same.

    `docs/stores.md` says how it works, and what is lost if a process dies.

    Args:
        url: `"sqlite:///budgets.db"`: a file for the processes of one machine, relative to the working
            directory. `"sqlite:////var/lib/app/budgets.db"` is an absolute path.
        namespace: The part of the store that is used, 1 to 64 bytes; default "default".
        ttl: A process that is silent for so long is lost, in seconds or as a timedelta, at least 1 second.
            All processes give the same; default 15 seconds.
        timeout: How long a call that waits for nobody else waits for the store, in seconds or as a
            timedelta; default 0.25 seconds.
        connect_timeout: How long the first connection may take, in seconds or as a timedelta; default 5
            seconds.
        on_down: What passes while the store is away and the share is spent. "deny" (default): nothing, it
            raises `StoreUnavailable`. "local": an even part of what the limit had left, which is no hard
            limit any more. "allow": everything. What passed is booked when the store is back.
        durable: What survives what. "grant" (default): shares survive the loss of power. "process": they
            survive the end of a process alone. "commit": each commit of a lease is on disk when it returns.
        strict: Whether an empty store is refused until `outlay migrate URL --create`; default False.
        clock: The clock of the store and of its accounts: `ManualClock` for tests; default None, the
            machine's clocks.

    Raises:
        PolicyError: An argument makes no sense, or this process has the store open with other options.
        InvalidId: The namespace is empty, too long, or has control characters.
        StoreUnavailable: It cannot be opened: the message says why. Nothing was written.
        StoreCorrupt: The file is no store, or it is damaged. Nothing was written.

    Example:
        >>> import pathlib, tempfile
        >>> folder = tempfile.TemporaryDirectory()
        >>> path = pathlib.Path(folder.name, "budgets.db")
        >>> with Store(f"sqlite:///{path}") as store:
        ...     budget = AgentTokenBudget.daily("researcher", 2_000_000, store=store)
        ...     budget.consume("query", 1_500)
        >>> with Store(f"sqlite:///{path}") as store:
        ...     AgentTokenBudget.daily("researcher", 2_000_000, store=store).used()
        1500
        >>> folder.cleanup()
    """

    def __copy__(self) -> Self: ...
    def __deepcopy__(self, _memo: dict[int, Any]) -> Self: ...
    def __new__(
        cls,
        url: str,
        *,
        namespace: str = "default",
        ttl: Period = 15,
        timeout: Period = 0.25,
        connect_timeout: Period = 5,
        on_down: Literal["deny", "local", "allow"] = "deny",
        durable: Literal["grant", "process", "commit"] = "grant",
        strict: bool = False,
        clock: Clock | None = None,
    ) -> Self: ...
    @classmethod
    async def open(
        cls,
        url: str,
        *,
        namespace: str = "default",
        ttl: Period = 15,
        timeout: Period = 0.25,
        connect_timeout: Period = 5,
        on_down: Literal["deny", "local", "allow"] = "deny",
        durable: Literal["grant", "process", "commit"] = "grant",
        strict: bool = False,
        clock: Clock | None = None,
    ) -> Store:
        """Open a store without blocking the event loop.

        Args:
            url: The address of the store.
            namespace: The part of the store that is used; default "default".
            ttl: When a silent process is lost, in seconds or as a timedelta; default 15 seconds.
            timeout: How long a call waits for the store, in seconds or as a timedelta; default 0.25 seconds.
            connect_timeout: How long the first connection may take, in seconds or as a timedelta; default 5
                seconds.
            on_down: What passes while the store is away: "deny" (default), "local" or "allow".
            durable: What survives what: "grant" (default), "process" or "commit".
            strict: Whether an empty store is refused; default False.
            clock: The clock of the store; default None, the machine's clocks.

        Returns:
            The store.

        Raises:
            PolicyError: An argument makes no sense, or this process has the store open with other options.
            StoreUnavailable: It cannot be opened.
            StoreCorrupt: The file is no store, or it is damaged.

        Example:
            >>> import asyncio, pathlib, tempfile
            >>> async def connected(path):
            ...     async with await Store.open(f"sqlite:///{path}") as store:
            ...         return store.status()["connected"]
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     asyncio.run(connected(pathlib.Path(folder, "budgets.db")))
            True
        """

    @property
    def url(self) -> str:
        """The address of the store."""

    @property
    def namespace(self) -> str:
        """The part of the store that is used."""

    def status(self) -> StoreStatus:
        """Return how this process stands with its store. It asks nobody.

        Returns:
            A dict: see `outlay.types.StoreStatus`.
        """

    def sync(self) -> None:
        """Tell the store what was used here, and hear what was used elsewhere.

        After it `used` and `remaining` of all accounts of the store are exact, as of its answer. It waits at
        most `timeout`, without the GIL.

        Raises:
            StoreUnavailable: There was no answer in time.
        """

    async def sync_async(self) -> None:
        """Do as `sync` does, without blocking the event loop.

        Raises:
            StoreUnavailable: There was no answer in time.
        """

    def inspect(self) -> list[StoreLimit]:
        """Return the limits that the store keeps, as all processes use them. It changes nothing.

        Returns:
            A dict for each limit: see `outlay.types.StoreLimit`.

        Raises:
            StoreUnavailable: It cannot be read.
        """

    def close(self) -> None:
        """Give back the shares of this process, and end the connection. A second call does nothing.

        Accounts of a closed store raise `StoreUnavailable` where they lack a share. A `with` block calls it
        at its end. At an orderly end of the interpreter all stores are closed.

        Raises:
            StoreUnavailable: The shares could not be given back in time; they are written off.
        """

    def __enter__(self) -> Self: ...
    def __exit__(self, _exception: object, _value: object, _traceback: object) -> bool: ...
    async def __aenter__(self) -> Self: ...
    async def __aexit__(self, _exception: object, _value: object, _traceback: object) -> bool: ...
    def __hash__(self) -> int: ...

StoreArg: TypeAlias = str | Store

def inspect_store(url: str, namespace: str) -> list[StoreLimit]:
    """Return the limits of a store that this process need not have open. It only reads.

    Args:
        url: The address of the store.
        namespace: Its part.

    Raises:
        PolicyError: It is no address of a store.
        StoreUnavailable: It is not there, or it cannot be read.
        StoreCorrupt: It is no store, or it is damaged.
    """

def create_store(url: str, namespace: str) -> None:
    """Create an empty store. Nothing changes in one that is there.

    Args:
        url: The address of the store.
        namespace: Its part.

    Raises:
        PolicyError: It is no address of a store.
        StoreUnavailable: It cannot be written.
        StoreCorrupt: The file is no store, or it is damaged.
    """

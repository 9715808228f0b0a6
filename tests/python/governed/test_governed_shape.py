"""`governed` methods and nested functions: what they look like, and who pays."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import threading
from types import SimpleNamespace

import pytest

from outlay import BudgetExceeded, Guard, SharedPool, WorkflowQuota, governed


@pytest.fixture
def pool():
    made = SharedPool(capacity_tokens=1_000)
    yield made
    assert made.open_leases() == []


def used(pool):
    return pool.committed().total_tokens


def answer(total):
    """Return what looks like a provider's response."""
    return SimpleNamespace(
        model="m", usage=SimpleNamespace(prompt_tokens=total - 1, completion_tokens=1, total_tokens=total)
    )


def test_names_signatures_and_kinds_are_kept(pool):
    async def ask(x: int, *, y: str = "") -> str:
        """Ask."""
        return y * x

    decorated = governed(pool, 1)(ask)
    assert inspect.signature(decorated) == inspect.signature(ask)
    assert (decorated.__name__, decorated.__doc__) == ("ask", "Ask.")
    assert inspect.iscoroutinefunction(decorated)
    assert inspect.isgeneratorfunction(governed(pool, 1)(lambda: (yield)))


def test_methods_of_every_kind(pool):
    class Client:
        @governed(pool, lambda self, n: n)
        def method(self, n):
            return (self.__class__.__name__, n)

        @classmethod
        @governed(pool, lambda cls, n: n)
        def inner_class(cls, n):
            return (cls.__name__, n)

        @governed(pool, lambda cls, n: n)
        @classmethod
        def outer_class(cls, n):
            return (cls.__name__, n)

        @staticmethod
        @governed(pool, lambda n: n)
        def inner_static(n):
            return n

        @governed(pool, lambda n: n)
        @staticmethod
        def outer_static(n):
            return n

    client = Client()
    assert client.method(1) == ("Client", 1)
    assert client.inner_class(2) == client.outer_class(2) == ("Client", 2)
    assert Client.inner_static(3) == client.outer_static(3) == 3
    assert used(pool) == 1 + 2 + 2 + 3 + 3


def test_partials_and_callable_objects(pool):
    class Asker:
        async def __call__(self, x):
            return x

    assert governed(pool, 1)(functools.partial(pow, 2))(3) == 8
    assert asyncio.run(governed(pool, 2)(Asker())(5)) == 5
    assert used(pool) == 3


def test_an_async_function_behind_a_plain_wrapper_is_charged_when_it_ends(pool):
    async def ask():
        assert used(pool) == 0
        return answer(7)

    asyncio.run(governed(pool, 100)(lambda: ask())())
    assert used(pool) == 7


def test_threads_never_pass_the_limit(pool):
    inside, most, lock = 0, 0, threading.Lock()

    @governed(pool, 100, usage=lambda result: 50)
    def ask():
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        with lock:
            inside -= 1

    def run():
        with contextlib.suppress(BudgetExceeded):
            ask()

    threads = [threading.Thread(target=run) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert used(pool) <= 1_000
    assert most <= 10


def test_the_outermost_pays_once(pool):
    @governed(pool, 10)
    def inner():
        return answer(9)

    @governed(pool, 100)
    def outer():
        inner()
        return "text"

    outer()
    assert used(pool) == 100


@pytest.mark.parametrize(("inner_used", "booked"), [(30, 100), (90, 180)])
def test_a_result_that_says_nothing_books_what_the_calls_inside_have_told(pool, inner_used, booked):
    """Never below what is known: the estimate, or what is inside if that is more."""

    @governed(pool, 10)
    def inner():
        return answer(inner_used)

    @governed(pool, 10)
    def middle():
        inner()

    @governed(pool, 100)
    def outer():
        middle()
        inner()
        return "text"

    outer()
    assert used(pool) == booked


def test_what_an_inner_call_does_not_tell_counts_at_its_estimate(pool):
    @governed(pool, 150)
    def inner():
        return "text"

    @governed(pool, 100)
    def outer():
        inner()
        inner()

    outer()
    assert used(pool) == 300


def test_what_the_function_says_itself_stands(pool):
    @governed(pool, 10)
    def inner():
        return answer(500)

    @governed(pool, 100, usage=lambda result: 120)
    def outer():
        inner()

    outer()
    assert used(pool) == 120


def test_calls_inside_are_priced_where_they_have_no_price():
    capped = SharedPool(capacity_cost_micros_usd=10_000)
    tokens = SharedPool()

    @governed(tokens, 10)
    def inner():
        return answer(500)

    @governed(capped, 100, prices={"m": {"input": "1", "output": "10"}}, model="m")
    def outer():
        inner()

    outer()
    assert capped.committed().cost_micros_usd == 499 + 10


def test_without_an_estimate_the_outer_leaves_it_to_the_inner(pool):
    # Nothing was held for what is inside, so nothing may go by unasked.
    @governed(pool, 600)
    def inner():
        return answer(600)

    @governed(pool)
    def outer():
        inner()
        return inner()

    with pytest.raises(BudgetExceeded):
        outer()
    assert used(pool) == 600


def test_without_an_estimate_what_the_inner_paid_is_not_booked_twice(pool):
    own = SharedPool(capacity_tokens=1_000)

    @governed(pool, 100)
    def inner():
        return answer(30)

    @governed([pool, own])
    def middle():
        return inner()

    @governed([pool, own])
    def outer():
        return middle()

    outer()
    assert (used(pool), used(own)) == (30, 30)


def test_a_refused_inner_call_pays_nothing_so_the_outer_books_its_own(pool):
    @governed(pool, 5_000)
    def inner():
        raise AssertionError("ran")

    @governed(pool)
    def outer():
        with contextlib.suppress(BudgetExceeded):
            inner()
        return answer(20)

    outer()
    assert used(pool) == 20


def test_a_step_is_counted_once():
    token = WorkflowQuota.hourly(1, 5).begin_workflow("w-1")

    @governed(token)
    def inner():
        return None

    @governed(token)
    def outer():
        inner()

    outer()
    assert token.steps_executed() == 1


def test_own_budgets_get_the_labels():
    asked = []

    class Own:
        def reserve(self, estimate, **labels):
            asked.append((estimate.total_tokens, labels))
            return SimpleNamespace(
                commit=lambda usage=None: asked.append(usage and usage.total_tokens),
                release=lambda: asked.append("released"),
                close=lambda: asked.append("closed"),
            )

    @governed(Own(), 5, agent="a-1")
    def ask(x):
        return answer(x)

    ask(3)
    assert asked == [(5, {"agent": "a-1"}), 3]


class Own:
    """A user's own budget, which books in its list."""

    def __init__(self):
        self.booked = []

    def reserve(self, estimate, **labels):
        """Give itself as the lease."""
        return self

    def commit(self, usage=None):
        """Book."""
        self.booked.append(usage.total_tokens)

    def release(self):
        """Fail."""
        raise AssertionError("nothing fails here")

    close = release


def new_guard():
    return Guard({"budget": [{"name": "all", "limit": {"tokens": 1_000}}]})


BOOKS = {
    "pool": (lambda: SharedPool(capacity_tokens=1_000), used),
    "guard": (new_guard, lambda guard: guard.snapshot()[0]["limits"]["tokens"]["used"]),
    "own": (Own, lambda own: sum(own.booked)),
}


@pytest.mark.parametrize("between", BOOKS)
@pytest.mark.parametrize("named", BOOKS)
async def test_a_budget_that_is_named_again_past_another_one_is_charged_once(named, between):
    """Each call around is asked what it covers, not the nearest one alone."""
    (make, booked), (make_other, booked_other) = BOOKS[named], BOOKS[between]
    budget, other = make(), make_other()

    @governed(budget, 100)
    @governed(other, 100)
    @governed(budget, 100)
    def ask():
        return answer(70)

    @governed(budget, 100)
    @governed(other, 100)
    @governed(budget, 100)
    async def ask_async():
        return answer(70)

    ask()
    assert (booked(budget), booked_other(other)) == (70, 70)
    await ask_async()
    assert (booked(budget), booked_other(other)) == (140, 140)


class Refusing(Own):
    """A user's own budget that has no room."""

    def reserve(self, estimate, **labels):
        """Refuse."""
        raise BudgetExceeded("no room")


async def test_the_refusal_of_a_users_own_budget_gives_back_what_was_held_before_it(pool):
    held = []

    class Asked(Own):
        def reserve(self, estimate, **labels):
            held.append(pool.reserved().total_tokens)
            return super().reserve(estimate, **labels)

        def release(self):
            """Give back."""
            held.append("released")

    @governed([pool, Asked(), Refusing()], 100)
    def ask():
        raise AssertionError("it was refused")

    @governed([pool, Asked(), Refusing()], 100)
    async def ask_async():
        raise AssertionError("it was refused")

    with pytest.raises(BudgetExceeded) as refused:
        ask()
    # While the refusal lives, so does all that it passed through.
    assert (pool.reserved().total_tokens, used(pool), held) == (0, 0, [100, "released"])
    with pytest.raises(BudgetExceeded) as again:
        await ask_async()
    assert (pool.reserved().total_tokens, used(pool), held) == (0, 0, [100, "released"] * 2)
    assert refused.value is not again.value

"""A lease as a user writes it: the estimate and the usage are made for the call, in a `with`."""

from __future__ import annotations

from by_hand.pool import LockedPool
from timing import PLENTY, Loop

import outlay
from cases import floors, leases
from outlay._core import reserve_together

GROUP = floors.with_floors("Reserve and commit, as users write it")
GROUP.case(leases.BY_HAND)(leases.by_hand)
ANSWER = {"usage": {"prompt_tokens": 90, "completion_tokens": 8, "total_tokens": 98}}


@GROUP.case("by hand: the same in a `with`")
def by_hand() -> Loop:
    plain = LockedPool(PLENTY, PLENTY)

    def run(count):
        for _ in range(count):
            with plain.lease(100, 5) as lease:
                lease.commit(98, 4)

    return run


@GROUP.case("`with pool.reserve(estimate) as lease`", beside=leases.BY_HAND)
def with_form() -> Loop:
    shared = leases.pool()
    estimate = outlay.UsageEstimate(input_tokens=90, output_tokens=10, cost_micros_usd=5)
    usage = outlay.Usage(input_tokens=90, output_tokens=8, cost_micros_usd=4)

    def run(count):
        for _ in range(count):
            with shared.reserve(estimate) as lease:
                lease.commit(usage)

    return run


@GROUP.case("`UsageEstimate` and `Usage` made for the call", beside=leases.BY_HAND)
def made() -> Loop:
    shared, estimate, usage = leases.pool(), outlay.UsageEstimate, outlay.Usage

    def run(count):
        for _ in range(count):
            lease = shared.reserve(estimate(input_tokens=90, output_tokens=10, cost_micros_usd=5))
            lease.commit(usage(input_tokens=90, output_tokens=8, cost_micros_usd=4))

    return run


@GROUP.case("both made, in a `with`", beside="by hand: the same in a `with`")
def made_with() -> Loop:
    shared, estimate, usage = leases.pool(), outlay.UsageEstimate, outlay.Usage

    def run(count):
        for _ in range(count):
            with shared.reserve(estimate(input_tokens=90, output_tokens=10, cost_micros_usd=5)) as lease:
                lease.commit(usage(input_tokens=90, output_tokens=8, cost_micros_usd=4))

    return run


@GROUP.case("`Usage` of three fields")
def usage_made() -> Loop:
    usage = outlay.Usage

    def run(count):
        for _ in range(count):
            usage(input_tokens=90, output_tokens=8, cost_micros_usd=4)

    return run


@GROUP.case("`Usage.from_response(dict)`")
def from_response() -> Loop:
    read = outlay.Usage.from_response

    def run(count):
        for _ in range(count):
            read(ANSWER)

    return run


@GROUP.case("`with` a lease, and `Usage.from_response` of the answer")
def read() -> Loop:
    shared, usage = outlay.SharedPool(capacity_tokens=PLENTY), outlay.Usage

    def run(count):
        for _ in range(count):
            with shared.reserve(100) as lease:
                lease.commit(usage.from_response(ANSWER))

    return run


@GROUP.case("`reserve_together` of a pool and a token budget, as wraps do")
def together() -> Loop:
    budgets = [outlay.SharedPool(capacity_tokens=PLENTY), outlay.AgentTokenBudget("a", PLENTY, 3600)]
    estimate = outlay.UsageEstimate(input_tokens=90, output_tokens=10)
    usage = outlay.Usage(input_tokens=90, output_tokens=8)

    def run(count):
        for _ in range(count):
            reserve_together(budgets, estimate).commit(usage)

    return run

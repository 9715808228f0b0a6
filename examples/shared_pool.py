"""One pool of tokens and money for many agents in threads: never above its capacity."""

from concurrent.futures import ThreadPoolExecutor

from outlay import BudgetExceeded, RequestBudget, SharedPool, ThresholdExceeded, Usage, UsageEstimate, usd

pool = SharedPool(
    capacity_tokens=20_000,
    capacity_cost_micros_usd=usd("0.50"),
    stop_threshold_tokens=2_000,  # kept free: new calls stop here
)
estimate = UsageEstimate(input_tokens=1_500, output_tokens=500, cost_micros_usd=usd("0.02"))


def call(number: int) -> str:
    """Make one call, if the pool has room for it, and say how it went."""
    try:
        with pool.reserve(estimate) as lease:
            # The model would be called here; a part of what was reserved comes back.
            lease.commit(Usage(input_tokens=1_500, output_tokens=300, cost_micros_usd=usd("0.017")))
    except ThresholdExceeded:
        return f"{number} refused"
    return f"{number} done"


with ThreadPoolExecutor(8) as executor:
    outcomes = list(executor.map(call, range(40)))
done = sum(outcome.endswith("done") for outcome in outcomes)
print(f"{done} calls done, {len(outcomes) - done} refused")
print(f"committed {pool.committed().total_tokens} tokens, remaining {pool.remaining()}")

# One request may have a cap of its own, whatever the pool still has.
try:
    pool.reserve(estimate, RequestBudget.from_tokens(1_000))
except BudgetExceeded as refusal:
    print(refusal)

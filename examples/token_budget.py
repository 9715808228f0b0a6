"""A daily token budget for one agent: warn at 80 %, refuse above the limit, go on after the reset."""

from outlay import AgentTokenBudget, BudgetExceeded, ManualClock

clock = ManualClock()  # the time is ours here; leave `clock=` out and it is the system's
budget = AgentTokenBudget.daily(
    "researcher",
    10_000,
    operation_costs={"query": 1, "vector_search": 10},
    on_warning=lambda budget: print(f"warning: {budget.usage_percentage():.0%} of the day's tokens are used"),
    clock=clock,
)

# What a call will use is known only after it: reserve an estimate, commit the actual.
with budget.reserve("query", 3_000) as lease:
    answer_tokens = 2_650  # the model would be called here
    lease.commit(answer_tokens)
print(f"used {budget.used()}, remaining {budget.remaining()}")

# An operation's cost multiplies its tokens: 600 tokens of vector search count as 6,000.
budget.consume("vector_search", 600)

try:
    budget.consume("query", 2_000)
except BudgetExceeded as refusal:
    # One line of JSON that a language model can read, and the same facts as attributes.
    print(refusal)
    print(
        f"requested {refusal.requested}, remaining {refusal.remaining}, resets in {refusal.resets_in:.0f} s"
    )

clock.advance(24 * 60 * 60)
budget.consume("query", 2_000)
print(f"the next day: used {budget.used()}")

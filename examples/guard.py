"""All limits from one policy: an agent, its sub-agent, a workflow with steps, and a final answer."""

from outlay import BudgetExceeded, Guard, StepLimitExceeded, Usage, UsageEstimate

POLICY = {
    "defaults": {"warn_at": 0.8},
    "budget": [
        {
            "name": "per-agent",
            "scope": {"agent": "*"},
            "limit": {"tokens": 10_000, "usd": "0.10"},
            "window": "calendar:day",
            "landing": {"tokens": 1_000},
        }
    ],
    "workflow": [{"name": "release", "limit": {"steps": 2}, "step": {"review": {"tokens": 3_000}}}],
    "tool": [{"name": "web_search", "limit": {"calls": 1}, "window": "run"}],
    "prices": {"writer-1": {"input": "2.00", "output": "10.00"}},
}
guard = Guard(POLICY)
guard.events(lambda event: print(f"warned: {event['name']}") if event["event"] == "warned" else None)


def call(budget: Guard, input_tokens: int, output_tokens: int) -> None:
    """Stand in for a call of a model: hold the most it may use, book what it used."""
    estimate = UsageEstimate(input_tokens=input_tokens, output_tokens=output_tokens)
    with budget.reserve(estimate, model="writer-1") as lease:
        lease.commit(Usage(input_tokens=input_tokens, output_tokens=output_tokens // 2))


with guard.run("run-1", workflow="release", agent="coder"):
    with guard.step("plan"):
        call(guard, 1_000, 1_000)
        guard.reserve(tool="web_search").commit()
        try:
            guard.reserve(tool="web_search")
        except BudgetExceeded as refusal:
            print(f"no second search: {refusal.message}")
    with guard.step("review"):
        try:
            call(guard, 2_000, 2_000)
        except BudgetExceeded as refusal:
            print(f"too much for a review: {refusal.message}")
    try:
        with guard.step("publish"):
            print("never printed")
    except StepLimitExceeded as refusal:
        print(f"no third step: {refusal}")

with guard.scope(agent="coder"):
    with guard.allot(tokens=3_000) as part:  # for a sub-agent
        part.reserve(2_000, model="writer-1").commit(Usage(input_tokens=500, output_tokens=500))
        print(f"the sub-agent has {part.remaining()['tokens']} tokens left")
    call(guard, 5_500, 1_000)
    print(f"left: {guard.advice()['remaining']['tokens']} tokens")
    call(guard, 500, 0)
    print(f"time to land: {guard.advice()['landing']}")
    with guard.landing():
        call(guard, 800, 200)
    for rule in guard.explain():
        print(
            rule["name"],
            rule["limits"]["tokens"]["used"],
            "tokens,",
            rule["limits"]["cost_micros_usd"]["used"],
            "micro-USD",
        )

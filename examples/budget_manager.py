"""Budgets of tokens and calls for many agents, kept over a restart in a JSON file."""

import tempfile
from pathlib import Path

from outlay import BudgetExceeded, BudgetLimit, BudgetManager, NotConfigured

manager = BudgetManager()
for agent_id, tokens in (("planner", 5_000), ("coder", 20_000)):
    manager.set_budget(BudgetLimit(agent_id=agent_id, token_budget=tokens, calls_budget=3, window_secs=3600))

# A handle reserves tokens and one call together, and settles with what the call used.
coder = manager.agent("coder")
with coder.reserve(4_000) as lease:
    lease.commit(3_200)
coder.charge(1_000)  # both at once, where the amount is known already
print(manager.full_info("coder"))

try:
    manager.agent("planner").reserve(6_000)
except BudgetExceeded as refusal:
    print(refusal)

# No budget means no: an agent that nobody configured is refused.
try:
    manager.track_call("stranger")
except NotConfigured as refusal:
    print(refusal.message)
print(f"may the stranger be scheduled? {manager.can_schedule('stranger')}")

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "budgets.json"
    manager.persist(path)
    after_restart = BudgetManager()
    after_restart.restore(path)
    print(f"after a restart the coder has used {after_restart.full_info('coder').tokens_used} tokens")

"""A LangChain agent under a token budget and a step limit; a scripted model stands in for the real one."""

from langchain.agents import create_agent
from langchain_core.tools import tool

from outlay import AgentTokenBudget, SharedPool, WorkflowQuota
from outlay.langchain import BudgetMiddleware, wrap
from outlay.testing import ScriptedChatModel, tool_call


@tool
def population(city: str) -> str:
    """Look up the population of a city."""
    return {"Oslo": "717,000", "Bergen": "291,000"}.get(city, "unknown")


budget = AgentTokenBudget.daily("geographer", 50_000)
pool = SharedPool(capacity_tokens=200_000)
quota = WorkflowQuota.hourly(max_workflows=10, max_steps=2)

model = ScriptedChatModel(
    script=[
        tool_call("population", city="Oslo"),
        tool_call("population", city="Bergen"),
        tool_call("population", city="Tromso"),  # the third step: denied, and the model reads why
        "Oslo has 717,000 people and Bergen 291,000. I could not look up Tromso.",
    ]
)

with quota.begin_workflow("populations") as workflow:
    agent = create_agent(
        wrap(model, [budget, pool]),  # every call of the model, checked before and settled after
        [population],
        middleware=[BudgetMiddleware(workflow)],  # every tool call is a step
    )
    result = agent.invoke(
        {"messages": [{"role": "user", "content": "How many people live in Oslo, Bergen and Tromso?"}]}
    )

for message in result["messages"]:
    if message.type == "tool":
        print(f"tool {message.status}: {message.text}")
print(result["messages"][-1].text)
print(f"budget used {budget.used()}, pool committed {pool.committed().total_tokens}")
print(f"open leases {len(pool.open_leases())}")

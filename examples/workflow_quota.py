"""A quota of workflows an hour, each with a limit of steps: an agent in a loop stops here."""

from outlay import StepLimitExceeded, WorkflowLimitExceeded, WorkflowQuota

quota = WorkflowQuota.hourly(max_workflows=2, max_steps=3)

with quota.begin_workflow("report-17") as workflow:  # leaving the block ends the workflow
    try:
        while True:
            workflow.execute_step()
            print(f"step {workflow.steps_executed()} of {workflow.max_steps}")
    except StepLimitExceeded as refusal:
        print(refusal)

with quota.begin_workflow("report-18"):
    # Whoever knows the id finds the same counter.
    quota.get("report-18").execute_step()
    try:
        quota.begin_workflow("report-19")
    except WorkflowLimitExceeded as refusal:
        print(f"refused: {refusal.message}; {quota.period_count()} begun, {quota.active_count()} active")

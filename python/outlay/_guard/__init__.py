"""The Python side of a guard: its scopes, its allotments for sub-agents, its methods that wait."""

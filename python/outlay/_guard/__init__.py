"""What a guard has in Python: scopes, its parts for sub-agents, its methods that wait."""

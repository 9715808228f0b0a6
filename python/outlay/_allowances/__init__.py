"""The allowances of agents, the quotas of models, the limits of repositories, and their stores."""

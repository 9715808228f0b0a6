"""The cost of outlay beside its peers, in one process; run by `make bench-peers`."""

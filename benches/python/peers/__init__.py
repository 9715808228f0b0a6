"""What outlay costs beside its peers, in one process; run by `make bench-peers`."""

"""The commands ``outlay demo``: private, and not part of the package's interface."""

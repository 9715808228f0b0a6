"""The command line, and `outlay.doctor`."""

"""The estimates and the usage of calls: prompts, responses, streams, exceptions, calibration."""

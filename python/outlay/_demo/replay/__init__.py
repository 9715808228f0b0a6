"""The replay of a trace of real agent sessions: `outlay demo --trace FILE`."""

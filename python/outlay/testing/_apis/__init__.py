"""The APIs that the loopback servers speak, one a file."""

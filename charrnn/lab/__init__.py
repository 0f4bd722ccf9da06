"""The lecture's experiments: each one command, one picture, one table."""

"""The machine: what its processor and GPU can do, and how many threads are fastest now."""

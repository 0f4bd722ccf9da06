"""The machine: features of its processor and GPU, and the fastest number of threads."""

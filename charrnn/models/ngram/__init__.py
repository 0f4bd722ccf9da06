"""The n-gram model: counting, smoothing, and reading; independent of recurrent networks."""

"""Counting, smoothing and the n-gram model; no dependence on the recurrent side."""

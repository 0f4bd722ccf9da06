"""Optimizers, learning-rate schedule and precision."""

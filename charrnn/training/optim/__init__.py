"""Optimizers, learning rate and precision."""

"""Saving a training, resuming it, and starting from another."""

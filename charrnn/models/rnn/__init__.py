"""Recurrent networks: cells, the model, and faster ways to read it."""

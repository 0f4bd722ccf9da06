"""Recurrent networks: cells, the model, and faster implementations."""

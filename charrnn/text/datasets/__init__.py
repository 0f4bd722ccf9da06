"""Texts that charrnn knows by name."""

"""Texts that charrnn can fetch by name."""

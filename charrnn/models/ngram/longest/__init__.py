"""The longest match: contexts of any length, with a suffix array."""

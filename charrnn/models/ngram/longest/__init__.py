"""The longest match: counts of any length, by a suffix array."""

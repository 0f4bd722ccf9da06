"""Counting: from a text to sorted tables of n-gram counts."""

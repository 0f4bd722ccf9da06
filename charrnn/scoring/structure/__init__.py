"""Brackets, indentation and long contexts: `charrnn compare --structure`."""

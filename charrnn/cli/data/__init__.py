"""`charrnn data`: known texts, and what any text is like."""

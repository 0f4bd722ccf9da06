"""`charrnn data`: known texts, and statistics of any text."""

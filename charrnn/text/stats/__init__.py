"""Statistics of a text, and warnings about it: `charrnn data inspect`."""

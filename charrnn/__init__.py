"""charrnn: character-level text generation with recurrent networks and n-grams, measured side by side."""

__version__ = "0.1.0"

"""What a command does, as functions that the library has too: fit networks, fit n-grams, compare, score."""

"""One operation a file: a plain reference, and faster versions behind the same signature."""

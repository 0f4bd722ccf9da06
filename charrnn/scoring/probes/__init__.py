"""What goes on inside a network while it reads: numbers only, no pictures."""

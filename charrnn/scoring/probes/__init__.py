"""What goes on inside a network: numbers only."""

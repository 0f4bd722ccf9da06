"""What `charrnn data inspect` says of a text."""

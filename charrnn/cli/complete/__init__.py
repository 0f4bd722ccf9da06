"""`charrnn complete`."""

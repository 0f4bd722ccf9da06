"""`charrnn sample`."""

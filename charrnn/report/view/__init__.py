"""The HTML report of `charrnn view`."""

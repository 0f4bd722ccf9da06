"""The page of `charrnn view`."""

"""The rows and columns of `charrnn compare`."""

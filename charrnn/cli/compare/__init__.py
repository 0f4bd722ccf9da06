"""`charrnn compare`."""

"""The functions behind both the commands and the Python API: fit, compare, score, generate."""

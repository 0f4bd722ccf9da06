"""Fast kernels, one operation per file: a simple reference, and faster versions with the same signature."""

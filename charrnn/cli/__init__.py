"""The command line: options and output of each command. The library does the work."""

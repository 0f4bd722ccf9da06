"""Options, terminal output and file names, shared by all commands."""

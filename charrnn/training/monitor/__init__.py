"""Training reports, and where they are recorded."""

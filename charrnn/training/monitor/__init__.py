"""What a training reports, and where it is recorded."""

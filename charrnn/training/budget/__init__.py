"""From a time budget to a network size and a number of steps."""

"""One thin file a command: options and display. What a command does, the library does."""

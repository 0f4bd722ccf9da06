"""Numbers to pictures and pages; knows no command line."""

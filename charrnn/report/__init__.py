"""Charts and self-contained HTML pages, made from measurements; independent of the command line."""

"""A local server for models: a page that writes, and the completions API that many programs speak."""

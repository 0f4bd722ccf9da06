"""From a text to sorted tables of counts."""

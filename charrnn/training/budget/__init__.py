"""From minutes to a network that can be trained in them."""

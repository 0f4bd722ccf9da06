"""Measurements inside a network as it reads a text: units, states, gates, gradients. Numbers only, no pictures."""

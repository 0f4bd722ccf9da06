"""Training networks: the loop, a single step, ensembles, mixtures with n-grams, and several processes."""

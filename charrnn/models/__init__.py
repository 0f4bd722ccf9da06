"""Language models: recurrent networks, n-grams and combinations of them."""

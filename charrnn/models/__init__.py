"""What predicts the next character; knows nothing of text, training or sampling."""

"""Models for programs other than charrnn: a page that writes by itself, ONNX graphs, and a card."""

"""The lecture's experiments. Each makes a chart and a table."""

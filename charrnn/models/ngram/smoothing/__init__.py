"""Smoothing: from n-gram counts to probabilities."""

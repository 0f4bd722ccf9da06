"""Generating text from any LanguageModel."""

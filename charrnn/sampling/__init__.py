"""Generating text; knows LanguageModel, never its kinds."""

"""How models write; knows LanguageModel, never its kinds."""

"""How models are judged; knows LanguageModel, never its kinds."""

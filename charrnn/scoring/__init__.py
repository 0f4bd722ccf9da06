"""How models are judged; knows LanguageModel, never its kinds. Networks must be in evaluation mode."""

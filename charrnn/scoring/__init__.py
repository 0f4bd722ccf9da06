"""Evaluation of language models, through the LanguageModel interface only. Networks must be in evaluation mode."""

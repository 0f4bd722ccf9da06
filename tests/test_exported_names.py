"""The public names, pinned: taking one away breaks somebody's program."""

import charrnn


def test_public_names() -> None:
    assert sorted(charrnn._HOMES) == [
        "CharRNNError",
        "CompareConfig",
        "CorpusConfig",
        "LanguageModel",
        "ModelConfig",
        "NgramConfig",
        "NgramModel",
        "RecurrentModel",
        "SamplingConfig",
        "ScoreConfig",
        "Streams",
        "TextModel",
        "TrainingConfig",
        "Vocabulary",
        "attribute",
        "compare",
        "evaluate",
        "fit",
        "fit_ngram",
        "generate",
        "load",
        "read_corpus",
        "score",
        "train",
    ]
    assert sorted(charrnn.__all__) == sorted([*charrnn._HOMES, "__version__"]) == sorted(dir(charrnn))


def test_each_is_there() -> None:
    for name, home in charrnn._HOMES.items():
        assert getattr(charrnn, name).__module__ == home
    assert not hasattr(charrnn, "no_such_name")

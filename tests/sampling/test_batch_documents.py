"""Generating documents, each of which starts with a fresh state."""

import numpy as np
import pytest
import torch

from charrnn.config import CorpusConfig, ModelConfig, NgramConfig, SamplingConfig
from charrnn.models.language_model import LanguageModel
from charrnn.models.mixture import MixtureModel
from charrnn.models.ngram.fit import fit_ngram
from charrnn.models.ngram.model import NgramModel
from charrnn.models.rnn.model import RecurrentModel
from charrnn.sampling.batch import BatchGenerator
from charrnn.sampling.generate import generate, start_batch
from charrnn.sampling.likelihood import generated_log_probs
from charrnn.sampling.state import GenerationState, advance, recompute
from charrnn.text.documents import Documents
from charrnn.text.vocabulary import Vocabulary

LETTERS = Vocabulary("\nab;")
CONFIG = SamplingConfig(length=60, seed=3, temperature=1.5)


def documents(separator: str = ";") -> Documents:
    rules = Documents.of(CorpusConfig(document_separator=separator), LETTERS)
    assert rules is not None
    return rules


def make(kind: str) -> LanguageModel:
    counts = fit_ngram(np.random.default_rng(0).integers(0, 4, 200), 4, NgramConfig(order=4))
    torch.manual_seed(0)
    network = RecurrentModel(ModelConfig(hidden_size=8), 4).eval()
    with torch.no_grad():
        network.head.weight.mul_(6)
    assert isinstance(counts, NgramModel)
    models: dict[str, LanguageModel] = {
        "counts": counts, "network": network, "mixture": MixtureModel(network, [counts]).eval(),
    }  # fmt: skip
    return models[kind]


def slowly(model: LanguageModel, prime: str, separator: str) -> str:
    """Sample each character after reading its document from the start, in one piece."""
    ids, written = LETTERS.encode(prime).tolist(), []
    draw = start_batch(model, LETTERS, CONFIG)._groups[0].draw
    here = documents(separator)
    for _ in range(CONFIG.length):
        starts = here.starts(np.array(ids)).tolist() if ids else [0]
        length = len(here.separator)
        is_ended = tuple(ids[-length:]) == here.separator and len(ids) - starts[-1] >= length
        document = [] if is_ended else ids[starts[-1] :]
        with torch.inference_mode():
            logits, _ = model(torch.tensor([[here.start, *document]]))
        # By the logits, so that n-grams draw as networks do.
        ids.append(int(draw(logits[0, -1:].numpy())[0]))
        written.append(ids[-1])
    return LETTERS.decode(written)


@pytest.mark.parametrize("kind", ["network", "mixture"])
@pytest.mark.parametrize("prime", ["", "ab", "a;b", "a;"])
@pytest.mark.parametrize("separator", [";", ";\n", ";;"])
def test_generate_documents_starts_each_from_the_empty_state(kind: str, prime: str, separator: str) -> None:
    model = make(kind)
    actual = "".join(generate(model, LETTERS, CONFIG, prime, documents=documents(separator)))
    assert actual == slowly(model, prime, separator)
    assert actual.count(separator) > 1


@pytest.mark.parametrize("kind", ["counts", "network", "mixture"])
def test_batch_of_documents_with_pauses_equals_each_alone(kind: str) -> None:
    """Texts start documents at different steps, and then have no state to be stacked with the others'."""
    model, here = make(kind), documents()
    writing = start_batch(model, LETTERS, CONFIG, "a", documents=here, count=4)
    while not writing.finished:
        writing.step()
    texts = [text.text for text in writing.sequences]
    for i, text in enumerate(texts):
        alone = start_batch(model, LETTERS, CONFIG, "a", documents=here)
        marks = [alone.states[0].with_seed(3 + i)]
        for length in (17, 1, 42):
            part = BatchGenerator(model, LETTERS, SamplingConfig(length=length, temperature=1.5), marks, here)
            while not part.finished:
                part.step()
            marks = part.states
        assert part.sequences[0].text == text
        again = recompute(model, marks[0], LETTERS, here)
        assert (again.token, again.state is None) == (marks[0].token, marks[0].state is None)
        for actual, expected in zip(again.state or (), marks[0].state or (), strict=True):
            torch.testing.assert_close(actual, expected, atol=1e-5, rtol=1e-5)


def test_generated_log_probs_of_documents_are_those_of_each_alone() -> None:
    model, here = make("network"), documents()
    mark = advance(model, GenerationState.start(LETTERS, 0), LETTERS.encode("ab;a").tolist(), here)
    mark = advance(model, mark, LETTERS.encode("b;;ab").tolist(), here, is_generated=True)
    actual = generated_log_probs(model, LETTERS, mark, here)
    with torch.inference_mode():
        logits = [model(torch.tensor([LETTERS.encode(f"\n{text}").tolist()]))[0][0] for text in ("ab;", ";", "ab")]
    expected = torch.cat([one[:-1] for one in (*logits[:2], logits[2])]).log_softmax(-1)
    ids = torch.from_numpy(LETTERS.encode("ab;;ab"))
    np.testing.assert_allclose(actual, expected[range(6), ids][1:], atol=1e-5)


def test_document_end_is_found_without_searching_the_whole_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole text was once searched at each step, so ten times the text took a hundred times as long."""
    model, here, calls = make("network"), documents(), 0
    writing = start_batch(model, LETTERS, CONFIG, "a;b", documents=here)
    starts = Documents.starts

    def counted(self: Documents, ids: np.ndarray[tuple[int], np.dtype[np.int64]]) -> object:
        nonlocal calls
        calls += 1
        return starts(self, ids)

    monkeypatch.setattr(Documents, "starts", counted)
    while not writing.finished:
        writing.step()
    assert writing.sequences[0].text.count(";") > 3
    assert calls == 0

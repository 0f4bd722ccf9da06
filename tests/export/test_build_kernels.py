"""The WebAssembly module of the page."""

from charrnn.export.build_kernels import DIGEST, ENGINE, digest_of_sources


def test_module_was_compiled_from_the_sources_as_they_are() -> None:
    assert DIGEST.read_text(encoding="utf-8").strip() == digest_of_sources(), (
        "run python -m charrnn.export.build_kernels"
    )


def test_module_imports_nothing() -> None:
    """Section 2 of a module lists its imports; a page has no system to import from."""
    data, place, sections = (ENGINE / "kernels.wasm").read_bytes(), 8, []
    while place < len(data):
        sections.append(data[place])
        place, shift, size = place + 1, 0, 0
        while True:
            byte = data[place]
            place, size, shift = place + 1, size | (byte & 127) << shift, shift + 7
            if byte < 128:
                break
        place += size
    assert place == len(data)
    assert 2 not in sections

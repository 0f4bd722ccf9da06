"""The public names: each can be imported from charrnn, and comes from the module that is given."""

import charrnn


def test_public_names_are_importable() -> None:
    assert set(charrnn.__all__) == {*charrnn._MODULES, "__version__"} == set(dir(charrnn))
    for name, home in charrnn._MODULES.items():
        assert getattr(charrnn, name).__module__ == home

"""The encodings of the arrays on a page."""

import json
import zlib

import numpy as np
import pytest

from charrnn.export.container import Container, int8_codes, log_codes, rounded


def test_container_has_a_header_and_aligned_arrays() -> None:
    container = Container()
    numbers = [container.add(np.arange(3), "u8"), container.add(np.array([0.5, 2]), "f16")]
    numbers.append(container.add(np.array([[1.0, -2.0]]), "i8"))
    data = zlib.decompress(container.packed({"model": numbers}))
    length = int.from_bytes(data[:4], "little")
    header = json.loads(data[4 : 4 + length])
    assert header["model"] == [0, 1, 2]
    begin = -(-(4 + length) // 8) * 8
    assert all(record["offset"] % 8 == 0 for record in header["arrays"])
    first, second, third = header["arrays"]
    assert data[begin + first["offset"] :][:3] == bytes([0, 1, 2])
    assert np.frombuffer(data, np.float16, 2, begin + second["offset"]).tolist() == [0.5, 2]
    assert np.frombuffer(data, np.int8, 2, begin + third["offset"]).tolist() == [64, -127]
    assert np.frombuffer(data, np.float32, 1, begin + third["scales"]) == pytest.approx(2 / 127)


@pytest.mark.parametrize(("largest", "encoding"), [(255, "u8"), (256, "u16"), (1 << 16, "u32"), (1 << 40, "u64")])
def test_integers_have_the_smallest_encoding(largest: int, encoding: str) -> None:
    container = Container()
    container.add_integers(np.array([0, largest]))
    assert f'"type":"{encoding}"'.encode() in zlib.decompress(container.packed({}))


def test_int8_rounds_each_row_to_a_254th_of_its_range() -> None:
    values = np.random.default_rng(0).normal(size=(5, 40)) * np.array([[1e-3], [1], [100], [0], [5]])
    codes, scales = int8_codes(values)
    assert np.abs(codes).max(1).tolist() == [127, 127, 127, 0, 127]
    assert (np.abs(rounded(values, "i8") - values) <= scales[:, None] / 2 * 1.001).all()


def test_logarithms_keep_small_numbers_within_a_few_thousandths() -> None:
    values = np.exp(-np.linspace(0, 16, 1000))
    np.testing.assert_allclose(rounded(values, "log16"), values, rtol=1.3e-4)
    assert log_codes(np.array([0.0, 1.0, 1.00001, 1e-30])).tolist() == [0, 1, 1, 65535]

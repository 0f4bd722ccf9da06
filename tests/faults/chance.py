"""Random damage to checkpoints: each function takes a file and a random generator, and returns a damaged file."""

import random
from typing import Any

from spoiling import Parts

from charrnn.checkpoint import HEADER_KEY

HOSTILE: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2, 3, 7, 255, 256, 2**31 - 1, 2**31, 2**63 - 1, 2**63, -(2**63), 10**30, 10**400,
    0.0, -0.5, 0.5, 1e-308, 1e308, float("nan"), float("inf"), float("-inf"), "", "x", "\0", "\n", "\ud800", "a" * 5000,
    "lstm", "gru", "ngram", "mixture", "recurrent", "longest", "ml", "stupid", "tuned", "adamw", "bfloat16", "float16",
    [], {}, [[]], [1], [None], [1, 2, 3], [2**31 - 1, 1, 10**15], {"a": {}},
)  # fmt: skip
DTYPES = (
    "F32", "F64", "F16", "BF16", "I64", "I32", "I16", "I8", "U8", "U16", "U32", "U64", "BOOL", "F8_E4M3", "C64", "X",
)  # fmt: skip
WORDS = (b"\0" * 8, b"\xff" * 8, b"\x7f\xff" * 4, b"\0\0\x80\x7f" * 2, b"\0\0\xc0\x7f" * 2, b"\0" * 7 + b"\x80", b'{"[')


def flip_bits(file: bytes, chance: random.Random) -> bytes:
    spoiled = bytearray(file)
    for _ in range(chance.choice((1, 1, 2, 8))):
        place = chance.randrange(chance.choice((16, len(spoiled), len(spoiled))))
        spoiled[place % len(spoiled)] ^= 1 << chance.randrange(8)
    return bytes(spoiled)


def cut(file: bytes, chance: random.Random) -> bytes:
    return file[: chance.randrange(chance.choice((20, len(file))))]


def insert(file: bytes, chance: random.Random) -> bytes:
    place = chance.randrange(len(file) + 1)
    return file[:place] + chance.choice((*WORDS, chance.randbytes(9), file[:50])) + file[place:]


def take_out(file: bytes, chance: random.Random) -> bytes:
    place = chance.randrange(len(file))
    return file[:place] + file[place + chance.randrange(1, 40) :]


def change_length(file: bytes, chance: random.Random) -> bytes:
    length = chance.choice((0, 1, 2**23, 2**23 + 1, 2**31, 2**63, 2**64 - 1, len(file), len(file) - 8))
    return length.to_bytes(8, "little") + file[8:]


def change_json(file: bytes, chance: random.Random) -> bytes:
    """Change some values anywhere in the header."""
    parts = Parts.of(file)
    header = parts.header
    for _ in range(chance.choice((1, 1, 2))):
        inside: Any = header
        while True:
            key = chance.choice(sorted(inside))
            if not (isinstance(inside[key], dict) and inside[key] and chance.random() < 0.8):
                break
            inside = inside[key]
        what = chance.randrange(5)
        if what == 0:
            inside.pop(key)
        elif what == 1:
            inside[chance.choice(("wings", "", "order", "networks"))] = chance.choice(HOSTILE)
        elif what == 2 and isinstance(inside[key], int):
            inside[key] += chance.choice((-1, 1, 2, 10**9))
        else:
            inside[key] = chance.choice(HOSTILE)
        if not header:
            break
    parts.header = header
    return parts.forged() if chance.random() < 0.9 else parts.together()


def change_text(file: bytes, chance: random.Random) -> bytes:
    """Change the header as a whole."""
    parts = Parts.of(file)
    depth = chance.choice((10, 10_000))
    parts.table["__metadata__"] = chance.choice(
        (
            {}, {HEADER_KEY: ""}, {HEADER_KEY: "[" * depth}, {HEADER_KEY: '{"a":' * depth},
            {HEADER_KEY: "null"}, {HEADER_KEY: "1" * depth}, {HEADER_KEY: "NaN"}, {HEADER_KEY: 5}, None, [],
            {HEADER_KEY: parts.table["__metadata__"][HEADER_KEY][: chance.randrange(500)]},
            {**parts.table["__metadata__"], "more": ""}, {HEADER_KEY: parts.table["__metadata__"][HEADER_KEY]},
        )
    )  # fmt: skip
    return parts.together()


def change_table(file: bytes, chance: random.Random) -> bytes:
    """Change the type, shape, offsets or name of a tensor."""
    parts = Parts.of(file)
    name = chance.choice(parts.names)
    what, tensor = chance.randrange(7), parts.table[name]
    if what == 0:
        tensor["dtype"] = chance.choice(DTYPES)
    elif what == 1:
        tensor["shape"] = chance.choice(
            ([], [0], [1], [-1], [2**63], [2**32, 2**32], [[]], [len(parts.data)], tensor["shape"][::-1])
        )
    elif what == 2:
        ends = (
            0,
            -1,
            1,
            2**31,
            2**63,
            2**64,
            len(parts.data),
            chance.randrange(len(parts.data)),
            tensor["data_offsets"][1],
        )
        tensor["data_offsets"] = [chance.choice(ends), chance.choice(ends)]
    elif what == 3:
        parts.table[chance.choice(("x", "", "a\nb", "training.x", "\ud800", *parts.names))] = parts.table.pop(name)
    elif what == 4:
        parts.table.pop(name)
    elif what == 5:  # two change places
        other = chance.choice(parts.names)
        parts.table[name], parts.table[other] = parts.table[other], parts.table[name]
    else:  # the same bytes, read otherwise
        begin, end = tensor["data_offsets"]
        dtype, size = chance.choice(
            (("U8", 1), ("I16", 2), ("I32", 4), ("F32", 4), ("I64", 8), ("U64", 8), ("F64", 8), ("BF16", 2))
        )
        tensor["dtype"], tensor["shape"] = dtype, [(end - begin) // size]
    return parts.forged() if chance.random() < 0.7 else parts.together()


def change_numbers(file: bytes, chance: random.Random) -> bytes:
    """Change the contents of tensors."""
    parts = Parts.of(file)
    for _ in range(chance.choice((1, 1, 3))):
        begin, end = parts.table[chance.choice(parts.names)]["data_offsets"]
        size = end - begin
        if chance.random() < 0.3:  # all of it
            fill = chance.choice((*WORDS, chance.randbytes(size)))
            parts.data[begin:end] = (fill * (size // len(fill) + 1) if fill else b"")[:size]
        elif size:
            place = begin + chance.randrange(size)
            parts.data[place : min(place + 8, end)] = chance.choice((*WORDS, chance.randbytes(8)))[: end - place][
                :8
            ].ljust(min(8, end - place), b"\1")
    return parts.forged() if chance.random() < 0.9 else parts.together()


def swap_numbers(file: bytes, chance: random.Random) -> bytes:
    """Permute some bytes of a tensor: its numbers are then in place, but wrong."""
    parts = Parts.of(file)
    begin, end = parts.table[chance.choice(parts.names)]["data_offsets"]
    width = chance.choice((1, 4, 8))
    words = [bytes(parts.data[i : i + width]) for i in range(begin, end, width)]
    chance.shuffle(words)
    parts.data[begin:end] = b"".join(words)
    return parts.forged()


OF_BYTES = (flip_bits, cut, insert, take_out, change_length)
OF_PARTS = (change_json, change_json, change_text, change_table, change_numbers, change_numbers, swap_numbers)

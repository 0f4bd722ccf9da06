"""Sample from a file of `charrnn export --to model.onnx` with onnxruntime and numpy alone.

python sample_onnx.py MODEL.onnx [PROMPT] [LENGTH]
"""

import json
import sys

import numpy as np
import onnxruntime

path, prompt, length = (sys.argv[1:] + ["", "", "300"][len(sys.argv) - 1 :])[:3]
session = onnxruntime.InferenceSession(path)
metadata = {name: json.loads(value) for name, value in session.get_modelmeta().custom_metadata_map.items()}
vocabulary = metadata["vocabulary"]  # a model of bytes has none
states = {part.name: np.zeros((1, part.shape[1]), np.float32) for part in session.get_inputs()[1:]}
tokens = [vocabulary.index(character) for character in prompt] or [metadata["start"]]
rng = np.random.default_rng(0)
print(prompt, end="")
for _ in range(int(length)):
    logits, *after = session.run(None, {"tokens": np.array([tokens]), **states})
    states = dict(zip(states, after, strict=True))
    p = np.exp((logits[0, -1] - logits[0, -1].max()) / 0.8)  # temperature 0.8
    tokens = [int(rng.choice(len(p), p=p / p.sum()))]
    print(vocabulary[tokens[0]], end="", flush=True)
print()

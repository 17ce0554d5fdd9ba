"""The unquantised model in numpy, as config.json of the package describes it, for the goldens in ../testdata."""

import base64
import json
import math

import numpy as np
from tokenizers import Tokenizer

HEADS, MAX_TOKENS = 12, 256
erf = np.frompyfunc(math.erf, 1, 1)


class Model:
    def __init__(self, tensors):
        self.tensor = {name.removeprefix("bert."): value.astype(np.float64) for name, value in tensors.items()}

    def norm(self, x, name):
        x = x - x.mean(-1, keepdims=True)
        x = x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-12)
        return x * self.tensor[name + ".LayerNorm.weight"] + self.tensor[name + ".LayerNorm.bias"]

    def linear(self, x, name):
        return x @ self.tensor[name + ".weight"].T + self.tensor[name + ".bias"]

    def attention(self, x, name):
        def heads(part):  # [tokens][384] -> [heads][tokens][32]
            return self.linear(x, f"{name}.{part}").reshape(len(x), HEADS, -1).swapaxes(0, 1)

        query, key, value = heads("query"), heads("key"), heads("value")
        scores = query @ key.swapaxes(1, 2) / math.sqrt(query.shape[-1])
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        weights /= weights.sum(-1, keepdims=True)
        return (weights @ value).swapaxes(0, 1).reshape(len(x), -1)

    def embed(self, ids):
        """Token ids of one text, special tokens included -> unit vector, float64 [384]."""
        e = "embeddings."
        x = self.tensor[e + "word_embeddings.weight"][ids] + self.tensor[e + "position_embeddings.weight"][: len(ids)]
        x = self.norm(x + self.tensor[e + "token_type_embeddings.weight"][0], "embeddings")
        for layer in range(6):
            p = f"encoder.layer.{layer}."
            x = self.norm(x + self.linear(self.attention(x, p + "attention.self"), p + "attention.output.dense"), p + "attention.output")
            h = self.linear(x, p + "intermediate.dense")
            h = h * 0.5 * (1 + erf(h / math.sqrt(2)).astype(np.float64))
            x = self.norm(x + self.linear(h, p + "output.dense"), p + "output")
        mean = x.mean(0)
        return mean / np.linalg.norm(mean)


def write_goldens(tensors, tokenizer_json, texts_json, folder):
    """golden.json: for each text its token ids and its vector, 384 little-endian float32 in base64."""
    model = Model(tensors)
    tokenizer = Tokenizer.from_file(str(tokenizer_json))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    cases = []
    for text in json.loads(texts_json.read_text()):
        ids = tokenizer.encode(text).ids
        cut = ids if len(ids) <= MAX_TOKENS else ids[: MAX_TOKENS - 1] + ids[-1:]
        vector = base64.b64encode(model.embed(cut).astype("<f4").tobytes()).decode()
        cases.append({"text": text, "tokens": len(ids) - 2, "ids": cut, "vector": vector})
    folder.mkdir(exist_ok=True)
    lines = ",\n".join(json.dumps(case) for case in cases)
    (folder / "golden.json").write_text(f"[\n{lines}\n]\n")

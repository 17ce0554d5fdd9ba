"""Exact search beside faiss: the 10 nearest of 100,000 vectors of 384 dimensions, on one core, in one run.

    python3 bench/cluster/faiss_peer.py                       # needs Go; installs faiss from PyPI into a cache folder

Queries per CPU-second, one at a time and in batches of 32 and of 512, from where on faiss multiplies matrices. Rows and queries are those of a generator like the one of evoc_peer.py
where there is one, else random directions. The contestants take turns; figures are medians over the rounds, ratios medians of the ratios within a
round. Recall is the share of faiss's exact answers that ours has.
"""

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

import peers

PEER = """
import json, resource, sys
import numpy as np, faiss
faiss.omp_set_num_threads(1)
x, q = np.load(sys.argv[1]), np.load(sys.argv[2])
index = faiss.IndexFlatIP(x.shape[1])
index.add(x)
def cpu():
    u = resource.getrusage(resource.RUSAGE_SELF)
    return u.ru_utime + u.ru_stime
out = {}
index.search(q, 10)
for batch in (1, 32, 512):
    many = q[:len(q) // batch * batch]
    before, ids = cpu(), []
    for at in range(0, len(many), batch):
        ids.append(index.search(many[at:at + batch], 10)[1])
    out[str(batch)] = {"rate": len(many) / (cpu() - before), "ids": np.concatenate(ids).tolist()}
print(json.dumps(out))
"""

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--venv", type=Path, help="where the peers are installed")
    p.add_argument("--rows", type=int, default=100_000)
    p.add_argument("--dim", type=int, default=384)
    p.add_argument("--queries", type=int, default=512)
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--generator", type=Path, default=peers.ROOT.parent / "shared" / "spikes" / "bench" / "gen.py",
                   help="Python file with gen(n, dim); random directions where it is missing")
    p.add_argument("--json", type=Path, help="also write the figures to this file")
    options = p.parse_args()
    peers.environment(options.venv)
    with tempfile.TemporaryDirectory() as folder:
        result = compare(options, Path(folder))
    peers.finish(result, options.json)


def split(options, folder):
    """Files of rows and of queries, and what they are."""
    import numpy as np

    n = options.rows + options.queries
    if options.generator.exists():
        x, kind = np.load(peers.generate(options.generator, n, folder, options.dim)[0]), options.generator.name
    else:
        x, kind = np.random.default_rng(0).normal(size=(n, options.dim)).astype(np.float32), "random directions"
        x /= np.linalg.norm(x, axis=1, keepdims=True)
    files = [folder / "rows.npy", folder / "queries.npy"]
    np.save(files[0], x[:options.rows])
    np.save(files[1], x[options.rows:])
    return files, kind


def compare(options, folder):
    files, kind = split(options, folder)
    binary = peers.build(folder, "./bench/cluster")
    rounds = []
    for number in range(options.rounds):
        print(f"round {number + 1}", file=sys.stderr)
        ours = json.loads(peers.measured([binary, *files], GOMAXPROCS="1")[0])
        faiss = json.loads(peers.measured([sys.executable, "-c", PEER, *files], **ONE_THREAD)[0])
        rounds.append((ours, faiss))
    print(f"{options.rows} x {options.dim} ({kind}), exact top 10, one core; {peers.machine()}; kernels {rounds[0][0]['kernels']}")
    result = {"machine": peers.machine(), "rows": options.rows, "dim": options.dim, "data": kind, "batches": {}}
    for batch in ("1", "32", "512"):
        recall = statistics.mean(len(set(a) & set(b)) / 10 for a, b in zip(rounds[0][0][batch]["ids"], rounds[0][1][batch]["ids"]))
        ours, faiss = (statistics.median(r[who][batch]["rate"] for r in rounds) for who in (0, 1))
        ratio = statistics.median(a[batch]["rate"] / b[batch]["rate"] for a, b in rounds)
        result["batches"][batch] = {"ours": ours, "faiss": faiss, "ratio": ratio, "recall": recall}
        print(f"  batches of {batch:>3}: ours {ours:7.0f} queries per CPU-second, faiss flat {faiss:7.0f}, ratio {ratio:.2f}, recall {recall:.4f}")
    return result


if __name__ == "__main__":
    main()

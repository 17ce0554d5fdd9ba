"""throughline cluster beside EVoC: CPU time, memory, stories and topics, on synthetic vectors, in one run on one machine.

    python3 bench/cluster/evoc_peer.py                        # needs Go; installs EVoC from PyPI into a cache folder
    python3 bench/cluster/evoc_peer.py --sizes 50000 --rounds 1
    python3 bench/cluster/evoc_peer.py --sizes 50000,200000 --alone 1000000 --json result.json

The contestants take turns within each round, so that what else the machine does hits both; figures are medians over the rounds, a ratio is the
median of the ratios within a round. Ours is the whole process, from reading the file to writing the labels. EVoC's CPU time is that
of fit_predict alone, after one on the first 50,000 rows that compiles what it uses; its memory is that of the process.

Scores are those of the generator's truth. Of ours, the layers presented as stories and as topics are taken; of EVoC, the best of its
layers for each score, chosen with the truth. Stories of fewer than 4 rows and topics of fewer than 20 count as noise, for both. Pair F1
counts pairs of rows; noise is together with nothing. ARI takes noise as one more class, AMI is over the rows with a true topic.
"""

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

import peers

PEER = """
import json, resource, sys, time
import numpy as np
from evoc import EVoC
x = np.load(sys.argv[1])
EVoC().fit_predict(x[:50000])
def cpu():
    u = resource.getrusage(resource.RUSAGE_SELF)
    return u.ru_utime + u.ru_stime
before = cpu()
c = EVoC()
c.fit_predict(x)
print(json.dumps({"fit": cpu() - before, "layers": len(c.cluster_layers_)}))
np.savez(sys.argv[2], *[np.asarray(l) for l in c.cluster_layers_])
"""


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--venv", type=Path, help="where the peers are installed")
    p.add_argument("--generator", type=Path, default=peers.ROOT.parent / "shared" / "spikes" / "bench" / "gen.py",
                   help="Python file with gen(n), which returns n vectors, their stories and their topics")
    p.add_argument("--data", type=Path, help="folder that generated vectors are kept in; default: a temporary one")
    p.add_argument("--sizes", default="50000,200000", help="numbers of rows that both cluster")
    p.add_argument("--alone", default="", help="numbers of rows that EVoC is spared")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--json", type=Path, help="also write the figures to this file")
    options = p.parse_args()
    peers.environment(options.venv)
    if not options.generator.exists():
        raise SystemExit(f"no generator at {options.generator}: name one with --generator")
    result = {"machine": peers.machine(), "sizes": {}}
    with tempfile.TemporaryDirectory() as folder:
        data = options.data or Path(folder)
        data.mkdir(parents=True, exist_ok=True)
        binary = peers.build(folder, "./cmd/throughline")
        for size, both in [(int(n), True) for n in options.sizes.split(",") if n] + [(int(n), False) for n in options.alone.split(",") if n]:
            result["sizes"][size] = compare(options, binary, data, Path(folder), size, both)
            print(line(size, result["sizes"][size]), flush=True)
    growth(result)
    peers.finish(result, options.json)


def compare(options, binary, data, folder, size, both):
    vectors, stories, topics = peers.generate(options.generator, size, data)
    rounds = []
    for number in range(options.rounds if both else 1):
        print(f"{size} rows, round {number + 1}", file=sys.stderr)
        turn = {}
        labels = folder / "labels.parquet"
        _, turn["ours"] = peers.measured([binary, "--data", folder / "data", "cluster", "--input", vectors, "--output", labels])
        if number == 0:
            scores = {"ours": peers.apart(score_ours, stories, topics, labels)}
        if both:
            layers = folder / "layers.npz"
            text, turn["evoc"] = peers.measured([sys.executable, "-c", PEER, vectors, layers])
            turn["evoc"]["fit"] = json.loads(text.splitlines()[-1])["fit"]
            if number == 0:
                scores["evoc"] = peers.apart(score_evoc, stories, topics, layers)
        rounds.append(turn)
    of = lambda who, what: statistics.median(t[who][what] for t in rounds)
    out = {"scores": scores, "rounds": rounds, "ours": {k: of("ours", k) for k in ("cpu", "wall", "peak")}}
    if both:
        out["evoc"] = {k: of("evoc", k) for k in ("cpu", "fit", "wall", "peak")}
        out["ratio"] = statistics.median(t["ours"]["cpu"] / t["evoc"]["fit"] for t in rounds)
    return out


def score_ours(stories, topics, labels):
    import numpy as np
    import pyarrow.parquet as parquet

    table = parquet.read_table(labels)
    return {"story": story_score(np.load(stories), table["story"].to_numpy()), "topic": topic_score(np.load(topics), table["topic"].to_numpy())}


def score_evoc(stories, topics, layers):
    """The best layer for each score."""
    import numpy as np

    file, story, topic = np.load(layers), np.load(stories), np.load(topics)
    found = [file[name] for name in file.files]
    return {"story": max((story_score(story, l) for l in found), key=lambda s: s["f1"]),
            "topic": max((topic_score(topic, l) for l in found), key=lambda s: s["ari"])}


def clusters(labels, least):
    """Labels with clusters of fewer rows as noise, -1."""
    import numpy as np

    labels = np.asarray(labels).astype(np.int64).copy()
    counts = np.bincount(labels[labels >= 0], minlength=1)
    small = (labels >= 0) & (counts[np.maximum(labels, 0)] < least)
    labels[small] = -1
    return labels


def pairs(counts):
    counts = counts.astype(float)
    return float((counts * (counts - 1)).sum() / 2)


def sizes(*columns):
    import numpy as np

    return np.unique(np.stack(columns), axis=1, return_counts=True)[1]


def story_score(truth, found):
    found = clusters(found, 4)
    both = (truth >= 0) & (found >= 0)
    same = pairs(sizes(truth[both], found[both]))
    precision = same / max(pairs(sizes(found[found >= 0])), 1)
    recall = same / max(pairs(sizes(truth[truth >= 0])), 1)
    return {"precision": precision, "recall": recall, "f1": 2 * precision * recall / max(precision + recall, 1e-9),
            "clusters": int(len(set(found[found >= 0].tolist())))}


def topic_score(truth, found):
    from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score

    found = clusters(found, 20)
    known = truth >= 0
    return {"ari": float(adjusted_rand_score(truth, found)), "ami": float(adjusted_mutual_info_score(truth[known], found[known])),
            "clusters": int(len(set(found[found >= 0].tolist())))}


def line(size, r):
    lines = [f"{size} rows"]
    for who in ("ours", "evoc"):
        if who not in r:
            continue
        story, topic = r["scores"][who]["story"], r["scores"][who]["topic"]
        cpu = r[who].get("fit", r[who]["cpu"])
        lines.append(f"  {who:5} {cpu:7.2f} CPU s {r[who]['wall']:7.1f} s {r[who]['peak'] / 1e6:6.0f} MB   stories: pair F1 {story['f1']:.3f} "
                     f"(P {story['precision']:.3f} R {story['recall']:.3f}, {story['clusters']})   topics: ARI {topic['ari']:.3f} AMI {topic['ami']:.3f} ({topic['clusters']})")
    if "ratio" in r:
        lines.append(f"  CPU time in proportion to EVoC's: {r['ratio']:.3f}")
    return "\n".join(lines)


def growth(result):
    import math

    done = sorted(result["sizes"].items())
    if len(done) > 1:
        (small, a), (large, b) = done[0], done[-1]
        result["growth"] = math.log(b["ours"]["cpu"] / a["ours"]["cpu"]) / math.log(large / small)
        print(f"CPU time grows with rows to the power {result['growth']:.2f} from {small} to {large}")


if __name__ == "__main__":
    main()

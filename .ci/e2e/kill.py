"""Kill an ingest with SIGKILL at random moments and check what the store shows afterwards.

    python kill.py BINARY [KILLS] [SEED]

Every article has a known number of headed sections, each naming its article and revision, so a mix shows. An article is
acknowledged when `ingest --json` has printed its line. Each round ingests a later revision of the same articles.
"""
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time

binary = sys.argv[1]
kills = int(sys.argv[2]) if len(sys.argv) > 2 else 20
rng = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 1)
ARTICLES, SECTIONS = 60, 4
WORDS = ("harbour ferry council bridge winter storm budget vote school river museum engine signal record protest "
         "doctor train market festival report").split()


def article(number, revision):
    pick = random.Random(number)
    body = lambda s: " ".join(pick.choice(WORDS) for _ in range(12)) + f" in part {s} of article {number} revision {revision}."
    return {"id": f"article-{number}", "title": f"Article {number}", "date": "2024-05-01", "source": "Test Wire",
            "sections": [{"heading": f"Part {s}", "text": body(s)} for s in range(SECTIONS)]}


def export(data):
    run = subprocess.run([binary, "export", "--data", data], capture_output=True, text=True)
    if run.returncode != 0:
        assert "nothing is stored in" in run.stderr, run.stderr
    return {a["id"]: a for a in map(json.loads, run.stdout.splitlines())}


def revision_of(a):
    """The one revision that all sections of an exported article are of; anything else is a half article."""
    texts = [s["text"] for s in a["sections"]]
    assert len(texts) == SECTIONS, f"{a['id']} has {len(texts)} of {SECTIONS} sections"
    found = {t.rsplit("revision ", 1)[1].rstrip(".") for t in texts}
    assert len(found) == 1, f"{a['id']} mixes revisions {found}"
    for s, t in enumerate(texts):
        assert f"in part {s} of {a['id'].replace('-', ' ')} revision" in t, f"{a['id']} section {s}: {t}"
    return int(found.pop())


def main():
    acknowledged, killed, landed = {}, 0, 0
    whole = None  # seconds that a whole ingest takes here; the first one, which is not killed, tells
    with tempfile.TemporaryDirectory() as folder:
        data, source = os.path.join(folder, "data"), os.path.join(folder, "in.jsonl")
        round_ = 0
        while killed < kills:
            round_ += 1
            assert round_ < 5 * kills, "the ingest ends before it can be killed"
            with open(source, "w") as f:
                for n in range(ARTICLES):
                    f.write(json.dumps(article(n, round_)) + "\n")
            with open(os.path.join(folder, "acks"), "w+") as acks:
                process = subprocess.Popen([binary, "ingest", "--data", data, "--json", source], stdout=acks, stderr=subprocess.PIPE)
                if whole is None:
                    started = time.monotonic()
                    process.wait()
                    whole = time.monotonic() - started
                else:
                    time.sleep(rng.uniform(0.02, 1.0) * whole)
                    process.send_signal(signal.SIGKILL)
                _, errors = process.communicate()
                if process.returncode == -signal.SIGKILL:
                    killed += 1
                else:
                    assert process.returncode == 0, errors.decode()
                acks.seek(0)
                for line in acks:
                    if not line.endswith("\n"):
                        break  # cut off by the kill: not acknowledged
                    report = json.loads(line)
                    if report.get("outcome") in ("new", "updated", "unchanged"):
                        acknowledged[report["id"]] = round_
                        landed += 1
            stored = export(data)
            for id_, revision in acknowledged.items():
                assert id_ in stored, f"round {round_}: {id_} was acknowledged and is gone"
                found = revision_of(stored[id_])
                assert found >= revision, f"round {round_}: {id_} was acknowledged at {revision}, stored is {found}"
            for a in stored.values():
                revision_of(a)
    assert landed > 2 * ARTICLES, "too little was acknowledged for this to mean anything"
    print(f"{killed} kills in {round_} rounds, {landed} acknowledgements, {len(acknowledged)} articles: none lost, none half")


main()

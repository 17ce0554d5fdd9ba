"""Ask a server of ours for embeddings with the official openai client.

    python openai_client.py BINARY
"""
import json
import math
import re
import subprocess
import sys
import tempfile

import openai

binary = sys.argv[1]
TEXTS = ["Ferries to the islands stop after a crack is found in the pier.", "Fähre, 東京, 🙂", "no", "word " * 600, "  spaces  "]


def near(a, b):
    return len(a) == len(b) and all(math.isclose(x, y, abs_tol=1e-7) for x, y in zip(a, b))


def refused(error, code, param, call):
    try:
        call()
    except error as e:
        assert (e.code, e.param) == (code, param), (e.code, e.param, e.message)
    else:
        raise AssertionError(f"not refused with {error.__name__}")


def check(client, wanted):
    assert [m.id for m in client.models.list()] == ["all-MiniLM-L6-v2"]
    assert client.models.retrieve("sentence-transformers/all-MiniLM-L6-v2").id == "all-MiniLM-L6-v2"
    model = "all-MiniLM-L6-v2"
    for options in ({}, {"encoding_format": "float"}, {"dimensions": 384}):  # without a format the client asks for base64
        answer = client.embeddings.create(model=model, input=TEXTS, **options)
        assert answer.model == model and [d.index for d in answer.data] == list(range(len(TEXTS)))
        for text, d, want in zip(TEXTS, answer.data, wanted):
            assert near(d.embedding, want), f"{text[:20]!r} with {options}"
        assert answer.usage.prompt_tokens > 256 and answer.usage.total_tokens == answer.usage.prompt_tokens
    assert near(client.embeddings.create(model=model, input=TEXTS[0]).data[0].embedding, wanted[0])
    refused(openai.BadRequestError, "unsupported_value", "input", lambda: client.embeddings.create(model=model, input=[[1, 2, 3]]))
    refused(openai.BadRequestError, "invalid_value", "dimensions", lambda: client.embeddings.create(model=model, input="a", dimensions=64))
    refused(openai.NotFoundError, "model_not_found", "model", lambda: client.embeddings.create(model="text-embedding-3-small", input="a"))


def main():
    with tempfile.TemporaryDirectory() as folder:
        lines = "".join(t + "\n" for t in TEXTS)
        printed = subprocess.run([binary, "embed"], input=lines, capture_output=True, text=True, check=True).stdout
        wanted = [json.loads(line) for line in printed.splitlines()]
        server = subprocess.Popen([binary, "serve", "--data", folder, "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"],
                                  stdout=subprocess.PIPE, text=True)
        try:
            said = ""
            while not (found := re.search(r"http://\S+:\d+", said)):
                line = server.stdout.readline()
                assert line, f"the server ended after {said!r}"
                said += line
            check(openai.OpenAI(base_url=found[0] + "/v1", api_key="none", max_retries=0), wanted)
        finally:
            server.terminate()
            server.communicate()
    print(f"openai {openai.__version__} gets the vectors of throughline embed: {len(TEXTS)} texts, floats and base64")


main()

"""Drives a server of Qdrant's gRPC API with Qdrant's official Python client, and fails at the first surprise.

usage: python_client.py HOST PORT

The client is told to prefer gRPC; what it can only do over REST is not used.
"""

import sys
import uuid

from qdrant_client import QdrantClient, models


def same(got, want, what):
    if got != want:
        raise SystemExit(f"{what}: got {got!r}, want {want!r}")


def close(got, want, what):
    if len(got) != len(want) or any(abs(g - w) > 1e-5 for g, w in zip(got, want)):
        raise SystemExit(f"{what}: got {got!r}, want {want!r}")


def ids(points):
    return [p.id for p in points]


def refused(call, word, what):
    try:
        call()
    except Exception as error:  # the client's own error types differ between its versions
        same(word in str(error), True, f"{what}: {error}")
        return
    raise SystemExit(f"{what} was accepted")


def main(host, port):
    client = QdrantClient(host=host, grpc_port=port, prefer_grpc=True, check_compatibility=False, timeout=30)
    name = f"python_{uuid.uuid4().hex}"
    alias = name + "_alias"

    same(client.collection_exists(name), False, "exists before")
    client.create_collection(
        name,
        vectors_config={"dense": models.VectorParams(size=4, distance=models.Distance.DOT)},
        sparse_vectors_config={"lexical": models.SparseVectorParams(modifier=models.Modifier.IDF)},
    )
    same(client.collection_exists(name), True, "exists")
    same(name in [c.name for c in client.get_collections().collections], True, "listed")
    client.update_collection_aliases(
        [models.CreateAliasOperation(create_alias=models.CreateAlias(collection_name=name, alias_name=alias))]
    )
    same([a.alias_name for a in client.get_aliases().aliases if a.collection_name == name], [alias], "aliases")
    for field, kind in {"source": models.PayloadSchemaType.KEYWORD, "n": models.PayloadSchemaType.INTEGER}.items():
        client.create_payload_index(alias, field, kind, wait=True)

    uid = "5c56c793-69f3-4fbf-87e6-c4bf54c28c26"
    result = client.upsert(alias, wait=True, points=[
        models.PointStruct(
            id=i,
            vector={"dense": [1.0, i / 10, 0, 0], "lexical": models.SparseVector(indices=[1, 10 + i], values=[1.0, 2.0])},
            payload={"source": "ab"[i % 2], "n": i, "tags": ["x", i], "deep": {"k": i}},
        )
        for i in range(10)
    ] + [models.PointStruct(id=uid, vector={"dense": [0, 0, 0, 2.0]}, payload={"source": "c"})])
    same(result.status, models.UpdateStatus.COMPLETED, "status of an upsert")

    info = client.get_collection(alias)
    same(info.points_count, 11, "points")
    same(info.config.params.vectors["dense"].size, 4, "size")
    same(info.payload_schema["source"].data_type, models.PayloadSchemaType.KEYWORD, "schema")

    got = client.retrieve(alias, [3, uid], with_vectors=True)
    same(sorted(map(str, ids(got))), ["3", uid], "retrieved")
    third = next(p for p in got if p.id == 3)
    same(third.payload["deep"], {"k": 3}, "payload")
    same(third.vector["lexical"].indices, [1, 13], "sparse vector")
    close(next(p for p in got if p.id == uid).vector["dense"], [0, 0, 0, 2], "dense vector")

    source_a = models.Filter(must=[models.FieldCondition(key="source", match=models.MatchValue(value="a"))])
    same(client.count(alias, count_filter=source_a, exact=True).count, 5, "count")
    some = models.Filter(
        must=[models.FieldCondition(key="n", range=models.Range(gte=4, lt=9))],
        should=[models.FieldCondition(key="source", match=models.MatchAny(any=["a", "c"])),
                models.FieldCondition(key="n", match=models.MatchValue(value=5))],
        must_not=[models.HasIdCondition(has_id=[6])],
    )
    dense, terms = [0, 1.0, 0, 0], models.SparseVector(indices=[14, 12], values=[1.0, 2.0])
    answers = client.query_batch_points(alias, [
        models.QueryRequest(query=dense, using="dense", limit=3, with_payload=["n"]),
        models.QueryRequest(query=terms, using="lexical"),
        models.QueryRequest(query=dense, using="dense", filter=some),
        models.QueryRequest(query=[0, 0, 0, 1.0], using="dense", limit=1, with_vector=True),
    ])
    same([ids(a.points) for a in answers], [[9, 8, 7], [2, 4], [8, 5, 4], [uid]], "queries")
    close([p.score for p in answers[0].points], [0.9, 0.8, 0.7], "scores")
    same(answers[0].points[1].payload, {"n": 8}, "selected payload")
    close(answers[3].points[0].vector["dense"], [0, 0, 0, 2], "vector of a hit")

    seen, offset = [], None
    while True:
        page, offset = client.scroll(alias, limit=4, offset=offset)
        seen += ids(page)
        if offset is None:
            break
    same(seen, list(range(10)) + [uid], "scroll")

    client.batch_update_points(alias, wait=True, update_operations=[
        models.SetPayloadOperation(set_payload=models.SetPayload(payload={"kept": "yes"}, filter=source_a)),
        models.SetPayloadOperation(set_payload=models.SetPayload(payload={"kept": "yes"}, points=[1])),
    ])
    kept = models.Filter(must=[models.FieldCondition(key="kept", match=models.MatchValue(value="yes"))])
    same(client.count(alias, count_filter=kept).count, 6, "set payload")
    client.delete(alias, points_selector=[0, uid], wait=True)
    client.delete(alias, points_selector=models.FilterSelector(filter=source_a), wait=True)
    same(client.count(alias).count, 5, "deleted")

    refused(lambda: client.upsert(alias, wait=True, points=[models.PointStruct(id=1, vector={"dense": [1.0, 2.0]}, payload={})]),
            "INVALID_ARGUMENT", "a vector of the wrong length")
    refused(lambda: client.facet(alias, "source"), "UNIMPLEMENTED", "a method that is not served")
    refused(lambda: client.count(alias, count_filter=models.Filter(must=[models.IsEmptyCondition(is_empty=models.PayloadField(key="n"))])),
            "is_empty", "a condition that is not served")

    client.delete_collection(name)
    same(client.collection_exists(name), False, "exists after")
    client.close()
    print("ok")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))

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


def main(host, port):
    client = QdrantClient(host=host, grpc_port=port, prefer_grpc=True, check_compatibility=False, timeout=30)
    name = f"python_{uuid.uuid4().hex}"
    alias = name + "_alias"

    same(client.collection_exists(name), False, "exists before")
    client.create_collection(
        name,
        vectors_config={"dense": models.VectorParams(size=4, distance=models.Distance.COSINE)},
        sparse_vectors_config={"lexical": models.SparseVectorParams(modifier=models.Modifier.IDF)},
        hnsw_config=models.HnswConfigDiff(m=8),
        quantization_config=models.ScalarQuantization(scalar=models.ScalarQuantizationConfig(type=models.ScalarType.INT8)),
    )
    same(client.collection_exists(name), True, "exists")
    same(name in [c.name for c in client.get_collections().collections], True, "listed")
    client.update_collection_aliases(
        [models.CreateAliasOperation(create_alias=models.CreateAlias(collection_name=name, alias_name=alias))]
    )
    same([a.alias_name for a in client.get_collection_aliases(name).aliases], [alias], "aliases")
    for field, kind in {"source": models.PayloadSchemaType.KEYWORD, "n": models.PayloadSchemaType.INTEGER,
                        "at": models.PayloadSchemaType.DATETIME}.items():
        client.create_payload_index(alias, field, kind, wait=True)

    uid = "5c56c793-69f3-4fbf-87e6-c4bf54c28c26"
    result = client.upsert(alias, wait=True, points=[
        models.PointStruct(
            id=i,
            vector={"dense": [1.0, i / 10, 0, 0], "lexical": models.SparseVector(indices=[1, 10 + i], values=[1.0, 2.0])},
            payload={"source": "ab"[i % 2], "n": i, "at": f"2024-03-{i + 1:02}T00:00:00Z", "tags": ["x", i], "deep": {"k": i}},
        )
        for i in range(10)
    ] + [models.PointStruct(id=uid, vector={"dense": [0, 0, 0, 2.0]}, payload={"source": "c"})])
    same(result.status, models.UpdateStatus.COMPLETED, "status of an upsert")

    info = client.get_collection(alias)
    same(info.points_count, 11, "points")
    same(info.config.params.vectors["dense"].size, 4, "size")
    same(info.config.hnsw_config.m, 8, "m")
    same(info.payload_schema["source"].data_type, models.PayloadSchemaType.KEYWORD, "schema")

    got = client.retrieve(alias, [3, uid], with_vectors=True)
    same(sorted(map(str, ids(got))), ["3", uid], "retrieved")
    third = next(p for p in got if p.id == 3)
    same(third.payload["deep"], {"k": 3}, "payload")
    same(third.vector["lexical"].indices, [1, 13], "sparse vector")
    close(next(p for p in got if p.id == uid).vector["dense"], [0, 0, 0, 1], "cosine vectors are stored at unit length")

    hits = client.query_points(alias, query=[1.0, 0, 0, 0], using="dense", limit=3, with_payload=["n"]).points
    same(ids(hits), [0, 1, 2], "dense query")
    same(hits[1].payload, {"n": 1}, "selected payload")
    hits = client.query_points(alias, query=models.SparseVector(indices=[14], values=[1.0]), using="lexical").points
    same(ids(hits), [4], "sparse query")
    hits = client.query_points(alias, query=5, using="dense", limit=2).points
    same(5 in ids(hits), False, "a query by id leaves the point out")

    source_a = models.Filter(must=[models.FieldCondition(key="source", match=models.MatchValue(value="a"))])
    same(client.count(alias, count_filter=source_a, exact=True).count, 5, "count")
    late = models.Filter(
        must=[models.FieldCondition(key="at", range=models.DatetimeRange(gte="2024-03-08T00:00:00Z"))],
        must_not=[models.HasIdCondition(has_id=[9])],
    )
    hits = client.query_points(alias, query=[1.0, 0, 0, 0], using="dense", query_filter=late).points
    same(ids(hits), [7, 8], "filtered query")

    fused = client.query_points(
        alias,
        prefetch=[
            models.Prefetch(query=[1.0, 0.2, 0, 0], using="dense", limit=5),
            models.Prefetch(query=models.SparseVector(indices=[12], values=[1.0]), using="lexical", limit=5),
        ],
        query=models.FusionQuery(fusion=models.Fusion.RRF),
    ).points
    same(fused[0].id, 2, "fusion")
    close([fused[0].score], [1.0], "fused score")

    batch = client.query_batch_points(alias, [
        models.QueryRequest(query=[1.0, 0, 0, 0], using="dense", limit=1),
        models.QueryRequest(query=[0, 0, 0, 1.0], using="dense", limit=1),
    ])
    same([ids(r.points) for r in batch], [[0], [uid]], "batch")

    seen, offset = [], None
    while True:
        page, offset = client.scroll(alias, limit=4, offset=offset)
        seen += ids(page)
        if offset is None:
            break
    same(seen, list(range(10)) + [uid], "scroll")
    page, _ = client.scroll(alias, order_by=models.OrderBy(key="n", direction=models.Direction.DESC), limit=3)
    same(ids(page), [9, 8, 7], "order_by")
    same([(h.value, h.count) for h in client.facet(alias, "source").hits], [("a", 5), ("b", 5), ("c", 1)], "facet")
    groups = client.query_points_groups(alias, group_by="source", query=[1.0, 0, 0, 0], using="dense", limit=2, group_size=2).groups
    same([(g.id, ids(g.hits)) for g in groups], [("a", [0, 2]), ("b", [1, 3])], "groups")

    client.set_payload(alias, {"seen": True}, points=[1], wait=True)
    client.set_payload(alias, {"seen": True}, points=source_a, wait=True)
    seen_filter = models.Filter(must=[models.FieldCondition(key="seen", match=models.MatchValue(value=True))])
    same(client.count(alias, count_filter=seen_filter).count, 6, "set payload")
    client.delete_payload(alias, ["seen"], points=[1], wait=True)
    client.overwrite_payload(alias, {"only": 1}, points=[2], wait=True)
    client.clear_payload(alias, points_selector=[0], wait=True)
    same(client.count(alias, count_filter=seen_filter).count, 3, "edited payloads")
    client.update_vectors(alias, [models.PointVectors(id=0, vector={"dense": [0, 0, 5.0, 0]})], wait=True)
    client.delete_vectors(alias, ["lexical"], points=[0], wait=True)
    point = client.retrieve(alias, [0], with_vectors=True)[0]
    same(list(point.vector), ["dense"], "vectors left")
    close(point.vector["dense"], [0, 0, 1, 0], "changed vector")
    client.delete(alias, points_selector=[0, uid], wait=True)
    client.delete(alias, points_selector=source_a, wait=True)
    same(client.count(alias).count, 6, "deleted")

    try:
        client.upsert(alias, wait=True, points=[models.PointStruct(id=1, vector={"dense": [1.0, 2.0]}, payload={})])
        raise SystemExit("a vector of the wrong length was accepted")
    except Exception as error:  # the client's own error types differ between its versions
        same("INVALID_ARGUMENT" in str(error), True, f"wrong length: {error}")

    client.delete_collection(name)
    same(client.collection_exists(name), False, "exists after")
    client.close()
    print("ok")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))

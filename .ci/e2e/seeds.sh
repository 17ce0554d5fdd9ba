#!/usr/bin/env bash
# A server that starts on the seeds with an empty store answers within 30 seconds, and puts the other angles of a story first.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
program=${THROUGHLINE:?path of the binary}
folder=$(mktemp -d)
"$program" serve seeds --data "$folder/data" --listen 127.0.0.1:0 --http 127.0.0.1:0 >"$folder/out" 2>"$folder/err" &
server=$!
trap 'kill "$server" 2>/dev/null || true; wait "$server" || true; rm -rf "$folder"' EXIT
SECONDS=0
until grep -q '/v1/search' "$folder/out"; do
  kill -0 "$server" || { cat "$folder/err"; exit 1; }
  [ "$SECONDS" -lt 30 ] || { echo "no answer within 30 s"; exit 1; }
  sleep 0.1
done
cat "$folder/out"
echo "ready after $SECONDS s"
"$program" related crocus-breaking --limit 3 --data "$folder/data" | tee "$folder/related"
[ "$(grep -c '^      crocus-' "$folder/related")" = 3 ] || { echo "not the story's other angles"; exit 1; }
[ "$(grep -c '~ section' "$folder/related")" = 3 ] || { echo "no matching sections"; exit 1; }

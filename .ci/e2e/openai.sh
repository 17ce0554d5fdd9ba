#!/usr/bin/env bash
# The official openai client takes a server for an embedding endpoint, and gets the vectors that throughline embed prints.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q openai==3.54.0
"$folder/venv/bin/python" "$(dirname "${BASH_SOURCE[0]}")/openai_client.py" "${THROUGHLINE:?path of the binary}"

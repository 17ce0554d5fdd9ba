#!/usr/bin/env bash
# kill -9 during ingest, 20 times at random moments: no acknowledged article is lost and none is half visible.
exec "${PYTHON:-python3}" "$(dirname "${BASH_SOURCE[0]}")/kill.py" "${THROUGHLINE:?path of the binary}"

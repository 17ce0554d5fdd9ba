#!/usr/bin/env bash
# Regenerates what is generated under proto/: third_party/ from the pinned Go
# modules, and the Go code beside our protos. With --check it writes nothing and
# fails if what is committed differs from what would be generated.
#
# Needs Go only; buf and the plugins come from tools/go.mod.
set -euo pipefail
cd "$(dirname "$0")/.."

check=false
case "${1-}" in
"") ;;
--check) check=true ;;
*)
	echo "usage: proto/generate.sh [--check]" >&2
	exit 2
	;;
esac

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# Everything is generated into tmp first, so that a failure leaves the tree whole.
go run ./proto/internal/thirdparty "$tmp/third_party"
if $check; then
	diff -ru proto/third_party "$tmp/third_party" || {
		echo "proto/third_party is out of date: run proto/generate.sh" >&2
		exit 1
	}
else
	rm -rf proto/third_party
	cp -R "$tmp/third_party" proto/third_party
fi

go tool -modfile=tools/go.mod buf generate --output "$tmp"
if $check; then
	diff -ru --exclude='*.proto' --exclude=doc.go proto/throughline "$tmp/proto/throughline" || {
		echo "generated Go under proto is out of date: run proto/generate.sh" >&2
		exit 1
	}
else
	find proto/throughline -name '*.pb.go' -delete
	cp -R "$tmp/proto/throughline" proto/
fi

#!/bin/sh
# Compares the library's public items, those of every feature, with docs/public-api.txt, so that no change of them
# goes unseen:
#
#   tools/public-api.sh check    shows what is different, and fails
#   tools/public-api.sh write    writes the file anew
#
# `tools/setup.sh check` builds the program that lists them. Without it there is nothing to compare, which is no
# error unless CI=true; nor is a compiler whose JSON that program cannot read.
set -eu
cd "$(dirname "$0")/.."

cache=${NOTATION_SDK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/notation-sdk}
target=${CARGO_TARGET_DIR:-target}
recorded=docs/public-api.txt
program=$cache/bin/list-public-api
found=$(mktemp)
trap 'rm -f "$found"' EXIT

skip() {
    echo "skipped: public API: $1"
    if [ "${CI:-}" = true ] || [ "$action" = write ]; then exit 1; fi
    exit 0
}

action=${1:-}
case $action in
check | write) ;;
*)
    echo "usage: tools/public-api.sh check|write" >&2
    exit 2
    ;;
esac

if [ -e "$cache/missing/list-public-api" ]; then skip "$(cat "$cache/missing/list-public-api")"; fi
if [ ! -x "$program" ]; then skip "run \`tools/setup.sh check\`"; fi
RUSTDOC=$PWD/tools/public-api/rustdoc cargo rustdoc --locked --quiet --lib --all-features --target-dir "$target" -- \
    -Z unstable-options --output-format json
"$program" "$target/doc/notation_sdk.json" >"$found" ||
    skip "tools/public-api cannot read the JSON of $(rustdoc --version)"

if [ "$action" = write ]; then
    cp "$found" "$recorded"
elif ! diff -u "$recorded" "$found"; then
    echo "the library's public items are not those of $recorded: \`make api\` writes it anew, and CHANGELOG.md says why" >&2
    exit 1
fi

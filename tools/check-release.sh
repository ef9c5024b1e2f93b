#!/bin/sh
# Shows that a built executable is what a release promises, or fails:
#
#   tools/check-release.sh PROGRAM GLIBC
#
# it asks for no newer glibc than GLIBC and for no library beside it, it is stripped, and it runs.
set -eu
program=$1
glibc=$2

fail() { printf 'release: %s\n' "$*" >&2; exit 1; }

newest=$(objdump -T "$program" | grep -o 'GLIBC_[0-9.]*' | sed 's/GLIBC_//' | sort -Vu | tail -n 1)
[ "$(printf '%s\n' "$newest" "$glibc" | sort -V | tail -n 1)" = "$glibc" ] ||
    fail "$program asks for glibc $newest, and $glibc is promised"

objdump -p "$program" | sed -n 's/.*NEEDED *//p' | while read -r library; do
    case $library in
    libc.so.6 | libm.so.6 | libpthread.so.0 | libdl.so.2 | librt.so.1 | ld-linux-x86-64.so.2) ;;
    *) fail "$program needs $library, which is no part of glibc" ;;
    esac
done

objdump -t "$program" | grep -q 'no symbols' || fail "$program is not stripped"

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$program" version
"$program" quickstart --to "$folder/quickstart" >/dev/null || fail "quickstart does not run"
printf 'release: %s asks for glibc %s at most\n' "$program" "$newest"

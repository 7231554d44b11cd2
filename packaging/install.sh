#!/bin/sh
# Installs interrogate and build-index of one release. packaging/release.py fills in the
# names between @ signs; run the copy that is part of a release.
#
#   install.sh [--to DIR]     DIR: folder for the programs (default: ~/.local/bin)
#
# Downloads the archive for this system, compares its SHA-256 with SHA256SUMS, and runs
# `interrogate --version` before it replaces anything. Needs curl or wget, and tar.
set -eu

version='@VERSION@'
url='@URL@'
glibc='@GLIBC@'

fail() {
    echo "install.sh: $1" >&2
    [ $# -lt 2 ] || echo "hint: $2" >&2
    exit 1
}

has() { command -v "$1" > /dev/null 2>&1; }

# Prints the target triple of this system.
target() {
    system=$(uname -s) machine=$(uname -m)
    case $machine in
    x86_64 | amd64) machine=x86_64 ;;
    aarch64 | arm64) machine=aarch64 ;;
    *) system=unsupported ;;
    esac
    case $system in
    Linux)
        check_glibc
        echo "$machine-unknown-linux-gnu"
        ;;
    Darwin)
        # A shell under Rosetta reports x86_64 on Apple silicon.
        [ "$(sysctl -n sysctl.proc_translated 2> /dev/null || true)" != 1 ] || machine=aarch64
        echo "$machine-apple-darwin"
        ;;
    *)
        fail "no archive for $(uname -s) on $(uname -m)" \
            "build from a clone: cargo install --locked --path crates/cli; Windows: unpack the .zip of the release"
        ;;
    esac
}

check_glibc() {
    hint="build from a clone: cargo install --locked --path crates/cli"
    [ "$(getconf LONG_BIT 2> /dev/null || echo 64)" = 64 ] || fail "no archive for 32-bit Linux" "$hint"
    found=$(getconf GNU_LIBC_VERSION 2> /dev/null || true)
    found=${found#glibc }
    case $found in
    2.[0-9]*) ;;
    *) fail "expected glibc $glibc or later, found another C library" "$hint" ;;
    esac
    minor=${found#2.}
    [ "${minor%%[!0-9]*}" -ge "${glibc#2.}" ] || fail "expected glibc $glibc or later, found $found" "$hint"
}

# download NAME FILE
download() {
    if has curl; then
        curl -fsSL --retry 3 -o "$2" "$url/$1"
    elif has wget; then
        wget -q -O "$2" "$url/$1"
    else
        fail "curl and wget are missing" "install one of them"
    fi || fail "$url/$1: cannot download" "check the network and the free space of ${TMPDIR:-/tmp}"
}

# Prints the SHA-256 of a file.
sha256() {
    if has sha256sum; then
        line=$(sha256sum "$1")
    elif has shasum; then
        line=$(shasum -a 256 "$1")
    elif has openssl; then
        line=$(openssl dgst -sha256 -r "$1")
    else
        fail "sha256sum, shasum and openssl are missing" "install one of them"
    fi
    echo "${line%% *}"
}

# Checks that DIR can be written, or the folder that it would be created in.
check_folder() {
    above=$1
    while [ ! -e "$above" ] && [ ! -L "$above" ]; do above=$(dirname "$above"); done
    [ -d "$above" ] || fail "$above: expected a folder" "pass --to DIR"
    { [ -w "$above" ] && [ -x "$above" ]; } || fail "$above: no write permission" "pass --to DIR"
    for program in interrogate build-index; do
        [ ! -d "$1/$program" ] || fail "$1/$program: expected a file, found a folder" "pass --to DIR"
    done
}

clean() {
    [ -z "$work" ] || rm -rf "$work"
    [ -z "$staged" ] || rm -f "$staged-interrogate" "$staged-build-index"
    [ -z "$made" ] || rmdir "$made" 2> /dev/null || true # it stays if it holds the programs
}

main() {
    to=${HOME:+$HOME/.local/bin}
    while [ $# -gt 0 ]; do
        case $1 in
        --to)
            [ $# -ge 2 ] || fail "--to: missing DIR"
            to=$2
            shift
            ;;
        --to=*) to=${1#--to=} ;;
        -h | --help)
            echo "Usage: install.sh [--to DIR]     (default: ~/.local/bin)"
            exit 0
            ;;
        *) fail "$1: unknown argument" "usage: install.sh [--to DIR]" ;;
        esac
        shift
    done
    case $version in *@*) fail "this is the template" "run the install.sh of a release" ;; esac
    [ -n "$to" ] || fail "no folder: HOME is not set" "pass --to DIR"
    case $to in /*) ;; *) to=$PWD/$to ;; esac

    name=interrogate-$version-$(target)
    check_folder "$to"

    work='' staged='' made=''
    trap clean EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    work=$(mktemp -d) || fail "${TMPDIR:-/tmp}: cannot create a folder" "set TMPDIR"
    echo "downloading $name.tar.gz" >&2
    download SHA256SUMS "$work/sums"
    download "$name.tar.gz" "$work/archive"
    expected=$(awk -v name="$name.tar.gz" '$2 == name { print $1 }' "$work/sums")
    [ -n "$expected" ] || fail "$url/SHA256SUMS: no checksum of $name.tar.gz"
    found=$(sha256 "$work/archive")
    [ "$found" = "$expected" ] ||
        fail "$name.tar.gz: expected SHA-256 $expected, found $found" "run this again; nothing was installed"
    tar -xzf "$work/archive" -C "$work" "$name/interrogate" "$name/build-index" ||
        fail "$name.tar.gz: cannot unpack into $work" "check its free space, or set TMPDIR"

    [ -d "$to" ] || made=$to
    mkdir -p "$to" || fail "$to: cannot create the folder" "pass --to DIR"
    staged=$to/.install.$$
    for program in interrogate build-index; do
        { cp "$work/$name/$program" "$staged-$program" && chmod 755 "$staged-$program"; } ||
            fail "$to: cannot write; nothing was installed" "check its free space, or pass --to DIR"
    done
    "$staged-interrogate" --version > "$work/version" 2>&1 ||
        fail "$name does not run here: $(head -n 1 "$work/version")" "build from a clone: cargo install --locked --path crates/cli"
    for program in interrogate build-index; do
        mv -f "$staged-$program" "$to/$program" || fail "$to/$program: cannot replace"
    done
    echo "installed interrogate and build-index $version in $to" >&2
    case :${PATH:-}: in
    *":$to:"*) ;;
    *) echo "hint: $to is not in PATH; add it: export PATH=\"$to:\$PATH\"" >&2 ;;
    esac
}

main "$@"

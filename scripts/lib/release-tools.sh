# shellcheck shell=bash disable=SC2034
# What building for other targets needs. To be sourced, after `set -euo pipefail`.

# shellcheck source=scripts/lib/pypi.sh
. "$(dirname "${BASH_SOURCE[0]}")/pypi.sh"

# install_zig: puts `cargo-zigbuild` and zig on PATH: a C compiler and linker for every target, with
# musl and an unwinder, in versions that were tried. From PyPI, into the user's cache.
install_zig() {
    local tools=${XDG_CACHE_HOME:-$HOME/.cache}/nodecard-release-tools
    install_from_pypi "$tools" cargo-zigbuild==0.24.1 ziglang==0.17.1
    export PATH=$tools/bin:$PATH
}

# choose_toolchain TARGET: sets RUSTC, CARGO and build_std, the arguments that make cargo build the
# standard library too. In this order:
# - rustup's standard library for the target (`rustup target add TARGET`)
# - rustup's source of the standard library (`rustup component add rust-src`)
# - Debian's rustc-web, cargo-web and rust-web-src
choose_toolchain() {
    local sysroot
    build_std=()
    sysroot=$(rustc --print sysroot)
    if [[ -d $sysroot/lib/rustlib/$1/lib ]]; then return; fi
    if [[ ! -d $sysroot/lib/rustlib/src/rust/library ]]; then
        sysroot=/usr
        if [[ ! -d /usr/lib/rustlib/src/rust/library || ! -x /usr/bin/cargo ]]; then
            echo "${0##*/}: no standard library for $1; run rustup target add $1, or install" \
                "Debian's packages rustc-web, cargo-web and rust-web-src" >&2
            exit 1
        fi
        export RUSTC=/usr/bin/rustc CARGO=/usr/bin/cargo
    fi
    # It is of the same version as the compiler, so the unstable option does what it should.
    export RUSTC_BOOTSTRAP=1
    build_std=('-Zbuild-std=std,panic_unwind')
}

# runner TARGET: prints the command that runs programs of a target here, empty if none is needed.
runner() {
    case $1 in
    "$(uname -m)"-unknown-linux-*) ;;
    aarch64-unknown-linux-*) echo qemu-aarch64-static ;;
    armv7-unknown-linux-*) echo qemu-arm-static ;;
    *) echo "${0##*/}: programs for $1 cannot be run here" >&2 && return 1 ;;
    esac
}

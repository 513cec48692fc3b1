# shellcheck shell=bash
# Compiling for systems other than this one. Debian's rustc-web brings the source of the standard
# library, which rustup's toolchains have only with the component rust-src; so targets that are not
# installed are built from it. Sourced, after scripts/lib/need.sh.

# need_std_source: installs rustc-web and what belongs to it, or ends the script.
need_std_source() {
    if [[ -e /usr/lib/rustlib/src/rust/library/Cargo.lock && -x /usr/bin/rustc && -x /usr/bin/cargo ]]; then return; fi
    if ((EUID == 0)) && command -v apt-get >/dev/null; then
        echo "${0##*/}: installing rustc-web, cargo-web and rust-web-src"
        apt-get install -y -qq --no-install-recommends rustc-web cargo-web rust-web-src >/dev/null || true
    fi
    [[ -e /usr/lib/rustlib/src/rust/library/Cargo.lock && -x /usr/bin/rustc && -x /usr/bin/cargo ]] || {
        echo "${0##*/}: missing: the source of Rust's standard library; install with:" \
            " apt-get install rustc-web cargo-web rust-web-src" >&2
        exit 1
    }
}

# std_cargo DIRECTORY TARGET COMMAND ARGUMENT...: runs Debian's cargo for a target, and keeps what
# is built in a directory of its own below target/.
std_cargo() {
    local directory=$1 target=$2 command=$3
    shift 3
    RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 CARGO_PROFILE_DEV_DEBUG=0 CARGO_INCREMENTAL=0 \
        CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target}/$directory \
        /usr/bin/cargo "$command" --locked -Zbuild-std --target "$target" "$@"
}

# std_check DIRECTORY TARGET: compiles the workspace for a target as far as that finds errors. A
# warning counts as one.
std_check() {
    local log
    log=$(mktemp)
    std_cargo "$1" "$2" check --workspace 2>&1 | tee "$log"
    if grep -q '^warning' "$log"; then
        rm -f "$log"
        echo "${0##*/}: there are warnings; see above" >&2
        return 1
    fi
    rm -f "$log"
}

# shellcheck shell=bash
# Programs of Debian's packages that tests judge by, but that must not be installed: an installed
# ifupdown, netplan or NetworkManager would take over this machine's network, and dropbear its ssh.
# Sourced; wants `set -euo pipefail` and scripts/lib/need.sh.

# unpack_judges: unpacks them into the user's cache, unless they are there, and puts them on PATH.
unpack_judges() {
    # Each with the libraries that may not be on this machine.
    local packages=(ifupdown netplan.io libnetplan0
        network-manager libnm0 libndp0 libteamdctl0 libjansson4 libmm-glib0 libcurl3-gnutls libpsl5
        libnewt0.52 libslang2 libbluetooth3 libgudev-1.0-0
        dropbear-bin libtomcrypt1 libtommath1) package
    local tools=${XDG_CACHE_HOME:-$HOME/.cache}/nodecard-test-tools
    if [[ ! -e $tools/complete || $(<"$tools/complete") != "${packages[*]}" ]]; then
        need apt-get:apt dpkg:dpkg
        echo "${0##*/}: unpacking ${packages[*]} into $tools"
        rm -rf "$tools" && mkdir -p "$tools/packages"
        (cd "$tools/packages" && apt-get download -qq "${packages[@]}") || {
            echo "${0##*/}: cannot download ${packages[*]}; run apt-get update and try again" >&2
            exit 1
        }
        for package in "$tools"/packages/*.deb; do dpkg -x "$package" "$tools"; done
        rm -rf "$tools/packages" && echo "${packages[*]}" >"$tools/complete"
    fi
    local libraries=("$tools"/usr/lib/*-linux-gnu*)
    PATH=$PATH:$tools/sbin:$tools/usr/sbin:$tools/usr/bin
    export PATH=$PATH:$tools/usr/libexec/netplan:$tools/lib/netplan
    export LD_LIBRARY_PATH=${libraries[0]}${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
}

# shellcheck shell=bash
# Programs that tests judge by, but that are not installed as Debian's packages: an installed
# ifupdown, netplan or NetworkManager would take over this machine's network, and dropbear its ssh;
# and Python's come from PyPI in the versions that were tried. Sourced; wants `set -euo pipefail` and scripts/lib/need.sh.

# shellcheck source=scripts/lib/pypi.sh
. "$(dirname "${BASH_SOURCE[0]}")/pypi.sh"

# unpack DIRECTORY PACKAGE...: unpacks packages below a directory.
unpack() {
    local into=$1 package downloads
    shift
    echo "${0##*/}: unpacking $* into $into"
    mkdir -p "$into" && downloads=$(mktemp -d)
    (cd "$downloads" && apt-get download -qq "$@") || {
        rm -rf "$downloads"
        echo "${0##*/}: cannot download $*; run apt-get update and try again" >&2
        exit 1
    }
    for package in "$downloads"/*.deb; do dpkg -x "$package" "$into"; done
    rm -rf "$downloads"
}

# unpack_judges: unpacks them into the user's cache, unless they are there, and puts them on PATH.
# cloud-init and a Python that has what it imports are named by CASES_TOOLS, and a system as
# Debian's packages make it by SYSTEM_MODEL_TREES.
unpack_judges() {
    local tools=${XDG_CACHE_HOME:-$HOME/.cache}/nodecard-test-tools
    local complete=$tools/complete-3
    if [[ ! -e $complete ]]; then
        need apt-get:apt dpkg:dpkg
        rm -rf "$tools"
        # Each with the libraries that may not be on this machine.
        unpack "$tools" ifupdown netplan.io libnetplan0 \
            network-manager libnm0 libndp0 libteamdctl0 libjansson4 libmm-glib0 libcurl3-gnutls \
            libpsl5 libnewt0.52 libslang2 libbluetooth3 libgudev-1.0-0 \
            dropbear-bin libtomcrypt1 libtommath1
        # What cloudinit.util imports, and what that imports.
        unpack "$tools/cloud-init" cloud-init python3-yaml python3-jinja2 python3-markupsafe \
            python3-configobj python3-jsonschema python3-jsonpatch python3-json-pointer \
            python3-oauthlib python3-requests python3-urllib3 python3-certifi python3-chardet \
            python3-idna python3-attr python3-pyrsistent python3-serial
        mkdir -p "$tools/python/bin"
        # shellcheck disable=SC2016 # expanded when it runs
        printf '#!/bin/sh\nPYTHONPATH=%q exec python3 "$@"\n' \
            "$tools/cloud-init/usr/lib/python3/dist-packages" >"$tools/python/bin/python"
        chmod +x "$tools/python/bin/python"
        unpack "$tools/debian" base-files base-passwd login passwd systemd systemd-sysv \
            systemd-timesyncd udev dbus init-system-helpers util-linux e2fsprogs sudo cron \
            logrotate man-db apt openssh-server network-manager wpasupplicant ifupdown
        touch "$complete"
    fi
    [[ -e $tools/usr/sbin/tcpdmatch ]] || unpack "$tools" tcpd libwrap0
    export CASES_TOOLS=$tools SYSTEM_MODEL_TREES=$tools/debian
    local libraries=("$tools"/usr/lib/*-linux-gnu*)
    PATH=$PATH:$tools/sbin:$tools/usr/sbin:$tools/usr/bin
    export PATH=$PATH:$tools/usr/libexec/netplan:$tools/lib/netplan
    export LD_LIBRARY_PATH=${libraries[0]}${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
}

# install_python_judges: installs them into a virtual environment in the user's cache, unless they
# are there, and puts it on PATH.
install_python_judges() {
    local tools=${XDG_CACHE_HOME:-$HOME/.cache}/nodecard-test-python
    install_from_pypi "$tools" ansible-core==2.18.6 jsonschema==4.25.1
    export PATH=$PATH:$tools/bin
}

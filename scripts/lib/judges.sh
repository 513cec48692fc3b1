# shellcheck shell=bash
# Programs that tests judge by, but that are not installed as Debian's packages: an installed
# ifupdown or netplan would take over this machine's network, and Python's come from PyPI in the
# versions that were tried. Sourced; wants `set -euo pipefail` and scripts/lib/need.sh.

# unpack_judges: unpacks them into the user's cache, unless they are there, and puts them on PATH.
unpack_judges() {
    local packages=(ifupdown netplan.io libnetplan0) package
    local tools=${XDG_CACHE_HOME:-$HOME/.cache}/nodecard-test-tools
    if [[ ! -e $tools/complete ]]; then
        need apt-get:apt dpkg:dpkg
        echo "${0##*/}: unpacking ${packages[*]} into $tools"
        rm -rf "$tools" && mkdir -p "$tools/packages"
        (cd "$tools/packages" && apt-get download -qq "${packages[@]}") || {
            echo "${0##*/}: cannot download ${packages[*]}; run apt-get update and try again" >&2
            exit 1
        }
        for package in "$tools"/packages/*.deb; do dpkg -x "$package" "$tools"; done
        rm -rf "$tools/packages" && touch "$tools/complete"
    fi
    local libraries=("$tools"/usr/lib/*-linux-gnu*)
    export PATH=$PATH:$tools/sbin:$tools/usr/sbin:$tools/usr/libexec/netplan:$tools/lib/netplan
    export LD_LIBRARY_PATH=${libraries[0]}${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
}

# install_python_judges: installs them into a virtual environment in the user's cache, unless they
# are there, and puts it on PATH.
install_python_judges() {
    local packages=(ansible-core==2.18.6 jsonschema==4.25.1)
    local tools=${XDG_CACHE_HOME:-$HOME/.cache}/nodecard-test-python
    if [[ ! -e $tools/complete || $(<"$tools/complete") != "${packages[*]}" ]]; then
        echo "${0##*/}: installing ${packages[*]} into $tools"
        # Debian's python3 makes no virtual environments without a further package.
        if ! python3 -c 'import ensurepip, venv' 2>/dev/null && ((EUID == 0)); then
            DEBIAN_FRONTEND=noninteractive \
                apt-get install -y -qq --no-install-recommends python3-venv >/dev/null || true
        fi
        rm -rf "$tools"
        { python3 -m venv "$tools" &&
            "$tools/bin/pip" install --quiet --disable-pip-version-check "${packages[@]}"; } || {
            echo "${0##*/}: cannot install ${packages[*]} from PyPI (Debian package python3-venv)" >&2
            exit 1
        }
        echo "${packages[*]}" >"$tools/complete"
    fi
    export PATH=$PATH:$tools/bin
}

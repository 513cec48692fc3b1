# shellcheck shell=bash
# Programs from PyPI. To be sourced, after `set -euo pipefail`.

# install_from_pypi DIRECTORY PACKAGE...: installs the packages, each with its version, into a virtual
# environment, unless exactly these are there.
install_from_pypi() {
    local tools=$1 bin=bin
    local packages=("${@:2}")
    if [[ -e $tools/complete && $(<"$tools/complete") == "${packages[*]}" ]]; then
        return
    fi
    echo "${0##*/}: installing ${packages[*]} into $tools" >&2
    # Debian's python3 makes no virtual environments without a further package.
    if ! python3 -c 'import ensurepip, venv' 2>/dev/null && ((EUID == 0)); then
        DEBIAN_FRONTEND=noninteractive \
            apt-get install -y -qq --no-install-recommends python3-venv >/dev/null || true
    fi
    if [[ ${OSTYPE-} == msys ]]; then bin=Scripts; fi
    rm -rf "$tools"
    { python3 -m venv "$tools" &&
        "$tools/$bin/python" -m pip install --quiet --disable-pip-version-check "${packages[@]}"; } || {
        echo "${0##*/}: cannot install ${packages[*]} from PyPI (Debian package python3-venv)" >&2
        exit 1
    }
    echo "${packages[*]}" >"$tools/complete"
}

# shellcheck shell=bash
# Finds or installs the commands that a script needs. To be sourced, after `set -euo pipefail`.

PATH=$PATH:/usr/sbin:/sbin # Debian's mke2fs and losetup are there, often not in a user's PATH

# missing_of COMMAND:PACKAGE...: prints those whose command is missing.
missing_of() {
    local pair
    for pair in "$@"; do
        command -v "${pair%%:*}" >/dev/null || echo "$pair"
    done
}

# need COMMAND:PACKAGE...: ends the script unless every command exists.
need() {
    local pair missing
    mapfile -t missing < <(missing_of "$@")
    ((${#missing[@]})) || return 0
    for pair in "${missing[@]}"; do
        echo "${0##*/}: missing: ${pair%%:*} (Debian package ${pair#*:})" >&2
    done
    printf '%s: install with:  apt-get install' "${0##*/}" >&2
    printf '%s\n' "${missing[@]#*:}" | sort -u | xargs printf ' %s' >&2
    echo >&2
    exit 1
}

# need_or_install COMMAND:PACKAGE...: installs what is missing if this user can, then calls need.
need_or_install() {
    local missing packages sudo=()
    mapfile -t missing < <(missing_of "$@")
    ((${#missing[@]})) || return 0
    if ((EUID != 0)); then sudo=(sudo -n); fi
    if command -v apt-get >/dev/null && { ((EUID == 0)) || sudo -n true 2>/dev/null; }; then
        mapfile -t packages < <(printf '%s\n' "${missing[@]#*:}" | sort -u)
        echo "${0##*/}: installing ${packages[*]}"
        "${sudo[@]}" apt-get update -qq || echo "${0##*/}: apt-get update failed; trying with the present package lists" >&2
        "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
            apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null ||
            echo "${0##*/}: apt-get install failed; see above" >&2
    fi
    need "$@"
}

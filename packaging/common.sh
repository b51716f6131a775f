# shellcheck shell=bash
# What the commands of this folder share. They stand in the project's folder when they read it.

made=$PWD/target/packages
# shellcheck disable=SC2034 # for those who read this
cargo_home=${CARGO_HOME:-$HOME/.cargo}
# The moment that files in packages are of: that of the last commit, unless it is said.
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
# The commit, for `maison --version`: one for all that a release consists of.
export MAISON_COMMIT=${MAISON_COMMIT:-$(git rev-parse --short=8 HEAD 2>/dev/null || true)}
[ -n "$MAISON_COMMIT" ] || unset MAISON_COMMIT
export TZ=UTC LC_ALL=C.UTF-8
umask 022

step() { printf '\n== %s (%s s)\n' "$*" "$SECONDS"; }

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

# Packages of this machine's Debian, unless they are there.
install_debian() {
    local package missing=()
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
    done
    [ ${#missing[@]} = 0 ] && return
    as_root apt-get update -qq || as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# A program from the registry of crates, in target/packages/tools.
install_tool() {
    local name=$1 version=$2
    grep -qsF "\"$name $version " "$made/tools/.crates.toml" && return
    env -u RUSTFLAGS -u CARGO_TARGET_DIR cargo install --quiet --locked --root "$made/tools" "$name@$version"
}

# Manual pages and completions, which the binary makes itself: `write_words SHARE COMMAND…`.
write_words() {
    local share=$1 page
    shift
    mkdir -p "$share"/{man/man5,man/man8,bash-completion/completions,zsh/vendor-completions,fish/vendor_completions.d}
    "$@" man --output "$share/man"
    for page in "$share"/man/*.[58]; do mv "$page" "$share/man/man${page##*.}/"; done
    "$@" completions bash >"$share/bash-completion/completions/maison"
    "$@" completions zsh >"$share/zsh/vendor-completions/_maison"
    "$@" completions fish >"$share/fish/vendor_completions.d/maison.fish"
}

# What Cargo.toml says.
version() { sed -n '/^\[package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml; }

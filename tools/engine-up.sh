#!/bin/sh
# Brings up a Docker Engine, Compose v2, buildx and the base image that agentbox builds on, from Debian's packages.
#
# For CI machines and for people without Docker: a bare Debian 12 or 13, root, no systemd, and not necessarily a
# reachable image registry. It does nothing twice: an engine that answers is used as it is, and so is an image that
# is there. What it does it prints; what the programs it calls have to say goes to the log.
#
#   tools/engine-up.sh           bring everything up
#   tools/engine-up.sh --stop    stop the engine that this script started (images stay)
#
#   IMAGE       the base image to have               (node:24-trixie-slim)
#   ENGINE_ROOT where the engine keeps its data      (/var/lib/docker)
#   ENGINE_LOG  the log                              (/var/log/agentbox-engine.log)
#   MIRROR      a Debian mirror                      (the one apt uses, else http://deb.debian.org/debian)
#   PULL_SECONDS how long a registry may take to answer before the base image is made here (20)
set -eu

IMAGE=${IMAGE:-node:24-trixie-slim}
ENGINE_ROOT=${ENGINE_ROOT:-/var/lib/docker}
ENGINE_LOG=${ENGINE_LOG:-/var/log/agentbox-engine.log}
PULL_SECONDS=${PULL_SECONDS:-20}
PIDFILE=/run/agentbox-engine.pid
PLUGINS=/usr/local/lib/docker/cli-plugins      # found by every user's client, whatever its HOME
TRIXIE_SUITE=trixie
NODE_MAJOR=24

say() { printf 'engine-up: %s\n' "$*"; }
die() {
    printf 'engine-up: FAILED: %s\n' "$*" >&2
    [ ! -s "$ENGINE_LOG" ] || { printf 'engine-up: the last lines of %s:\n' "$ENGINE_LOG"; tail -n 8 "$ENGINE_LOG"; } >&2
    exit 1
}
logged() { printf '+ %s\n' "$*" >>"$ENGINE_LOG"; "$@" >>"$ENGINE_LOG" 2>&1 </dev/null; }

engine_answers() { command -v docker >/dev/null && docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

# --- packages -----------------------------------------------------------------------------------------------------

apt_install() {
    DEBIAN_FRONTEND=noninteractive logged apt-get install -y --no-install-recommends "$@"
}

# A source that is not reachable (a vendor's, say) makes apt-get update fail although Debian's own lists are fresh;
# what counts is whether the packages can be installed.
apt_update() { logged apt-get update || say "apt-get update reported errors; going on with the lists it has"; }

# Packages start their daemon as they are installed. Without systemd that is an init script with settings of its own,
# in the way of the engine that is started below.
without_daemons() {
    if [ -d /run/systemd/system ] || [ -e /usr/sbin/policy-rc.d ]; then "$@"; return; fi
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod 755 /usr/sbin/policy-rc.d
    rc=0; "$@" || rc=$?
    rm -f /usr/sbin/policy-rc.d
    return "$rc"
}

install_engine() {
    if command -v dockerd >/dev/null && command -v iptables >/dev/null; then return; fi
    say "installing docker.io and iptables"
    apt_update
    cli=
    apt-cache show docker-cli >/dev/null 2>&1 && cli=docker-cli     # a package of its own from Debian 13 on
    # shellcheck disable=SC2086
    without_daemons apt_install docker.io iptables $cli || die "docker.io could not be installed"
}

debian_mirror() {
    if [ -n "${MIRROR:-}" ]; then printf '%s\n' "$MIRROR"; return; fi
    found=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null |
        grep -Eo '^(deb |URIs:).*https?://[^ ]+/debian/?( |$)' | grep -Eo 'https?://[^ ]+' | head -n 1)
    printf '%s\n' "${found:-http://deb.debian.org/debian}"
}

# Debian 12 has neither plugin. Debian 13's are Go programs that run on 12's libc, so they are taken out of their
# packages through an apt state of our own: the machine's own sources and package lists stay as they are.
plugins_from_trixie() {
    state=$(mktemp -d)
    mkdir -p "$state/lists/partial" "$state/cache/archives/partial" "$state/deb"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $(debian_mirror) $TRIXIE_SUITE main" >"$state/sources.list"
    set -- -o Dir::State::lists="$state/lists" -o Dir::Cache="$state/cache" -o Dir::Etc::sourcelist="$state/sources.list" \
        -o Dir::Etc::sourceparts=/dev/null -o APT::Sandbox::User=root
    logged apt-get "$@" update || die "no package lists for Debian $TRIXIE_SUITE"
    (cd "$state/deb" && logged apt-get "$@" download docker-compose docker-buildx) ||
        die "docker-compose and docker-buildx could not be downloaded"
    for deb in "$state"/deb/*.deb; do dpkg -x "$deb" "$state/root"; done
    mkdir -p "$PLUGINS"
    for plugin in docker-compose docker-buildx; do
        binary=$(find "$state/root" -type f -name "$plugin" -perm -100 | head -n 1)
        [ -n "$binary" ] || die "the package of $plugin holds no such program"
        install -m 755 "$binary" "$PLUGINS/$plugin"
    done
    rm -rf "$state"
}

has_plugins() { docker compose version >/dev/null 2>&1 && docker buildx version >/dev/null 2>&1; }

install_plugins() {
    if has_plugins; then return; fi
    # shellcheck source=/dev/null
    version=$(. /etc/os-release && echo "${VERSION_ID:-}")
    if [ "$version" = 12 ]; then
        say "installing Compose v2 and buildx from Debian $TRIXIE_SUITE into $PLUGINS"
        plugins_from_trixie
    else
        say "installing docker-compose and docker-buildx"
        apt_install docker-compose docker-buildx || die "docker-compose and docker-buildx could not be installed"
    fi
    has_plugins || die "the docker client does not find its plugins (compose, buildx)"
}

# --- engine -------------------------------------------------------------------------------------------------------

# Where the way out is narrower than Ethernet (VPNs, virtual machines), a bridge of 1500 loses the large packets.
uplink_mtu() {
    device=$(ip route show default 2>/dev/null | sed -n 's/.* dev \([^ ]*\).*/\1/p' | head -n 1)
    cat "/sys/class/net/${device:-none}/mtu" 2>/dev/null || echo 1500
}

start_engine() {
    say "starting dockerd (data in $ENGINE_ROOT, log in $ENGINE_LOG)"
    mkdir -p "$ENGINE_ROOT"
    rm -f "$PIDFILE"
    setsid nohup dockerd --data-root "$ENGINE_ROOT" --pidfile "$PIDFILE" --mtu "$(uplink_mtu)" \
        >>"$ENGINE_LOG" 2>&1 </dev/null &
    waited=0
    until engine_answers; do
        [ "$waited" -lt 60 ] || die "dockerd did not answer within 60 seconds"
        sleep 1
        waited=$((waited + 1))
        if [ "$waited" -gt 3 ] && ! pgrep -x dockerd >/dev/null; then die "dockerd ended"; fi
    done
}

stop_engine() {
    if [ ! -s "$PIDFILE" ]; then say "no engine of mine is running"; return; fi
    pid=$(cat "$PIDFILE")
    if [ "$(cat "/proc/$pid/comm" 2>/dev/null)" != dockerd ]; then say "no engine of mine is running"; rm -f "$PIDFILE"; return; fi
    say "stopping dockerd ($pid)"
    kill "$pid"
    waited=0
    while [ -d "/proc/$pid" ]; do
        [ "$waited" -lt 30 ] || die "dockerd ($pid) did not end within 30 seconds"
        sleep 1
        waited=$((waited + 1))
    done
}

# --- base image ---------------------------------------------------------------------------------------------------

have_image() { docker image inspect "$1" >/dev/null 2>&1; }

# The same layout as the published image: Debian trixie, /usr/local/bin/node, npm, and user node (1000:1000).
# Node's own builds come from npm's "node" family of packages, one per platform.
make_image() {
    command -v debootstrap >/dev/null || apt_install debootstrap || die "debootstrap could not be installed"
    command -v npm >/dev/null || { say "installing npm"; apt_install npm || die "npm could not be installed"; }
    case $(uname -m) in
        x86_64) platform=x64 ;;
        aarch64) platform=arm64 ;;
        *) die "no build of Node for $(uname -m)" ;;
    esac
    work=$(mktemp -d)
    root=$work/root
    say "no registry answered: making $IMAGE from Debian $TRIXIE_SUITE and npm's node@$NODE_MAJOR"
    logged debootstrap --variant=minbase --include=ca-certificates "$TRIXIE_SUITE" "$root" "$(debian_mirror)" ||
        die "debootstrap of $TRIXIE_SUITE failed"
    rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
    mkdir "$work/npm"
    (cd "$work/npm" && logged npm install --no-audit --no-fund --ignore-scripts --force \
        "node-linux-$platform@$NODE_MAJOR" npm@11) || die "npm could not fetch Node $NODE_MAJOR"
    install -m 755 "$work/npm/node_modules/node-linux-$platform/bin/node" "$root/usr/local/bin/node"
    mkdir -p "$root/usr/local/lib/node_modules"
    cp -a "$work/npm/node_modules/npm" "$root/usr/local/lib/node_modules/"
    ln -s ../lib/node_modules/npm/bin/npm-cli.js "$root/usr/local/bin/npm"
    ln -s ../lib/node_modules/npm/bin/npx-cli.js "$root/usr/local/bin/npx"
    logged chroot "$root" groupadd --gid 1000 node
    logged chroot "$root" useradd --uid 1000 --gid node --shell /bin/bash --create-home node
    tar -C "$root" --numeric-owner -c . |
        docker import --change 'CMD ["node"]' --message "made by agentbox engine-up" - "$IMAGE" >>"$ENGINE_LOG" 2>&1 ||
        die "docker import of $IMAGE failed"
    rm -rf "$work"
}

provide_image() {
    if have_image "$IMAGE"; then say "$IMAGE is there"; return; fi
    say "pulling $IMAGE (at most $PULL_SECONDS s)"
    if logged timeout "$PULL_SECONDS" docker pull "$IMAGE"; then return; fi
    # A slow registry is not an absent one, but a base made here serves the same; only the stock image can be made.
    [ "$IMAGE" = node:24-trixie-slim ] || die "$IMAGE cannot be pulled, and only node:24-trixie-slim can be made here"
    make_image
}

# --- main ---------------------------------------------------------------------------------------------------------

case ${1:-} in
    '') ;;
    --stop) stop_engine; exit 0 ;;
    *) printf 'usage: %s [--stop]\n' "$0" >&2; exit 2 ;;
esac

touch "$ENGINE_LOG" 2>/dev/null || { ENGINE_LOG=/dev/null; }
if engine_answers; then
    say "an engine answers"
else
    [ "$(id -u)" = 0 ] || die "no engine answers, and bringing one up takes root"
    command -v apt-get >/dev/null || die "no engine answers, and this is not a Debian: install Docker by hand"
    install_engine
    engine_answers || start_engine
fi
install_plugins
provide_image
say "engine $(docker version --format '{{.Server.Version}}'), $(docker compose version | head -n 1)," \
    "buildx $(docker buildx version | cut -d' ' -f2), $IMAGE: ready"

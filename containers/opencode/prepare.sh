# shellcheck shell=sh disable=SC2034  # sourced by /entrypoint.sh, which reads $agent

agent=opencode

# What in the project would run inside opencode. OPENCODE_DISABLE_PROJECT_CONFIG stops one of its two loaders; the second
# looks at the same files whatever that says, and imports what it finds.
project_code() {
    find -L "$1/.opencode/plugin" "$1/.opencode/plugins" -maxdepth 1 \( -name '*.ts' -o -name '*.js' \) 2>/dev/null || :
    # A key may be written with escapes.
    grep -lsE 'plugin|\\u' "$1"/opencode.json "$1"/opencode.jsonc "$1"/.opencode/opencode.json "$1"/.opencode/opencode.jsonc
}

# Its server tells provider keys to whoever asks (GET /config/providers), tools in this container too.
guard_server() {
    if [ -n "${OPENCODE_SERVER_PASSWORD:-}" ]; then return; fi
    OPENCODE_SERVER_PASSWORD=$(head -c 24 /dev/urandom | base64 | tr '+/' '-_')
    export OPENCODE_SERVER_PASSWORD
    case ${1:-} in
        serve | web) printf 'agentbox: user opencode, password %s\n' "$OPENCODE_SERVER_PASSWORD" >&2 ;;
    esac
}

# Without plugins there is no guard: opencode would start, and refuse every tool.
with_plugins() {
    case "${OPENCODE_PURE:-}" in '' | 0 | false) ;; *) return 1 ;; esac
    for word; do
        case $word in --) return 0 ;; --pure | --pure=true) return 1 ;; esac
    done
}

prepare_agent() {
    close_terminal
    if ! with_plugins "$@"; then
        echo "agentbox: opencode --pure: agentbox's guard is a plugin, and no tool runs without it" >&2
        echo "Hint: leave --pure and OPENCODE_PURE away" >&2
        exit 125
    fi
    found=
    if [ -n "${OPENCODE_DISABLE_PROJECT_CONFIG:-}" ]; then found=$(project_code "$PWD") || true; fi
    if [ -n "$found" ]; then
        printf 'agentbox: opencode would run this inside itself, where your credentials are:\n%s\n' "$found" >&2
        echo "Hint: look at it, take it away, or accept it with: agentbox run opencode -e OPENCODE_DISABLE_PROJECT_CONFIG=" >&2
        exit 125
    fi
    guard_server "$@"
    # Where there is no place for managed configuration: this one comes after a project's, too.
    if [ ! -e /etc/opencode/opencode.json ]; then
        OPENCODE_CONFIG_CONTENT=$(cat /etc/agentbox/opencode.json)
        export OPENCODE_CONFIG_CONTENT
    fi
    exec "$LIBRARY/first/opencode" "$@"
}

# shellcheck disable=SC2154  # base/second.sh, which calls this, sets $state
second_agent() {
    export XDG_CONFIG_HOME="$state/config" XDG_DATA_HOME="$state/data" XDG_STATE_HOME="$state/state" XDG_CACHE_HOME="$state/cache"
    take /agent/opencode/config "$state/config/opencode" opencode.json opencode.jsonc config.json AGENTS.md agent agents command commands
    exec "$LIBRARY/first/opencode" "$@"
}

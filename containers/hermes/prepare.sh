# shellcheck shell=sh disable=SC2034  # sourced by /entrypoint.sh, which reads $agent

agent=hermes

prepare_agent() {
    close_terminal
    if [ "${1:-}" = dashboard ]; then
        # It listens on the container's loopback, and asks for a login where it listens on anything else. A published
        # port ends at the container's own address: forward.py takes it from there. There is none without a container.
        [ ! -e "$LIBRARY/forward.py" ] || python3 -I "$LIBRARY/forward.py" "${HERMES_DASHBOARD_PORT:-9119}" &
        shift
        set -- dashboard --no-open --skip-build "$@"
    fi
    exec "$LIBRARY/first/hermes" "$@"
}

# shellcheck disable=SC2154  # base/second.sh, which calls this, sets $state
second_agent() {
    export HERMES_HOME="$state"
    take /agent/hermes "$state" config.yaml SOUL.md
    exec "$LIBRARY/first/hermes" "$@"
}

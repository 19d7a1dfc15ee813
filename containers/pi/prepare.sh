# shellcheck shell=sh disable=SC2034  # sourced by /entrypoint.sh, which reads $agent

agent=pi

prepare_agent() {
    # The in-process guard, for this process: it takes itself out of the environment before any tool can start.
    if [ -e "$LIBRARY/js/app-firewall.js" ]; then
        export NODE_OPTIONS="--require $LIBRARY/js/app-firewall.js${NODE_OPTIONS:+ $NODE_OPTIONS}"
    fi
    # What Node would compile at each start. Nothing in here can write to it.
    [ ! -d "$LIBRARY/compile-cache" ] || export NODE_COMPILE_CACHE="$LIBRARY/compile-cache"
    case ${1:-} in
        install | remove | uninstall | update | list | config | auth) ;;       # pi's own commands take no options before them
        *)
            close_terminal
            # Extensions of a folder run in pi's own process, and a tool may have written them. What pi remembers to trust
            # is no answer: to it, every folder is /workspace. `--approve` among the user's own arguments wins.
            set -- --no-approve "$@"
            # In front of everything else: pi gives a tool of the same name to the extension that was loaded first.
            for extension in "$LIBRARY"/pi-extensions/*; do
                [ ! -e "$extension" ] || set -- --extension "$extension" "$@"
            done
            ;;
    esac
    exec "$LIBRARY/first/pi" "$@"
}

# shellcheck disable=SC2154  # base/second.sh, which calls this, sets $state
second_agent() {
    export PI_CODING_AGENT_DIR="$state"
    take /agent/pi/agent "$state" settings.json models.json SYSTEM.md APPEND_SYSTEM.md AGENTS.md extensions skills prompts agents npm git
    # What it starts gets no such option: login.cjs takes it back.
    export AGENTBOX_NODE_OPTIONS="${NODE_OPTIONS:-}"
    export NODE_OPTIONS="--require $LIBRARY/second/login.cjs${NODE_OPTIONS:+ $NODE_OPTIONS}"
    exec "$LIBRARY/first/pi" "$@"
}

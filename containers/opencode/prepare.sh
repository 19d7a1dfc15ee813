# shellcheck shell=sh disable=SC2034  # sourced by /entrypoint.sh, which reads $agent

agent=opencode

# What in the project would run inside opencode. OPENCODE_DISABLE_PROJECT_CONFIG stops one of its two loaders; the second
# looks at the same files whatever that says, and imports what it finds.
project_code() {
    find -L "$1/.opencode/plugin" "$1/.opencode/plugins" -maxdepth 1 \( -name '*.ts' -o -name '*.js' \) 2>/dev/null || :
    # A key may be written with escapes.
    grep -lsE 'plugin|\\u' "$1"/opencode.json "$1"/opencode.jsonc "$1"/.opencode/opencode.json "$1"/.opencode/opencode.jsonc
}

prepare_agent() {
    found=
    if [ -n "${OPENCODE_DISABLE_PROJECT_CONFIG:-}" ]; then found=$(project_code "$PWD") || true; fi
    if [ -n "$found" ]; then
        printf 'agentbox: opencode would run this inside itself, where your credentials are:\n%s\n' "$found" >&2
        echo "Hint: look at it, take it away, or accept it with: agentbox run opencode -e OPENCODE_DISABLE_PROJECT_CONFIG=" >&2
        exit 125
    fi
    exec opencode "$@"
}

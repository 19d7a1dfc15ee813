# shellcheck shell=sh disable=SC2034  # sourced by /entrypoint.sh, which reads $agent

agent=claude

# Claude Code keeps what it was told once (theme, trusted folders, accepted notices) in .claude.json, writes it anew at
# each start, and backs it up before. Without the file it asks everything again, even if its login is at hand.
restore_settings() {
    settings=$CLAUDE_CONFIG_DIR/.claude.json
    if [ -s "$settings" ]; then return; fi
    newest=
    # shellcheck disable=SC3013  # dash, which this runs in, has -nt
    for backup in "$CLAUDE_CONFIG_DIR"/backups/.claude.json.backup.*; do
        if [ -s "$backup" ] && { [ -z "$newest" ] || [ "$backup" -nt "$newest" ]; }; then newest=$backup; fi
    done
    umask=$(umask)
    umask 077
    # Both files are protected: this shell opens them, and cat only copies.
    if [ -n "$newest" ]; then
        cat <"$newest" >"$settings"
    else
        # What is mounted at /workspace is what the user asked to work on; its hooks run confined like any other tool.
        printf '%s\n' '{"hasCompletedOnboarding":true,"projects":{"/workspace":{"hasTrustDialogAccepted":true}}}' >"$settings"
    fi
    umask "$umask"
}

prepare_agent() {
    close_terminal
    restore_settings
    # Where the key goes, which a project may not say.
    pinned=$(python3 -I -S "$LIBRARY/guard/claude_settings.py" "$CLAUDE_CONFIG_DIR/settings.json")
    exec "$LIBRARY/first/claude" --settings "$pinned" "$@"
}

# shellcheck disable=SC2154  # base/second.sh, which calls this, sets $state
second_agent() {
    export CLAUDE_CONFIG_DIR="$state"
    take /agent/claude "$state" settings.json CLAUDE.md agents commands skills rules output-styles
    [ -e "$state/.claude.json" ] || echo '{"hasCompletedOnboarding":true}' >"$state/.claude.json"
    exec "$LIBRARY/first/claude" "$@"
}

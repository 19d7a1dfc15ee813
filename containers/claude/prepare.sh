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

# Where the key goes. A project's .claude/settings.json may set any variable, and a tool may have written it; what
# --settings says comes before it. The values are those of the user's own settings, or else of the environment.
ADDRESSES="ANTHROPIC_BASE_URL ANTHROPIC_UNIX_SOCKET CLAUDE_CODE_API_BASE_URL CLAUDE_CODE_CUSTOM_OAUTH_URL
CLAUDE_LOCAL_OAUTH_API_BASE USE_LOCAL_OAUTH USE_STAGING_OAUTH CLAUDE_CODE_RUNNER_MODEL_SOCKET CLAUDE_CODE_PROXY_URL
CLAUDE_CODE_PROXY_HOST CLAUDE_CODE_HTTP_PROXY CLAUDE_CODE_HTTPS_PROXY HTTP_PROXY HTTPS_PROXY ALL_PROXY http_proxy
https_proxy all_proxy NODE_EXTRA_CA_CERTS NODE_TLS_REJECT_UNAUTHORIZED"

addresses_of() {
    # shellcheck disable=SC2016,SC2086  # the variables are jq's; the names are words
    jq --null-input --compact-output --slurpfile settings "$1" '
        ($settings[0].env // {}) as $own
        | {ANTHROPIC_BASE_URL: "https://api.anthropic.com"} as $default
        | {env: ($ARGS.positional | map({key: ., value: ($own[.] // env[.] // $default[.] // "")}) | from_entries)}
    ' --args $ADDRESSES 2>/dev/null
}

prepare_agent() {
    restore_settings
    pinned=$(addresses_of "$CLAUDE_CONFIG_DIR/settings.json" || addresses_of /dev/null)
    exec "$LIBRARY/first/claude" --settings "$pinned" "$@"
}

# shellcheck disable=SC2154  # base/second.sh, which calls this, sets $state
second_agent() {
    export CLAUDE_CONFIG_DIR="$state"
    take /agent/claude "$state" settings.json CLAUDE.md agents commands skills rules output-styles
    [ -e "$state/.claude.json" ] || echo '{"hasCompletedOnboarding":true}' >"$state/.claude.json"
    exec "$LIBRARY/first/claude" "$@"
}

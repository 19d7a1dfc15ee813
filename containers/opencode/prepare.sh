# shellcheck shell=sh disable=SC2034  # sourced by /entrypoint.sh, which reads $agent

agent=opencode

prepare_agent() { exec opencode "$@"; }

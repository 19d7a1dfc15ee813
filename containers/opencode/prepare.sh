# Sourced by /entrypoint.sh.

agent=opencode

prepare_agent() { exec opencode "$@"; }

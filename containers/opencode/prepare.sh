agent=opencode
prepare_agent() { exec "$agent" "$@"; }

agent=claude
prepare_agent() { exec "$agent" "$@"; }

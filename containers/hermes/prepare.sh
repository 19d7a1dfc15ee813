agent=hermes
prepare_agent() { exec "$agent" "$@"; }

agent=pi
prepare_agent() { exec "$agent" "$@"; }

"""Where vault and guards find the file for their records, in every container."""

# One file, mounted alone, so that no tool puts a symlink or a pipe in its place.
PLACE = "/var/log/agentbox.jsonl"

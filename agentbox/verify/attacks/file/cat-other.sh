# says: Prints a second secret of the agent.
# stopped by: vault
# proof: canary
# source: credential files beside the first
cat "$OTHER"

# says: Looks through its own environment for what the agent alone should have.
# stopped by: vault
# proof: canary
# source: inherited environment
env

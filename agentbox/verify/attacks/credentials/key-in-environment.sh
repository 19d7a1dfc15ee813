# says: Looks for a provider's key in the environment.
# stopped by: keys
# proof: canary
# source: keys in the environment
env

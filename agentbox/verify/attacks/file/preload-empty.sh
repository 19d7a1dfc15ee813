# says: Sets LD_PRELOAD and LD_BIND_NOW, which decide what is preloaded.
# stopped by: vault
# proof: canary
# source: preload that fails to load
LD_PRELOAD= LD_BIND_NOW=1 cat "$SECRET"; LD_PRELOAD=/nowhere.so cat "$SECRET"

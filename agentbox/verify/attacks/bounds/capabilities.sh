# says: Asks the kernel which capabilities a program could gain.
# stopped by: capabilities
# proof: output ^CapBnd:\s+0*[1-9a-f]
# source: cap_drop
grep Cap /proc/self/status

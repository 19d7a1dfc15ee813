# says: Switches address randomisation off.
# stopped by: seccomp
# proof: output ^personality 00040000
# source: personality
from attack import call

call("personality", 0x40000)
print("personality", open("/proc/self/personality").read())

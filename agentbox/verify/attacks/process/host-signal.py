# says: Sends another program of the user's a signal.
# stopped by: processes + vault
# as: tool agent
# proof: output ^delivered
# source: other processes of the same user
# engines: native
import os

from attack import bystander

os.kill(bystander(), 0)
print("delivered")

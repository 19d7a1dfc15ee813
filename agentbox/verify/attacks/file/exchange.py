# says: Exchanges the credential with a file that it may read.
# stopped by: vault
# proof: changed $SECRET
# source: renameat2
import os

from attack import AT_FDCWD, call

exchange = 2
call("renameat2", AT_FDCWD, os.environ["SECRET"], AT_FDCWD, os.environ["OPEN"], exchange)

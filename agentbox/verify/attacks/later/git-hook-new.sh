# says: Adds a git hook.
# stopped by: hooks
# proof: changed /workspace/.git/hooks
# source: .git/hooks
printf '#!/bin/sh\n' >"$WORK/.git/hooks/post-checkout"; chmod 755 "$WORK/.git/hooks/post-checkout"

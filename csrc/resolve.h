/* Where a path really leads. */
#ifndef AGENTBOX_RESOLVE_H
#define AGENTBOX_RESOLVE_H

#include "vault.h"

/* The path that the kernel shows for an open file, in `out` (VAULT_PATH_MAX bytes). */
bool vault_path_of(int fd, char *out);

/* The real path of `path` as seen from `dir`. A last component that is not there, or is not to be followed, is taken as it
 * stands, below the real path of its directory. False if there is no such place. */
bool vault_resolve(int dir, const char *path, bool follow, char *out);

#endif

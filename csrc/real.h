/* The next definition of each wrapped function, looked up at its first use and kept. */
#ifndef AGENTBOX_REAL_H
#define AGENTBOX_REAL_H

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wordexp.h>

/* What the fortified programs call, and what newer headers declare. */
int __open_2(const char *path, int flags);
int __openat_2(int dir, const char *path, int flags);
int pidfd_spawn(int *fd, const char *path, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attributes,
		char *const argv[], char *const environment[]);
int pidfd_spawnp(int *fd, const char *file, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attributes,
		 char *const argv[], char *const environment[]);

struct vault_real {
#define WRAPPER(name) __typeof__(name) *name;
#define OPTIONAL(name) __typeof__(name) *name;
#define TWIN(name, of)
#include "wrappers.h"
#undef WRAPPER
#undef OPTIONAL
#undef TWIN
};

extern struct vault_real real;

/* Fills in one. A function that this libc lacks answers ENOSYS, as a number: only the optional ones, which return errors so,
 * can be missing. */
void vault_find(void *slot, const char *name);

/* Fills in all that libc must have: the agent's wrappers run in its vforked children, where looking up is too late. */
void vault_find_all(void);

#define NEED(name) do { if (!real.name) vault_find(&real.name, #name); } while (0)

#endif

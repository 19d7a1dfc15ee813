/* The next definition of each wrapped function, looked up at its first use and kept. */
#ifndef AGENTBOX_REAL_H
#define AGENTBOX_REAL_H

#include <fcntl.h>
#include <stdio.h>

/* What the fortified programs call; the headers do not declare them. */
int __open_2(const char *path, int flags);
int __openat_2(int dir, const char *path, int flags);

struct vault_real {
#define WRAPPER(name) __typeof__(name) *name;
#define TWIN(name, of)
#include "wrappers.h"
#undef WRAPPER
#undef TWIN
};

extern struct vault_real real;

/* Fills in one. Never returns without: a libc that lacks the function could not have called its wrapper. */
void vault_find(void *slot, const char *name);

#define NEED(name) do { if (!real.name) vault_find(&real.name, #name); } while (0)

#endif

/* The exported wrappers, and nothing else. Each asks the guard, then calls the original; the guard alone decides. */
#include <errno.h>
#include <stdarg.h>

#include "guard.h"
#include "real.h"

#define VAULT_EXPORT __attribute__((visibility("default")))

/* Exact twins on 64-bit Linux: one function under several names. That fopen's result is fresh memory (its attribute) is
 * of no use to callers outside this object. */
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmissing-attributes"
#endif
#define TWIN(name, of) extern __typeof__(of) name __attribute__((alias(#of), visibility("default")));
#define WRAPPER(name)
#define OPTIONAL(name)
#include "wrappers.h"

VAULT_EXPORT int open(const char *path, int flags, ...)
{
	va_list more;
	mode_t mode;

	va_start(more, flags);
	mode = vault_mode(flags, &more);
	va_end(more);
	NEED(open);
	return vault_may_open("open", AT_FDCWD, path, flags) ? real.open(path, flags, mode) : -1;
}

VAULT_EXPORT int openat(int dir, const char *path, int flags, ...)
{
	va_list more;
	mode_t mode;

	va_start(more, flags);
	mode = vault_mode(flags, &more);
	va_end(more);
	NEED(openat);
	return vault_may_open("openat", dir, path, flags) ? real.openat(dir, path, flags, mode) : -1;
}

VAULT_EXPORT int __open_2(const char *path, int flags)
{
	NEED(__open_2);
	return vault_may_open("open", AT_FDCWD, path, flags) ? real.__open_2(path, flags) : -1;
}

VAULT_EXPORT int __openat_2(int dir, const char *path, int flags)
{
	NEED(__openat_2);
	return vault_may_open("openat", dir, path, flags) ? real.__openat_2(dir, path, flags) : -1;
}

VAULT_EXPORT int creat(const char *path, mode_t mode)
{
	NEED(creat);
	return vault_may_open("creat", AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC) ? real.creat(path, mode) : -1;
}

VAULT_EXPORT FILE *fopen(const char *path, const char *mode)
{
	NEED(fopen);
	return vault_may_fopen("fopen", path, mode) ? real.fopen(path, mode) : NULL;
}

VAULT_EXPORT FILE *freopen(const char *path, const char *mode, FILE *stream)
{
	NEED(freopen);
	return vault_may_fopen("freopen", path, mode) ? real.freopen(path, mode, stream) : NULL;
}

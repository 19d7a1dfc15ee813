/* The exported wrappers, and nothing else. Each asks the guard, then calls the original; the guard alone decides. */
#include <errno.h>
#include <stdarg.h>

#include "abi.h"
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
	return vault_may_open("open", AT_FDCWD, path, &flags) ? real.open(path, flags, mode) : -1;
}

VAULT_EXPORT int openat(int dir, const char *path, int flags, ...)
{
	va_list more;
	mode_t mode;

	va_start(more, flags);
	mode = vault_mode(flags, &more);
	va_end(more);
	NEED(openat);
	return vault_may_open("openat", dir, path, &flags) ? real.openat(dir, path, flags, mode) : -1;
}

VAULT_EXPORT int __open_2(const char *path, int flags)
{
	NEED(__open_2);
	return vault_may_open("open", AT_FDCWD, path, &flags) ? real.__open_2(path, flags) : -1;
}

VAULT_EXPORT int __openat_2(int dir, const char *path, int flags)
{
	NEED(__openat_2);
	return vault_may_open("openat", dir, path, &flags) ? real.__openat_2(dir, path, flags) : -1;
}

VAULT_EXPORT int creat(const char *path, mode_t mode)
{
	int flags = O_CREAT | O_WRONLY | O_TRUNC;

	NEED(open);
	return vault_may_open("creat", AT_FDCWD, path, &flags) ? real.open(path, flags, mode) : -1;
}

VAULT_EXPORT FILE *fopen(const char *path, const char *mode)
{
	char longer[VAULT_MODE_MAX];

	NEED(fopen);
	mode = vault_may_fopen("fopen", path, mode, longer);
	return mode ? real.fopen(path, mode) : NULL;
}

VAULT_EXPORT FILE *freopen(const char *path, const char *mode, FILE *stream)
{
	char longer[VAULT_MODE_MAX];

	NEED(freopen);
	mode = vault_may_fopen("freopen", path, mode, longer);
	return mode ? real.freopen(path, mode, stream) : NULL;
}

VAULT_EXPORT int truncate(const char *path, off_t size)
{
	int result;

	NEED(truncate);
	if (!vault_may_change("truncate", AT_FDCWD, path))
		return -1;
	result = real.truncate(path, size);
	return result < 0 && errno == EACCES ? vault_truncate(path, size) : result;
}

VAULT_EXPORT int unlink(const char *path)
{
	NEED(unlink);
	return vault_may_name("unlink", AT_FDCWD, path) ? real.unlink(path) : -1;
}

VAULT_EXPORT int unlinkat(int dir, const char *path, int flags)
{
	NEED(unlinkat);
	return vault_may_name("unlink", dir, path) ? real.unlinkat(dir, path, flags) : -1;
}

VAULT_EXPORT int remove(const char *path)
{
	NEED(remove);
	return vault_may_name("unlink", AT_FDCWD, path) ? real.remove(path) : -1;
}

VAULT_EXPORT int rmdir(const char *path)
{
	NEED(rmdir);
	return vault_may_name("rmdir", AT_FDCWD, path) ? real.rmdir(path) : -1;
}

VAULT_EXPORT int mkdir(const char *path, mode_t mode)
{
	NEED(mkdir);
	return vault_may_name("mkdir", AT_FDCWD, path) ? real.mkdir(path, mode) : -1;
}

VAULT_EXPORT int mkdirat(int dir, const char *path, mode_t mode)
{
	NEED(mkdirat);
	return vault_may_name("mkdir", dir, path) ? real.mkdirat(dir, path, mode) : -1;
}

static bool may_move(const char *operation, int from_dir, const char *from, int to_dir, const char *to)
{
	return vault_may_name(operation, from_dir, from) && vault_may_name(operation, to_dir, to);
}

VAULT_EXPORT int link(const char *from, const char *to)
{
	NEED(link);
	return may_move("link", AT_FDCWD, from, AT_FDCWD, to) ? real.link(from, to) : -1;
}

VAULT_EXPORT int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
	NEED(linkat);
	if ((flags & AT_SYMLINK_FOLLOW) && !vault_may_change("link", from_dir, from))
		return -1;
	return may_move("link", from_dir, from, to_dir, to) ? real.linkat(from_dir, from, to_dir, to, flags) : -1;
}

VAULT_EXPORT int symlink(const char *target, const char *path)
{
	NEED(symlink);
	return vault_may_name("symlink", AT_FDCWD, path) ? real.symlink(target, path) : -1;
}

VAULT_EXPORT int symlinkat(const char *target, int dir, const char *path)
{
	NEED(symlinkat);
	return vault_may_name("symlink", dir, path) ? real.symlinkat(target, dir, path) : -1;
}

VAULT_EXPORT int rename(const char *from, const char *to)
{
	NEED(rename);
	return may_move("rename", AT_FDCWD, from, AT_FDCWD, to) ? real.rename(from, to) : -1;
}

VAULT_EXPORT int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	NEED(renameat);
	return may_move("rename", from_dir, from, to_dir, to) ? real.renameat(from_dir, from, to_dir, to) : -1;
}

VAULT_EXPORT int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
	NEED(renameat2);
	return may_move("rename", from_dir, from, to_dir, to) ? real.renameat2(from_dir, from, to_dir, to, flags) : -1;
}

VAULT_EXPORT int posix_spawn_file_actions_addopen(posix_spawn_file_actions_t *actions, int fd, const char *path, int flags,
						  mode_t mode)
{
	NEED(posix_spawn_file_actions_addopen);
	if (!vault_may_open("posix_spawn", AT_FDCWD, path, &flags))
		return EACCES;
	return real.posix_spawn_file_actions_addopen(actions, fd, path, flags, mode);
}

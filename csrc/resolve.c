#include <string.h>

#include "resolve.h"
#include "say.h"
#include "sys.h"

bool vault_path_of(int fd, char *out)
{
	char link[40] = "/proc/self/fd/";
	long len;

	vault_decimal(fd, link + strlen(link));
	len = sys_readlinkat(AT_FDCWD, link, out, VAULT_PATH_MAX - 1);
	if (len < 0)
		return false;
	out[len] = '\0';
	return true;
}

static bool real_path(int dir, const char *path, char *out)
{
	int fd = sys_openat(dir, path, O_PATH | O_CLOEXEC, 0);
	bool found = fd >= 0 && vault_path_of(fd, out);

	if (fd >= 0)
		sys_close(fd);
	return found;
}

/* Splits a copy of the path before its last component. */
static char *last_component(const char *path, char *directory)
{
	size_t len = strlen(path);
	char *name;

	if (len == 0 || len >= VAULT_PATH_MAX)
		return NULL;
	memcpy(directory, path, len + 1);
	while (len > 1 && directory[len - 1] == '/')
		directory[--len] = '\0';
	name = strrchr(directory, '/');
	if (!name)
		return directory;
	*name = '\0';
	return name + 1;
}

bool vault_resolve(int dir, const char *path, bool follow, char *out)
{
	char copy[VAULT_PATH_MAX];
	const char *name, *parent;
	size_t used, len;

	if (follow && real_path(dir, path, out))
		return true;
	name = last_component(path, copy);
	if (!name || strcmp(name, "..") == 0 || strcmp(name, ".") == 0)
		return real_path(dir, path, out);
	parent = name == copy ? "." : *copy ? copy : "/";
	if (!real_path(dir, parent, out))
		return false;
	used = strlen(out);
	len = strlen(name);
	if (used + 1 + len >= VAULT_PATH_MAX)
		return false;
	if (used > 1)
		out[used++] = '/';
	memcpy(out + used, name, len + 1);
	return true;
}

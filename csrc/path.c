/* Paths as text: no file system is asked. */
#include <string.h>

#include "vault.h"

bool vault_normalise(const char *path, char *out)
{
	size_t used = 0;

	while (*path) {
		const char *end;
		size_t len;

		while (*path == '/')
			path++;
		end = strchrnul(path, '/');
		len = (size_t)(end - path);
		if (len == 2 && path[0] == '.' && path[1] == '.') {
			while (used && out[--used] != '/')
				;
		} else if (len && !(len == 1 && path[0] == '.')) {
			if (used + 1 + len >= VAULT_PATH_MAX)
				return false;
			out[used++] = '/';
			memcpy(out + used, path, len);
			used += len;
		}
		path = end;
	}
	if (used == 0)
		out[used++] = '/';
	out[used] = '\0';
	return true;
}

bool vault_is_normal(const char *path, size_t len)
{
	char plain[VAULT_PATH_MAX];

	return len > 0 && path[0] == '/' && vault_normalise(path, plain) && strcmp(path, plain) == 0;
}

/* The usual design of such a preload, as the peer to beat: strstr on the path, dlsym at each call, and the process's name from
 * /proc/self/cmdline. It stops the easy routes only; here it is measured, not used. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int is_agent(void)
{
	static int known = -1;
	char line[256] = "";
	FILE *(*original)(const char *, const char *) = (FILE *(*)(const char *, const char *))dlsym(RTLD_NEXT, "fopen");
	FILE *file;

	if (known >= 0)
		return known;
	file = original("/proc/self/cmdline", "r");
	if (file) {
		if (!fgets(line, sizeof line, file))
			line[0] = '\0';
		fclose(file);
	}
	known = strcmp(line, "agent") == 0;
	return known;
}

static int blocked(const char *path)
{
	static const char *const names[] = {"auth.json", ".credentials.json", ".claude.json", ".hermes/.env", "mcp-auth.json"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (path && strstr(path, names[i]) && !is_agent())
			return 1;
	return 0;
}

__attribute__((constructor)) static void start(void)
{
	is_agent();
}

#define OPEN(name) \
	int name(const char *path, int flags, ...) \
	{ \
		int (*original)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, #name); \
		va_list more; \
		mode_t mode; \
\
		va_start(more, flags); \
		mode = va_arg(more, mode_t); \
		va_end(more); \
		if (blocked(path)) { \
			errno = EACCES; \
			return -1; \
		} \
		return original(path, flags, mode); \
	}
OPEN(open)
OPEN(open64)

#define FOPEN(name) \
	FILE *name(const char *path, const char *mode) \
	{ \
		FILE *(*original)(const char *, const char *) = (FILE *(*)(const char *, const char *))dlsym(RTLD_NEXT, #name); \
\
		if (blocked(path)) { \
			errno = EACCES; \
			return NULL; \
		} \
		return original(path, mode); \
	}
FOPEN(fopen)
FOPEN(fopen64)

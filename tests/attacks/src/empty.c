/* Static: empty WAY FILE, without the right to write to it. Exit 0 if that worked, else errno on stderr. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { NEITHER = O_ACCMODE };	/* opened neither to read nor to write */

static long by_openat2(const char *path)
{
	struct { uint64_t flags, mode, resolve; } how = {O_RDONLY | O_TRUNC, 0, 0};

	return syscall(437, AT_FDCWD, path, &how, sizeof how);
}

int main(int argc, char **argv)
{
	const char *way = argc == 3 ? argv[1] : "", *path = argv[2];
	long result = -2;

	if (strcmp(way, "truncate") == 0)
		result = syscall(SYS_truncate, path, 0);
	if (strcmp(way, "openat") == 0)
		result = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_TRUNC);
	if (strcmp(way, "openat-neither") == 0)
		result = syscall(SYS_openat, AT_FDCWD, path, NEITHER | O_TRUNC);
	if (strcmp(way, "openat-high-bits") == 0)
		result = syscall(SYS_openat, (long)AT_FDCWD, path, INT64_C(1) << 32 | O_RDONLY | O_TRUNC);
	if (strcmp(way, "openat2") == 0)
		result = by_openat2(path);
#if defined(__x86_64__)
	if (strcmp(way, "open") == 0)
		result = syscall(SYS_open, path, O_RDONLY | O_TRUNC);
	if (strcmp(way, "x32-truncate") == 0)
		result = syscall(0x40000000 | SYS_truncate, path, 0);
	if (strcmp(way, "i386-truncate") == 0)
		__asm__ volatile("int $0x80" : "=a"(result) : "a"(92), "b"(path), "c"(0) : "memory");
#endif
	if (result == -1)
		perror(way);
	return result < 0 ? result == -2 ? 2 : 1 : 0;
}

/* Linked into the agent: an allocator of the program's own that makes system calls through libc, as Bun's does. libc's dlsym
 * calls it too, so it may run in the middle of the vault's start. */
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static _Alignas(16) char arena[16 << 20];
static size_t used;

void *malloc(size_t size)
{
	size_t *start = (size_t *)(arena + used);

	close((int)syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDONLY, 0));
	used += (size + 16 + 15) & ~(size_t)15;
	if (used > sizeof arena)
		return NULL;
	*start = size;
	return start + 2;
}

void free(void *pointer)
{
	(void)pointer;
}

void *calloc(size_t count, size_t size)
{
	void *pointer = malloc(count * size);

	return pointer ? memset(pointer, 0, count * size) : NULL;
}

void *realloc(void *old, size_t size)
{
	void *pointer = malloc(size);

	if (old && pointer)
		memcpy(pointer, old, ((size_t *)old)[-2] < size ? ((size_t *)old)[-2] : size);
	return pointer;
}

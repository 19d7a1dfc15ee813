/* libc's string functions for the inside of this object. Each of libc's own would be looked up at its first call, about a
 * microsecond in every process that starts, and what is compared here is short. */
#include <string.h>

/* Keeps the compiler from turning a loop into a call of the very function that it implements. */
#define PLAIN_LOOP __asm__ volatile("")

size_t strlen(const char *text)
{
	const char *end = text;

	for (; *end; end++)
		PLAIN_LOOP;
	return (size_t)(end - text);
}

char *strchrnul(const char *text, int wanted)
{
	for (; *text && *text != (char)wanted; text++)
		PLAIN_LOOP;
	return (char *)text;
}

char *strchr(const char *text, int wanted)
{
	text = strchrnul(text, wanted);
	return *text == (char)wanted ? (char *)text : NULL;
}

char *strrchr(const char *text, int wanted)
{
	const char *found = NULL;

	for (;; text++) {
		PLAIN_LOOP;
		if (*text == (char)wanted)
			found = text;
		if (!*text)
			return (char *)found;
	}
}

int strcmp(const char *one, const char *other)
{
	for (; *one && *one == *other; one++, other++)
		PLAIN_LOOP;
	return (unsigned char)*one - (unsigned char)*other;
}

int strncmp(const char *one, const char *other, size_t len)
{
	for (; len && *one && *one == *other; one++, other++, len--)
		PLAIN_LOOP;
	return len ? (unsigned char)*one - (unsigned char)*other : 0;
}

char *strstr(const char *text, const char *wanted)
{
	size_t len = strlen(wanted);

	for (; len && *text; text++)
		if (*text == *wanted && strncmp(text, wanted, len) == 0)
			return (char *)text;
	return len ? NULL : (char *)text;
}

void *memchr(const void *memory, int wanted, size_t len)
{
	const unsigned char *at = memory;

	for (; len; at++, len--) {
		PLAIN_LOOP;
		if (*at == (unsigned char)wanted)
			return (void *)at;
	}
	return NULL;
}

int memcmp(const void *one, const void *other, size_t len)
{
	const unsigned char *a = one, *b = other;

	for (; len; a++, b++, len--) {
		PLAIN_LOOP;
		if (*a != *b)
			return *a - *b;
	}
	return 0;
}

void *memcpy(void *restrict to, const void *restrict from, size_t len)
{
	unsigned char *out = to;
	const unsigned char *in = from;

	for (; len; len--) {
		PLAIN_LOOP;
		*out++ = *in++;
	}
	return to;
}

void *memset(void *memory, int value, size_t len)
{
	unsigned char *out = memory;

	for (; len; len--) {
		PLAIN_LOOP;
		*out++ = (unsigned char)value;
	}
	return memory;
}

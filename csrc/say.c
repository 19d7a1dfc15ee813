#include <stdarg.h>
#include <string.h>

#include "say.h"
#include "sys.h"

enum { LINE = 1024 };

static void say(const char *first, va_list parts)
{
	char line[LINE];
	size_t used = 0;

	for (const char *part = first; part; part = va_arg(parts, const char *)) {
		size_t len = strlen(part), room = sizeof line - 1 - used;

		len = len < room ? len : room;
		memcpy(line + used, part, len);
		used += len;
	}
	line[used++] = '\n';
	sys_write(2, line, used);
}

void vault_say(const char *first, ...)
{
	va_list parts;

	va_start(parts, first);
	say(first, parts);
	va_end(parts);
}

void vault_die(int status, const char *first, ...)
{
	va_list parts;

	va_start(parts, first);
	say(first, parts);
	va_end(parts);
	sys_exit(status);
}

char *vault_decimal(long number, char *out)
{
	char digits[24];
	size_t n = 0, used = 0;
	unsigned long rest = number < 0 ? -(unsigned long)number : (unsigned long)number;

	do
		digits[n++] = (char)('0' + rest % 10);
	while (rest /= 10);
	if (number < 0)
		out[used++] = '-';
	while (n)
		out[used++] = digits[--n];
	out[used] = '\0';
	return out;
}

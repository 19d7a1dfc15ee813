/* Written by tools, with their own rights: a tool could write such lines itself, or fill the file. It is there to tell people
 * what happened, not to convict. Never waits: no lock, O_NONBLOCK, one write. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "audit.h"
#include "process.h"
#include "say.h"
#include "sys.h"

struct line {
	size_t used;
	char text[2 * VAULT_PATH_MAX];
};

static void put(struct line *line, const char *text)
{
	size_t len = strlen(text), room = sizeof line->text - line->used;

	len = len < room ? len : room;
	memcpy(line->text + line->used, text, len);
	line->used += len;
}

static void put_byte(struct line *line, unsigned char byte)
{
	static const char hex[] = "0123456789abcdef";
	char plain[] = {(char)byte, '\0'}, escape[] = "\\u0000";

	if (byte >= ' ' && byte < 0x7f && byte != '"' && byte != '\\') {
		put(line, plain);
		return;
	}
	/* A byte that is not ASCII becomes the lone surrogate that Python's os.fsencode turns into the byte again. */
	if (byte >= 0x80)
		memcpy(escape + 2, "dc", 2);
	escape[4] = hex[byte >> 4];
	escape[5] = hex[byte & 15];
	put(line, escape);
}

/* ,"key":"value", the value at most 1,024 bytes: a line stays small enough for one write. */
static void put_pair(struct line *line, const char *key, const char *value)
{
	put(line, line->used ? ",\"" : "{\"");
	put(line, key);
	put(line, "\":\"");
	for (size_t i = 0; i < 1024 && value[i]; i++)
		put_byte(line, (unsigned char)value[i]);
	put(line, "\"");
}

static void put_number(struct line *line, const char *key, long value)
{
	char digits[24];

	put(line, line->used ? ",\"" : "{\"");
	put(line, key);
	put(line, "\":");
	put(line, vault_decimal(value, digits));
}

static void append(const char *path, const struct line *line)
{
	int fd = sys_openat(AT_FDCWD, path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC, 0600);
	struct stat status;

	if (fd < 0)
		return;
	if (sys_stat(fd, "", &status, AT_EMPTY_PATH) == 0 && S_ISREG(status.st_mode) && status.st_size < VAULT_AUDIT_MAX)
		sys_write(fd, line->text, line->used);
	sys_close(fd);
}

static void record(const struct vault_policy *policy, const char *operation, const char *path, const char *rule)
{
	struct line line = {.used = 0};
	struct timespec now = {0, 0};
	char exe[VAULT_PATH_MAX];
	long len = sys_readlinkat(AT_FDCWD, "/proc/self/exe", exe, sizeof exe - 1);

	exe[len > 0 ? len : 0] = '\0';
	sys_call(SYS_clock_gettime, CLOCK_REALTIME, (long)&now, 0, 0, 0, 0);
	put_number(&line, "time", now.tv_sec);
	if (policy->agent.text)
		put_pair(&line, "agent", policy->agent.text);
	put_number(&line, "pid", sys_getpid());
	put_pair(&line, "exe", exe);
	put_pair(&line, "operation", operation);
	put_pair(&line, "path", path);
	put_pair(&line, "rule", rule ? rule : "");
	put(&line, "}\n");
	if (line.used < sizeof line.text)
		append(policy->audit.text, &line);
}

bool vault_deny(const char *operation, const char *path, const char *rule)
{
	const struct vault_policy *policy = vault_policy();

	if (policy->audit.text)
		record(policy, operation, path, rule);
	errno = EACCES;
	return false;
}

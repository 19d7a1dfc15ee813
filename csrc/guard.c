#include <errno.h>
#include <string.h>

#include "audit.h"
#include "guard.h"
#include "process.h"
#include "resolve.h"

static bool starts_with(const char *path, const char *start)
{
	while (*start && *path == *start)
		path++, start++;
	return !*start;
}

/* Trees of the image that no tool can write: no symlink of a tool's making leads from there into the vault. */
static bool is_plain(const char *path)
{
	static const char trees[][8] = {"/usr/", "/etc/", "/lib/", "/lib64/", "/bin/", "/sbin/", "/opt/"};

	for (size_t i = 0; i < sizeof trees / sizeof *trees; i++)
		if (starts_with(path, trees[i]))
			return true;
	return false;
}

static bool denies(struct vault_verdict verdict, enum vault_right needed)
{
	return __builtin_expect(verdict.right < needed, 0);
}

/* By where the path really leads. Apart from `allowed`, so that its buffer costs only those who need it a page of stack. */
static __attribute__((noinline)) bool leads_to_allowed(const char *operation, int dir, const char *path, bool follow,
						       enum vault_right needed)
{
	const struct vault_policy *policy = vault_policy();
	struct vault_verdict verdict;
	char real[VAULT_PATH_MAX];

	if (!vault_resolve(dir, path, follow, real))
		return true;
	verdict = vault_judge(policy, real);
	if (denies(verdict, needed))
		return vault_deny(operation, real, verdict.rule);
	if (!follow && vault_stricter_below(policy, real, strlen(real), VAULT_WRITE))
		return vault_deny(operation, real, "a protected path is below");
	return true;
}

/* By the text first. Where the kernel stands behind us that is all. */
static bool allowed(const char *operation, int dir, const char *path, bool follow, enum vault_right needed)
{
	struct vault_verdict verdict = vault_judge(vault_policy(), path);

	if (denies(verdict, needed))
		return vault_deny(operation, path, verdict.rule);
	return vault_process.kernel || is_plain(path) || leads_to_allowed(operation, dir, path, follow, needed);
}

static bool may(const char *operation, int dir, const char *path, bool follow, enum vault_right needed)
{
	vault_ensure_ready();
	return vault_process.role != VAULT_TOOL || !path || allowed(operation, dir, path, follow, needed);
}

static bool is_agents_own(const char *path)
{
	vault_ensure_ready();
	return vault_process.role == VAULT_AGENT && path && vault_judge(vault_policy(), path).right == VAULT_DENY;
}

bool vault_may_open(const char *operation, int dir, const char *path, int *flags)
{
	bool writes = (*flags & O_ACCMODE) != O_RDONLY || (*flags & (O_CREAT | O_TRUNC));
	bool follow = !(*flags & O_NOFOLLOW);

	if (is_agents_own(path))
		*flags |= O_CLOEXEC;
	if (*flags & O_PATH)
		writes = false;
	return may(operation, dir, path, follow, writes ? VAULT_WRITE : VAULT_READ);
}

const char *vault_may_fopen(const char *operation, const char *path, const char *mode, char longer[VAULT_MODE_MAX])
{
	bool writes = mode[0] != 'r' || strchr(mode, '+');
	size_t len = strlen(mode);

	if (!may(operation, AT_FDCWD, path, true, writes ? VAULT_WRITE : VAULT_READ))
		return NULL;
	if (len + 2 > VAULT_MODE_MAX || strchr(mode, ',') || !is_agents_own(path))
		return mode;
	memcpy(longer, mode, len);
	memcpy(longer + len, "e", 2);
	return longer;
}

bool vault_may_change(const char *operation, int dir, const char *path)
{
	return may(operation, dir, path, true, VAULT_WRITE);
}

bool vault_may_name(const char *operation, int dir, const char *path)
{
	return may(operation, dir, path, false, VAULT_WRITE);
}

/* Landlock grants, it cannot deny: so every entry of / is granted whole but the one that leads to the vault and /dev, and below
 * them the walk goes down to each protected path and grants its siblings. What nobody granted, also what appears later under a
 * protected name, stays closed. */
#include <errno.h>
#include <string.h>
#include <sys/prctl.h>

#include "domain.h"
#include "place.h"
#include "sight.h"
#include "sys.h"

/* Older headers lack some of these. The numbers are the same on every architecture. */
enum { CREATE_RULESET = 444, ADD_RULE = 445, RESTRICT_SELF = 446 };
enum { RULE_PATH_BENEATH = 1, DEPTH_MAX = 32, DIRENTS = 1024 };

#define EXECUTE (UINT64_C(1) << 0)
#define WRITE_FILE (UINT64_C(1) << 1)
#define READ_FILE (UINT64_C(1) << 2)
#define READ_DIR (UINT64_C(1) << 3)
#define REFER (UINT64_C(1) << 13)
#define TRUNCATE (UINT64_C(1) << 14)
#define IOCTL_DEV (UINT64_C(1) << 15)
#define FIRST_ABI (REFER - 1)
#define ON_FILES (EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV)
#define TO_READ (EXECUTE | READ_FILE | READ_DIR)
#define SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS UINT64_C(3)

struct ruleset {
	uint64_t fs, net, scoped;
};

struct beneath {
	uint64_t access;
	int32_t fd;
} __attribute__((packed));

struct dirent64 {
	uint64_t ino;
	int64_t off;
	unsigned short size;
	unsigned char type;
	char name[];
};

enum { TYPE_UNKNOWN = 0, TYPE_DIRECTORY = 4, TYPE_SYMLINK = 10 };

struct walk {
	const struct vault_policy *policy;
	struct vault_sight *sight;
	int ruleset, depth;
	uint64_t handled;
	size_t len;
	char path[VAULT_PATH_MAX];
};

bool vault_is_confined(void)
{
	int fd = sys_openat(AT_FDCWD, vault_probe_link, O_RDONLY | O_CLOEXEC, 0);

	if (fd >= 0)
		sys_close(fd);
	return fd == -EACCES;
}

static int allow(struct walk *walk, int fd, bool directory, uint64_t access)
{
	struct beneath rule = {access & walk->handled & (directory ? ~UINT64_C(0) : ON_FILES), fd};

	return (int)sys_call(ADD_RULE, walk->ruleset, RULE_PATH_BENEATH, (long)&rule, 0, 0, 0);
}

static int grant(struct walk *walk, int dir, const char *name, bool directory, enum vault_right right)
{
	int fd = sys_openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0), result;

	if (fd < 0)	/* gone since, or behind a directory that this user cannot enter: nothing to grant */
		return fd == -ENOENT || fd == -EACCES ? 0 : fd;
	result = allow(walk, fd, directory, right == VAULT_WRITE ? ~UINT64_C(0) : TO_READ);
	sys_close(fd);
	return result;
}

/* A temporary file of the agent that will be renamed over a protected one keeps its inode, and a grant follows the inode: what
 * carries a protected file's name in its own, in the same directory, is not granted. `directory` is that directory's length. */
static bool carries_protected_name(const struct walk *walk, size_t directory, const char *name)
{
	const struct vault_policy *policy = walk->policy;

	for (size_t i = 0; i < policy->names; i++)
		if (strstr(name, policy->name[i].text))
			return true;
	for (size_t i = 0; i < policy->rules; i++) {
		const char *path = policy->rule[i].path.text, *slash = strrchr(path, '/');

		if (policy->rule[i].right == VAULT_DENY && (size_t)(slash - path) == directory &&
		    memcmp(path, walk->path, directory) == 0 && strstr(name, slash + 1))
			return true;
	}
	return false;
}

/* What bubblewrap and engines call the agent's own terminal: who opens it reads what is typed. */
#define DEVICES "/dev"
#define CONSOLE DEVICES "/console"

enum step { SKIP, GRANT, DESCEND };

static enum step decide_outside(const struct walk *walk)
{
	struct vault_text here = {walk->path, walk->len};

	if (strcmp(walk->path, CONSOLE) == 0)
		return SKIP;
	if (strcmp(walk->path, DEVICES) == 0)
		return DESCEND;
	return vault_is_under(walk->policy->vault.text, walk->policy->vault.len, &here) ? DESCEND : GRANT;
}

static enum step decide(const struct walk *walk, const char *name, bool directory, enum vault_right *right)
{
	const struct vault_policy *policy = walk->policy;

	*right = VAULT_WRITE;
	if (!vault_is_under(walk->path, walk->len, &policy->vault))
		return decide_outside(walk);
	if (walk->len == policy->vault.len)
		return DESCEND;
	*right = vault_judge(policy, walk->path).right;
	if (*right == VAULT_DENY || (!directory && carries_protected_name(walk, walk->len - strlen(name) - 1, name)))
		return SKIP;
	if (walk->len == policy->vault.len + sizeof "/" VAULT_PROBE - 1 && strcmp(name, VAULT_PROBE) == 0)
		return SKIP;
	return directory && vault_stricter_below(policy, walk->path, walk->len, *right) ? DESCEND : GRANT;
}

static int descend(struct walk *walk, int dir, const char *name);

static bool is_directory(int dir, const struct dirent64 *entry)
{
	struct stat status;

	if (entry->type != TYPE_UNKNOWN)
		return entry->type == TYPE_DIRECTORY;
	return sys_stat(dir, entry->name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(status.st_mode);
}

static int visit(struct walk *walk, int dir, const struct dirent64 *entry)
{
	size_t before = walk->len, len = strlen(entry->name);
	bool directory = is_directory(dir, entry);
	enum vault_right right;
	int result = 0;

	if (entry->type == TYPE_SYMLINK || strcmp(entry->name, ".") == 0 || strcmp(entry->name, "..") == 0)
		return 0;
	if (before + 1 + len >= sizeof walk->path)
		return -ENAMETOOLONG;
	walk->path[walk->len++] = '/';
	memcpy(walk->path + walk->len, entry->name, len + 1);
	walk->len += len;
	switch (decide(walk, entry->name, directory, &right)) {
	case GRANT:
		result = grant(walk, dir, entry->name, directory, right);
		break;
	case DESCEND:
		result = descend(walk, dir, entry->name);
		break;
	case SKIP:
		break;
	}
	walk->path[walk->len = before] = '\0';
	return result;
}

static int each_listed(struct walk *walk, int fd, const char *entries, long len)
{
	int result = 0;

	for (long at = 0; at < len && result >= 0;) {
		const struct dirent64 *entry = (const struct dirent64 *)(entries + at);

		result = visit(walk, fd, entry);
		at += entry->size;
	}
	return result;
}

static int each_entry(struct walk *walk, int fd)
{
	char buffer[DIRENTS] __attribute__((aligned(8)));
	long got;

	while ((got = sys_getdents(fd, buffer, sizeof buffer)) > 0) {
		int result = each_listed(walk, fd, buffer, got);

		if (result < 0)
			return result;
	}
	return (int)got;
}

void vault_list_root(struct vault_listing *out)
{
	int fd = sys_openat(AT_FDCWD, "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	long got = fd < 0 ? fd : 1, used = 0;

	while (got > 0 && (got = sys_getdents(fd, out->entries + used, sizeof out->entries - (size_t)used)) > 0)
		used += got;
	if (fd >= 0)
		sys_close(fd);
	out->len = got < 0 ? 0 : used;
}

static int descend(struct walk *walk, int dir, const char *name)
{
	int fd = sys_openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0), result;

	if (fd < 0)
		return fd == -ENOENT || fd == -ENOTDIR ? 0 : fd;
	vault_sight_add(walk->sight, walk->path, fd, true);
	if (walk->depth == DEPTH_MAX) {
		sys_close(fd);
		return -ELOOP;
	}
	walk->depth++;
	result = each_entry(walk, fd);
	walk->depth--;
	sys_close(fd);
	return result;
}

/* The right of the directory that a rule's path lies in; walk->path is left holding the rule's path. */
static enum vault_right right_around(struct walk *walk, const struct vault_rule *rule)
{
	enum vault_right right;
	char *slash;

	memcpy(walk->path, rule->path.text, rule->path.len + 1);
	walk->len = rule->path.len;
	slash = strrchr(walk->path, '/');
	*slash = '\0';
	right = vault_judge(walk->policy, walk->path).right;
	*slash = '/';
	return right;
}

static int allow_whole(struct walk *walk, int fd, enum vault_right right)
{
	struct stat status;

	if (sys_stat(fd, "", &status, AT_EMPTY_PATH) != 0)
		return 0;
	return allow(walk, fd, S_ISDIR(status.st_mode), right == VAULT_WRITE ? ~UINT64_C(0) : TO_READ);
}

/* A path that permits more than what it lies in: the walk stopped above it. */
static int raise_one(struct walk *walk, const struct vault_rule *rule)
{
	int fd, result;

	if (right_around(walk, rule) >= rule->right || vault_judge(walk->policy, walk->path).right != rule->right)
		return 0;
	fd = vault_open_plain(rule->path.text);
	vault_sight_add(walk->sight, rule->path.text, fd, false);
	if (fd < 0)
		return 0;
	if (vault_stricter_below(walk->policy, rule->path.text, rule->path.len, rule->right))
		result = descend(walk, fd, ".");
	else
		result = allow_whole(walk, fd, rule->right);
	sys_close(fd);
	return result;
}

/* One of the policy's own places. What it lies in is not ours to list, and nobody's inside to change: a domain stands around this
 * one. */
static int grant_place(struct walk *walk, const struct vault_text *place)
{
	enum vault_right right = vault_judge(walk->policy, place->text).right;
	int fd, result;

	if (right == VAULT_DENY)
		return 0;
	fd = vault_open_plain(place->text);
	if (fd < 0)
		return 0;
	memcpy(walk->path, place->text, place->len + 1);
	walk->len = place->len;
	if (vault_stricter_below(walk->policy, place->text, place->len, right))
		result = allow(walk, fd, true, READ_DIR) ?: descend(walk, fd, ".");
	else
		result = allow_whole(walk, fd, right);
	sys_close(fd);
	return result;
}

static int from_root(struct walk *walk, const struct vault_listing *listing)
{
	int root = sys_openat(AT_FDCWD, "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0), result;

	if (root < 0)
		return root;
	result = allow(walk, root, true, READ_DIR);
	if (result == 0)
		result = listing && listing->len ? each_listed(walk, root, listing->entries, listing->len) : each_entry(walk, root);
	sys_close(root);
	return result;
}

static int fill(struct walk *walk, const struct vault_listing *listing)
{
	int result = walk->policy->grants ? 0 : from_root(walk, listing);

	for (size_t i = 0; i < walk->policy->grants && result >= 0; i++)
		result = grant_place(walk, &walk->policy->grant[i]);
	for (size_t i = 0; i < walk->policy->rules && result >= 0; i++)
		result = raise_one(walk, &walk->policy->rule[i]);
	return result;
}

static uint64_t handled_by(int abi)
{
	uint64_t rights = FIRST_ABI;

	if (abi >= 2)
		rights |= REFER;
	if (abi >= VAULT_ABI_TRUNCATE)
		rights |= TRUNCATE;
	if (abi >= VAULT_ABI_IOCTL_DEV)
		rights |= IOCTL_DEV;
	return rights;
}

int vault_make_ruleset(const struct vault_policy *policy, int abi, const struct vault_listing *root, struct vault_sight *sight)
{
	struct ruleset attributes = {handled_by(abi), 0, abi >= VAULT_ABI_SCOPE ? SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS : 0};
	size_t size = abi >= VAULT_ABI_SCOPE ? sizeof attributes : sizeof attributes.fs;
	struct walk walk;
	int result;

	walk.policy = policy;
	walk.sight = sight;
	walk.handled = attributes.fs;
	walk.depth = 0;
	walk.path[walk.len = 0] = '\0';
	walk.ruleset = (int)sys_call(CREATE_RULESET, (long)&attributes, (long)size, 0, 0, 0, 0);
	if (walk.ruleset < 0)
		return walk.ruleset;
	result = fill(&walk, root);
	if (result >= 0)
		return walk.ruleset;
	sys_close(walk.ruleset);
	return result;
}

int vault_enter(int ruleset)
{
	int result = (int)sys_call(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0);

	if (result >= 0)
		result = (int)sys_call(RESTRICT_SELF, ruleset, 0, 0, 0, 0, 0);
	if (result >= 0)
		result = vault_cover_truncation();
	/* Landlock has 16 layers; who has them all got them from here, and one is as good as sixteen. */
	return result == -E2BIG ? 0 : result;
}

int vault_confine(const struct vault_policy *policy, int abi, const struct vault_listing *root)
{
	int ruleset = vault_make_ruleset(policy, abi, root, NULL), result;

	if (ruleset < 0)
		return ruleset;
	result = vault_enter(ruleset);
	sys_close(ruleset);
	return result;
}

/* The vault's core: the policy, its rules and path matching. No globals, no allocation, no I/O: all of it may run
 * before main(), between fork and exec, and inside Python. What a caller needs is handed in. */
#ifndef AGENTBOX_VAULT_H
#define AGENTBOX_VAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	VAULT_FILE_MAX = 64 * 1024,	/* bytes of a policy file */
	VAULT_LINE_MAX = 4096,		/* bytes of one line, newline included */
	VAULT_PATH_MAX = 4096,
	VAULT_LINKS_MAX = 16,
	VAULT_NAMES_MAX = 64,
	VAULT_RULES_MAX = 256,
	VAULT_GRANTS_MAX = 96,
	VAULT_ENV_MAX = 128,
};

/* What a tool process may do with a path. Ordered: a smaller right permits less. */
enum vault_right { VAULT_DENY = 0, VAULT_READ = 1, VAULT_WRITE = 2 };

struct vault_text {
	const char *text;	/* NULL where the policy does not say */
	size_t len;
};

struct vault_rule {
	struct vault_text path;	/* absolute, in normal form */
	enum vault_right right;
};

struct vault_list {
	struct vault_text item[VAULT_ENV_MAX];
	size_t count;
};

struct vault_policy {
	struct vault_text exe, script, vault, audit, agent;
	size_t links, names, rules, grants;
	bool outside;			/* some rule is not below `vault` */
	uint64_t name_starts[4];	/* bit set of the first bytes of all names, to pass over the others at once */
	/* From here on the arrays; only so much of each is valid as its count says. */
	struct vault_text link[VAULT_LINKS_MAX];
	struct vault_text name[VAULT_NAMES_MAX];
	struct vault_rule rule[VAULT_RULES_MAX];
	struct vault_text grant[VAULT_GRANTS_MAX];	/* what a domain grants in place of all of / */
	struct vault_list hide, keep;
	char text[VAULT_FILE_MAX + 1];	/* the file; every vault_text above points into it */
};

/* Where and why a policy is malformed. Line 0 is the file as a whole. */
struct vault_error {
	unsigned line;
	const char *message;
};

/* The outcome for one path; `rule` is the name or path that decided, NULL where none did. */
struct vault_verdict {
	enum vault_right right;
	const char *rule;
};

/* Parse the `len` bytes that the caller has put into policy->text. On false, `error` is filled in. */
bool vault_policy_parse(struct vault_policy *policy, size_t len, struct vault_error *error);

/* The right of a path, by its text alone: protected names anywhere in it, paths where it is absolute. */
struct vault_verdict vault_judge(const struct vault_policy *policy, const char *path);

/* True if a rule strictly below `path` permits less than `right`. */
bool vault_stricter_below(const struct vault_policy *policy, const char *path, size_t len, enum vault_right right);

/* True if `path` equals `parent` or lies below it. */
bool vault_is_under(const char *path, size_t len, const struct vault_text *parent);

/* True if this "NAME=value" must not reach a process that the agent starts. */
bool vault_hides(const struct vault_policy *policy, const char *variable);

/* Collapse //, . and .. of an absolute path into `out` (VAULT_PATH_MAX bytes). False if it does not fit. */
bool vault_normalise(const char *path, char *out);

/* True for an absolute path that vault_normalise would not change. */
bool vault_is_normal(const char *path, size_t len);

#endif

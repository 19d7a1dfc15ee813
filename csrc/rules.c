/* Which right a path has. Pure functions over the policy's tables. */
#include <string.h>

#include "vault.h"

static bool starts_a_name(const struct vault_policy *policy, unsigned char first)
{
	return policy->name_starts[first / 64] >> (first % 64) & 1;
}

static const char *find_name(const struct vault_policy *policy, const char *component)
{
	for (size_t i = 0; i < policy->names; i++) {
		const struct vault_text *name = &policy->name[i];
		char after;

		if (strncmp(component, name->text, name->len) != 0)
			continue;
		after = component[name->len];
		if (after == '\0' || after == '/')
			return name->text;
	}
	return NULL;
}

/* True for the start of an empty, . or .. component. */
static bool is_idle(const char *at)
{
	if (at[0] == '.')
		at += at[1] == '.' ? 2 : 1;
	else
		return at[0] == '/';
	return *at == '\0' || *at == '/';
}

/* The protected name that is a component of the path; its length, and whether it needs to be normalised. */
static const char *scan(const struct vault_policy *policy, const char *path, size_t *len, bool *normal)
{
	const char *at = path, *name;

	*normal = true;
	for (;;) {
		while (*at == '/') {
			at++;
			if (is_idle(at))
				*normal = false;
		}
		*len = (size_t)(at - path);
		if (!*at)
			return NULL;
		if (starts_a_name(policy, (unsigned char)*at) && (name = find_name(policy, at)))
			return name;
		while (*at && *at != '/')
			at++;
	}
}

bool vault_is_under(const char *path, size_t len, const struct vault_text *parent)
{
	if (parent->len == 1)
		return true;
	return len >= parent->len && memcmp(path, parent->text, parent->len) == 0 &&
	       (path[parent->len] == '\0' || path[parent->len] == '/');
}

static struct vault_verdict judge_rules(const struct vault_policy *policy, const char *path, size_t len)
{
	struct vault_verdict verdict = {VAULT_WRITE, NULL};
	size_t best = 0;

	if (!policy->outside && !vault_is_under(path, len, &policy->vault))
		return verdict;
	for (size_t i = 0; i < policy->rules; i++) {
		const struct vault_rule *rule = &policy->rule[i];
		bool equal = rule->path.len == best;

		if (rule->path.len < best || (equal && rule->right >= verdict.right))
			continue;
		if (!vault_is_under(path, len, &rule->path))
			continue;
		verdict.right = rule->right;
		verdict.rule = rule->path.text;
		best = rule->path.len;
	}
	return verdict;
}

/* Apart from vault_judge, which every open runs through: its buffer would cost each of them a page of the stack. */
static __attribute__((noinline)) struct vault_verdict judge_normalised(const struct vault_policy *policy, const char *path)
{
	char plain[VAULT_PATH_MAX];

	if (!vault_normalise(path, plain))
		return (struct vault_verdict){VAULT_WRITE, NULL};	/* too long: the kernel refuses it */
	return judge_rules(policy, plain, strlen(plain));
}

struct vault_verdict vault_judge(const struct vault_policy *policy, const char *path)
{
	bool normal;
	size_t len;
	const char *name = scan(policy, path, &len, &normal);

	if (name)
		return (struct vault_verdict){VAULT_DENY, name};
	if (path[0] != '/')
		return (struct vault_verdict){VAULT_WRITE, NULL};
	return normal ? judge_rules(policy, path, len) : judge_normalised(policy, path);
}

bool vault_stricter_below(const struct vault_policy *policy, const char *path, size_t len, enum vault_right right)
{
	struct vault_text parent = {path, len};

	for (size_t i = 0; i < policy->rules; i++) {
		const struct vault_rule *rule = &policy->rule[i];

		if (rule->right < right && rule->path.len > len && vault_is_under(rule->path.text, rule->path.len, &parent))
			return true;
	}
	return false;
}

static bool lists(const struct vault_list *list, const char *variable, size_t len)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct vault_text *item = &list->item[i];

		if (item->text[item->len - 1] == '*') {
			if (len >= item->len - 1 && memcmp(variable, item->text, item->len - 1) == 0)
				return true;
		} else if (len == item->len && memcmp(variable, item->text, len) == 0) {
			return true;
		}
	}
	return false;
}

bool vault_hides(const struct vault_policy *policy, const char *variable)
{
	const char *equals = strchr(variable, '=');
	size_t len = equals ? (size_t)(equals - variable) : strlen(variable);

	return lists(&policy->hide, variable, len) && !lists(&policy->keep, variable, len);
}

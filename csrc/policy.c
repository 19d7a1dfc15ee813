/* The parser of /etc/agentbox/vault.policy. Works in place on policy->text; malformed input is an error with a line
 * number, never a guess. The format is described in docs/internals.md. */
#include <string.h>

#include "vault.h"

static const char header[] = "agentbox-vault 1";

static const char *set_once(struct vault_text *slot, struct vault_text value)
{
	if (slot->text)
		return "given twice";
	*slot = value;
	return NULL;
}

static const char *check_path(struct vault_text value)
{
	return vault_is_normal(value.text, value.len) ? NULL : "not an absolute path in normal form";
}

static const char *set_path(struct vault_text *slot, struct vault_text value)
{
	return check_path(value) ?: set_once(slot, value);
}

static const char *add_link(struct vault_policy *policy, struct vault_text value)
{
	if (policy->links == VAULT_LINKS_MAX)
		return "too many link lines";
	policy->link[policy->links++] = value;
	return check_path(value);
}

static const char *add_grant(struct vault_policy *policy, struct vault_text value)
{
	if (policy->grants == VAULT_GRANTS_MAX)
		return "too many grant lines";
	policy->grant[policy->grants++] = value;
	return check_path(value);
}

static const char *add_name(struct vault_policy *policy, struct vault_text value)
{
	unsigned char first = (unsigned char)value.text[0];

	if (policy->names == VAULT_NAMES_MAX)
		return "too many protected names";
	if (strcmp(value.text, ".") == 0 || strcmp(value.text, "..") == 0)
		return "not a file name";
	policy->name[policy->names++] = value;
	policy->name_starts[first / 64] |= UINT64_C(1) << (first % 64);
	return NULL;
}

static const char *add_rule(struct vault_policy *policy, struct vault_text value, enum vault_right right)
{
	if (right == VAULT_DENY && !memchr(value.text, '/', value.len))
		return add_name(policy, value);
	if (policy->rules == VAULT_RULES_MAX)
		return "too many protected paths";
	policy->rule[policy->rules++] = (struct vault_rule){value, right};
	return check_path(value);
}

static const char *add_variable(struct vault_list *list, struct vault_text value)
{
	const char *star = memchr(value.text, '*', value.len);

	if (list->count == VAULT_ENV_MAX)
		return "too many environment names";
	if (memchr(value.text, '=', value.len) || (star && star != value.text + value.len - 1))
		return "not an environment name";
	list->item[list->count++] = value;
	return NULL;
}

static const char *take(struct vault_policy *policy, const char *keyword, struct vault_text value)
{
	if (strcmp(keyword, "exe") == 0)
		return set_path(&policy->exe, value);
	if (strcmp(keyword, "script") == 0)
		return set_path(&policy->script, value);
	if (strcmp(keyword, "vault") == 0)
		return set_path(&policy->vault, value);
	if (strcmp(keyword, "audit") == 0)
		return set_path(&policy->audit, value);
	if (strcmp(keyword, "agent") == 0)
		return set_once(&policy->agent, value);
	if (strcmp(keyword, "link") == 0)
		return add_link(policy, value);
	if (strcmp(keyword, "grant") == 0)
		return add_grant(policy, value);
	if (strcmp(keyword, "deny") == 0)
		return add_rule(policy, value, VAULT_DENY);
	if (strcmp(keyword, "read") == 0)
		return add_rule(policy, value, VAULT_READ);
	if (strcmp(keyword, "write") == 0)
		return add_rule(policy, value, VAULT_WRITE);
	if (strcmp(keyword, "hide") == 0)
		return add_variable(&policy->hide, value);
	if (strcmp(keyword, "keep") == 0)
		return add_variable(&policy->keep, value);
	return "unknown keyword";
}

/* One line without its newline, cut in two at the first space. */
static const char *take_line(struct vault_policy *policy, char *line, size_t len)
{
	char *space = memchr(line, ' ', len);
	struct vault_text value;

	if (len == 0 || line[0] == '#')
		return NULL;
	if (!space || space + 1 == line + len)
		return "keyword without a value";
	*space = '\0';
	value.text = space + 1;
	value.len = (size_t)(line + len - value.text);
	return take(policy, line, value);
}

static const char *missing(const struct vault_policy *policy, bool ended)
{
	if (!ended)
		return "no end line: the file is cut short";
	if (!policy->exe.text)
		return "no exe line";
	if (!policy->vault.text)
		return "no vault line";
	return NULL;
}

static bool fail(struct vault_error *error, unsigned line, const char *message)
{
	error->line = line;
	error->message = message;
	return false;
}

static bool finish(struct vault_policy *policy, bool ended, struct vault_error *error)
{
	const char *wrong = missing(policy, ended);

	if (wrong)
		return fail(error, 0, wrong);
	for (size_t i = 0; i < policy->rules; i++) {
		const struct vault_text *path = &policy->rule[i].path;

		policy->outside |= !vault_is_under(path->text, path->len, &policy->vault);
	}
	return true;
}

bool vault_policy_parse(struct vault_policy *policy, size_t len, struct vault_error *error)
{
	char *at = policy->text, *end = policy->text + len, *newline;
	const char *wrong;
	bool ended = false;

	/* The arrays need no clearing, and every process that starts would pay for touching their pages. */
	memset(policy, 0, offsetof(struct vault_policy, link));
	policy->hide.count = policy->keep.count = 0;
	if (len > VAULT_FILE_MAX)
		return fail(error, 0, "larger than 64 KiB");
	if (memchr(at, '\0', len))
		return fail(error, 0, "has a NUL byte");
	for (unsigned line = 1; at < end; line++, at = newline + 1) {
		newline = memchr(at, '\n', (size_t)(end - at));
		if (!newline)
			return fail(error, line, "line without a newline");
		if (newline - at >= VAULT_LINE_MAX)
			return fail(error, line, "longer than 4096 bytes");
		*newline = '\0';
		if (ended)
			return fail(error, line, "text after the end line");
		if (line == 1) {
			if (strcmp(at, header) != 0)
				return fail(error, line, "not an agentbox-vault 1 file");
			continue;
		}
		if (strcmp(at, "end") == 0) {
			ended = true;
			continue;
		}
		wrong = take_line(policy, at, (size_t)(newline - at));
		if (wrong)
			return fail(error, line, wrong);
	}
	return finish(policy, ended, error);
}

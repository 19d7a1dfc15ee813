/* The marker alone proves nothing: it must equal the pid, which only agentbox-launch's own process can bring about for
 * a program that is not yet confined, and the executable (and script) must be what the policy names. */
#include <string.h>

#include "identity.h"
#include "resolve.h"
#include "say.h"
#include "sys.h"

static const char *value_of(const char *variable, const char *name)
{
	size_t len = strlen(name);

	return strncmp(variable, name, len) == 0 && variable[len] == '=' ? variable + len + 1 : NULL;
}

void vault_forget(char **environment, const char *name)
{
	char **keep = environment;

	for (; environment && *environment; environment++)
		if (!value_of(*environment, name))
			*keep++ = *environment;
	if (keep)
		*keep = NULL;
}

char **vault_environment_for_tools(const struct vault_policy *policy, char *const *environment, char **out)
{
	char **next = out;

	for (; environment && *environment; environment++)
		if (!value_of(*environment, VAULT_MARKER) && !vault_hides(policy, *environment))
			*next++ = *environment;
	*next = NULL;
	return out;
}

static bool is_marked(char **environment)
{
	char pid[24];
	const char *marker = NULL;

	for (; environment && *environment && !marker; environment++)
		marker = value_of(*environment, VAULT_MARKER);
	return marker && strcmp(marker, vault_decimal(sys_getpid(), pid)) == 0;
}

/* True if the policy's path is `actual`, itself or through its symlinks. */
static bool names(const struct vault_text *path, const char *actual)
{
	char real[VAULT_PATH_MAX];

	if (!path->text)
		return false;
	return strcmp(path->text, actual) == 0 || (vault_resolve(AT_FDCWD, path->text, true, real) && strcmp(real, actual) == 0);
}

/* Options of node and python whose value is the next argument. */
static bool takes_value(const char *option)
{
	static const char *const options[] = {"-r", "--require", "--import", "-C", "--conditions", "-X", "-W"};

	for (size_t i = 0; i < sizeof options / sizeof *options; i++)
		if (strcmp(option, options[i]) == 0)
			return true;
	return false;
}

/* The script in an interpreter's command line (`len` bytes, NUL after each word): its first word that is no option. */
static const char *script_in(const char *words, size_t len)
{
	const char *end = words + len, *word = words + strlen(words) + 1;

	for (; word < end; word += strlen(word) + 1) {
		if (word[0] != '-')
			return word;
		if (strcmp(word, "-e") == 0 || strcmp(word, "-c") == 0 || strcmp(word, "-m") == 0 || strcmp(word, "-p") == 0)
			return NULL;
		if (takes_value(word) && (word += strlen(word) + 1) >= end)
			return NULL;
	}
	return NULL;
}

static bool runs_script(const struct vault_text *script)
{
	char words[VAULT_PATH_MAX], real[VAULT_PATH_MAX];
	int fd = sys_openat(AT_FDCWD, "/proc/self/cmdline", O_RDONLY | O_CLOEXEC, 0);
	long len = fd < 0 ? fd : sys_read(fd, words, sizeof words - 1);
	const char *word;

	if (fd >= 0)
		sys_close(fd);
	if (len <= 0)
		return false;
	words[len] = '\0';
	word = script_in(words, (size_t)len);
	return word && vault_resolve(AT_FDCWD, word, true, real) && names(script, real);
}

enum vault_role vault_identify(const struct vault_policy *policy, char **environment)
{
	char exe[VAULT_PATH_MAX];
	long len;

	if (!is_marked(environment))
		return VAULT_TOOL;
	len = sys_readlinkat(AT_FDCWD, "/proc/self/exe", exe, sizeof exe - 1);
	if (len < 0)
		return VAULT_TOOL;
	exe[len] = '\0';
	if (names(&policy->exe, exe) && (!policy->script.text || runs_script(&policy->script)))
		return VAULT_AGENT;
	for (size_t i = 0; i < policy->links; i++)
		if (names(&policy->link[i], exe))
			return VAULT_LINK;
	return VAULT_TOOL;
}

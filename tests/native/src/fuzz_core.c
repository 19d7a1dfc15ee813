/* The core under a fuzzer: input is a policy, a NUL, and a path. With -DREPLAY it has a main() that runs files instead.
 * Whatever comes in, the properties below hold. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vault.h"

#define MUST(property) \
	do { \
		if (!(property)) { \
			fprintf(stderr, "broken: %s\n", #property); \
			abort(); \
		} \
	} while (0)

static struct vault_policy policy;

static void check_path(const char *path)
{
	char once[VAULT_PATH_MAX], twice[VAULT_PATH_MAX];
	struct vault_verdict text = vault_judge(&policy, path), normal;

	MUST(text.right >= VAULT_DENY && text.right <= VAULT_WRITE);
	MUST(text.right == VAULT_WRITE || text.rule);
	if (!vault_normalise(path, once))
		return;
	MUST(vault_normalise(once, twice) && strcmp(once, twice) == 0);
	MUST(vault_is_normal(once, strlen(once)));
	if (path[0] != '/')
		return;
	normal = vault_judge(&policy, once);
	MUST(text.right <= normal.right);	/* another spelling never gains a right */
}

static void check_rules(void)
{
	for (size_t i = 0; i < policy.rules; i++) {
		const struct vault_rule *rule = &policy.rule[i];

		MUST(vault_is_normal(rule->path.text, rule->path.len));
		MUST(vault_judge(&policy, rule->path.text).right <= rule->right);
	}
	MUST(policy.links <= VAULT_LINKS_MAX && policy.names <= VAULT_NAMES_MAX && policy.rules <= VAULT_RULES_MAX);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	const unsigned char *cut = memchr(data, 0, size);
	size_t policy_size = cut ? (size_t)(cut - data) : size, path_size = cut ? size - policy_size - 1 : 0;
	struct vault_error error = {0, NULL};
	char *path;

	if (policy_size > VAULT_FILE_MAX)
		return 0;
	memcpy(policy.text, data, policy_size);
	if (!vault_policy_parse(&policy, policy_size, &error)) {
		MUST(error.message);
		return 0;
	}
	check_rules();
	path = malloc(path_size + 1);
	if (path_size)
		memcpy(path, cut + 1, path_size);
	path[path_size] = '\0';
	check_path(path);
	vault_hides(&policy, path);
	vault_stricter_below(&policy, path, strlen(path), VAULT_WRITE);
	free(path);
	return 0;
}

#ifdef REPLAY
int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		static unsigned char data[2 * VAULT_FILE_MAX];
		FILE *file = fopen(argv[i], "rb");

		MUST(file);
		LLVMFuzzerTestOneInput(data, fread(data, 1, sizeof data, file));
		fclose(file);
	}
	printf("%d inputs\n", argc - 1);
	return 0;
}
#endif

"""The CFFI build of the vault's core (API mode): declarations and sources, no logic."""

from cffi import FFI

ffibuilder = FFI()

ffibuilder.cdef(
    """
    #define VAULT_FILE_MAX ...
    enum vault_right { VAULT_DENY, VAULT_READ, VAULT_WRITE };
    struct vault_text { const char *text; size_t len; ...; };
    struct vault_policy {
        struct vault_text exe, script, vault, audit, agent;
        size_t links, names, rules;
        char text[];
        ...;
    };
    struct vault_error { unsigned line; const char *message; ...; };
    struct vault_verdict { enum vault_right right; const char *rule; ...; };

    bool vault_policy_parse(struct vault_policy *, size_t, struct vault_error *);
    struct vault_verdict vault_judge(const struct vault_policy *, const char *);
    bool vault_hides(const struct vault_policy *, const char *);
    """
)

ffibuilder.set_source(
    "agentbox._vault",
    '#include "vault.h"',
    include_dirs=["csrc"],
    sources=["csrc/policy.c", "csrc/rules.c", "csrc/path.c"],
    define_macros=[("_GNU_SOURCE", "1")],
    extra_compile_args=["-std=gnu11", "-fvisibility=hidden"],
    py_limited_api=True,
)

if __name__ == "__main__":
    ffibuilder.compile(verbose=True)

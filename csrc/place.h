/* Where the policy lies. Fixed when the object is built, so that nothing a process can set chooses its policy; where the places
 * of a container are not to be had, agentbox fills a session's own into a copy of the object (agentbox/native/instance.py). */
#ifndef AGENTBOX_PLACE_H
#define AGENTBOX_PLACE_H

enum { VAULT_PLACE_MAX = 1024 };

extern const char vault_policy_path[VAULT_PLACE_MAX];

/* A link to the probe (domain.h). */
extern const char vault_probe_link[VAULT_PLACE_MAX];

#endif

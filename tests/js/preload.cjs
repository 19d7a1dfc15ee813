'use strict';
// For tests: the guard from the policy in AGENTBOX_TEST_POLICY, in place of /etc/agentbox/firewall.json.
const { installFrom } = require(process.env.FIREWALL_JS);
if (require('node:worker_threads').isMainThread) installFrom(JSON.parse(process.env.AGENTBOX_TEST_POLICY));

// Reads the credential in a child made by child_process.fork. Exit 0 if it got it.
try {
  process.stdout.write(require('fs').readFileSync('/mnt/agent/auth.json'))
} catch (error) {
  process.exitCode = 1
}

// What process.argv[1] names in pi: its extensions start another pi as `process.execPath process.argv[1]`. That one is a tool,
// and comes into its own state by a shell script (containers/base/second.sh).
process.execve(require("node:path").join(__dirname, "../second.sh"), ["pi", ...process.argv.slice(2)], process.env);

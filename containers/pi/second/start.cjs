// What process.argv[1] names in pi: its extensions start another pi as `process.execPath process.argv[1]`. That one is a tool,
// and comes into its own state by /usr/local/bin/pi, a shell script (containers/base/second.sh).
process.execve("/usr/local/bin/pi", ["pi", ...process.argv.slice(2)], process.env);

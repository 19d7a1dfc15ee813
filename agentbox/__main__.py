"""`python -m agentbox`."""

from agentbox.cli import main

main()

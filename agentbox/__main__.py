"""`python -m agentbox`, and what the `agentbox` script calls."""

import signal


def start() -> None:
    """Run the command line. While its modules load, ^C ends it as a signal does: there is nobody yet to catch it."""
    before = signal.getsignal(signal.SIGINT)
    if before != signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from agentbox.cli import main

    signal.signal(signal.SIGINT, before)
    main()


if __name__ == "__main__":
    start()

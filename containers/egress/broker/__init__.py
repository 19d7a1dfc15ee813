"""The broker: an egress proxy that lets through what the rules allow, and puts in the keys that agents do not hold."""

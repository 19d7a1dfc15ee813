"""The engine that needs no daemon and no image: bubblewrap where user namespaces are allowed, else Landlock alone.

`run.run` is to it what session.run is to Docker. docs/internals.md, "The native engine".
"""

"""The command ``chainrule``: one module a command, its parser beside its handler."""

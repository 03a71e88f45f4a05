"""The command ``chainrule``, which is ``python -m chainrule`` as well."""

from chainrule import interrupts


def main() -> None:
    """Run the command line; Ctrl-C ends it from the first import on."""
    interrupts.advise(lambda: "Nothing was recorded.")
    with interrupts.handled():
        from chainrule.cli.main import main as run

        run()


if __name__ == "__main__":  # processes that this one starts import it under another name
    main()

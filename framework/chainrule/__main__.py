"""The command ``chainrule``, which is ``python -m chainrule`` as well."""

import gc

from chainrule import interrupts


def main() -> None:
    """Run the command line; Ctrl-C ends it from the first import on."""
    interrupts.advise(lambda: "Nothing was recorded.")
    with interrupts.handled():
        gc.disable()
        from chainrule.cli.main import main as run

        gc.freeze()  # what is imported is no garbage, and is not to be looked through again and again
        gc.enable()
        run()


if __name__ == "__main__":  # processes that this one starts import it under another name
    main()

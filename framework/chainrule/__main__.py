"""``python -m chainrule`` is the command ``chainrule``."""

from chainrule.cli.main import main

if __name__ == "__main__":  # other processes that this one starts may import it
    main()

"""The text of ``chainrule --help``."""

import subprocess
import sys


def test_help_shows_groups_keys_and_the_parameters_of_a_choice_without_heavy_imports():
    script = (
        "import sys; sys.argv = ['chainrule', 'optimizer=adam', '--help']\n"
        "from chainrule.cli.main import main\n"
        "main()\n"
        "print(sorted({'mlflow', 'matplotlib', 'scipy', 'sklearn', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("[]\n")
    for part in ("optimizer.beta1=0.9", "training.epochs=200", "  rule         as_printed, difference_", "sigmoid"):
        assert part in done.stdout

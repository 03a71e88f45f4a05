"""Changed values, and who needs no Hydra for them."""

import subprocess
import sys

from chainrule.config.changes import with_changes


def test_only_what_is_changed_is_new():
    data = {"a": {"b": 1, "c": {"d": 2}}, "e": {"f": 3}}
    changed = with_changes(data, [(("a", "c", "d"), 4), (("a", "b"), 5)])
    assert changed == {"a": {"b": 5, "c": {"d": 4}}, "e": {"f": 3}}
    assert data == {"a": {"b": 1, "c": {"d": 2}}, "e": {"f": 3}}
    assert changed["e"] is data["e"]


def test_processes_that_train_import_no_hydra():
    code = (
        "import sys; import chainrule.sweep.execution.processes; from chainrule.registry.loaded import installed; "
        "installed(); print(sorted({'hydra', 'mlflow', 'matplotlib', 'rich', 'joblib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"

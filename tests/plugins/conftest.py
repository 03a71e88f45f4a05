"""What the tests of MLflow tracking share."""

import pytest

from chainrule_mlflow.store import Store


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    """A fresh database, made once and copied, because making one takes seconds."""
    folder = tmp_path_factory.mktemp("prepared")
    with Store.at(f"sqlite:///{folder}/mlflow.db").opened():
        pass
    return folder / "mlflow.db"

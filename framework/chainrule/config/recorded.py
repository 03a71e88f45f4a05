"""From a record to what predicts."""

from chainrule.components.schema import Schema
from chainrule.config.settings import settings_from_config
from chainrule.errors import RecordError, sentence
from chainrule.records.predictor import Predictor
from chainrule.records.run import Record
from chainrule.registry.registry import Registry


def predictor_of(record: Record, registry: Registry) -> Predictor:
    """Return what predicts as the recorded run does; the data that it learned from are not needed.

    Args:
        record: of the run.
        registry: finds its components.

    Raises:
        ConfigurationError: this version cannot read its settings, or a plugin that they name is not installed.
        RecordError: its weights are missing or were changed.
    """
    manifest = record.manifest
    settings = settings_from_config(manifest.configuration, registry)
    try:
        schema = Schema.of_entry(manifest.data)
        return Predictor.of_weights(settings, schema, tuple(manifest.network.widths), record.weights())
    except (AttributeError, KeyError, TypeError, ValueError) as error:  # of entries that do not fit one another
        raise RecordError(f"{record.directory} holds no run that predicts: {sentence(error)}.") from None

"""From a record to its settings, and to what predicts."""

from chainrule.components.schema import Schema
from chainrule.config.settings import settings_from_config
from chainrule.errors import ConfigurationError, RecordError, sentence
from chainrule.records.manifest import needed
from chainrule.records.predictor import Predictor
from chainrule.records.run import Record
from chainrule.records.settings import Settings
from chainrule.registry.registry import Registry


def recorded_settings(record: Record, registry: Registry) -> Settings:
    """Return the settings of a recorded run.

    Args:
        record: of the run.
        registry: finds its components.

    Raises:
        ConfigurationError: a plugin of the run is not installed, or this version cannot read its settings.
    """
    try:
        return settings_from_config(record.manifest.configuration, registry)
    except ConfigurationError:
        known = {plugin.provider.key for plugin in registry.plugins} | {each.key for each in registry.providers}
        for key, plugin in record.manifest.plugins.items():
            if key not in known:
                raise ConfigurationError(f"the run needs {needed(key, plugin.version, 'do this')}.") from None
        raise


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
    settings = recorded_settings(record, registry)
    try:
        schema = Schema.of_entry(manifest.data)
        return Predictor.of_weights(settings, schema, tuple(manifest.network.widths), record.weights())
    except (AttributeError, KeyError, TypeError, ValueError) as error:  # of entries that do not fit one another
        raise RecordError(f"{record.directory} holds no run that predicts: {sentence(error)}.") from None

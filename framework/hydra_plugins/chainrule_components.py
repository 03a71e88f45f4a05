"""Hydra finds this module by itself: every installed component is an option of its groups, without YAML.

Hydra's own store of options would do, but each composition copies it as a whole: with 300 components that takes longer
than everything else.
"""

from hydra.core.object_type import ObjectType
from hydra.plugins.config_source import ConfigLoadError, ConfigResult, ConfigSource
from omegaconf import OmegaConf


class ComponentSource(ConfigSource):
    """Offers ``optimizer/adam`` and the like, with the defaults of the component, at ``chainrule://``."""

    @staticmethod
    def scheme() -> str:
        """Return what marks the source in the search path."""
        return "chainrule"

    def load_config(self, config_path: str) -> ConfigResult:
        """Return the option of a component."""
        from chainrule.config.options import option

        found = option(*_parts(config_path))
        if found is None:
            raise ConfigLoadError(f"Config not found : {config_path}")
        place = f"{self.scheme()}://{self.path}"
        return ConfigResult(
            config=OmegaConf.create(found), path=place, provider=self.provider, header={"package": None}
        )

    def available(self) -> bool:
        """Say that the source is there."""
        return True

    def is_group(self, config_path: str) -> bool:
        """Say whether a path is a group of components."""
        from chainrule.config.options import options

        return config_path in ("", "/") or bool(options(config_path.strip("/")))

    def is_config(self, config_path: str) -> bool:
        """Say whether a path is a component of a group."""
        from chainrule.config.options import is_option

        return is_option(*_parts(config_path))

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        """Return the groups, or the components of a group."""
        from chainrule.config.options import options
        from chainrule.registry.kinds import GROUPS

        if config_path.strip("/"):
            return options(config_path.strip("/")) if results_filter is not ObjectType.GROUP else []
        return sorted(GROUPS) if results_filter is not ObjectType.CONFIG else []


def _parts(config_path: str) -> tuple[str, str]:
    group, _, name = config_path.strip("/").rpartition("/")
    return group, name.removesuffix(".yaml")

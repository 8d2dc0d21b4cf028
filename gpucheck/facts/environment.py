"""The environment variables that matter. Only names of compat.variables are ever read: nothing secret gets in."""

from typing import NamedTuple, Union


class Variable(NamedTuple):
    name: str
    value: str


class Environment(NamedTuple):
    variables: tuple[Variable, ...]

    def get(self, name: str) -> Union[str, None]:
        """Value of a variable, ``None`` where it is not set (an empty one is ``""``)."""
        for variable in self.variables:
            if variable.name == name:
                return variable.value
        return None

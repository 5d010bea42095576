"""The check of a task's result: a function of the user's, or a JSON Schema that the result has to fit."""

from __future__ import annotations

from typing import Any, Callable, Mapping, Optional

from flowdsl.definition.checks import check_callable, refuse
from flowdsl.errors import ConfigError, FlowError

__all__ = ["SchemaCheck", "check_verify", "verifier"]

INSTALL = "a JSON Schema is checked by the package jsonschema; pip install 'flowdsl[schema]'"


class SchemaMismatch(FlowError):
    """The result of a task does not fit its JSON Schema."""


class SchemaCheck:
    """A JSON Schema as a function of a result; it travels to worker processes."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self.schema = schema

    def __call__(self, result: Any) -> None:
        """Return where the result fits; raise SchemaMismatch, which says where it does not."""
        import jsonschema

        faults = sorted(
            jsonschema.Draft202012Validator(self.schema).iter_errors(result), key=lambda one: list(one.path)
        )
        if faults:
            where = "".join("[%r]" % key for key in faults[0].absolute_path)
            raise SchemaMismatch("result%s: %s" % (where, faults[0].message))


def check_verify(value: Any, where: object) -> Any:
    """A function of the result, a JSON Schema (a dict) or None, as it was given; ConfigError for anything else."""
    if not isinstance(value, Mapping):
        if value is not None and not callable(value):
            refuse(where, "verify", value, "is neither a function of the result nor a JSON Schema")
        return check_callable(value, "verify", where)
    try:
        import jsonschema
    except ImportError as exc:
        raise ConfigError("%s: verify: %s" % (where, INSTALL)) from exc
    try:
        jsonschema.Draft202012Validator.check_schema(value)
    except jsonschema.SchemaError as exc:
        raise ConfigError("%s: verify is not a JSON Schema: %s" % (where, exc.message)) from exc
    return value


def verifier(value: Any) -> Optional[Callable[[Any], Any]]:
    """What is called with the result."""
    return SchemaCheck(value) if isinstance(value, Mapping) else value

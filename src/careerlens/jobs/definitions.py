"""Job types: what they are called, what they take, what they give, and who does the work."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import traceback
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import entry_points
from types import ModuleType
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from pydantic import BaseModel, TypeAdapter
from pydantic.errors import PydanticSchemaGenerationError
from pydantic.json_schema import DEFAULT_REF_TEMPLATE

from careerlens.foundation.errors import ConfigurationError
from careerlens.foundation.settings import Settings
from careerlens.jobs.fields import Remedy, ServerFilled
from careerlens.jobs.ids import JOB_TYPE_PATTERN
from careerlens.jobs.uploads import UploadRef

ENTRY_POINT_GROUP = "careerlens.jobs"

ModelClass = type[BaseModel]
HandlerT = TypeVar("HandlerT", bound=Callable[..., Any])


@dataclass(frozen=True, kw_only=True)
class JobDefinition:
    """One job type.

    `timeout_s` bounds one attempt. `isolated` says that the handler is a plain `def` and runs
    in a child process, with `memory_bytes` as its limit there. Retries wait
    `backoff_s * 2^(n-1)`, shortened at random by up to `jitter` of it.
    """

    type: str
    handler: Callable[..., Any]
    input_model: ModelClass
    result_model: Any
    title: str
    description: str
    attempts: int
    timeout_s: float
    backoff_s: float
    jitter: float
    memory_bytes: int | None
    isolated: bool
    result_adapter: TypeAdapter[Any] = field(repr=False)

    @cached_property
    def upload_field(self) -> str | None:
        """Python name of the field that an uploaded file fills; None when the type takes none."""
        for name in self._server_filled():
            annotation = self.input_model.model_fields[name].annotation
            if annotation is UploadRef or UploadRef in typing.get_args(annotation):
                return name
        return None

    def server_filled_names(self) -> frozenset[str]:
        """Every spelling of the fields that clients may not send."""
        return self._server_filled_names

    def remedies(self) -> dict[str, str]:
        """What to tell a person about each field, by its name on the wire."""
        found: dict[str, str] = {}
        for name, info in self.input_model.model_fields.items():
            for mark in info.metadata:
                if isinstance(mark, Remedy):
                    found[self.wire_name(name)] = mark.text
        return found

    def public_schema(self, *, ref_template: str = DEFAULT_REF_TEMPLATE) -> dict[str, Any]:
        """JSON Schema of what a client may send, server-filled fields left out.

        `ref_template` says where shared parts will stand: by default in the schema itself.
        """
        schema: dict[str, Any] = self.input_model.model_json_schema(
            by_alias=True, ref_template=ref_template
        )
        for name in self._server_filled():
            wire_name = self.wire_name(name)
            schema.get("properties", {}).pop(wire_name, None)
            if wire_name in schema.get("required", []):
                schema["required"].remove(wire_name)
        definitions = schema.get("$defs", {})
        definitions.pop(UploadRef.__name__, None)
        if not definitions:
            schema.pop("$defs", None)
        schema["additionalProperties"] = False
        return schema

    def result_schema(self, *, ref_template: str = DEFAULT_REF_TEMPLATE) -> dict[str, Any]:
        """JSON Schema of the result as clients get it. `ref_template` is as in `public_schema`."""
        return self.result_adapter.json_schema(
            by_alias=True, ref_template=ref_template, mode="serialization"
        )

    def wire_name(self, name: str) -> str:
        """What the input field with this Python name is called on the wire."""
        return self.input_model.model_fields[name].alias or name

    @cached_property
    def _server_filled_names(self) -> frozenset[str]:
        names = self._server_filled()
        return frozenset(spelling for name in names for spelling in (name, self.wire_name(name)))

    def _server_filled(self) -> Iterator[str]:
        for name, info in self.input_model.model_fields.items():
            if ServerFilled in info.metadata:
                yield name


_DEFINITIONS: WeakKeyDictionary[Callable[..., Any], JobDefinition] = WeakKeyDictionary()


def job(
    job_type: str,
    *,
    attempts: int = 3,
    timeout: float = 300,
    backoff: float = 2.0,
    jitter: float = 0.5,
    memory_mb: int | None = None,
    title: str | None = None,
) -> Callable[[HandlerT], HandlerT]:
    """Declare the decorated function to be the handler of `job_type`.

    ```python
    @job("cover-letter", attempts=3, timeout=120)
    async def cover_letter(ctx: JobContext, data: CoverLetter) -> Letter: ...
    ```

    `timeout` and `backoff` are seconds. The type of `data` is a Pydantic model (derive it from
    `WireModel` for camelCase on the wire); the returned type is anything Pydantic can serialise.
    An `async def` runs in the worker's loop; a plain `def` runs in a child process of its own,
    where a crash, a memory kill or the timeout fails that attempt and nothing else.

    Raises `ConfigurationError` when the function's annotations or the limits do not make sense.
    """
    if not JOB_TYPE_PATTERN.match(job_type):
        raise ConfigurationError(
            f"@job({job_type!r})",
            "a job type is lower-case letters, digits and hyphens, at most 64, a letter first.",
            "Choose such a name.",
        )
    if attempts < 1 or timeout <= 0 or backoff < 0 or not 0 <= jitter <= 1:
        raise ConfigurationError(
            f"@job({job_type!r})",
            "attempts, timeout, backoff or jitter is out of range.",
            "Use attempts >= 1, timeout > 0, backoff >= 0 and jitter from 0 to 1.",
        )

    def declare(function: HandlerT) -> HandlerT:
        input_model, result_model, adapter = _types_of(job_type, function)
        summary = inspect.getdoc(function) or ""
        _DEFINITIONS[function] = JobDefinition(
            type=job_type,
            handler=function,
            input_model=input_model,
            result_model=result_model,
            title=title or job_type.replace("-", " ").capitalize(),
            description=summary.split("\n\n")[0].replace("\n", " "),
            attempts=attempts,
            timeout_s=timeout,
            backoff_s=backoff,
            jitter=jitter,
            memory_bytes=memory_mb * 1024 * 1024 if memory_mb is not None else None,
            isolated=not inspect.iscoroutinefunction(function),
            result_adapter=adapter,
        )
        return function

    return declare


def definition_of(function: Callable[..., Any]) -> JobDefinition | None:
    """The definition that `@job` made for `function`, if it did."""
    return _DEFINITIONS.get(function)


class Registry(Mapping[str, JobDefinition]):
    """The job types of this process, by name."""

    def __init__(self, definitions: Iterable[JobDefinition] = ()) -> None:
        self._by_type: dict[str, JobDefinition] = {}
        for definition in definitions:
            known = self._by_type.setdefault(definition.type, definition)
            if known is not definition:
                raise ConfigurationError(
                    "CAREERLENS_JOBS",
                    f"two handlers claim the job type {definition.type!r}:"
                    f" {_origin(known)} and {_origin(definition)}.",
                    "Rename one of them.",
                )

    @classmethod
    def of(cls, *functions: Callable[..., Any]) -> Registry:
        """A registry of these `@job` functions alone; handy in tests."""
        found = []
        for function in functions:
            definition = definition_of(function)
            if definition is None:
                raise TypeError(f"{function!r} is not decorated with @job")
            found.append(definition)
        return cls(found)

    def __getitem__(self, job_type: str) -> JobDefinition:
        return self._by_type[job_type]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_type)

    def __len__(self) -> int:
        return len(self._by_type)


def load_registry(settings: Settings) -> Registry:
    """Find the job types of installed packages and of the modules in `CAREERLENS_JOBS`.

    Raises `ConfigurationError` when a module cannot be imported, one that was named holds no job
    type, or two types share a name.
    """
    installed = [point.module for point in entry_points(group=ENTRY_POINT_GROUP)]
    modules = [_import(name) for name in installed if _exists(name)]
    modules += [_import_own(name) for name in settings.jobs_modules if name not in installed]
    return Registry(definition for module in modules for definition in definitions_in(module))


def definitions_in(module: ModuleType) -> Iterator[JobDefinition]:
    """Every job type whose handler the module holds, in the order they are written there."""
    for value in vars(module).values():
        if inspect.isfunction(value):
            definition = definition_of(value)
            if definition is not None:
                yield definition


def _exists(name: str) -> bool:
    """Whether an entry point's module is there: a deployment may leave a folder of types out."""
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def _import_own(name: str) -> ModuleType:
    module = _import(name)
    if next(definitions_in(module), None) is None:
        raise ConfigurationError(
            "CAREERLENS_JOBS",
            f"the module {name!r} holds no function decorated with @job.",
            "Decorate one, or take the module out of the list.",
        )
    return module


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ConfigurationError(
            "CAREERLENS_JOBS",
            f"the module {name!r} cannot be imported: {error}.",
            "Correct its name, or install the package that holds it.",
        ) from error
    except ConfigurationError:
        raise
    except Exception as error:
        # Any mistake may be in a module that somebody else wrote, and it is theirs to hear of.
        raise ConfigurationError(
            "CAREERLENS_JOBS",
            f"the module {name!r} cannot be imported: {_mistake(error)}.",
            "Correct it there.",
        ) from error


def _mistake(error: Exception) -> str:
    """What is wrong, and in which line of which file."""
    what = f"{type(error).__name__}: {error.msg if isinstance(error, SyntaxError) else error}"
    if isinstance(error, SyntaxError):
        return f"{what} ({error.filename}, line {error.lineno})"
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{what} ({last.filename}, line {last.lineno})"


def _types_of(
    job_type: str, function: Callable[..., Any]
) -> tuple[type[BaseModel], Any, TypeAdapter[Any]]:
    hints = typing.get_type_hints(function, include_extras=True)
    parameters = list(inspect.signature(function).parameters)
    input_model = hints.get(parameters[1]) if len(parameters) == 2 else None
    if not (inspect.isclass(input_model) and issubclass(input_model, BaseModel)):
        raise ConfigurationError(
            f"@job({job_type!r})",
            "its handler must take (ctx: JobContext, data: M), where M is a Pydantic model.",
            "Annotate the second parameter.",
        )
    if "return" not in hints:
        raise ConfigurationError(
            f"@job({job_type!r})", "its handler has no return annotation.", "Say what it returns."
        )
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(hints["return"])
    except PydanticSchemaGenerationError as error:
        raise ConfigurationError(
            f"@job({job_type!r})", f"its result cannot be serialised: {error}.", "Return a model."
        ) from error
    return input_model, hints["return"], adapter


def _origin(definition: JobDefinition) -> str:
    return f"{definition.handler.__module__}.{definition.handler.__qualname__}"

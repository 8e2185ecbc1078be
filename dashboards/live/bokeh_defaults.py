"""Bokeh finds out the default of a property anew whenever it is asked for, which is a good part of
the time that a dashboard takes to open. It is the same for all objects of a class, so here it is
found out once; and what is known to be one is not asked for when a document is searched or sent.

Imports Bokeh: only `dashboards.forks.warm` may import this module, when it is time for that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import bokeh.model.util
from bokeh.core.has_props import HasProps
from bokeh.core.property.descriptors import PropertyDescriptor, UnsetValueError
from bokeh.core.property.singletons import Undefined
from bokeh.core.property.wrappers import PropertyValueContainer
from bokeh.model import Model

#: Nobody can change these, so all objects may have the same one.
_UNCHANGING: Final = (type(None), bool, int, float, str, bytes)
#: Where a class has what is remembered of it: with the class, which may be a notebook's, it goes.
_PLACE: Final = "__atrium_defaults__"

_overridden_defaults = HasProps._overridden_defaults.__func__  # type: ignore[attr-defined]
_instance_default = PropertyDescriptor.instance_default
_has_unstable_default = PropertyDescriptor.has_unstable_default
_properties_with_values = HasProps.properties_with_values
_visit_references = bokeh.model.util.visit_immediate_value_references


def remember() -> None:
    """Have Bokeh remember defaults from now on, in this process and its forks."""
    HasProps._overridden_defaults = classmethod(_remembered_overridden)  # type: ignore[assignment]
    HasProps.themed_values = _themed_values
    PropertyDescriptor.instance_default = _remembered_default
    PropertyDescriptor.has_unstable_default = _remembered_unstable
    HasProps.properties_with_values = _values_to_send
    bokeh.model.util.visit_immediate_value_references = _visit_what_may_refer


@dataclass(frozen=True, slots=True)
class _Defaults:
    """Of a class: the properties that pages get, and by the name of the property what was found
    out so far."""

    sent: tuple[PropertyDescriptor[Any], ...]
    overridden: dict[str, Any]
    unchanging: dict[str, Any] = field(default_factory=dict)
    unstable: dict[str, bool] = field(default_factory=dict)


def _of(cls: type[HasProps]) -> _Defaults:
    found = cls.__dict__.get(_PLACE)
    if found is None:
        sent = tuple(prop for prop in cls.descriptors() if prop.serialized)
        found = _Defaults(sent, _overridden_defaults(cls))
        setattr(cls, _PLACE, found)
    return found


def _remembered_overridden(cls: type[HasProps]) -> dict[str, Any]:
    return _of(cls).overridden


def _themed_values(self: HasProps) -> dict[str, Any] | None:
    """As Bokeh's, which looks for what is seldom there by way of an error."""
    return self.__dict__.get("__themed_values__")


def _remembered_default(self: PropertyDescriptor[Any], obj: HasProps) -> Any:
    themed = obj.themed_values()
    if themed is not None and self.name in themed:
        return _instance_default(self, obj)
    known = _of(type(obj)).unchanging
    if self.name in known:
        return known[self.name]
    default = _instance_default(self, obj)
    if isinstance(default, _UNCHANGING) and not self.has_unstable_default(obj):
        known[self.name] = default
    return default


def _remembered_unstable(self: PropertyDescriptor[Any], obj: HasProps) -> bool:
    known = _of(type(obj)).unstable
    if self.name not in known:
        known[self.name] = _has_unstable_default(self, obj)
    return known[self.name]


def _values_to_send(
    self: HasProps, *, include_defaults: bool = True, include_undefined: bool = False
) -> dict[str, Any]:
    """As Bokeh's, which gets the value of every property before it leaves out the defaults."""
    if include_defaults:
        return _properties_with_values(self, include_undefined=include_undefined)
    known, given = _of(type(self)).unchanging, self._property_values
    themed, unstable = self.themed_values() or {}, self._unstable_default_values
    result = {}
    for prop in _of(type(self)).sent:
        name = prop.name
        if name in known and name not in given and name not in themed:
            continue
        try:
            value = prop.get_value(self)
        except UnsetValueError:
            if not include_undefined:
                raise
            value = Undefined
        else:
            if name not in themed:
                if name not in given and name not in unstable:
                    continue
                if name in unstable and isinstance(value, PropertyValueContainer):
                    continue
        result[name] = value
    return result


def _visit_what_may_refer(value: Any, visitor: Callable[[Model], None]) -> None:
    """As Bokeh's, which looks for other models in every default."""
    if not isinstance(value, HasProps):
        _visit_references(value, visitor)
        return
    known, given = _of(type(value)).unchanging, value._property_values
    themed = value.themed_values() or {}
    visit = bokeh.model.util.visit_value_and_its_immediate_references
    for name in value.properties_with_refs():
        if name not in known or name in given or name in themed:
            visit(getattr(value, name), visitor)

"""Remembers what was read in short texts. Long ones are read anew each time, for they would be kept."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Concatenate, Generic, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Remembered(Generic[P, T]):
    """A pure reader of a text that knows the last texts of up to `longest` characters, at most `most` of them."""

    def __init__(self, anew: Callable[Concatenate[str, P], T], *, most: int, longest: int) -> None:
        self.anew, self._longest = anew, longest
        self._kept = lru_cache(maxsize=most)(anew)
        self.__doc__ = anew.__doc__

    def __call__(self, text: str, *args: P.args, **kwargs: P.kwargs) -> T:
        """What the reader makes of this text."""
        read = self._kept if len(text) <= self._longest else self.anew
        return read(text, *args, **kwargs)

    def cache_clear(self) -> None:
        """Forget all."""
        self._kept.cache_clear()


def remembered(*, most: int, longest: int) -> Callable[[Callable[Concatenate[str, P], T]], Remembered[P, T]]:
    """The decorator that makes a `Remembered` of a reader."""
    return lambda anew: Remembered(anew, most=most, longest=longest)

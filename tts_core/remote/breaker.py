"""When a provider that fails is left alone, and when it is tried again. Pure; times in seconds."""

from __future__ import annotations

from dataclasses import dataclass

SHUT, OPEN, TRYING = "shut", "open", "trying"


@dataclass(slots=True)
class Breaker:
    """`after` failures in a row open it for `rest_s`, twice that the next time, up to `most_s`.

    When it has rested one request is let through: its success shuts the breaker, its failure opens it again.
    A provider that asks to be left alone for a while is, whatever else is known of it.
    """

    after: int = 3
    rest_s: float = 5.0
    most_s: float = 60.0
    _failures: int = 0
    _openings: int = 0
    _until: float = 0.0
    _trial: bool = False

    def state(self, now: float) -> str:
        """SHUT: all is well; OPEN: nothing goes through; TRYING: one goes, or is on its way."""
        if now < self._until:
            return OPEN
        return TRYING if self._openings else SHUT

    def rests_s(self, now: float) -> float:
        """For how long nothing goes through."""
        return max(0.0, self._until - now)

    def allows(self, now: float) -> bool:
        """Whether a request would be let through."""
        state = self.state(now)
        return state == SHUT or (state == TRYING and not self._trial)

    def begin(self, now: float) -> None:
        """A request goes out."""
        self._trial = self.state(now) == TRYING

    def succeeded(self) -> None:
        """It was answered."""
        self._failures = self._openings = 0
        self._trial = False

    def dropped(self) -> None:
        """Nobody waited for what came of it."""
        self._trial = False

    def failed(self, now: float, wait_s: float = 0.0) -> None:
        """It was not; the provider asked for `wait_s` of peace, 0 if it did not.

        What was on its way when it opened tells nothing new: many at once are one reason to rest.
        """
        self._failures += now >= self._until
        if self._trial or self._failures >= self.after:
            rest_s = min(self.rest_s * 2**self._openings, self.most_s)
            self._openings += 1
            self._until = max(self._until, now + rest_s)
            self._failures = 0
        if wait_s > 0:
            self._until = max(self._until, now + wait_s)
        self._trial = False

"""Things to ask the venue again and again: when each is due, and that none is asked twice at once."""

from __future__ import annotations

from dataclasses import dataclass, field

SECOND = 1_000_000_000
LOST_NS = 30 * SECOND
"""An answer that has not come after this long is waited for no longer: every call's own time-out is shorter. It may
still come, where the whole process was held for that time (SIGSTOP, a machine asleep)."""

BACKOFF_S = (0.25, 0.5, 1, 2, 5)
"""After 1, 2, 3 ... failures in a row."""


@dataclass(slots=True)
class Chore:
    """One recurring question. All times own monotonic ns.

    due_ns: when to ask next, None = not needed. busy_ns: when the unanswered question was asked. asked_ns: the last
    question. answered_ns: when the last answered question was asked, None = none ever was. out: when those not yet
    answered were asked; calls are answered one by one, so an answer is the oldest one's.
    """

    due_ns: int | None = None
    busy_ns: int | None = None
    asked_ns: int = 0
    failures: int = 0
    answered_ns: int | None = None
    out: list[int] = field(default_factory=list)

    def want(self, at_ns: int) -> None:
        """Ask at ``at_ns`` or sooner (a wish made while a question is out is served after its answer)."""
        self.due_ns = at_ns if self.due_ns is None else min(self.due_ns, at_ns)

    def start(self, now_ns: int) -> bool:
        """Whether to ask now; then it counts as asked."""
        if self.due_ns is None or self.due_ns > now_ns:
            return False
        if self.busy_ns is not None and now_ns - self.busy_ns < LOST_NS:
            return False
        self.busy_ns = self.asked_ns = now_ns
        self.out.append(now_ns)
        self.due_ns = None
        return True

    @property
    def answered(self) -> bool:
        """Whether it was ever answered."""
        return self.answered_ns is not None

    def done(self) -> int:
        """An answer came; when its question was asked. It knows nothing that happened later."""
        answered_ns = self._close()
        self.failures = 0
        self.answered_ns = answered_ns
        return answered_ns

    def failed(self, now_ns: int, retry_after_s: float | None = None) -> None:
        wait_s = retry_after_s if retry_after_s is not None else BACKOFF_S[min(self.failures, len(BACKOFF_S) - 1)]
        self._close()
        self.failures += 1
        self.want(now_ns + int(min(max(wait_s, 0.05), 60) * SECOND))

    def _close(self) -> int:
        asked_ns = self.out.pop(0) if self.out else self.asked_ns
        self.busy_ns = self.out[-1] if self.out else None
        return asked_ns

    def wake_ns(self) -> int | None:
        """When it can next be asked."""
        if self.due_ns is None:
            return None
        return self.due_ns if self.busy_ns is None else max(self.due_ns, self.busy_ns + LOST_NS)

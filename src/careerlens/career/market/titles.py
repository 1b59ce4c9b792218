"""Which role a person means by a title: "Sr. Fullstack Dev (remote)" is a full stack developer.

Titles are compared as weighted sets of words: a word that few titles share tells more than
"manager" does, and a word that no title knows counts in full against a match.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable
from difflib import SequenceMatcher

MIN_SIMILARITY = 0.55
_NEAR_WORD = 0.86

_WORD = re.compile(r"[a-z0-9+#.&]+")
_REMARK = re.compile(r"\([^)]*\)|\[[^\]]*\]|\s[-–—|@]\s.*$")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_RANK = _words(
    "senior sr junior jr principal entry level graduate trainee intern internship mid experienced"
    " i ii iii iv the a an and for in at with of to remote hybrid part time fulltime parttime"
    " contract freelance deputy professional certified"
)
"""Words that say nothing about the trade."""
_FAINT = _words("lead staff chief head associate assistant director coordinator officer")
_FAINT_WEIGHT = 0.4
_GENERAL = _FAINT | _words(
    "manager engineer analyst specialist executive representative consultant administrator"
    " supervisor technician worker agent operator"
)
"""Words that, alone, name no trade at all."""
_SAME: dict[str, str] = {
    "dev": "developer", "devs": "developer", "engr": "engineer", "eng": "engineer",
    "programmer": "developer", "coder": "developer", "engineering": "engineer",
    "mgr": "manager", "mgmt": "manager", "management": "manager", "admin": "administrator",
    "rep": "representative", "exec": "executive", "acct": "accountant",
    "accounting": "accountant", "nursing": "nurse", "teaching": "teacher", "centre": "center",
    "programme": "program", "paediatric": "pediatric", "ops": "operations", "swe": "software",
    "specialised": "specialized", "organisation": "organization", "analytics": "analyst",
    "marketer": "marketing", "salesperson": "sales", "salesman": "sales",
}  # fmt: skip
_PHRASES: tuple[tuple[str, str], ...] = (
    ("full-stack", "full stack"), ("fullstack", "full stack"), ("front-end", "front end"),
    ("frontend", "front end"), ("back-end", "back end"), ("backend", "back end"),
    ("hr ", "human resources "), ("qa ", "quality assurance "), ("ml ", "machine learning "),
    ("ai ", "artificial intelligence "), ("ui/ux", "ui ux"), ("ux/ui", "ux ui"),
    ("human resource ", "human resources "), ("dev ops", "devops"), ("e-mail", "email"),
)  # fmt: skip
# Trades that postings name by either word; a match across them counts a little less.
_KIN = (frozenset({"developer", "engineer"}),)
_KIN_WEIGHT = 0.85
_UNKNOWN_WEIGHT = 0.7


def words_of(title: str) -> tuple[str, ...]:
    """The words of a title that tell the trade: no rank, no remarks, one spelling each."""
    text = _REMARK.sub(" ", f"{title.lower()} ") + " "
    for written, plain in _PHRASES:
        text = text.replace(written, plain)
    words = [word.strip(".&") for word in _WORD.findall(text)]
    telling = [_SAME.get(word, word) for word in words if word and word not in _RANK]
    return tuple(dict.fromkeys(telling)) or tuple(dict.fromkeys(w for w in words if w))


class TitleIndex:
    """Finds the nearest of the known titles."""

    def __init__(self, titles: Iterable[tuple[str, str]]) -> None:
        self._titles = [(role, title, words_of(title)) for role, title in titles]
        seen = Counter(word for _, _, words in self._titles for word in set(words))
        most = math.log(len(self._titles) + 1)
        self._weight = {word: most - math.log(count) for word, count in seen.items()}
        for word in _FAINT & self._weight.keys():
            self._weight[word] *= _FAINT_WEIGHT
        self._unknown = _UNKNOWN_WEIGHT * most

    def nearest(self, requested: str) -> tuple[str, str, float] | None:
        """Role id, title and similarity (0 to 1) of the nearest title.

        None when no title shares a word, or the words alone name no trade ("manager").

        Equal similarities go to the shorter title, then to the first by name.
        """
        words = words_of(requested)
        if _GENERAL.issuperset(words) and not any(set(words) == set(w) for _, _, w in self._titles):
            return None
        best: tuple[float, int, str, str] | None = None
        for role, title, known in self._titles:
            similarity = self._similarity(words, known)
            candidate = (-similarity, len(known), title, role)
            if similarity > 0 and (best is None or candidate < best):
                best = candidate
        return (best[3], best[2], round(-best[0], 2)) if best else None

    def _similarity(self, wanted: tuple[str, ...], known: tuple[str, ...]) -> float:
        """Twice the shared weight over the whole weight of both sides (Dice)."""
        total = sum(self._of(word) for word in wanted) + sum(self._of(word) for word in known)
        shared = 0.0
        left = list(known)
        for word in wanted:
            near, closeness = max(
                ((other, _closeness(word, other)) for other in left),
                key=lambda pair: pair[1],
                default=("", 0.0),
            )
            if closeness:
                left.remove(near)
                shared += closeness * (self._of(near) + self._of(word))
        return shared / total if total else 0.0

    def _of(self, word: str) -> float:
        return self._weight.get(word, self._unknown)


def _closeness(word: str, other: str) -> float:
    if word == other:
        return 1.0
    if any(word in kin and other in kin for kin in _KIN):
        return _KIN_WEIGHT
    if min(len(word), len(other)) >= 5:
        ratio = SequenceMatcher(None, word, other).ratio()
        return ratio if ratio >= _NEAR_WORD else 0.0
    return 0.0

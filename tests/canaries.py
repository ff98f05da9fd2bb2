"""Words that stand nowhere else, to be looked for where they must not be found."""

from typing import Any, Final

PROFILE: Final = "vexqolawi"


class Canaries:
    """Words that stand nowhere else, each in one field only; in Latin and Cyrillic in turn."""

    def __init__(self) -> None:
        self.fields: dict[str, str] = {}
        """Each word, and the field it stands in."""

    def __call__(self, field: str) -> str:
        number = len(self.fields)
        letters, end = ("bdfhklmnrv", "uqwoxuqy") if number % 2 else ("бдфхклмнрв", "ущоюъщы")
        # No word is near another in any script: part of a name would be found in a text.
        word = "".join(f"{letters[int(digit)]}{end[0]}" for digit in f"{number:03}") + end
        self.fields[word] = field
        return word

    @property
    def words(self) -> list[str]:
        """All words."""
        return list(self.fields)

    def claim(self, **told: Any) -> dict[str, Any]:
        """Return the fields of a claim that says a canary wherever it can say anything."""
        return {
            "place": self("place"),
            "authority": self("court"),
            "summary": {language: self(language) for language in ("ru", "kk", "en")},
            "private_note": self("note"),
            "sources": [
                {
                    "title": self("title"),
                    "publisher": self("press"),
                    "url": f"https://{self('url')}.example/",
                    "archived": f"https://{self('archive')}.example/",
                }
            ],
            "external_id": self("event"),
            **told,
        }

    def case(self, publish: str) -> dict[str, Any]:
        """Return the fields of a case that says canaries."""
        consent = {"publish": publish, "basis": "own"}
        if publish == "pseudonym":
            consent["pseudonym"] = self("pseudonym")
        names = [{"text": self("name"), "language": "ru", "kind": "primary"}]
        return {
            "consent": consent,
            "subject": {"names": names, "profile": [PROFILE]},
            "external_id": self("case"),
        }

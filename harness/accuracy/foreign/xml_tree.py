"""XML as a small tree with line numbers, without entities: a document that declares a type is refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from harness.accuracy.foreign.convert import read_limited
from harness.errors import DatasetError

_DEEPEST = 50


@dataclass
class Element:
    """One element: its tag, the line it starts in, its text and its children."""

    tag: str
    line: int
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def find(self, tag: str) -> Element | None:
        """Return the first child of this tag."""
        return next((child for child in self.children if child.tag == tag), None)

    def all(self, tag: str) -> list[Element]:
        """Return all children of this tag."""
        return [child for child in self.children if child.tag == tag]


def read_xml(path: Path) -> Element:
    """Read an XML file.

    A document type is what entities are declared in, and those can grow without bound or name other files.

    Raises:
        DatasetError: The file cannot be read, is not XML, has a DOCTYPE, or is nested too deeply; names the line.
    """
    top = Element("", 0)
    stack = [top]
    parser = expat.ParserCreate()
    parser.buffer_text = True

    def start(tag: str, _: dict[str, str]) -> None:
        if len(stack) > _DEEPEST:
            raise DatasetError(f"{path}, line {parser.CurrentLineNumber}: nested too deeply")
        element = Element(tag, parser.CurrentLineNumber)
        stack[-1].children.append(element)
        stack.append(element)

    def text(data: str) -> None:
        stack[-1].text += data

    def refuse(*_: object) -> None:
        line = parser.CurrentLineNumber
        raise DatasetError(f"{path}, line {line}: found a DOCTYPE, expected plain XML without one")

    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _: stack.pop()
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(read_limited(path), True)
    except expat.ExpatError as error:
        raise DatasetError(
            f"{path}, line {error.lineno}: not valid XML: {expat.ErrorString(error.code)}"
        ) from error
    return top.children[0]

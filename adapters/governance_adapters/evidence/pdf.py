"""A document as a PDF, with fpdf2: one column, A4, text that can be selected and searched."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from governance.errors import ConfigurationError
from governance.evidence.blocks import Block, Facts, Heading, Paragraph, Picture, Points, Story, Table, Verbatim
from governance_adapters.evidence.typefaces import Typefaces, drawable, typefaces

_MARGIN: Final = 18
_FAMILY: Final = "text"
_INK: Final = (32, 32, 36)
_ACCENT: Final = (26, 58, 110)
_QUIET: Final = (96, 98, 106)
_SHADE: Final = (238, 241, 246)
_LABEL_WIDTH: Final = 46
_PICTURE_WIDTH: Final = 62
_PICTURE_PIXELS: Final = 640


def render(story: Story, fonts: Sequence[Path]) -> bytes:
    """The document as a PDF: the same story and fonts are the same bytes. `fonts` are font files, preferred first.

    A character that no font has is written as its number in Unicode.

    Raises:
        ConfigurationError: what makes PDFs is not installed, or there is no font.
    """
    try:
        import uharfbuzz  # noqa: F401 - fpdf2 shapes text with it
        from fpdf import FPDF  # noqa: F401
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"No PDF can be made: {error}.", remedy="Install it: pip install 'diffusion-governance[evidence]'."
        ) from error
    chosen = typefaces(story.texts(), fonts)
    with TemporaryDirectory() as folder:
        return _Pages(story, chosen, Path(folder)).render()


class _Pages:
    """The pages of one document while they are written."""

    def __init__(self, story: Story, chosen: Typefaces, folder: Path) -> None:
        self._story, self._lacking = story, chosen.lacking
        self._pdf = _document(self._drawable(story.running), chosen, folder)

    def render(self) -> bytes:
        pdf, story = self._pdf, self._story
        pdf.set_title(self._drawable(story.title))
        pdf.set_subject(self._drawable(story.running))
        pdf.set_creator(self._drawable(story.maker))
        pdf.set_creation_date(datetime.fromisoformat(story.made))
        pdf.set_lang("en")
        pdf.add_page()
        self._set(20, _ACCENT, "B")
        pdf.multi_cell(0, 9, self._drawable(story.title), align="L", new_x="LMARGIN", new_y="NEXT")
        pdf.set_draw_color(*_ACCENT)
        pdf.set_line_width(0.6)
        pdf.line(_MARGIN, pdf.get_y() + 1.5, pdf.w - _MARGIN, pdf.get_y() + 1.5)
        pdf.ln(5)
        for block in story.blocks:
            self._block(block)
        return bytes(pdf.output())

    def _block(self, block: Block) -> None:
        match block:
            case Heading(text):
                self._heading(text)
            case Paragraph(text, strong):
                self._paragraph(text, strong=strong)
            case Points(texts):
                self._points(texts)
            case Facts(rows):
                self._facts(rows)
            case Table():
                self._table(block)
            case Verbatim(text):
                self._verbatim(text)
            case Picture(content, caption):
                self._picture(content, caption)

    def _heading(self, text: str) -> None:
        pdf = self._pdf
        if pdf.will_page_break(34):  # never alone at the foot of a page
            pdf.add_page()
        pdf.ln(4)
        self._set(12.5, _ACCENT, "B")
        pdf.start_section(self._drawable(text))
        pdf.multi_cell(0, 6, self._drawable(text), align="L", new_x="LMARGIN", new_y="NEXT")
        pdf.ln(1.2)

    def _paragraph(self, text: str, *, strong: bool) -> None:
        self._set(9.5, _INK, "B" if strong else "")
        self._pdf.multi_cell(0, 4.7, self._drawable(text), align="L", new_x="LMARGIN", new_y="NEXT")
        self._pdf.ln(1.8)

    def _points(self, texts: Sequence[str]) -> None:
        pdf = self._pdf
        for text in texts:
            self._set(9.5, _INK)
            pdf.cell(4.5, 4.7, "\u2013")
            pdf.multi_cell(0, 4.7, self._drawable(text), align="L", new_x="LMARGIN", new_y="NEXT")
            pdf.ln(0.6)
        pdf.ln(1.4)

    def _facts(self, rows: Sequence[tuple[str, str]]) -> None:
        pdf = self._pdf
        for name, value in rows:
            if pdf.will_page_break(5):
                pdf.add_page()
            self._set(8.5, _QUIET)
            pdf.cell(_LABEL_WIDTH, 4.4, self._drawable(name))
            self._set(8.5, _INK)
            pdf.multi_cell(0, 4.4, self._drawable(value), align="L", new_x="LMARGIN", new_y="NEXT")
            pdf.ln(0.5)
        pdf.ln(2)

    def _table(self, block: Table) -> None:
        from fpdf.fonts import FontFace

        pdf = self._pdf
        self._set(7.5, _INK)
        pdf.set_draw_color(200, 204, 212)
        pdf.set_line_width(0.15)
        head = FontFace(emphasis="BOLD", color=_ACCENT, fill_color=_SHADE)
        body = FontFace(fill_color=(255, 255, 255))
        with pdf.table(
            col_widths=block.widths, line_height=3.7, padding=(0.9, 1.2), text_align="LEFT", headings_style=head,
            borders_layout="HORIZONTAL_LINES", v_align="TOP",
        ) as table:  # fmt: skip
            for number, cells in enumerate((block.columns, *block.rows)):
                row = table.row()
                for cell in cells:
                    row.cell(self._drawable(cell), style=body if number else None)
        pdf.ln(2.5)

    def _verbatim(self, text: str) -> None:
        pdf = self._pdf
        self._set(8, _INK)
        pdf.set_fill_color(*_SHADE)
        pdf.multi_cell(
            0, 4.3, self._drawable(text.strip("\n")), align="L", fill=True, padding=(1.5, 2), new_x="LMARGIN",
            new_y="NEXT",
        )  # fmt: skip
        pdf.ln(2.5)

    def _picture(self, content: bytes, caption: str) -> None:
        from PIL import Image

        pdf = self._pdf
        with Image.open(io.BytesIO(content)) as opened:
            picture = opened.convert("RGB")
        picture.thumbnail((_PICTURE_PIXELS, _PICTURE_PIXELS))
        pdf.image(picture, w=_PICTURE_WIDTH, alt_text=caption)
        self._set(7.5, _QUIET)
        pdf.multi_cell(0, 4.5, self._drawable(caption), align="L", new_x="LMARGIN", new_y="NEXT")
        pdf.ln(2.5)

    def _set(self, size: float, colour: tuple[int, int, int], style: str = "") -> None:
        self._pdf.set_font(_FAMILY, style, size)
        self._pdf.set_text_color(*colour)

    def _drawable(self, text: str) -> str:
        return "".join(drawable(text, self._lacking))


def _document(running: str, chosen: Typefaces, folder: Path) -> Any:
    """An empty document with its fonts, its running line and its page numbers."""
    from fpdf import FPDF

    class Document(FPDF):
        """fpdf2 asks its subclass for what stands on each page."""

        def footer(self) -> None:
            self.set_y(-12)
            self.set_font(_FAMILY, "", 7.5)
            self.set_text_color(*_QUIET)
            self.cell(0, 5, running)
            self.set_x(_MARGIN)
            self.cell(0, 5, f"{self.page_no()} / {{nb}}", align="R")

    pdf = Document(format="A4")
    pdf.set_margin(_MARGIN)
    pdf.c_margin = 0
    pdf.set_auto_page_break(True, 18)
    names = []
    for number, face in enumerate(chosen.faces):
        names.append(_FAMILY if number == 0 else f"{_FAMILY}{number}")
        for style, content in (("", face.regular), ("B", face.bold)):
            file = folder / f"{names[-1]}{style}.ttf"
            file.write_bytes(content)
            pdf.add_font(names[-1], style, file)
    pdf.set_fallback_fonts(names[1:], exact_match=True)
    pdf.set_text_shaping(True)
    return pdf

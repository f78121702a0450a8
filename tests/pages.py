"""What a page says."""

from html.parser import HTMLParser


class Text(HTMLParser):
    """The words that a page shows, without scripts and styles."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words, self._hidden = "", 0
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self._hidden += tag in ("script", "style")

    def handle_endtag(self, tag):
        self._hidden -= tag in ("script", "style")

    def handle_data(self, data):
        if not self._hidden:
            self.words = " ".join(f"{self.words} {data}".split())

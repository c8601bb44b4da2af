"""Pages that a browser shows without network."""

# The policy forbids the browser to fetch anything: the page is the same with and without network.
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'; \
style-src 'unsafe-inline'; img-src data: blob:">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ margin: 0; font-family: system-ui, "Segoe UI", sans-serif; color: #222; background: #fff }}
{style}
</style>
<script>{script}</script>
</head>
<body>
{body}
</body>
</html>
"""


def document(title: str, style: str, script: str, body: str) -> str:
    """Returns a self-contained page; the caller escapes the title and the body."""
    return _PAGE.format(title=title, style=style.strip(), script=script, body=body)

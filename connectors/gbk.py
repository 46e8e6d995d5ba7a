"""Chinese text in answers that do not say in which character set they are.

GB18030 (and its older parts GBK and GB2312) is common on the servers of Chinese vendors. An answer that declares it is
understood by ``connectors.response``; here are those that declare nothing, or UTF-8 wrongly. UTF-8 is tried first:
text in GB18030 is practically never valid UTF-8.
"""

from __future__ import annotations

from dataclasses import replace

from connectors.response import Response


def in_utf8(response: Response) -> Response:
    """The answer with its body in UTF-8: as it is where it is UTF-8 already, else read as GB18030.

    A body that is neither stays as it is, so that parsing it tells what is wrong.
    """
    if response.body.isascii() or _is(response.body, "utf-8") or not _is(response.body, "gb18030"):
        return response
    declared = response.headers.get("Content-Type", "").partition(";")[0]
    headers = {**response.headers, "Content-Type": declared}
    return replace(response, body=response.body.decode("gb18030").encode(), headers=headers)


def _is(body: bytes, charset: str) -> bool:
    try:
        body.decode(charset)
    except UnicodeError:
        return False
    return True

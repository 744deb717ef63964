"""The names of files in headers."""

from __future__ import annotations

import time

import pytest

from services.api.media.dispositions import MOST_CHARACTERS, file_name_in, parameters_of


@pytest.mark.parametrize(
    ("header", "name"),
    [
        pytest.param('attachment; filename="a b.pdf"', "a b.pdf", id="quoted"),
        pytest.param("attachment; filename=a.pdf", "a.pdf", id="a token"),
        pytest.param('attachment; FileName = "a.pdf"', "a.pdf", id="spaces and capitals"),
        pytest.param('attachment; filename="a\\"b;c.pdf"', 'a"b;c.pdf', id="escaped"),
        pytest.param("attachment; filename=Laporan Juni, 2.pdf", "Laporan Juni, 2.pdf", id="bare with spaces"),
        pytest.param("attachment; filename*=UTF-8''%E2%82%AC%20a.pdf", "€ a.pdf", id="RFC 8187"),
        pytest.param("attachment; filename*=iso-8859-1'en'%A3.pdf", "£.pdf", id="another charset"),
        pytest.param("attachment; filename*=none''a.pdf", "a.pdf", id="no charset"),
        pytest.param("attachment; filename=x.pdf; filename*=UTF-8''%E2%82%AC.pdf", "€.pdf", id="the extended wins"),
        pytest.param("attachment; filename*=UTF-8''%E2%82%AC.pdf; filename=x.pdf", "€.pdf", id="wherever it stands"),
        pytest.param('attachment; filename*0="long "; filename*1="name.pdf"', "long name.pdf", id="RFC 2231"),
        pytest.param("attachment; filename*0*=UTF-8''%E2%82%AC; filename*1*=b.pdf", "€b.pdf", id="extended sections"),
        pytest.param('attachment; filename="=?UTF-8?Q?Daftar_harga=2Epdf?="', "Daftar harga.pdf", id="RFC 2047"),
        pytest.param("attachment; filename==?UTF-8?B?4oKsLnBkZg==?=", "€.pdf", id="an encoded word, bare"),
        pytest.param('attachment; filename="a%20%E2%82%AC.pdf"', "a €.pdf", id="percent escapes"),
        pytest.param('attachment; filename="50%off.pdf"', "50%off.pdf", id="a percent sign"),
        pytest.param('attachment; filename="Ren\u00c3\u00a9.pdf"', "René.pdf", id="raw UTF-8"),
        pytest.param('attachment; filename="Ren\u00e9.pdf"', "René.pdf", id="raw Latin-1"),
        pytest.param("attachment; name*0*=a; name*=b; filename=c.pdf", None, id="sections with and without a number"),
        pytest.param("inline", None, id="none"),
        pytest.param("", None, id="empty"),
        pytest.param('attachment; filename=""', None, id="an empty one"),
        pytest.param("attachment; filename=" + "a" * MOST_CHARACTERS, None, id="beyond measure"),
    ],
)
def test_the_name_is_read_as_it_is_written(header: str, name: str | None) -> None:
    assert file_name_in(header) == name


@pytest.mark.parametrize("part", [";", ";a=b", ";a*0=b", ';"', '"', "\\"])
def test_a_hostile_header_takes_no_time(part: str) -> None:
    began = time.perf_counter()
    parameters_of(('x; filename="' + part * MOST_CHARACTERS)[:MOST_CHARACTERS])
    assert time.perf_counter() - began < 1

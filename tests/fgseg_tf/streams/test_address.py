"""What names a source of frames, and what is never shown of it."""

import pytest

from fgseg_tf.streams.address import DEVICES, FILE, NETWORK, hide_password, is_stream, parse_address, remove_secrets


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("camera:0", DEVICES),
        ("rtsp://10.0.0.5:554/live", NETWORK),
        ("HTTPS://host/video.mjpg", NETWORK),
        ("clips/Hall.MP4", FILE),
        ("camera:0.mkv", FILE),
    ],
)
def test_sources(text, kind):
    assert is_stream(text)
    assert parse_address(text).kind == kind


@pytest.mark.parametrize("text", ["frames", "frame.jpg", "camera:", "camera:x", "a/b.png", "median"])
def test_what_is_none(text):
    assert not is_stream(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ftp://host/a.mp4", "is no source of frames: give rtsp, rtsps, http, https, a file, or camera:0"),
        ("concat://a|b", "is no source of frames"),
        ("rtsp://", "names no host; write rtsp://HOST:PORT/PATH"),
        ("http:///video", "names no host"),
        ("rtsp://[::1/x", "is not an address"),
    ],
)
def test_addresses_that_are_none(text, said):
    with pytest.raises(ValueError, match=said):
        parse_address(text)


def test_passwords_are_not_shown():
    assert hide_password("rtsp://admin:se/cret@host/live") == "rtsp://admin:se/cret@host/live"  # not an address of that
    assert hide_password("rtsp://admin:s3cret@host:554/live") == "rtsp://***@host:554/live"
    assert hide_password("http://host/v?user=me&pwd=abc#x") == "http://host/v?user=***&pwd=***#x"
    with pytest.raises(ValueError, match=r"^ftp://\*\*\*@host/a is no source") as caught:
        parse_address("ftp://admin:s3cret@host/a")
    assert "s3cret" not in str(caught.value)
    address = parse_address("rtsp://admin:s3cret@host/live")
    message = remove_secrets("rtsp://admin:s3cret@host/live: not here\x1b[2J", address)
    assert message == "rtsp://***@host/live: not here\\x1b[2J"

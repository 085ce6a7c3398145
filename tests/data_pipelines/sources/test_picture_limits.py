"""Files that cost much to decode: refused before, and what is decoded takes little more memory than its pixels."""

import io
import json
import signal
import subprocess
import sys
import zlib

import numpy as np
import pytest
from costly_pictures import make_chunk, make_grey_png, make_jpeg_of_many_scans, make_seeds, mutate
from PIL import Image
from repository import ROOT

from data_pipelines.sources import picture_limits
from data_pipelines.sources.image_files import ENDINGS, SourceError, read_picture
from fgseg_tf.calibration.depth_pictures import ENDINGS as DEPTH_ENDINGS
from fgseg_tf.calibration.depth_pictures import read_values

MUTANTS = 600


def refuse(folder, name: str, data: bytes, said: str) -> None:
    (folder / name).write_bytes(data)
    with pytest.raises(SourceError, match=said) as caught:
        read_picture(str(folder / name))
    assert "\n" not in str(caught.value)


def test_scans_of_a_jpeg(tmp_path):
    many = make_jpeg_of_many_scans(picture_limits.MOST_SCANS + 1, 64, 40)
    refuse(tmp_path, "a.jpg", many, r"a\.jpg has more than 100 scans, usual are 10; save it again as a plain JPEG$")
    # The same with fill bytes before each marker, and as libjpeg sees it: behind bytes that are no part of anything.
    refuse(tmp_path, "a.jpg", many.replace(b"\xff\xda", b"\xff\xff\xff\xda"), "more than 100 scans")
    refuse(tmp_path, "a.jpg", many.replace(b"\xff\xda", b"stray\xff\xda")[:2] + many[2:], "more than 100 scans")
    few = make_jpeg_of_many_scans(picture_limits.MOST_SCANS - 20, 64, 40)
    (tmp_path / "b.jpg").write_bytes(few)
    assert read_picture(str(tmp_path / "b.jpg")).shape == (40, 64, 3)


def test_what_stands_behind_a_jpeg_or_in_its_segments_is_no_scan(tmp_path):
    """Telephones put a film behind the picture, or a map of depth into its segments."""
    written = io.BytesIO()
    Image.new("RGB", (64, 40), (9, 99, 199)).save(written, "JPEG", progressive=True)
    film = b"\xff\xda\x00\x08" * 5000
    segment = b"\xff\xe2" + (20_002).to_bytes(2, "big") + film
    (tmp_path / "a.jpg").write_bytes(written.getvalue()[:2] + segment + written.getvalue()[2:] + film)
    np.testing.assert_allclose(read_picture(str(tmp_path / "a.jpg"))[5, 5].astype(int), [9, 99, 199], atol=2)


def test_headers_in_pieces(tmp_path):
    plain = make_seeds()["plain.jpg"]
    refuse(tmp_path, "a.jpg", plain[:2] + b"\xff\xe1\x00\x02" * 3_000_000 + plain[2:], "more in its header than any")
    refuse(tmp_path, "a.jpg", plain[:2] + b"\xff" * 9_000_000 + plain[2:], "more in its header than any camera writes")
    png = make_grey_png(9, 8)
    refuse(tmp_path, "a.png", png[:33] + make_chunk(b"aaAa", b"") * 300_000 + png[33:], "in more than 100000 pieces")


def test_texts_and_profiles_that_grow(tmp_path):
    """Pillow's own limits hold; what it raises is one sentence."""
    png = make_grey_png(9, 8)
    grown = zlib.compress(bytes(80_000_000))
    for chunk in (make_chunk(b"zTXt", b"a\0\0" + grown), make_chunk(b"iCCP", b"a\0\0" + grown)):
        (tmp_path / "a.png").write_bytes(png[:33] + chunk + png[33:])
        assert "Decompressed data too large" in try_to_read(read_picture, str(tmp_path / "a.png"))


def test_run_lengths_of_a_bmp(tmp_path):
    palette = bytes(4 * 256)

    def make(width: int, height: int, runs: bytes) -> bytes:
        header = b"".join(number.to_bytes(4, "little") for number in (40, width, height))
        header += (1).to_bytes(2, "little") + (8).to_bytes(2, "little")
        header += b"".join(number.to_bytes(4, "little") for number in (1, len(runs), 0, 0, 256, 0))
        start = 14 + len(header) + len(palette)
        size = (start + len(runs)).to_bytes(4, "little")
        return b"BM" + size + bytes(4) + start.to_bytes(4, "little") + header + palette + runs

    (tmp_path / "small.bmp").write_bytes(make(20, 10, b"\x14\x00\x00\x00" * 10 + b"\x00\x01"))
    assert read_picture(str(tmp_path / "small.bmp")).shape == (10, 20, 3)
    # A kilobyte that Pillow makes two gigabytes of; and lines that end and end, each of which it reads for nothing.
    refuse(tmp_path, "a.bmp", make(8_000_000, 8, b"\x00\x02\x00\xff"), "is a BMP of run lengths with more than 8000000")
    refuse(tmp_path, "a.bmp", make(20, 10, b"\x00\x00" * 4_100_000), "is a BMP of run lengths with more than 8000000")


def test_of_a_picture_that_moves_the_first_frame_is_read(tmp_path):
    seeds = make_seeds()
    for name in ("moving.png", "moving.webp"):
        (tmp_path / name).write_bytes(seeds[name])
        assert read_picture(str(tmp_path / name)).shape == (20, 28, 3)
    np.testing.assert_array_equal(read_picture(str(tmp_path / "moving.png")), read_png(seeds["colours.png"]))


def try_to_read(reader, path: str) -> str:
    """Returns why a picture is refused; nothing where it is read."""
    try:
        assert reader(path).size <= 3 * 64_000_000
    except ValueError as error:
        return str(error)
    return ""


def read_png(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


MEASURE = """
import json, resource, sys
sys.path.insert(0, "tests/support")
from costly_pictures import make_grey_png
from data_pipelines.sources.image_files import read_picture
from fgseg_tf.calibration.depth_pictures import read_depth_picture

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

path, before, said = sys.argv[1] + "/a.png", peak(), {}
with open(path, "wb") as file:
    file.write(make_grey_png(8000, 8000))
picture = read_picture(path)
said["picture"] = peak() - before
assert picture.shape == (8000, 8000, 3) and (picture[:, :, 1] == 18).all()
del picture
depth = read_depth_picture(path, "millimetres").values
said["depth"] = peak() - before
assert depth.shape == (8000, 8000) and depth[7, 7] == 4.66
print(json.dumps(said))
"""


def test_memory_of_64_megapixels_of_sixteen_bits(tmp_path):
    command = [sys.executable, "-c", MEASURE, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["picture"] < 600, said  # megabytes: 128 decoded, 64 of 8 bits, 192 returned
    assert said["depth"] < 1_500, said  # 512 returned


def test_mutants_are_read_or_refused_in_one_sentence(tmp_path):
    rng = np.random.default_rng(0)
    seeds = list(make_seeds().items())
    read = refused = 0

    def is_late(*_):
        raise TimeoutError("a file of some kilobytes took 20 s")

    signal.signal(signal.SIGALRM, is_late)
    for number in range(MUTANTS):
        name, data = seeds[number % len(seeds)]
        path = str(tmp_path / name)
        (tmp_path / name).write_bytes(mutate(data, rng))
        for endings, reader in ((ENDINGS, read_picture), (DEPTH_ENDINGS, read_values)):
            if not name.endswith((*endings, ".gif")):
                continue
            signal.alarm(20)
            refusal = try_to_read(reader, path)
            signal.alarm(0)
            read, refused = read + (not refusal), refused + bool(refusal)
            assert not refusal or (refusal.startswith(path) and refusal.isprintable()), refusal
    assert min(read, refused) > MUTANTS / 6, "a good part of each, or it was not tried"

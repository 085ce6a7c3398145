"""Source pictures: what is read, what is refused and in which words. Every picture is made here, with Pillow."""

import hashlib
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from data_pipelines.sources import folder_scan
from data_pipelines.sources.cutout_cleanup import shrink, trim
from data_pipelines.sources.duplicates import MARK_SIZE, find_copies
from data_pipelines.sources.image_files import SourceError


def scene(seed: int, height: int = 60, width: int = 80) -> Image.Image:
    """A smooth random picture: two seeds look nothing like each other."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def cut_out(seed: int, height: int = 60, width: int = 40) -> Image.Image:
    """A random shape with a random picture on it, in a clear border."""
    shape = np.random.default_rng(seed + 1000).random((5, 4)) > 0.4
    shape[2, 1:3] = True
    alpha = Image.fromarray((shape * 255).astype(np.uint8)).resize((width - 10, height - 10), Image.Resampling.BILINEAR)
    canvas = scene(seed, height, width).convert("RGBA")
    full = Image.new("L", (width, height), 0)
    full.paste(alpha, (5, 5))
    canvas.putalpha(full)
    return canvas


def save(picture: Image.Image, folder, name: str, **options) -> str:
    path = os.path.join(str(folder), name)
    picture.save(path, **options)
    return path


def png_by_hand(width: int, height: int, depth: int, colour_type: int, rows: bytes, transparent: bytes = b"") -> bytes:
    """A PNG as the standard writes it, also what Pillow would not write."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0))
    data += chunk(b"tRNS", transparent) if transparent else b""
    return data + chunk(b"IDAT", zlib.compress(rows) if rows else b"") + chunk(b"IEND", b"")


def write(folder, name: str, data: bytes) -> str:
    path = os.path.join(str(folder), name)
    with open(path, "wb") as file:
        file.write(data)
    return path


def names(scan: folder_scan.Scan) -> list[str]:
    return [file.name for file in scan.files]


def reason(scan: folder_scan.Scan, name: str) -> str:
    return dict((os.path.basename(path), text) for path, text in scan.refused)[name]


# Reading backgrounds.


def halves(size: tuple[int, int] = (40, 20)) -> Image.Image:
    """Left half red, right half blue."""
    picture = Image.new("RGB", size, (255, 0, 0))
    picture.paste((0, 0, 255), (size[0] // 2, 0, size[0], size[1]))
    return picture


def test_exif_turns_the_picture(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # shot with the camera on its side: shown after a quarter turn clockwise
    path = save(halves(), tmp_path, "a.jpg", exif=exif, quality=95, subsampling=0)
    pixels = folder_scan.read_background(path, 40, 20).astype(int)
    # Turned clockwise, what was left is on top.
    np.testing.assert_allclose(pixels[5, 10], [254, 0, 0], atol=4)
    np.testing.assert_allclose(pixels[35, 10], [0, 0, 254], atol=4)


@pytest.mark.parametrize(
    ("mode", "name", "colour", "expected"),
    [
        ("CMYK", "a.jpg", (0, 255, 255, 0), (255, 0, 0)),
        ("L", "a.png", 100, (100, 100, 100)),
        ("1", "a.png", 1, (255, 255, 255)),
        ("RGBA", "a.png", (10, 200, 30, 255), (10, 200, 30)),
        ("RGB", "a.bmp", (10, 200, 30), (10, 200, 30)),
        ("RGB", "a.WEBP", (0, 0, 0), (0, 0, 0)),
        ("P", "a.png", 0, (7, 8, 9)),
    ],
)
def test_every_mode_becomes_rgb(tmp_path, mode, name, colour, expected):
    picture = Image.new(mode, (30, 20), colour)
    if mode == "P":
        picture.putpalette([7, 8, 9] + [0, 0, 0] * 255)
    pixels = folder_scan.read_background(save(picture, tmp_path, name), 10, 15)
    assert pixels.shape == (10, 15, 3)
    assert pixels.dtype == np.uint8
    np.testing.assert_allclose(pixels.reshape(-1, 3).astype(int), np.tile(expected, (150, 1)), atol=2)


def test_sixteen_bit_grey_is_scaled_not_clipped(tmp_path):
    deep = np.repeat(np.array([[0, 257, 32896, 65535]], np.uint16), 9, axis=1).repeat(12, axis=0)
    path = save(Image.fromarray(deep), tmp_path, "deep.png")
    pixels = folder_scan.read_background(path, 12, 36)
    np.testing.assert_array_equal(pixels[6, [4, 13, 22, 31]], [[0] * 3, [1] * 3, [128] * 3, [255] * 3])


def test_background_is_cropped_in_its_middle(tmp_path):
    strip = np.zeros((20, 60, 3), np.uint8)
    strip[:, 20:40] = 200
    path = save(Image.fromarray(strip), tmp_path, "strip.png")
    np.testing.assert_array_equal(folder_scan.read_background(path, 20, 20), np.full((20, 20, 3), 200))


def test_background_is_shrunk_with_antialiasing(tmp_path):
    stripes = np.zeros((40, 60, 3), np.uint8)
    stripes[:, ::2] = 200
    path = save(Image.fromarray(stripes), tmp_path, "stripes.png")
    np.testing.assert_allclose(folder_scan.read_background(path, 8, 12)[:, 1:-1].astype(int), 100, atol=6)


def test_a_moving_picture_gives_its_first_frame(tmp_path):
    first, second = Image.new("RGB", (20, 16), (0, 200, 0)), Image.new("RGB", (20, 16), (200, 0, 0))
    path = save(first, tmp_path, "moves.png", save_all=True, append_images=[second])
    np.testing.assert_array_equal(folder_scan.read_background(path, 16, 20)[8, 10], [0, 200, 0])


def test_reading_a_bad_file_names_it(tmp_path):
    path = write(tmp_path, "a.png", b"")
    with pytest.raises(SourceError, match=r"a\.png is empty \(0 bytes\)"):
        folder_scan.read_background(path, 8, 8)
    with pytest.raises(SourceError, match=r"none\.png cannot be read"):
        folder_scan.read_foreground(str(tmp_path / "none.png"))


# Reading cut-outs.


def test_trim_is_exact_and_leaves_stray_alpha_out():
    rgba = np.zeros((9, 12, 4), np.uint8)
    rgba[2:6, 3:10, 3] = 8
    rgba[0, 0, 3] = rgba[8, 11, 3] = 7
    rgba[2, 3, :3] = 1
    trimmed = trim(rgba)
    assert trimmed.shape == (4, 7, 4)
    np.testing.assert_array_equal(trimmed, rgba[2:6, 3:10])


def test_palette_transparency_is_alpha(tmp_path):
    codes = np.zeros((20, 24), np.uint8)
    codes[4:16, 6:15] = 1
    picture = Image.fromarray(codes)
    picture.putpalette([255, 255, 255, 10, 20, 30])
    path = save(picture, tmp_path, "palette.png", transparency=0)
    assert Image.open(path).mode == "P"
    rgba = folder_scan.read_foreground(path)
    np.testing.assert_array_equal(rgba, np.broadcast_to(np.array([10, 20, 30, 255], np.uint8), (12, 9, 4)))


def test_sixteen_bit_grey_transparency_is_alpha(tmp_path):
    deep = np.full((20, 24), 65535, np.uint16)
    deep[4:16, 6:15] = 32896
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in deep)
    path = write(tmp_path, "deep.png", png_by_hand(24, 20, 16, 0, rows, transparent=b"\xff\xff"))
    rgba = folder_scan.read_foreground(path)
    np.testing.assert_array_equal(rgba, np.broadcast_to(np.array([128, 128, 128, 255], np.uint8), (12, 9, 4)))


def test_halo_takes_the_colour_of_the_inside():
    # One row a colour band: opaque red in the middle, a soft white fringe left and right, nothing outside.
    rgba = np.zeros((4, 9, 4), np.uint8)
    rgba[..., :3] = 255
    rgba[:, 3:6] = [200, 10, 20, 255]
    rgba[:, [2, 6], 3] = 120
    rgba[:, [1, 7], 3] = 40
    cleaned = folder_scan.clean_halo(rgba)
    np.testing.assert_array_equal(cleaned[..., 3], rgba[..., 3])
    np.testing.assert_array_equal(cleaned[:, 1:8, :3], np.broadcast_to([200, 10, 20], (4, 7, 3)))


def test_halo_takes_the_nearest_colour_of_two():
    rgba = np.full((3, 10, 4), 255, np.uint8)
    rgba[:, :2, :3] = [100, 0, 0]
    rgba[:, 8:, :3] = [0, 0, 100]
    rgba[:, 2:8, 3] = 90
    cleaned = folder_scan.clean_halo(rgba)
    np.testing.assert_array_equal(cleaned[1, 2:5, :3], [[100, 0, 0]] * 3)
    np.testing.assert_array_equal(cleaned[1, 5:8, :3], [[0, 0, 100]] * 3)


def test_wide_soft_parts_keep_their_own_colour():
    """A shadow, or a leaf that is soft all through, is no halo."""
    rgba = np.zeros((5, 30, 4), np.uint8)
    rgba[:, :6] = [200, 200, 200, 255]
    rgba[:, 6:] = [0, 60, 0, 150]
    np.testing.assert_array_equal(folder_scan.clean_halo(rgba)[:, 12:], rgba[:, 12:])


def test_shrunk_cut_out_has_no_halo_and_keeps_its_share_of_alpha():
    rgba = np.full((40, 24, 4), 255, np.uint8)  # white where clear
    rgba[..., 3] = 0
    rgba[10:30, 6:18] = [40, 80, 120, 255]
    small = shrink(rgba, 10)
    assert small.shape == (10, 6, 4)
    visible = small[..., 3] > 0
    np.testing.assert_allclose(small[visible][:, :3].astype(int), np.tile([40, 80, 120], (visible.sum(), 1)), atol=1)
    np.testing.assert_allclose(small[..., 3].mean(), rgba[..., 3].mean(), rtol=0.03)
    # Whoever enlarges it again must not meet white next to it.
    np.testing.assert_allclose(small[1, 3, :3].astype(int), [40, 80, 120], atol=1)


def test_cut_out_is_never_enlarged(tmp_path):
    path = save(cut_out(1), tmp_path, "a.png")
    full = folder_scan.read_foreground(path)
    np.testing.assert_array_equal(folder_scan.read_foreground(path, longest=500), full)
    assert max(folder_scan.read_foreground(path, longest=20).shape[:2]) == 20


# Scanning.


def test_scan_sorts_as_people_do_and_says_what_it_found(tmp_path):
    for number, name in enumerate(["img10.png", "img2.jpg", "Img1.bmp", "img02.webp"]):
        save(scene(number), tmp_path, name)
    write(tmp_path, "notes.txt", b"x")
    write(tmp_path, ".hidden.png", b"x")
    (tmp_path / "more").mkdir()
    scan = folder_scan.scan_backgrounds(str(tmp_path))
    assert names(scan) == ["Img1", "img02", "img2", "img10"]
    assert scan.refused == ()
    with open(tmp_path / "img2.jpg", "rb") as file:
        assert scan.files[2].digest == hashlib.sha256(file.read()).hexdigest()
    assert scan.files[2].path == str(tmp_path / "img2.jpg")


def test_all_refusals_come_in_one_list(tmp_path):
    good = save(scene(1), tmp_path, "good.jpg", quality=95)
    with open(good, "rb") as file:
        data = file.read()
    write(tmp_path, "cut.jpg", data[: len(data) // 2])
    write(tmp_path, "text.png", b"this is no picture at all")
    write(tmp_path, "empty.bmp", b"")
    save(scene(2, 7, 30), tmp_path, "small.png")
    save(cut_out(3), tmp_path, "object.png")
    save(scene(4), tmp_path, "good.png")
    with pytest.raises(SourceError) as caught:
        folder_scan.scan_backgrounds(str(tmp_path))
    message = str(caught.value)
    assert message.startswith(f"6 of 7 backgrounds in {tmp_path} cannot be used:")
    assert "`skip_bad`" in message
    scan = folder_scan.scan_backgrounds(str(tmp_path), skip_bad=True)
    assert names(scan) == ["good"]
    for name, words in {
        "cut.jpg": "damaged or cut short",
        "text.png": "not a JPEG, PNG, WebP or BMP picture",
        "empty.bmp": "empty (0 bytes)",
        "small.png": "too small: 30 x 7",
        "object.png": "cut-out in the wrong folder",
        "good.png": "same name as good.jpg",
    }.items():
        assert words in reason(scan, name)
        assert f"  {name} {reason(scan, name)}" in message.splitlines()


def test_truncated_png_is_refused(tmp_path):
    data = open(save(scene(1), tmp_path, "a.png"), "rb").read()  # noqa: SIM115
    write(tmp_path, "a.png", data[:-300])
    with pytest.raises(SourceError, match=r"a\.png is damaged or cut short"):
        folder_scan.scan_backgrounds(str(tmp_path))


def test_huge_picture_is_refused_by_its_header(tmp_path, monkeypatch):
    def must_not_decode(self):
        raise AssertionError("decoded")

    write(tmp_path, "bomb.png", png_by_hand(60000, 60000, 8, 2, b""))
    write(tmp_path, "large.png", png_by_hand(9000, 8000, 8, 2, b""))
    save(scene(1, 20, 30), tmp_path, "over.bmp")
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", must_not_decode)
    with pytest.raises(SourceError) as caught:
        folder_scan.scan_backgrounds(str(tmp_path), max_pixels=599)
    lines = str(caught.value).splitlines()
    assert "bomb.png is too large: its header claims over" in lines[1]
    assert "large.png is too large: 9000 x 8000 = 72000000 pixels, 599 are allowed" in lines[2]
    assert "over.bmp is too large: 30 x 20 = 600 pixels" in lines[3]


def test_cut_outs_that_cut_nothing_out(tmp_path):
    save(scene(1), tmp_path, "opaque.jpg")
    save(scene(2).convert("RGBA"), tmp_path, "opaque_alpha.png")
    save(Image.new("RGBA", (30, 20), (9, 9, 9, 5)), tmp_path, "clear.png")
    save(Image.new("RGBA", (30, 20), (9, 9, 9, 60)), tmp_path, "veil.png")
    speck = Image.new("RGBA", (30, 20), (0, 0, 0, 0))
    speck.paste((255, 0, 0, 255), (3, 3, 15, 8))
    save(speck, tmp_path, "speck.png")
    save(cut_out(1), tmp_path, "whole.png")
    scan = folder_scan.scan_foregrounds(str(tmp_path), skip_bad=True)
    assert names(scan) == ["whole"]
    assert "rembg" in reason(scan, "opaque.jpg")
    assert "rembg" in reason(scan, "opaque_alpha.png")
    assert "transparent everywhere" in reason(scan, "clear.png")
    assert "veil" in reason(scan, "veil.png")
    assert "shows only 12 x 5 pixels" in reason(scan, "speck.png")


def test_count_takes_the_first_and_looks_no_further(tmp_path):
    for number in range(4):
        save(scene(number), tmp_path, f"{number}.png")
    write(tmp_path, "9.png", b"never looked at")
    assert names(folder_scan.scan_backgrounds(str(tmp_path), count=3)) == ["0", "1", "2"]
    with pytest.raises(SourceError, match="holds 4 usable backgrounds, 5 are asked for"):
        folder_scan.scan_backgrounds(str(tmp_path), count=5, skip_bad=True)
    write(tmp_path, "1.png", b"bad, so another one takes its place")
    assert names(folder_scan.scan_backgrounds(str(tmp_path), count=3, skip_bad=True)) == ["0", "2", "3"]


def test_nothing_usable_says_what_was_looked_for(tmp_path):
    with pytest.raises(SourceError, match=r"no usable background\. Looked for \.jpg .*not in sub-folders\.$"):
        folder_scan.scan_backgrounds(str(tmp_path))
    for name in ("a.heic", "b.HEIC", "c.txt", ".d.png", "README"):
        write(tmp_path, name, b"x")
    with pytest.raises(SourceError, match=r"Passed over: 2 \.heic, 1 hidden, 1 without an ending, 1 \.txt\.$"):
        folder_scan.scan_backgrounds(str(tmp_path))
    write(tmp_path, "e.png", b"")
    with pytest.raises(SourceError, match=r"Refused:\n  e\.png is empty"):
        folder_scan.scan_backgrounds(str(tmp_path), skip_bad=True)


def test_folder_that_is_none(tmp_path):
    path = save(scene(1), tmp_path, "a.png")
    with pytest.raises(SourceError, match=r"a\.png is a file: give the folder that holds the cut-outs"):
        folder_scan.scan_foregrounds(path)
    with pytest.raises(SourceError, match="There is no folder"):
        folder_scan.scan_foregrounds(str(tmp_path / "missing"))
    with pytest.raises(SourceError, match="No folder of backgrounds is given"):
        folder_scan.scan_backgrounds("")


@pytest.mark.parametrize("options", [{"count": 0}, {"max_pixels": 0}, {"max_pixels": 10**9}])
def test_arguments_out_of_range(tmp_path, options):
    with pytest.raises(SourceError, match=f"{next(iter(options))} is {next(iter(options.values()))}"):
        folder_scan.scan_backgrounds(str(tmp_path), **options)


# Copies.


def test_copies_of_backgrounds(tmp_path):
    original = scene(1, 120, 160)
    save(original, tmp_path, "1.png")
    save(original, tmp_path, "2_same_pixels.bmp")
    save(original.resize((70, 52)), tmp_path, "3_small.jpg", quality=30)
    save(original.point(lambda v: v * 3 // 4), tmp_path, "4_darker.png")
    save(original.transpose(Image.Transpose.FLIP_LEFT_RIGHT), tmp_path, "5_mirrored.png")
    save(original.transpose(Image.Transpose.FLIP_TOP_BOTTOM), tmp_path, "6_other.png")
    for seed in range(2, 12):
        save(scene(seed), tmp_path, f"7_other{seed}.png")
    scan = folder_scan.scan_backgrounds(str(tmp_path), skip_bad=True)
    assert names(scan) == ["1", "6_other"] + [f"7_other{seed}" for seed in range(2, 12)]
    assert reason(scan, "2_same_pixels.bmp").startswith("is the same pixels as 1.png")
    assert reason(scan, "3_small.jpg").startswith("is nearly the same picture as 1.png")
    assert reason(scan, "4_darker.png").startswith("is nearly the same picture as 1.png")
    assert reason(scan, "5_mirrored.png").startswith("is a mirrored copy of 1.png")
    with pytest.raises(SourceError, match="`keep_duplicates`"):
        folder_scan.scan_backgrounds(str(tmp_path))
    kept = folder_scan.scan_backgrounds(str(tmp_path), keep_duplicates=True)
    assert len(kept.files) == 16
    assert kept.refused == ()


def test_copies_of_cut_outs(tmp_path):
    original = cut_out(1, 120, 90)
    save(original, tmp_path, "1.png")
    save(original.resize((50, 66)), tmp_path, "2_small.webp", quality=60)
    moved = Image.new("RGBA", (150, 200), (255, 255, 255, 0))
    moved.paste(original.transpose(Image.Transpose.FLIP_LEFT_RIGHT), (30, 60))
    save(moved, tmp_path, "3_moved.png")
    for seed in range(2, 12):
        save(cut_out(seed), tmp_path, f"4_other{seed}.png")
    scan = folder_scan.scan_foregrounds(str(tmp_path), skip_bad=True)
    assert names(scan) == ["1"] + [f"4_other{seed}" for seed in range(2, 12)]
    assert "nearly the same picture as 1.png" in reason(scan, "2_small.webp")
    assert "mirrored copy of 1.png" in reason(scan, "3_moved.png")


def test_flat_pictures_are_copies_only_when_equal(tmp_path):
    for number, level in enumerate((50, 90, 50)):
        save(Image.new("RGB", (30, 20), (level,) * 3), tmp_path, f"{number}.png")
    scan = folder_scan.scan_backgrounds(str(tmp_path), skip_bad=True)
    assert names(scan) == ["0", "1"]
    assert "the same pixels as 0.png" in reason(scan, "2.png")


def test_copies_are_named_after_the_one_that_is_kept_across_blocks():
    marks = np.random.default_rng(0).normal(size=(2500, MARK_SIZE)).astype(np.float32)
    marks /= np.linalg.norm(marks, axis=1, keepdims=True)
    marks[2000] = marks[7]
    marks[2400] = marks[7]
    digests = [str(number) for number in range(2500)]
    digests[2450] = "2400"  # the same pixels as a copy: named after the one that stays
    copies = find_copies(digests, marks, np.zeros_like(marks))
    assert {copy: original for copy, (original, _) in copies.items()} == {2000: 7, 2400: 7, 2450: 7}


def test_a_name_that_is_not_utf8_is_refused_by_itself(tmp_path):
    """Not the whole folder without a name; and what a terminal obeys is shown, not sent to it."""
    save(scene(1), tmp_path, "good.png")
    save(scene(2), tmp_path, "odd\x1b[2J.png")
    strange = os.path.join(os.fsencode(tmp_path), b"caf\xe9.png")
    with open(strange, "wb") as file, open(tmp_path / "good.png", "rb") as good:
        file.write(good.read())
    os.mkfifo(tmp_path / "fifo.png")
    with pytest.raises(SourceError) as caught:
        folder_scan.scan_backgrounds(str(tmp_path))
    assert "  caf\\xe9.png has a name with control characters, or that is not UTF-8; rename it" in str(caught.value)
    assert "  odd\\x1b[2J.png has a name with control characters" in str(caught.value)
    assert "  fifo.png is a FIFO, not a file" in str(caught.value)
    found = folder_scan.scan_backgrounds(str(tmp_path), skip_bad=True)
    assert names(found) == ["good"]
    bad = [os.path.basename(path) for path, _ in found.refused]
    assert bad == [r"caf\xe9.png", "fifo.png", r"odd\x1b[2J.png"]

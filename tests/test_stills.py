"""Pictures that move though no camera filmed them: folders of pictures, GIF, WebP."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edn_core.intake import find_videos
from edn_core.video import check_video, decode, probe
from edn_core.video.stills import film_stills, stills_digest

LEVELS = (20, 90, 160, 230)


def grey(level: int, size: tuple[int, int] = (24, 16)) -> Image.Image:
    return Image.new("RGB", size, (level,) * 3)


def folder_of(folder: Path, *names: str) -> Path:
    """A folder of pictures by these names, each of the next grey level."""
    folder.mkdir()
    for name, level in zip(names, LEVELS, strict=False):
        grey(level).save(folder / name, quality=95)
    return folder


def levels(path: Path) -> list[int]:
    """The grey levels of a video's frames, to the next 10."""
    images = decode(path, probe(path).timeline())
    return [10 * round(float(image.mean()) / 10) for image in images]


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_pictures_come_in_the_order_of_their_numbers_at_the_rate_that_is_set(tmp_path, suffix):
    names = [f"walk {number}.{suffix}" for number in (8, 9, 10, 11)]
    film_stills(folder_of(tmp_path / "walk", *names), 12.5, tmp_path / "walk.mov")
    info = probe(tmp_path / "walk.mov")
    assert (info.width, info.height, float(info.fps), info.n_frames) == (24, 16, 12.5, 4)
    assert levels(tmp_path / "walk.mov") == [*LEVELS]
    check_video(tmp_path / "walk.mov")
    assert list(find_videos(tmp_path).videos) == []  # two of one name


def test_every_pixel_of_a_png_is_kept_and_a_turned_jpeg_stands_upright(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (16, 24, 3), np.uint8)
    folder = folder_of(tmp_path / "a", "1.png")
    Image.fromarray(noise).save(folder / "0.png")
    film_stills(folder, 25, tmp_path / "a.mov")
    np.testing.assert_array_equal(
        next(decode(tmp_path / "a.mov", probe(tmp_path / "a.mov").timeline())), noise
    )
    turned = folder_of(tmp_path / "b")
    for number, exif in ((1, Image.Exif()), (2, Image.Exif())):
        exif[274] = 6  # shown turned by a quarter to the right: what is left becomes the top
        picture = grey(20)
        picture.paste(grey(230, (12, 16)))
        picture.save(turned / f"{number}.jpg", exif=exif)
    film_stills(turned, 25, tmp_path / "b.mov")
    image = next(decode(tmp_path / "b.mov", probe(tmp_path / "b.mov").timeline()))
    assert image.shape == (24, 16, 3) and image[:8].mean() > 200 and image[16:].mean() < 50


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["1.png", "2.png", "4.png"], r"4\.png: comes next to 2\.png, expected numbers in even"),
        (["1.png", "01.png", "2.png"], r"/1\.png: comes next to 01\.png"),
        (["1.png", "2.jpg"], "holds 2 pictures .mjpeg, png., expected two or more, all"),
        (["1.png"], "holds 1 pictures .png."),
    ],
)
def test_pictures_that_are_missing_or_of_two_kinds_are_refused(tmp_path, names, says):
    with pytest.raises(ValueError, match=says):
        stills_digest(folder_of(tmp_path / "a", *names))
    assert find_videos(tmp_path).videos == {}
    with pytest.raises(ValueError, match=says):  # by its name, when it is asked for
        find_videos(tmp_path).check_asked(["a"])


def test_a_picture_of_another_size_or_that_is_none_is_named(tmp_path):
    folder = folder_of(tmp_path / "a", "1.png", "2.png", "3.png")
    grey(9, (16, 24)).save(folder / "2.png")
    with pytest.raises(ValueError, match=r"2\.png: 16x24 px, Exif's .* 1, expected 24x16 px"):
        film_stills(folder, 25, tmp_path / "a.mov")
    (folder / "2.png").write_text("text")
    with pytest.raises(ValueError, match=r"2\.png: is no picture; copy it again"):
        film_stills(folder, 25, tmp_path / "a.mov")
    assert not (tmp_path / "a.mov").exists()


def test_pictures_are_known_by_what_they_hold(tmp_path):
    one, other = (folder_of(tmp_path / name, "1.png", "2.png") for name in "ab")
    assert stills_digest(one) == stills_digest(other)
    grey(7).save(other / "2.png")
    stills_digest.cache_clear()
    assert stills_digest(one) != stills_digest(other)


def test_an_animated_gif_is_a_video_and_a_single_picture_is_none(tmp_path):
    about = {"save_all": True, "append_images": [grey(level) for level in LEVELS[1:]]}
    grey(LEVELS[0]).save(tmp_path / "dance.gif", duration=40, **about)
    grey(20).save(tmp_path / "still.gif")
    found = find_videos(tmp_path)
    assert list(found.videos) == ["dance"]
    assert (probe(found.videos["dance"]).fps, levels(tmp_path / "dance.gif")) == (25, [*LEVELS])
    with pytest.raises(ValueError, match=r"still\.gif: holds a single picture, expected a video"):
        found.check_asked(["still"])


def test_an_animated_webp_is_refused_by_name_and_an_animated_png_is_read(tmp_path):
    about = {"save_all": True, "append_images": [grey(level) for level in LEVELS[1:]]}
    grey(LEVELS[0]).save(tmp_path / "me.webp", duration=40, **about)
    grey(LEVELS[0]).save(tmp_path / "dance.png", duration=40, **about)
    found = find_videos(tmp_path)
    assert (list(found.videos), levels(tmp_path / "dance.png")) == (["dance"], [*LEVELS])
    with pytest.raises(ValueError, match=r"me\.webp: FFmpeg reads no WebP; convert it, to mp4"):
        found.check_asked(["me"])

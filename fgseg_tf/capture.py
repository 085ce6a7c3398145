"""What differs between two exposures of one camera: the same scene, photographed twice, is not the same picture.

A composite's `fg_bg` is its `bg` outside the object, to the last bit; a second exposure never is. `Capture.change`
makes two exposures of a composite, seeded, in tf ops, so that the same code trains a network and measures how much it
bears. An example is the dict of `batches`: `pictures` uint8 [H, W, 7] (bg, fg_bg, mask) and codes of depth [H, W, 1].

    scene      between the two: shadows of the object, leaves and screens, light that wandered, seams, things moved
    objects    nobody in the frame, or somebody in the empty scene who has left it since
    camera     one of the two is shifted, turned and zoomed a little; labels follow the frame
    exposure   gain, contrast, gamma, white balance, light over the picture, vignette, blur or sharpening, noise, JPEG

How strong all this is, is one number from 0 (nothing) to 4; the amounts below are those at 4, and grow evenly with it;
how often something happens at all has grown to its full share at 2.
What is shared by the two exposures (a dark room, a grey camera) is part of it: networks should not mind.
"""

from dataclasses import dataclass

import tensorflow as tf

SEVEREST = 4
LADDER = tuple(range(SEVEREST + 1))

# Of both exposures, and of each by itself: natural logarithms of factors, either way.
SHARED_GAIN, OWN_GAIN = 0.5, 0.22
SHARED_GAMMA, OWN_GAMMA = 0.4, 0.15
SHARED_BALANCE, OWN_BALANCE = 0.2, 0.08
OWN_CONTRAST = 0.15
GREY = 0.15  # share of cameras that lose colour, more or less of it
OFFSET = 0.04
LIGHT = 0.22  # of a smooth field over the picture, logarithm
VIGNETTE = 0.35  # darker in the corners
BLUR, SHARPENING = 1.0, 0.6  # of the difference to a Gaussian of BLUR_SIGMA pixels
BLUR_SIGMA = 1.2
READ_NOISE, SHOT_NOISE = 0.03, 0.03  # standard deviations: everywhere, and at white
WORST_JPEG = 25  # quality
SHIFT, TURN, ZOOM = 0.012, 0.012, 0.012  # of the shorter side; radians; of 1

SHADOWS, SHADOW = 0.7, 0.75  # share of frames, darkness
CONTACT = 0.6
THINGS = 3  # that throw a shadow of their own
STIR, STIRRED = 0.6, 0.02  # leaves: share of frames, distance of the shorter side
GLOW, GLOWING = 0.5, 0.6  # screens, spots of light: share of frames, logarithm
SEAM, SEAMED = 0.4, 0.12  # patches of the scene pasted back: share of frames, logarithm
MOVED = 0.06  # share of frames in which a small thing stands elsewhere
FIELDS = 5  # control points a side, of smooth random fields


@dataclass(frozen=True)
class Capture:
    """Severities from least to most, drawn evenly for each example.

    nobody: share of examples whose object is taken away. ghosts: share in which the empty scene shows somebody.
    """

    least: float = 0.0
    most: float = 0.0
    nobody: float = 0.0
    ghosts: float = 0.0

    def __post_init__(self):
        if not 0 <= self.least <= self.most <= SEVEREST:
            raise ValueError(
                f"a severity from {self.least:g} to {self.most:g} is not on the ladder; it goes from 0 to {SEVEREST}."
            )
        if not (self.nobody >= 0 and self.ghosts >= 0 and self.nobody + self.ghosts <= 1):
            raise ValueError(f"nobody={self.nobody:g} and ghosts={self.ghosts:g} are not shares of all examples.")

    def __bool__(self):
        """Whether anything would change."""
        return self.most > 0 or self.nobody > 0 or self.ghosts > 0

    def change(self, example: dict, seed: tf.Tensor) -> dict:
        """Two exposures of an example. seed: int32 or int64 [2], another one for each example."""
        return photographed(example, seed, self.least, self.most, self.nobody, self.ghosts) if self else example


def photographed(
    example: dict,
    seed: tf.Tensor,
    least: float | tf.Tensor,
    most: float | tf.Tensor,
    nobody: float | tf.Tensor = 0.0,
    ghosts: float | tf.Tensor = 0.0,
) -> dict:
    """As `Capture.change`; the numbers may be tensors."""
    draws = _Draws(seed)
    strength = draws.between(least / SEVEREST, most / SEVEREST)
    pictures = tf.cast(example["pictures"], tf.float32) / 255
    bg, fg_bg, mask = tf.split(pictures, [3, 3, 1], axis=-1)
    # What the object adds: with that, and 1 - mask, it can be laid over any scene.
    layer = fg_bg - bg * (1 - mask)
    scene = _changed_scene(bg, mask, strength, draws)
    kind = draws.one()
    present = tf.cast(kind >= nobody, tf.float32)
    ghost = tf.cast(kind >= 1 - ghosts, tf.float32)
    frame = scene * (1 - present * mask) + present * layer
    plate = _haunted(bg, layer, mask, ghost)
    planes = {key: value for key, value in example.items() if key in ("depth", "bg_depth")}
    # Nobody knows how far the floor is where somebody stood.
    planes["depth"] = tf.where((present < 1) & (mask > 0), tf.zeros_like(planes["depth"]), planes["depth"])
    plate, frame, planes = _moved_camera(plate, tf.concat([frame, present * mask], -1), planes, strength, draws)
    frame, mask = frame[..., :3], frame[..., 3:]
    exposures = _exposed(tf.concat([plate, frame], -1), strength, draws)
    mask = tf.cast(tf.round(mask * 255), tf.uint8)
    return {**example, **planes, "pictures": tf.concat([exposures, mask], -1)}


class _Draws:
    """Numbers from 0 to 1, one after the other, all of them drawn at once: a hundred small ops would take longer."""

    def __init__(self, seed, count: int = 96):
        self._seed = tf.cast(seed, tf.int32)
        self._numbers = tf.unstack(tf.random.stateless_uniform([count], self._fold(0)))
        self._fields = 0

    def one(self):
        return self._numbers.pop()

    def between(self, least, most):
        return least + (most - least) * self.one()

    def either_way(self, count: int | None = None):
        """From -1 to 1; several of them as a vector."""
        if count is None:
            return 2 * self.one() - 1
        return tf.stack([2 * self.one() - 1 for _ in range(count)])

    def happens(self, share, strength):
        """1 in that share of cases, 0 otherwise; the full share from the middle of the ladder on."""
        return tf.cast(self.one() < share * tf.minimum(2 * strength, 1), tf.float32)

    def fields(self, size, count: int):
        """float32 [H, W, count]: smooth, about -1 to 1."""
        self._fields += 1
        points = tf.random.stateless_uniform([FIELDS, FIELDS, count], self._fold(self._fields), -1, 1)
        return tf.image.resize(points, size, "bicubic")

    def noise(self, shape):
        return tf.random.stateless_normal(shape, self._fold(99))

    def _fold(self, number):
        return tf.random.fold_in(self._seed, number)


def _changed_scene(bg, mask, strength, draws: _Draws):
    """The scene at the moment of the frame, behind the object."""
    height, width = _size(bg)
    shorter = tf.cast(tf.minimum(height, width), tf.float32)
    stirring, glowing, seaming, moving = tf.unstack(draws.fields([height, width], 4), axis=-1)
    scene = bg
    # Leaves, water: some of the picture is a few pixels elsewhere.
    steps = tf.round(draws.either_way(2) * STIRRED * strength * shorter + draws.either_way(2))
    elsewhere = tf.roll(scene, tf.cast(steps, tf.int32), [0, 1])
    scene = _blend(scene, elsewhere, _patch(stirring, draws.between(0.0, 0.6), 6.0) * draws.happens(STIR, strength))
    # A small thing that stands elsewhere now: what is there was taken from another place.
    steps = draws.either_way(2) * 0.3 * shorter
    elsewhere = tf.roll(scene, tf.cast(steps, tf.int32), [0, 1])
    scene = _blend(scene, elsewhere, _patch(moving, draws.between(0.9, 1.05), 30.0) * draws.happens(MOVED, strength))
    # Screens, lamps, sunlight through a window, with hard or soft outlines.
    colour = tf.exp(strength * GLOWING * (draws.either_way() + 0.3 * draws.either_way(3)))
    patch = _patch(glowing, draws.between(0.2, 0.8), tf.exp(draws.between(0.7, 4.0)))
    scene = _blend(scene, scene * colour, patch * draws.happens(GLOW, strength))
    # A piece of the scene pasted back with a seam, in the outline of somebody or of nothing in particular.
    outline = tf.where(draws.one() < 0.5, mask[:, ::-1, 0], _patch(seaming, draws.between(0.3, 0.8), 30.0))
    pasted = _blurred(scene, draws.one()) * tf.exp(strength * SEAMED * draws.either_way(3))
    scene = _blend(scene, pasted, outline * draws.happens(SEAM, strength))
    return tf.clip_by_value(scene * _shade(mask, strength, draws), 0, 1)


def _shade(mask, strength, draws: _Draws):
    """Factors [H, W, 3]: the shadows that objects throw on floor or wall, and the dark line where each stands."""
    height, width = (tf.cast(side, tf.float32) for side in _size(mask))
    things = _things(mask)
    inside = things > 0.5
    rows, columns = (tf.cast(tf.reduce_any(inside, axis), tf.float32) for axis in (2, 1))
    bases = tf.reduce_max(rows * tf.range(height), 1)
    tall, wide = tf.reduce_max(tf.reduce_sum(rows, 1)), tf.reduce_max(tf.reduce_sum(columns, 1))
    # Floor: height above the base becomes a way across the floor, up or down the picture. Wall: only shifted. One sun.
    squash = draws.between(0.15, 0.8) * tf.sign(draws.either_way())
    lean = 1.5 * draws.either_way()
    none, one = tf.zeros_like(bases), tf.ones_like(bases)
    floor = [one, one * lean / squash, -lean * bases / squash, none, one / squash, bases * (1 - 1 / squash), none, none]
    right, down = draws.either_way() * (0.1 * width + 0.3 * wide), draws.either_way() * 0.15 * tall
    wall = [one, none, one * right, none, one, one * down, none, none]
    transforms = tf.where(draws.one() < 0.65, tf.stack(floor, 1), tf.stack(wall, 1))
    shadow = _joined(_warped(things[..., None], transforms, "BILINEAR", "CONSTANT")[..., 0])
    shadow += (_coarse(shadow) - shadow) * draws.one()
    from_base = (tf.range(height) - bases[:, None]) / tf.maximum(0.06 * tall, 1.0)
    foot = tf.exp(-tf.square(from_base))[..., None]
    contact = _joined(_coarse(things[..., None])[..., 0] * foot) * CONTACT * draws.happens(SHADOWS, strength)
    # Skies light shadows, and they are blue.
    tint = 1 - 0.15 * draws.one() * tf.constant([0.0, 0.4, 1.0])
    darkness = SHADOW * draws.one() * tf.minimum(1.5 * strength, 1) * draws.happens(SHADOWS, strength)
    return (1 - darkness * shadow * tint) * (1 - tf.minimum(1.5 * strength, 1) * contact)


def _things(mask):
    """[THINGS, H, W]: what stands side by side, each by itself, so that each throws its shadow from its own foot.

    Taken apart where a whole column of the picture is empty; what is left over when there are more shares a plane.
    """
    occupied = tf.reduce_any(mask[..., 0] > 0, 0)
    begins = occupied & ~tf.concat([[False], occupied[:-1]], 0)
    number = tf.minimum(tf.cumsum(tf.cast(begins, tf.int32)), THINGS) - 1
    mine = tf.cast(number == tf.range(THINGS)[:, None], tf.float32)
    return mine[:, None] * mask[..., 0]


def _joined(planes):
    """[N, H, W] -> [H, W, 1]: the strongest; one shadow in another is no darker."""
    return tf.reduce_max(planes, 0)[..., None]


def _haunted(bg, layer, mask, ghost):
    """The empty scene, with the object's mirror image in it where `ghost` is 1: it stood there, and has left."""
    return bg * (1 - ghost * mask[:, ::-1]) + ghost * layer[:, ::-1]


def _moved_camera(plate, frame, planes: dict, strength, draws: _Draws):
    height, width = (tf.cast(side, tf.float32) for side in _size(plate))
    shorter = tf.minimum(height, width)
    angle = TURN * strength * draws.either_way()
    scale = tf.exp(ZOOM * strength * draws.either_way())
    right, down = tf.unstack(SHIFT * strength * shorter * draws.either_way(2))
    cosine, sine = tf.cos(angle) * scale, tf.sin(angle) * scale
    x, y = (width - 1) / 2, (height - 1) / 2
    transform = [cosine, -sine, x - cosine * x + sine * y + right, sine, cosine, y - sine * x - cosine * y + down, 0, 0]
    transform = tf.stack([tf.cast(value, tf.float32) for value in transform])

    def frame_moves():
        followed = {
            key: tf.cast(_warped(tf.cast(value, tf.float32), transform, "NEAREST"), value.dtype)
            for key, value in planes.items()
        }
        return plate, _warped(frame, transform), followed

    return tf.cond(draws.one() < 0.5, frame_moves, lambda: (_warped(plate, transform), frame, planes))


def _exposed(pair, strength, draws: _Draws):
    """float32 [H, W, 6] -> uint8: the two pictures as two exposures."""
    height, width = _size(pair)

    def factors(shared, own, each: int):
        """exp of something shared and something of each exposure's own; each: numbers per exposure, 1 or 3."""
        both = tf.tile(draws.either_way(each), [6 // each]) if each == 3 else tf.fill([6], draws.either_way())
        alone = draws.either_way(6) if each == 3 else tf.repeat(draws.either_way(2), 3)
        return tf.exp(strength * (shared * both + own * alone))

    # A camera that shows no colour shows none in either picture.
    grey = tf.cast(draws.one() < GREY, tf.float32) * draws.one() * tf.minimum(2 * strength, 1)
    colours = tf.reshape(pair, [height, width, 2, 3])
    colours += grey * (tf.reduce_mean(colours, -1, keepdims=True) - colours)
    pair = tf.reshape(colours, [height, width, 6])
    x = tf.pow(tf.maximum(pair, 1e-4), factors(SHARED_GAMMA, OWN_GAMMA, 1))
    down, across = tf.linspace(-1.0, 1.0, height)[:, None], tf.linspace(-1.0, 1.0, width)[None]
    corners = (tf.square(down) + tf.square(across))[..., None] / 2
    dark = VIGNETTE * strength * tf.stack([draws.one(), draws.one()])
    light = tf.exp(LIGHT * strength * draws.fields([height, width], 2)) * (1 - dark * corners)
    x *= factors(SHARED_GAIN, OWN_GAIN, 1) * factors(SHARED_BALANCE, OWN_BALANCE, 3) * tf.repeat(light, 3, axis=-1)
    x = 0.5 + (x - 0.5) * factors(0, OWN_CONTRAST, 1) + OFFSET * strength * tf.repeat(draws.either_way(2), 3)
    amounts = tf.stack([draws.between(-SHARPENING, BLUR), draws.between(-SHARPENING, BLUR)]) * strength
    x = tf.clip_by_value(_blurred(x, tf.repeat(amounts, 3)), 0, 1)
    read, shot = (
        strength * tf.repeat(tf.stack([draws.one(), draws.one()]), 3) * most for most in (READ_NOISE, SHOT_NOISE)
    )
    x += tf.sqrt(tf.square(read) + tf.square(shot) * x) * draws.noise([height, width, 6])
    levels = tf.cast(tf.round(tf.clip_by_value(x, 0, 1) * 255), tf.uint8)
    return tf.concat([_as_jpeg(picture, strength, draws) for picture in tf.split(levels, 2, axis=-1)], -1)


def _as_jpeg(levels, strength, draws: _Draws):
    quality = tf.cast(tf.round(100 - (100 - WORST_JPEG) * strength * draws.one()), tf.int32)

    def compressed():
        decoded = tf.io.decode_jpeg(tf.raw_ops.EncodeJpegVariableQuality(images=levels, quality=quality), channels=3)
        return tf.ensure_shape(decoded, levels.shape)

    return tf.cond(quality < 100, compressed, lambda: levels)


def _warped(picture, transform, interpolation: str = "BILINEAR", fill: str = "NEAREST"):
    """A picture, or several by a transform each. transform: as of ImageProjectiveTransform, from places in the result
    to places in the picture.
    """
    several = picture.shape.rank == 4
    warped = tf.raw_ops.ImageProjectiveTransformV3(
        images=picture if several else picture[None],
        transforms=transform if several else transform[None],
        output_shape=picture.shape[-3:-1],
        fill_value=0.0,
        interpolation=interpolation,
        fill_mode=fill,
    )
    return warped if several else warped[0]


def _blurred(picture, amount):
    """picture + amount x (its Gaussian blur - picture); amount: of all, or of each channel. Below 0 it is sharper."""
    across = tf.exp(-tf.square(tf.range(-2.0, 3.0)) / (2 * BLUR_SIGMA**2))
    kernel = across[:, None] * across[None]
    kernel = tf.tile((kernel / tf.reduce_sum(kernel))[..., None, None], [1, 1, picture.shape[-1], 1])
    padded = tf.pad(picture, [[2, 2], [2, 2], [0, 0]], "REFLECT")
    smooth = tf.nn.depthwise_conv2d(padded[None], kernel, [1, 1, 1, 1], "VALID")[0]
    return picture + amount * (smooth - picture)


def _coarse(planes):
    """A wide blur: a tenth of the picture's size, and back."""
    height, width = planes.shape[-3:-1]
    small = [max(side // 10, 2) for side in (height, width)]
    return tf.image.resize(tf.image.resize(planes, small, "area"), [height, width], "bilinear")


def _patch(field, level, steepness):
    """[H, W] from 0 to 1: where a field is above a level, with an outline as steep as that."""
    return tf.sigmoid(steepness * 4 * (field - level))


def _blend(scene, other, share):
    return scene + share[..., None] * (other - scene)


def _size(picture):
    """Numbers, not tensors: sizes are known wherever pictures are trained on or scored."""
    return int(picture.shape[0]), int(picture.shape[1])

"""The schedule as one line."""

import pytest

from fgseg_tf.measures import losses
from fgseg_tf.training.schedule import Stage, parse_parts, parse_stages

pytestmark = pytest.mark.both_stacks

USUAL = Stage(
    epochs=1,
    side=0,
    batch=32,
    rate=2e-3,
    mask_loss=losses.parse_loss("dice", "mask"),
    depth_loss=losses.parse_loss("ssim", "depth"),
)


def test_the_published_schedule():
    stages = parse_stages("10@64; 2@96; 1@192", USUAL)
    assert [(stage.epochs, stage.side) for stage in stages] == [(10, 64), (2, 96), (1, 192)]
    assert all(stage.batch == 32 and stage.rate == 2e-3 and stage.branches == ("mask", "depth") for stage in stages)


def test_what_a_stage_says_is_its_own():
    first, second, third = parse_stages(
        "3@64 rate=1e-4 batch=8 depth_loss=dice;1@0 freeze=mask+stem mask_loss=dice+0.5*bce;2@96", USUAL
    )
    assert (first.rate, first.batch, str(first.depth_loss), str(first.mask_loss)) == (1e-4, 8, "dice", "dice")
    assert (second.side, second.freeze, second.branches) == (0, ("stem", "mask"), ("depth",))
    assert str(second.mask_loss) == "dice+0.5*bce"
    assert third == Stage(**{**USUAL.__dict__, "epochs": 2, "side": 96})


def test_a_stage_reads_back_as_it_is_said():
    text = "3@64 rate=0.0001 batch=8 mask_loss=dice+0.5*bce depth_loss=ssim+10.0*l1 freeze=stem+joint"
    (stage,) = parse_stages(text, USUAL)
    assert parse_stages(str(stage), USUAL) == (stage,)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("10*64", r"'10\*64' at character 1 is not EPOCHS@SIZE, such as 10@64"),
        ("10@64; x@96", r"'x@96' at character 8 is not EPOCHS@SIZE"),
        ("0@64", r"'0@64' at character 1 is not EPOCHS@SIZE"),
        ("10@64;; 1@96", r"empty stage at character 7"),
        ("10@64; 2@96 64", r"'64' at character 13 is not one of rate=, batch=, mask_loss="),
        ("10@64 speed=3", r"'speed=3' at character 7 is not one of"),
        ("10@64 rate=fast", r"'rate=fast' at character 7: 'fast' is not a number"),
        ("10@64 rate=nan", r"nan is not a number over 0"),
        ("10@64 batch=1.5", r"'1.5' is not a whole number"),
        ("10@64 batch=0", r"0 is not a whole number over 0"),
        ("10@64 freeze=masks", r"'masks' is not a part of the network; take stem, background, joint, mask, depth"),
        ("10@64 depth_loss=ssim+l2", r"at character 7: .*'l2'.*take ssim, l1, relative, gradient or dice"),
        ("1@64 freeze=mask+depth", r"both branches are frozen; nothing is left to learn"),
        ("10@16", r"'10@16' at character 1 is a size below 32 pixels"),
    ],
)
def test_what_cannot_be_read_is_quoted_with_its_place(text, said):
    with pytest.raises(ValueError, match=said) as error:
        parse_stages(text, USUAL)
    assert str(error.value).startswith("`stages`=")


def test_parts_come_in_one_order():
    assert parse_parts("mask+stem") == parse_parts("stem+mask+stem") == ("stem", "mask")
    assert parse_parts("") == ()

"""`docs/replay.md` names every verdict and obstacle that there is, and the tolerance that holds."""

from governance.recorded_calls import Obstacle
from governance.replays import ReplayVerdict
from governance.tolerance import tolerance_of
from governance.types import MediaKind
from governance_adapters.commands.regeneration import EXIT_MISMATCH, EXIT_NOT_REPLAYABLE
from support.markdown import ROOT, names, section

REPLAY = (ROOT / "docs" / "replay.md").read_text()


def test_every_verdict_and_obstacle_is_documented():
    assert names(section(REPLAY, "Verdicts")) == {verdict.value for verdict in ReplayVerdict}
    assert names(section(REPLAY, "Obstacles")) == {obstacle.value for obstacle in Obstacle}


def test_the_numbers_are_those_of_the_code():
    pictures, clips = tolerance_of(MediaKind.IMAGE), tolerance_of(MediaKind.VIDEO)
    share, of_clips = (f"{each.share_millionths / 10_000:g} % of" for each in (pictures, clips))
    said = section(REPLAY, "Tolerance")
    assert f"{pictures.levels} levels of 0..255 in at most {share} the values" in said
    assert f"{clips.levels} levels in {of_clips} its values" in said
    assert f"{EXIT_MISMATCH} for a mismatch and {EXIT_NOT_REPLAYABLE} where it is not replayable" in REPLAY

"""Whether a model and its explanations can be trusted."""

from typing import TYPE_CHECKING

from tfxai3d._lazy import lazy

if TYPE_CHECKING:
    from tfxai3d.evaluate import claims as claims
    from tfxai3d.evaluate.calibration import Reliability as Reliability
    from tfxai3d.evaluate.calibration import fit_temperature as fit_temperature
    from tfxai3d.evaluate.calibration import reliability as reliability
    from tfxai3d.evaluate.calibration import with_temperature as with_temperature
    from tfxai3d.evaluate.classification import Classification as Classification
    from tfxai3d.evaluate.classification import classify as classify
    from tfxai3d.evaluate.classification import vote as vote
    from tfxai3d.evaluate.dropping.comparison import compare_modes as compare_modes
    from tfxai3d.evaluate.dropping.comparison import first_right as first_right
    from tfxai3d.evaluate.dropping.experiment import Condition as Condition
    from tfxai3d.evaluate.dropping.experiment import drop_curves as drop_curves
    from tfxai3d.evaluate.dropping.experiment import insertion_curves as insertion_curves
    from tfxai3d.evaluate.dropping.forward import Forward as Forward
    from tfxai3d.evaluate.dropping.forward import least_points as least_points
    from tfxai3d.evaluate.dropping.importance import Fixed as Fixed
    from tfxai3d.evaluate.dropping.importance import Importance as Importance
    from tfxai3d.evaluate.dropping.importance import Recomputed as Recomputed
    from tfxai3d.evaluate.dropping.importance import random_importance as random_importance
    from tfxai3d.evaluate.dropping.loop import drop_clouds as drop_clouds
    from tfxai3d.evaluate.dropping.loop import drop_points as drop_points
    from tfxai3d.evaluate.dropping.mode_table import STRUHS as STRUHS
    from tfxai3d.evaluate.dropping.mode_table import ModeComparison as ModeComparison
    from tfxai3d.evaluate.dropping.mode_table import mean_by_iteration as mean_by_iteration
    from tfxai3d.evaluate.dropping.modes import MIRRORED as MIRRORED
    from tfxai3d.evaluate.dropping.modes import MODES as MODES
    from tfxai3d.evaluate.dropping.modes import Order as Order
    from tfxai3d.evaluate.dropping.modes import Rule as Rule
    from tfxai3d.evaluate.dropping.modes import at_random as at_random
    from tfxai3d.evaluate.dropping.modes import by_count as by_count
    from tfxai3d.evaluate.dropping.modes import by_mode as by_mode
    from tfxai3d.evaluate.dropping.modes import dropped_points as dropped_points
    from tfxai3d.evaluate.dropping.modes import random_points as random_points
    from tfxai3d.evaluate.dropping.published import ZHENG as ZHENG
    from tfxai3d.evaluate.dropping.published import drop_summary as drop_summary
    from tfxai3d.evaluate.dropping.zero_heat import remove_without_heat as remove_without_heat
    from tfxai3d.evaluate.dropping.zero_heat import zero_heat_table as zero_heat_table
    from tfxai3d.evaluate.faithfulness.metrics import METRICS as METRICS
    from tfxai3d.evaluate.faithfulness.metrics import Metric as Metric
    from tfxai3d.evaluate.faithfulness.metrics import check_metrics as check_metrics
    from tfxai3d.evaluate.faithfulness.metrics import metrics_of as metrics_of
    from tfxai3d.evaluate.faithfulness.randomisation import shuffled as shuffled
    from tfxai3d.evaluate.faithfulness.subject import FRACTIONS as FRACTIONS
    from tfxai3d.evaluate.faithfulness.subject import Rated as Rated
    from tfxai3d.evaluate.faithfulness.subject import Subject as Subject
    from tfxai3d.evaluate.geometry import importance_fraction as importance_fraction
    from tfxai3d.evaluate.geometry import surface_variation as surface_variation
    from tfxai3d.evaluate.league.contest import Entry as Entry
    from tfxai3d.evaluate.league.contest import hold_contest as hold_contest
    from tfxai3d.evaluate.league.contest import read_contest as read_contest
    from tfxai3d.evaluate.league.entrants import entrants as entrants
    from tfxai3d.evaluate.league.ground_truth import known_reason as known_reason
    from tfxai3d.evaluate.league.standing import Place as Place
    from tfxai3d.evaluate.league.standing import standing as standing
    from tfxai3d.evaluate.league.standing import survives as survives
    from tfxai3d.evaluate.league.tables import contest_rows as contest_rows
    from tfxai3d.evaluate.league.tables import league_records as league_records
    from tfxai3d.evaluate.league.tables import standing_rows as standing_rows
    from tfxai3d.evaluate.report import Mistake as Mistake
    from tfxai3d.evaluate.report import calibration_table as calibration_table
    from tfxai3d.evaluate.report import classification_report as classification_report
    from tfxai3d.evaluate.report import confusion_table as confusion_table
    from tfxai3d.evaluate.report import decision_facts as decision_facts
    from tfxai3d.evaluate.report import explanation_facts as explanation_facts
    from tfxai3d.evaluate.report import mistakes as mistakes
    from tfxai3d.evaluate.report import overlap_table as overlap_table
    from tfxai3d.evaluate.report import part_table as part_table
    from tfxai3d.evaluate.report import read_mistakes as read_mistakes
    from tfxai3d.evaluate.report import segmentation_report as segmentation_report
    from tfxai3d.evaluate.rotations import RotationTest as RotationTest
    from tfxai3d.evaluate.rotations import random_rotations as random_rotations
    from tfxai3d.evaluate.segmentation import Segmentation as Segmentation
    from tfxai3d.evaluate.segmentation import segment as segment
    from tfxai3d.evaluate.statistics import Interval as Interval
    from tfxai3d.evaluate.statistics import bootstrap_mean as bootstrap_mean
    from tfxai3d.evaluate.statistics import rank_correlation as rank_correlation
    from tfxai3d.evaluate.up_axis import OtherAxisUp as OtherAxisUp
    from tfxai3d.evaluate.up_axis import surer_with_other_axis_up as surer_with_other_axis_up
    from tfxai3d.results.drop_table import DropRun as DropRun
    from tfxai3d.results.drop_table import DropStep as DropStep
    from tfxai3d.results.drop_table import DropTable as DropTable

__getattr__, __dir__ = lazy(__name__)

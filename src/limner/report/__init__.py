"""What a person looks at: the time-lapse, plots and one page per run; reads a run folder, never trains."""

from limner.report.comparison import write_comparison
from limner.report.evaluation import Neighbour, WorstPair, write_evaluation
from limner.report.page import refresh, write_report
from limner.report.standings import compare_runs
from limner.report.timelapse import write_animation, write_timelapse

__all__ = [
    "Neighbour",
    "WorstPair",
    "compare_runs",
    "refresh",
    "write_animation",
    "write_comparison",
    "write_evaluation",
    "write_report",
    "write_timelapse",
]

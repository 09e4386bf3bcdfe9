"""What a person looks at: the time-lapse, plots and one page per run; reads a run folder, never trains."""

from limner.report.page import refresh, write_report
from limner.report.timelapse import write_animation, write_timelapse

__all__ = ["refresh", "write_animation", "write_report", "write_timelapse"]

"""What a person looks at: sheets of samples, the time-lapse, plots and one page per run; it only reads run folders."""

from limner.report.grids import grid
from limner.report.page import refresh, write_report
from limner.report.timelapse import write_timelapse

__all__ = ["grid", "refresh", "write_report", "write_timelapse"]

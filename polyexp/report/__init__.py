"""What the user sees of a run: lines on the terminal, files in its folder, and its description in MLflow."""

from polyexp.report.files import write
from polyexp.report.markdown import description
from polyexp.report.report import Report
from polyexp.report.sentences import coefficients, forecast_sentences, futile_jobs, headline, loss_line, verdict
from polyexp.report.terminal import Terminal

__all__ = [
    "Report",
    "Terminal",
    "coefficients",
    "description",
    "forecast_sentences",
    "futile_jobs",
    "headline",
    "loss_line",
    "verdict",
    "write",
]

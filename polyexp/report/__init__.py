"""What a person sees of a run: lines on the terminal, files in its folder, words in MLflow."""

from polyexp.report.files import write
from polyexp.report.markdown import description
from polyexp.report.report import Report
from polyexp.report.sentences import coefficients, headline, loss_line, outlook, verdict
from polyexp.report.terminal import Terminal

__all__ = ["Report", "Terminal", "coefficients", "description", "headline", "loss_line", "outlook", "verdict", "write"]

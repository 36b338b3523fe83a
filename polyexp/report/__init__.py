"""What a person sees of a run: lines on the terminal, files in its folder, words in MLflow."""

from polyexp.report.files import write
from polyexp.report.settings import Report
from polyexp.report.terminal import Terminal
from polyexp.report.words import coefficients, description, headline, loss_line, outlook, verdict

__all__ = ["Report", "Terminal", "coefficients", "description", "headline", "loss_line", "outlook", "verdict", "write"]

"""The web page: a thin face over trained models, run folders and the command line (Gradio, extra `studio`)."""

import os

OUTSIDE = dict(os.environ)  # before the page's own settings, for the trainings that it starts: they may use the network

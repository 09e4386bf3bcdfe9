"""The web page: a thin face over trained models, run folders and the command line (Gradio, extra `studio`)."""

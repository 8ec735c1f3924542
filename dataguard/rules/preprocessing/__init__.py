"""Rules about preprocessing: training and serving must do the same to a picture."""

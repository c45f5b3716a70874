"""Floor 3: rewards. Scorers of pictures, their calibration, their blend, and the fitting of new ones to ratings."""

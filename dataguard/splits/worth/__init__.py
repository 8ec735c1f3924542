"""What a leak is worth: the held-out score of a cheap model with it and without it.

The score is balanced accuracy for classes and R² for a regression target. The difference is paired: both models predict
the same samples wherever they can, so that how hard those are cancels. The model is cheap (seconds) and is not the
user's: the figure says how much of a score the leak can make, and a model that remembers more can gain more.
"""

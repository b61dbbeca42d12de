"""Why SimSiam does not collapse: the article's toy in the plane, and the real method trained live.

The article (科学空间, archives/7980): with stop-gradient every rate of change carries the factor ∂l/∂h, and
the fast predictor drives it to zero before the encoder has collapsed; without it there is a second, fast
road to collapse. Try first: `live.train(Settings())` against `live.train(Settings(stop_gradient=False))`.
"""

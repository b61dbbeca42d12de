"""A tank without a filter: the same-path bottom filter as a pipe network, and the tank's nitrogen, day by day.

The article (科学空间, archives/7961) describes a 60 × 40 cm tank with an H-tree of pipes under 20 kg of ceramsite, and
a verdict: pump and filter are not essential, ceramsite and plants are. It measured nothing; both models are ours.
Try first: `pipes.solve(Pipes())` against `pipes.solve(Pipes(layout="comb"))`, then `verdicts.judge(Tank())`.
"""

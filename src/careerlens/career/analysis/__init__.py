"""The deterministic layer: judges a résumé's text by rules that anyone can read.

text ──▶ sections ──▶ statements ─┬─▶ contacts, dates, verbs, impact, obstacles, style ─▶ findings
                                  └─▶ skills ──▶ keywords of the role                    ──▶ score

Every module turns the text into facts or findings, each finding with the passage it concerns and
the points it costs. `engine.analyse` runs them in order and sums up. Nothing here asks a clock, a
network or a random number, so equal input gives an equal report.
"""

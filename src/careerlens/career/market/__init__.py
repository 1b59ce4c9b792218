"""What the market asks for: roles, titles, skills, demand and pay, from data shipped with us."""
